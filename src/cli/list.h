/* SPDX-License-Identifier: MIT */
#ifndef STASIS_CLI_LIST_H
#define STASIS_CLI_LIST_H

#include "cli.h"

/* The whole of a verb that lists records. detail: text gives every fact of each, and an empty answer is an error. */
enum cli_exit list_run(struct cli *cli, enum stasis_what what, bool detail);
/* What --process, --tid and --state leave of the threads. */
bool list_is_wanted(const struct cli *cli, enum stasis_what what, const struct stasis_record *record);
/* CLI_USAGE, with what there is, where --state names none that this system has. */
enum cli_exit list_check_state(struct cli *cli);
/* NULL where the system has no such column. */
const struct stasis_column *list_column_of(const struct cli *cli, enum stasis_what what, const char *key);

#endif
