/* SPDX-License-Identifier: MIT */
/*
 * An ISF file to a tree of json-c, which lives only until the tables are made. The text goes in piece by piece: what
 * liblzma unpacks is never whole in memory.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif

#include "../base/error.h"
#include "../base/guard.h"
#include "../base/map.h"
#include "layout_isf_parse.h"

#define PIECE_LEN ((size_t)1 << 20)
#define NESTING_MAX 32                 /* an ISF needs about a dozen */
#define TEXT_MAX (UINT64_C(512) << 20) /* of JSON: the largest seen (Linux with every type) has less than a fifth */
#define LZMA_MEMORY_MAX (UINT64_C(256) << 20) /* xz -9e needs a quarter */
/*
 * Memory of the tree, reckoned before it is taken, from the characters that make json-c allocate: an object starts with
 * a table of 16 entries, an array with one of 32. Otherwise a few kilobytes of .xz ("{},{},{},...") would take a
 * hundred gigabytes. Measured with 0.16: 780, 160 and up to 190 bytes; 740 MiB where this says 890.
 */
#define OBJECT_MEMORY 832
#define ARRAY_MEMORY 320
#define VALUE_MEMORY 192
#define TEXT_MEMORY 3 /* a string is there three times when it has grown and is taken over */
#define TREE_MAX (UINT64_C(2) << 30)

struct reader {
        const char *name;
        struct stasis_error *err;
        struct json_tokener *tokener;
        struct json_object *tree;
        uint64_t len, memory;
        bool whole;
};

static uint64_t tree_memory(const uint8_t *text, size_t len)
{
        static const uint16_t memory[256] = { ['{'] = OBJECT_MEMORY, ['['] = ARRAY_MEMORY, [','] = VALUE_MEMORY };
        uint64_t sum = len * TEXT_MEMORY;
        for (size_t i = 0; i < len; i++)
                sum += memory[text[i]];
        return sum;
}

static enum stasis_status parse_piece(struct reader *r, const uint8_t *text, size_t len, size_t *ret_end)
{
        errno = 0;
        r->tree = json_tokener_parse_ex(r->tokener, (const char *)text, (int)len);
        enum json_tokener_error error = json_tokener_get_error(r->tokener);
        *ret_end = json_tokener_get_parse_end(r->tokener);
        r->whole = error == json_tokener_success;
        if (errno == ENOMEM) /* json-c has no error for it, and may go on */
                return stasis_fail(r->err, STASIS_NOMEM, "%s: no memory", r->name);
        if (!r->whole && error != json_tokener_continue)
                return stasis_fail(r->err, STASIS_CORRUPT, "%s: broken JSON at byte %" PRIu64 ": %s", r->name,
                                   r->len - len + *ret_end, json_tokener_error_desc(error));
        return STASIS_OK;
}

static enum stasis_status read_piece(struct reader *r, const uint8_t *text, size_t len)
{
        size_t at = 0;
        r->len += len;
        r->memory += tree_memory(text, len);
        if (r->len > TEXT_MAX)
                return stasis_fail(r->err, STASIS_LIMIT, "%s: more than %u MiB of JSON", r->name,
                                   (unsigned)(TEXT_MAX >> 20));
        if (r->memory > TREE_MAX)
                return stasis_fail(r->err, STASIS_LIMIT, "%s: reading it would need more than %u MiB of memory",
                                   r->name, (unsigned)(TREE_MAX >> 20));
        if (!r->whole) {
                enum stasis_status status = parse_piece(r, text, len, &at);
                if (status != STASIS_OK)
                        return status;
        }
        while (at < len && isspace(text[at]))
                at++;
        if (at < len)
                return stasis_fail(r->err, STASIS_CORRUPT, "%s: more text after the end of the JSON", r->name);
        return STASIS_OK;
}

