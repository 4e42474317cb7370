/* SPDX-License-Identifier: MIT */
/* stasis thread: every fact about the threads of one id, or about the thread object at one address. */
#include "list.h"

enum cli_exit cmd_thread(struct cli *cli)
{
        if (cli->tid.known == cli->object.known)
                return cli_usage(cli, "thread: give the thread with either --tid or --object");
        return list_run(cli, STASIS_THREADS, true);
}
