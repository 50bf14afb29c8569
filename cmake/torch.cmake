# SPDX-License-Identifier: MIT
# mhc_find_torch(libraries) sets ${libraries} to the libraries to link for libtorch with a parallel
# at::parallel_for, or to nothing if libtorch is not found or this build cannot use it.
macro(mhc_find_torch libraries)
  set(${libraries})
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize|-fno-exceptions|-fno-rtti")
    find_package(Torch QUIET CONFIG)
    find_package(OpenMP QUIET COMPONENTS CXX)
    if(Torch_FOUND)
      set(${libraries} ${TORCH_LIBRARIES})
      if(OpenMP_CXX_FOUND)
        list(APPEND ${libraries} OpenMP::OpenMP_CXX)
      endif()
    endif()
  endif()
endmacro()
