/* SPDX-License-Identifier: MIT */
/* Each method in terms of its library: a function that says whether exactly len bytes came out. */
#include "unpack.h"

#ifdef HAVE_ZLIB
#include <zlib.h>

static bool unpack_zlib(struct stasis_bytes packed, void *to, size_t len)
{
        uLongf out = len;
        return uncompress(to, &out, packed.at, packed.len) == Z_OK && out == len;
}
#else
#define unpack_zlib NULL
#endif

#ifdef HAVE_LZO
#include <lzo/lzo1x.h>

static bool unpack_lzo(struct stasis_bytes packed, void *to, size_t len)
{
        lzo_uint out = len;
        return lzo1x_decompress_safe(packed.at, packed.len, to, &out, NULL) == LZO_E_OK && out == len;
}
#else
#define unpack_lzo NULL
#endif

#ifdef HAVE_SNAPPY
#include <snappy-c.h>

static bool unpack_snappy(struct stasis_bytes packed, void *to, size_t len)
{
        size_t out = len;
        return snappy_uncompress((const char *)packed.at, packed.len, to, &out) == SNAPPY_OK && out == len;
}
#else
#define unpack_snappy NULL
#endif

#ifdef HAVE_ZSTD
#include <zstd.h>

static bool unpack_zstd(struct stasis_bytes packed, void *to, size_t len)
{
        return ZSTD_decompress(to, len, packed.at, packed.len) == len; /* an error is a number above any length */
}
#else
#define unpack_zstd NULL
#endif

static const struct method {
        const char *name, *package;
        bool (*unpack)(struct stasis_bytes packed, void *to, size_t len); /* NULL: not built in */
} methods[UNPACK_COUNT] = {
        [UNPACK_ZLIB] = { "zlib", "zlib1g-dev", unpack_zlib },
        [UNPACK_LZO] = { "lzo", "liblzo2-dev", unpack_lzo },
        [UNPACK_SNAPPY] = { "snappy", "libsnappy-dev", unpack_snappy },
        [UNPACK_ZSTD] = { "zstd", "libzstd-dev", unpack_zstd },
};

const char *unpack_name(enum unpack method) { return methods[method].name; }

const char *unpack_package(enum unpack method) { return methods[method].package; }

bool unpack_built_in(enum unpack method) { return methods[method].unpack; }

enum stasis_status unpack(enum unpack method, struct stasis_bytes packed, void *ret_bytes, size_t len)
{
        if (!methods[method].unpack)
                return STASIS_UNSUPPORTED;
        return methods[method].unpack(packed, ret_bytes, len) ? STASIS_OK : STASIS_CORRUPT;
}
