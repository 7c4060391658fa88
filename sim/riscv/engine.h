/* What every engine, a shared library, exports to engine.py. */
#ifndef HWGEN_ENGINE_H
#define HWGEN_ENGINE_H

#include "machine.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ENGINE_EXPORT __attribute__((visibility("default")))

/* A machine with empty memories, in reset; NULL if there is not enough memory. */
ENGINE_EXPORT void *hwgen_open(const MachineConfig *config);

/* Puts a part of the program into memory; 0 if it does not fit there. */
ENGINE_EXPORT int hwgen_load(void *session, uint32_t address, const uint8_t *bytes, uint32_t size);

/* Runs until the program ends, a core stops, or about `cycles` more cycles have passed. The result
 * is valid until the next call. An engine that ends a run as STOPPED has put into the status: the
 * core, the pc of the instruction, its word, the message. `instructions` and `pcs` are up to date. */
ENGINE_EXPORT const MachineStatus *hwgen_run(void *session, uint64_t cycles);

ENGINE_EXPORT void hwgen_close(void *session);

#ifdef __cplusplus
}
#endif

#endif
