/* SPDX-License-Identifier: MIT */
#ifndef STASIS_CLI_RESULT_IMAGE_H
#define STASIS_CLI_RESULT_IMAGE_H

#include "result.h"

/*
 * The whole answer about an image, as a document that is analysed now and read back. An image that cannot be opened or
 * understood: CLI_UNREADABLE, with the message printed.
 */
enum cli_exit result_of_image(struct cli *cli, const char *path, struct result *ret_result);

#endif
