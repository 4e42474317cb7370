/* SPDX-License-Identifier: MIT */
/*
 * What the process that parses an image may do: compute, read and write what it holds already, and end. Landlock takes
 * the file system, TCP and signals to others away, seccomp every system call that is not on a list, limits the rest.
 * Nothing of it can be taken back by the process itself.
 */
#ifndef STASIS_CLI_SANDBOX_H
#define STASIS_CLI_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_PARTS 3 /* names, and NULL at the end */

struct sandbox_limits {
        uint64_t memory;  /* bytes of memory of its own (not of mapped files) beyond what it has now; 0: no limit */
        uint64_t file;    /* length of a file that it writes */
        uint64_t seconds; /* of processor time; 0: no limit */
};

/* Is seccomp built in? Landlock is asked of the kernel, and is not a must: the result says what there was. */
bool sandbox_built(void);
/* Has this kernel Landlock, and may it be used? */
bool sandbox_has_landlock(void);
/* Sets limits that a process can only tighten. */
bool sandbox_limit(const struct sandbox_limits *limits);
/* Enters; ret_parts: what is in force. false: seccomp could not be had, and errno tells why. */
bool sandbox_enter(const char *ret_parts[static SANDBOX_PARTS]);

#endif
