/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <stdio.h>
#include <string.h>

#ifdef HAVE_NETTLE

bool digest_available(void) { return true; }

void digest_begin(struct digest *digest)
{
        sha256_init(&digest->state);
        digest->len = 0;
}

void digest_add(struct digest *digest, const void *at, size_t len)
{
        sha256_update(&digest->state, len, at);
        digest->len += len;
}

void digest_end(struct digest *digest, uint8_t ret_digest[static DIGEST_LEN])
{
        sha256_digest(&digest->state, DIGEST_LEN, ret_digest);
}

#else

bool digest_available(void) { return false; }

void digest_begin(struct digest *digest) { digest->len = 0; }

void digest_add(struct digest *digest, const void *at, size_t len)
{
        (void)at;
        digest->len += len;
}

void digest_end(struct digest *digest, uint8_t ret_digest[static DIGEST_LEN])
{
        (void)digest;
        memset(ret_digest, 0, DIGEST_LEN);
}

#endif

void digest_hex(const uint8_t digest[static DIGEST_LEN], char ret_hex[static DIGEST_HEX])
{
        for (size_t i = 0; i < DIGEST_LEN; i++)
                snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

static int nibble(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(const char *hex, uint8_t ret_digest[static DIGEST_LEN])
{
        uint8_t digest[DIGEST_LEN];

        if (strlen(hex) != 2 * DIGEST_LEN)
                return false;
        for (size_t i = 0; i < DIGEST_LEN; i++) {
                int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                digest[i] = (uint8_t)(high << 4 | low);
        }
        memcpy(ret_digest, digest, sizeof(digest));
        return true;
}
