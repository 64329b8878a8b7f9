# Writes cmpgate_commit.h when the commit has changed (run with each build). CMPGATE_COMMIT overrides,
# for sources without git. Nothing in it depends on time or place, so builds are reproducible.
if(NOT COMMIT)
  execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT COMMIT)
  set(COMMIT unknown)
endif()
set(text "#define CMPGATE_COMMIT \"${COMMIT}\"\n#define CMPGATE_VERSION \"${VERSION}\"\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
