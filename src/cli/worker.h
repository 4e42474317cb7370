/* SPDX-License-Identifier: MIT */
/*
 * The process that looks at one file or member for batch. What it tells goes through a pipe as frames: a letter, the
 * length of what follows as four bytes (little endian), and that. The reader believes none of it: a frame has a bound,
 * and texts are only ever kept and escaped.
 */
#ifndef STASIS_CLI_WORKER_H
#define STASIS_CLI_WORKER_H

#include "cli.h"
#include "sandbox.h"

enum worker_frame {
        FRAME_PHASE = 'P',    /* what it does from now on */
        FRAME_DIGEST = 'H',   /* the content's SHA-256, in hexadecimal */
        FRAME_MEMBER = 'M',   /* name of a file in the archive */
        FRAME_DOCUMENT = 'D', /* a piece of the result */
        FRAME_FACT = 'F',     /* key=value; the keys are those of the journal */
        FRAME_END = 'E'       /* the verdict, as a letter from 'A' on; nothing follows */
};
#define FRAME_HEADER 5
#define FRAME_MAX (64u << 10) /* of what follows the header */
#define WORKER_MEMBERS_MAX 65536
#define WORKER_NAMES_MAX (16u << 20) /* bytes of their names: that is what the parent keeps of an archive */
/* Files for what is unpacked: to list what a member holds, to open it, to open it once more with another reader. */
#define WORKER_SCRATCH (1 + 2 * STASIS_MEMBERS_MAX)

struct worker_job {
        struct cli *cli; /* options of the analysis */
        const char *member, *inner;
        bool sandboxed;
        struct sandbox_limits limits;
        uint64_t tmp_limit;
        int image, out, messages;    /* descriptors */
        int scratch[WORKER_SCRATCH]; /* empty files; -1: there is none */
};

/* In the child: does it all, and ends the process. */
_Noreturn void worker_run(const struct worker_job *job);

#endif
