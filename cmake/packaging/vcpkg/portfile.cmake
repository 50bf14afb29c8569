# SPDX-License-Identifier: MIT
# MHC_REPOSITORY names the clone to build, e.g. file:///home/me/mhc or its address on a server; a
# registry that takes this port replaces these lines by its own vcpkg_from_... with a hash.
if(NOT DEFINED ENV{MHC_REPOSITORY} OR NOT DEFINED ENV{MHC_COMMIT})
  message(FATAL_ERROR "mhc: set MHC_REPOSITORY to the address of a clone and MHC_COMMIT to a commit, and "
                      "let vcpkg keep both: VCPKG_KEEP_ENV_VARS=MHC_REPOSITORY;MHC_COMMIT")
endif()
vcpkg_from_git(
  OUT_SOURCE_PATH SOURCE_PATH
  URL $ENV{MHC_REPOSITORY}
  REF $ENV{MHC_COMMIT})

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS FEATURES c MHC_BUILD_C)
if(NOT "c" IN_LIST FEATURES)
  set(VCPKG_BUILD_TYPE release) # headers alone
endif()
vcpkg_cmake_configure(
  SOURCE_PATH ${SOURCE_PATH}
  OPTIONS ${FEATURE_OPTIONS} -DMHC_BUILD_TESTS=OFF -DMHC_BUILD_EXAMPLES=OFF
          -DMHC_BUILD_BENCHMARKS=OFF -DMHC_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/mhc)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
if(NOT "c" IN_LIST FEATURES)
  file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib" "${CURRENT_PACKAGES_DIR}/debug")
endif()
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
