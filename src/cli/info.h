/* SPDX-License-Identifier: MIT */
/* Parts of stasis info, as text: the processors (info_cpu.c), and what cmd_info.c lends them. */
#ifndef STASIS_CLI_INFO_H
#define STASIS_CLI_INFO_H

#include "cli.h"

void put_section(struct cli *cli, const char *title);
/* Registers that the file's headers hold: a line a CPU; all of them where they are of the one that stopped. */
void put_cpus(struct cli *cli);
void put_exception(struct cli *cli);
/* Processor blocks of the system, with the threads they name. */
void put_processors(struct cli *cli);

#endif
