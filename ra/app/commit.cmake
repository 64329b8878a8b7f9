# Writes cmpgate_commit.h when the commit has changed (run with each build). CMPGATE_COMMIT overrides,
# and the environment's SOURCE_DATE_EPOCH, are for sources without git. Nothing in it depends on when or
# where it is built, so builds are reproducible.
if(NOT COMMIT)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT COMMIT)
  set(COMMIT unknown)
endif()
set(source_time "$ENV{SOURCE_DATE_EPOCH}")
if(NOT source_time MATCHES "^[0-9]+$")
  execute_process(COMMAND git -C ${SOURCE} log -1 --format=%ct
    OUTPUT_VARIABLE source_time OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT source_time MATCHES "^[0-9]+$")
  set(source_time 1793491200) # 2026-11-01, about when this was written
endif()
set(text "#define CMPGATE_COMMIT \"${COMMIT}\"\n#define CMPGATE_VERSION \"${VERSION}\"\n")
string(APPEND text "#define CMPGATE_SOURCE_TIME ${source_time}\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
