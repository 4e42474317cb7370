/* SPDX-License-Identifier: MIT */
/* stasis modules: the kernel's modules, or with --process those of a process. */
#include "list.h"

enum cli_exit cmd_modules(struct cli *cli) { return list_run(cli, STASIS_MODULES, false); }
