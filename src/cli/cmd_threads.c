/* SPDX-License-Identifier: MIT */
/* stasis threads: every thread, by process id and thread id. */
#include "list.h"

enum cli_exit cmd_threads(struct cli *cli) { return list_run(cli, STASIS_THREADS, false); }
