/* SPDX-License-Identifier: MIT */
/* stasis diff: what became of the threads, processes and modules of one machine between two images or results. */
#ifndef STASIS_CLI_DIFF_H
#define STASIS_CLI_DIFF_H

#include <json-c/json.h>

#include "compare.h"

enum diff_side { DIFF_A, DIFF_B };

#define DIFF_LISTS 3
#define DIFF_REMARKS_MAX 8
#define DIFF_FINDINGS_MAX 1000000

/* One list: its findings are those from `first` on, each record's together; they stand in the order of A, then B. */
struct diff_list {
        const char *name;            /* "threads" */
        struct json_object *side[2]; /* the arrays, borrowed */
        size_t first, end;
        size_t born, gone, changed;
};

struct diff {
        struct cli *cli;
        const char *path[2];
        struct result side[2];
        struct json_object *part[2]; /* of both documents what is compared */
        struct compare compare;
        struct diff_list list[DIFF_LISTS];
        size_t list_count;
        size_t unknown;                 /* values that only one image tells, as the page was not in the other */
        char *remark[DIFF_REMARKS_MAX]; /* why the two may not be of one machine, or of one boot */
        size_t remark_count;
        bool bad;
};

/* Was the id, or the object, of a thread that was born that of one that is gone? In words, or NULL. */
const char *diff_reuse(const struct diff *diff, const struct diff_list *list, const struct finding *finding);

void diff_put_text(const struct diff *diff);
void diff_put_json(const struct diff *diff);

#endif
