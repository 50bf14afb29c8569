# SPDX-License-Identifier: MIT
# Eigen 3.4 or newer, without a version in find_package: Eigen 3.4.0 rejects every range whose upper
# end has another major version, and Eigen 5 rejects a plain 3.4.
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 CONFIG QUIET)
  if(NOT Eigen3_FOUND)
    message(FATAL_ERROR "mhc needs Eigen 3.4 or newer and found none: install libeigen3-dev, or "
                        "name the folder of Eigen3Config.cmake in Eigen3_DIR")
  elseif(Eigen3_VERSION VERSION_LESS 3.4)
    message(FATAL_ERROR "mhc needs Eigen 3.4 or newer, found ${Eigen3_VERSION} in ${Eigen3_DIR}")
  endif()
endif()
