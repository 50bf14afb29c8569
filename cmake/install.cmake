# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(mhc_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/mhc)
set(mhc_pc_dir ${CMAKE_INSTALL_DATADIR}/pkgconfig)

install(TARGETS mhc EXPORT mhcTargets FILE_SET HEADERS FILE_SET kernel_parts FILE_SET adapters)
set(mhc_independent ARCH_INDEPENDENT)
if(TARGET mhc_c)
  install(TARGETS mhc_c EXPORT mhcTargets)
  set(mhc_independent)
endif()
install(EXPORT mhcTargets NAMESPACE mhc:: DESTINATION ${mhc_config_dir})

configure_package_config_file(cmake/mhcConfig.cmake.in mhcConfig.cmake
                              INSTALL_DESTINATION ${mhc_config_dir})
write_basic_package_version_file(mhcConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                                                      ${mhc_independent})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mhcConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/mhcConfigVersion.cmake DESTINATION ${mhc_config_dir})

# mhc.pc finds the headers relative to itself, so that an installed tree can be moved.
if(IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(mhc_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
else()
  set(mhc_pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
file(RELATIVE_PATH mhc_pc_to_prefix ${CMAKE_INSTALL_PREFIX}/${mhc_pc_dir} ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" mhc_pc_to_prefix "${mhc_pc_to_prefix}")
configure_file(cmake/mhc.pc.in mhc.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/mhc.pc DESTINATION ${mhc_pc_dir})
