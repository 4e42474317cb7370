/* SPDX-License-Identifier: MIT */
/* The table of readers, and the contest that finds the one for a file. A new reader is registered here, and nowhere
 * else. */
#include <stdlib.h>
#include <string.h>

#include "../src/base/error.h"
#include "../src/base/guard.h"
#include "format.h"

const struct stasis_format *const stasis_formats[] = {
        &stasis_format_elf,
        &stasis_format_kdump,
        &stasis_format_dmp,
        &stasis_format_lime,
        &stasis_format_lime_raw,
        &stasis_format_raw,
        NULL,
};

enum { BID_ANYTHING = 1 /* raw's bid: it takes every file, and so is evidence of nothing */ };

const struct stasis_format *stasis_format_by_name(const char *name)
{
        for (size_t i = 0; stasis_formats[i]; i++)
                if (strcmp(stasis_formats[i]->name, name) == 0)
                        return stasis_formats[i];
        return NULL;
}

enum stasis_status stasis_format_choose(struct stasis_bytes head, uint64_t file_size,
                                        const struct stasis_format **ret_format, struct stasis_error *err)
{
        const struct stasis_format *best = NULL;
        int best_bid = 0;
        for (size_t i = 0; stasis_formats[i]; i++) {
                int bid = stasis_formats[i]->probe(head, file_size);
                if (bid > best_bid) {
                        best = stasis_formats[i];
                        best_bid = bid;
                }
        }
        const char *foreign = best_bid <= BID_ANYTHING ? stasis_foreign(head) : NULL;
        if (foreign)
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s (--reader raw reads it as raw memory all the same)",
                                   foreign);
        if (!best)
                return stasis_fail(err, STASIS_UNSUPPORTED, "no reader knows this file");
        *ret_format = best;
        return STASIS_OK;
}

enum stasis_status stasis_format_choose_file(struct stasis_map *map, const struct stasis_format **ret_format,
                                             struct stasis_error *err)
{
        size_t len = map->bytes.len < STASIS_PROBE_LEN ? map->bytes.len : STASIS_PROBE_LEN;
        _cleanup_free_ void *buf = map->blocks ? malloc(len) : NULL;
        if (map->blocks && !buf)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        struct stasis_bytes head = stasis_map_bytes(map, 0, len, buf);
        if (!head.at)
                return stasis_fail(err, STASIS_CORRUPT, "its first bytes do not unpack");
        return stasis_format_choose(head, map->bytes.len, ret_format, err);
}

const char *stasis_format_name_at(size_t index, const char **ret_title)
{
        if (index >= sizeof stasis_formats / sizeof *stasis_formats || !stasis_formats[index])
                return NULL;
        if (ret_title)
                *ret_title = stasis_formats[index]->title;
        return stasis_formats[index]->name;
}