static enum stasis_status read_plain(struct reader *r, struct stasis_bytes bytes)
{
        enum stasis_status status = STASIS_OK;
        for (size_t at = 0; at < bytes.len && status == STASIS_OK; at += PIECE_LEN)
                status = read_piece(r, bytes.at + at, bytes.len - at < PIECE_LEN ? bytes.len - at : PIECE_LEN);
        return status;
}

#ifdef HAVE_LZMA
static enum stasis_status lzma_failed(const struct reader *r, lzma_ret ret)
{
        if (ret == LZMA_MEM_ERROR)
                return stasis_fail(r->err, STASIS_NOMEM, "%s: no memory to unpack it", r->name);
        if (ret == LZMA_MEMLIMIT_ERROR)
                return stasis_fail(r->err, STASIS_LIMIT, "%s: unpacking needs more than %u MiB", r->name,
                                   (unsigned)(LZMA_MEMORY_MAX >> 20));
        return stasis_fail(r->err, STASIS_CORRUPT, "%s: %s xz data", r->name,
                           ret == LZMA_BUF_ERROR ? "truncated" : "damaged");
}

static void lzma_endp(lzma_stream *stream) { lzma_end(stream); }

static enum stasis_status read_packed(struct reader *r, struct stasis_bytes packed)
{
        _cleanup_(lzma_endp) lzma_stream stream = LZMA_STREAM_INIT;
        _cleanup_free_ uint8_t *text = malloc(PIECE_LEN);
        lzma_ret ret = text ? lzma_stream_decoder(&stream, LZMA_MEMORY_MAX, LZMA_CONCATENATED) : LZMA_MEM_ERROR;
        stream.next_in = packed.at;
        stream.avail_in = packed.len;
        while (ret == LZMA_OK) {
                stream.next_out = text;
                stream.avail_out = PIECE_LEN;
                ret = lzma_code(&stream, LZMA_FINISH);
                if (ret != LZMA_OK && ret != LZMA_STREAM_END)
                        break;
                enum stasis_status status = read_piece(r, text, PIECE_LEN - stream.avail_out);
                if (status != STASIS_OK)
                        return status;
        }
        return ret == LZMA_STREAM_END ? STASIS_OK : lzma_failed(r, ret);
}
#else
static enum stasis_status read_packed(struct reader *r, struct stasis_bytes packed)
{
        (void)packed;
        return stasis_fail(r->err, STASIS_UNSUPPORTED, "%s: built without liblzma: unpack it first (xz -d)", r->name);
}
#endif

enum stasis_status layout_isf_parse(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                    struct stasis_error *err)
{
        static const uint8_t xz[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
        struct reader r = { .name = name, .err = err, .tokener = json_tokener_new_ex(NESTING_MAX) };
        if (!r.tokener)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        json_tokener_set_flags(r.tokener, JSON_TOKENER_STRICT);
        bool packed = bytes.len >= sizeof xz && memcmp(bytes.at, xz, sizeof xz) == 0;
        enum stasis_status status = packed ? read_packed(&r, bytes) : read_plain(&r, bytes);
        json_tokener_free(r.tokener);
        if (status == STASIS_OK && !r.whole)
                status = stasis_fail(err, STASIS_CORRUPT, "%s: no whole JSON object", name);
        if (status == STASIS_OK)
                status = isf_tables(r.tree, name, ret_layout, err);
        json_object_put(r.tree);
        return status;
}

enum stasis_status stasis_layout_open_isf(const char *path, struct stasis_layout **ret_layout, struct stasis_error *err)
{
        struct stasis_map map;
        struct stat st;
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* an image may be a device, a layout is none */
                return stasis_fail(err, STASIS_USAGE, "%s: not a regular file", path);
        enum stasis_status status = stasis_map_open(path, &map, err);
        if (status != STASIS_OK)
                return status;
        status = layout_isf_parse(map.bytes, path, ret_layout, err);
        stasis_map_close(&map);
        return status;
}
