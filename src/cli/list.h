/* SPDX-License-Identifier: MIT */
#ifndef STASIS_CLI_LIST_H
#define STASIS_CLI_LIST_H

#include "cli.h"

/* The whole of a verb that lists records. detail: text gives every fact of each, and an empty answer is an error. */
enum cli_exit list_run(struct cli *cli, enum stasis_what what, bool detail);

#endif
