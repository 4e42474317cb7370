/* SPDX-License-Identifier: MIT */
/*
 * stasis/result/1: everything about one image in one document, for programs and for archives. It is written record by
 * record, and holds nothing of this run or this machine: no path, no time of day, no duration. The same bytes give the
 * same document, in whatever they were wrapped. An image that is not understood has one too.
 */
#ifndef STASIS_CLI_OUT_RESULT_H
#define STASIS_CLI_OUT_RESULT_H

#include "cli.h"

#define RESULT_SCHEMA "stasis/result/1"

/* What the caller knows and the image does not say. */
struct result_about {
        const char *sha256;         /* of the contents; NULL: not known */
        const char *const *sandbox; /* what held the process that analysed: "landlock", "seccomp"; NULL at the end */
        const char *error;          /* why the image could not be opened; cli->image is NULL then */
        void (*phase)(void *ctx, const char *name); /* NULL, or called when another part of the work begins */
        void *ctx;
};

/* What the document says, in short. */
struct result_outcome {
        enum cli_exit exit;
        bool no_memory; /* it is not whole, and says nothing about the image */
        char error[256];
        char system[160]; /* its name; "" where it was not understood */
        bool counted;     /* the next two lines hold */
        size_t processes, threads, deadlocks;
        size_t notes[3]; /* by enum stasis_severity */
};

/* Opens the system of cli->image and writes the document to out. Write errors are out's: the caller asks for them. */
void result_write(struct cli *cli, const struct result_about *about, FILE *out, struct result_outcome *ret_outcome);

#endif
