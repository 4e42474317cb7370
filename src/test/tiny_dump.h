/* SPDX-License-Identifier: MIT */
/* A tiny system as a full crash dump of its width, with the header that Windows writes and no debugger block in it. */
#ifndef STASIS_TEST_TINY_DUMP_H
#define STASIS_TEST_TINY_DUMP_H

#include "tiny.h"

struct tiny_dump {
        uint8_t bytes[0x2000 + WORLD_LEN];
        uint32_t header; /* its length; memory follows */
};

void tiny_dump(struct tiny_dump *d, const struct tiny *t);
void tiny_dump_put(struct tiny_dump *d, uint32_t at, uint64_t value, unsigned size);

#endif
