/* SPDX-License-Identifier: MIT */
/* SHA-256, by which batch knows a content again. Without nettle there is none, and digest_available says so. */
#ifndef STASIS_CLI_DIGEST_H
#define STASIS_CLI_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef HAVE_NETTLE
#include <nettle/sha2.h>
#endif

#define DIGEST_LEN 32
#define DIGEST_HEX (2 * DIGEST_LEN + 1)

struct digest {
#ifdef HAVE_NETTLE
        struct sha256_ctx state;
#endif
        uint64_t len;
};

bool digest_available(void);
void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *at, size_t len);
void digest_end(struct digest *digest, uint8_t ret_digest[static DIGEST_LEN]);
void digest_hex(const uint8_t digest[static DIGEST_LEN], char ret_hex[static DIGEST_HEX]);
/* False where hex is no such text. */
bool digest_parse(const char *hex, uint8_t ret_digest[static DIGEST_LEN]);

#endif
