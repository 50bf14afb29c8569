# SPDX-License-Identifier: MIT
# mhc_repository_files(out root): the tracked files, or all but build/ if this is not a checkout.
function(mhc_repository_files out root)
  execute_process(
    COMMAND git -c safe.directory=* -C ${root} ls-files
    OUTPUT_VARIABLE files
    RESULT_VARIABLE failed
    ERROR_QUIET)
  if(failed)
    file(GLOB_RECURSE files RELATIVE ${root} ${root}/*)
    list(FILTER files EXCLUDE REGEX "^(build|\\.git)/")
  else()
    string(REPLACE "\n" ";" files "${files}")
  endif()
  list(REMOVE_ITEM files "")
  set(${out} ${files} PARENT_SCOPE)
endfunction()
