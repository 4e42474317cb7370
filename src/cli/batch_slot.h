/* SPDX-License-Identifier: MIT */
/* One worker, as its parent has it: what it was given, what it has told so far. */
#ifndef STASIS_CLI_BATCH_SLOT_H
#define STASIS_CLI_BATCH_SLOT_H

#include <sys/resource.h>
#include <sys/types.h>

#include "batch.h"
#include "worker.h"

#define SLOT_TAIL 2048 /* of what it wrote to its standard error, the end is kept */

struct slot {
        unsigned number;
        pid_t pid;                /* 0: free */
        int out, messages, ended; /* pipes from it, and a descriptor that says when it has ended */
        int result;               /* file of the document; -1: not begun */
        uint64_t written;         /* to it */
        int64_t begun, until;     /* milliseconds; until 0: no limit */
        struct entry entry;
        bool told;            /* the end frame was there */
        enum verdict stopped; /* killed by us, because; VERDICTS: no */
        int error;            /* errno of a result that could not be written */
        uint8_t header[FRAME_HEADER];
        size_t header_len, frame_len, frame_have;
        uint8_t *frame; /* FRAME_MAX, kept over workers */
        char tail[SLOT_TAIL];
        size_t tail_len;
        size_t root;    /* index of the item that is the file itself */
        uint64_t names; /* bytes of the names that it told */
};

enum cli_exit slot_start(struct batch *batch, struct slot *slot, const struct batch_item *item, int image);
/* Reads what there is; closes what has ended. */
void slot_read(struct batch *batch, struct slot *slot);
void slot_read_messages(struct slot *slot);
/* Waits for its end, and makes the entry whole. */
void slot_end(struct batch *batch, struct slot *slot);
/* The second half of that: status and used are what wait4 tells of a process that has ended. */
void slot_settle(struct batch *batch, struct slot *slot, int status, const struct rusage *used);
void slot_kill(struct slot *slot, enum verdict why);

#endif
