/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli.h"

int main(int argc, char **argv)
{
        signal(SIGPIPE, SIG_IGN); /* a closed pipe is then a write error like any other, and is said */
        return cli_main(argc, argv, stdin, stdout, stderr);
}
