# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(mhc_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/mhc)

install(TARGETS mhc EXPORT mhcTargets FILE_SET HEADERS FILE_SET kernel_parts FILE_SET adapters
        FILE_SET cuda FILE_SET compiled)
set(mhc_independent ARCH_INDEPENDENT)
foreach(library IN ITEMS mhc_compiled mhc_c)
  if(TARGET ${library})
    install(TARGETS ${library} EXPORT mhcTargets)
    set(mhc_independent)
  endif()
endforeach()
install(EXPORT mhcTargets NAMESPACE mhc:: DESTINATION ${mhc_config_dir})

configure_package_config_file(cmake/mhcConfig.cmake.in mhcConfig.cmake
                              INSTALL_DESTINATION ${mhc_config_dir})
write_basic_package_version_file(mhcConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                                                      ${mhc_independent})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mhcConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/mhcConfigVersion.cmake DESTINATION ${mhc_config_dir})

# mhc_install_pc(name dir) installs NAME.pc into the folder pkgconfig of CMAKE_INSTALL_<dir>. Its
# prefix is relative to itself, so that an installed tree can be moved.
foreach(part IN ITEMS INCLUDE LIB)
  string(TOLOWER ${part}dir name)
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${part}DIR})
    set(mhc_pc_${name} ${CMAKE_INSTALL_FULL_${part}DIR})
  else()
    set(mhc_pc_${name} "\${prefix}/${CMAKE_INSTALL_${part}DIR}")
  endif()
endforeach()
function(mhc_install_pc name dir)
  file(RELATIVE_PATH mhc_pc_to_prefix ${CMAKE_INSTALL_FULL_${dir}}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" mhc_pc_to_prefix "${mhc_pc_to_prefix}")
  configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_${dir}}/pkgconfig)
endfunction()
mhc_install_pc(mhc DATADIR)
if(TARGET mhc_c)
  # A C linker does not add the C++ library, which a static mhc_c needs.
  get_target_property(mhc_c_type mhc_c TYPE)
  set(mhc_pc_libs)
  if(mhc_c_type STREQUAL STATIC_LIBRARY)
    foreach(library IN LISTS CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
      if(library MATCHES "^(stdc\\+\\+|c\\+\\+|m)$")
        string(APPEND mhc_pc_libs " -l${library}")
      endif()
    endforeach()
  endif()
  mhc_install_pc(mhc_c LIBDIR)
endif()
