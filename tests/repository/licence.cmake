# SPDX-License-Identifier: MIT
# cmake -D root=... -P licence.cmake: every file that can contain comments names its licence.
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/files.cmake)
mhc_repository_files(files ${root})
set(silent)
foreach(file IN LISTS files)
  # Text that is data, formats without comments, and the licence itself.
  if(file MATCHES "(^LICENSE|\\.json|\\.csv|\\.png|\\.bin|/data/.*|/vcpkg/usage)$"
     OR file MATCHES "/debian/(changelog|copyright|source/.*)$"
     OR NOT EXISTS ${root}/${file})
    continue()
  endif()
  file(READ ${root}/${file} head LIMIT 1000)
  if(NOT head MATCHES "SPDX-License-Identifier: MIT")
    list(APPEND silent ${file})
  endif()
endforeach()
list(LENGTH files count)
if(silent)
  list(JOIN silent "\n  " silent)
  message(FATAL_ERROR "no 'SPDX-License-Identifier: MIT' at the top of:\n  ${silent}")
endif()
message("${count} files looked at")
