/* SPDX-License-Identifier: MIT */
/* stasis processes: every process, by process id. */
#include "list.h"

enum cli_exit cmd_processes(struct cli *cli) { return list_run(cli, STASIS_PROCESSES, false); }
