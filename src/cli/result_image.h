/* SPDX-License-Identifier: MIT */
#ifndef STASIS_CLI_RESULT_IMAGE_H
#define STASIS_CLI_RESULT_IMAGE_H

#include "result.h"

/*
 * The whole answer about an image, as a document that is made now and read back. There is one too of an image that
 * cannot be opened or understood: its status is CLI_UNREADABLE, and result_error says why. Fails only where memory
 * does, with the message printed.
 */
enum cli_exit result_of_image(struct cli *cli, const char *path, struct result *ret_result);
/* analysis.error of a document; "" where there is none. */
const char *result_error(const struct result *result);

#endif
