/* SPDX-License-Identifier: MIT */
/*
 * Executive objects in a tiny system: types, the directory \ObjectTypes, headers before its processes and threads, and
 * any object that a test wants. How a version writes them is spelled out here once more.
 */
#ifndef STASIS_TEST_TINY_OBJECTS_H
#define STASIS_TEST_TINY_OBJECTS_H

#include "tiny.h"

enum tiny_type {
        TINY_TYPE, /* of types */
        TINY_DIRECTORY,
        TINY_PROCESS_TYPE,
        TINY_THREAD_TYPE,
        TINY_EVENT,
        TINY_MUTANT,
        TINY_SEMAPHORE,
        TINY_TIMER,
        TINY_PORT, /* "Port", since Vista "ALPC Port" */
        TINY_FILE,
        TINY_DEVICE,
        TINY_TYPES
};

#define TINY_COOKIE 0xb7 /* 10 */

struct tiny_objects {
        uint64_t type[TINY_TYPES];
        uint64_t root, types; /* directories: "\" and "\ObjectTypes" */
        uint64_t next, end;   /* of the memory that objects are taken from */
        uint64_t table;       /* x64: like ObTypeIndexTable, in the kernel's variables */
};

/* Once a system; the types' table and the variable PsProcessType of the kernel are written too. */
void tiny_objects(struct tiny *t, struct tiny_objects *o);
/* len bytes of body, zeroed; name NULL: none. directory: 0 for none. */
uint64_t tiny_object(struct tiny *t, struct tiny_objects *o, enum tiny_type type, uint32_t len, const char *name,
                     uint64_t directory);
/* Memory without a header. */
uint64_t tiny_take(struct tiny *t, struct tiny_objects *o, uint32_t len);
/* x64: the number of the type as it stands in the header before this body; x86: its type object. */
void tiny_header(struct tiny *t, const struct tiny_objects *o, uint64_t body, enum tiny_type type, const char *name);

#endif
