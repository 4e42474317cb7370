/* SPDX-License-Identifier: MIT */
/* Flattened files: the index, and reading through it. docs/formats/kdump.md. */
#include "flat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "../src/base/guard.h"
#include "flat_wire.h"

static uint64_t load_be64(const uint8_t *at) { return __builtin_bswap64(load_le64(at)); }

bool flat_probe(struct stasis_bytes head)
{
        return head.len >= sizeof FLAT_SIGNATURE && memcmp(head.at, FLAT_SIGNATURE, sizeof FLAT_SIGNATURE) == 0;
}

bool flat_begins(struct stasis_bytes head, const char *magic, size_t len)
{
        uint64_t off = FLAT_FIRST;
        while (flat_probe(head)) {
                struct stasis_bytes header = bytes_slice(head, off, sizeof(struct flat_piece));
                if (!header.at)
                        return false;
                uint64_t size = load_be64(header.at + offsetof(struct flat_piece, len));
                struct stasis_bytes data = bytes_slice(head, off + sizeof(struct flat_piece), len);
                if (load_be64(header.at) == 0 && size >= len)
                        return data.at && memcmp(data.at, magic, len) == 0;
                if (size > head.len) /* head ends first */
                        return false;
                off += sizeof(struct flat_piece) + size;
        }
        return false;
}

/* ---- the pieces, in the order of the file */

struct pieces {
        struct flat_extent *piece;
        size_t count, capacity;
};

static void pieces_free(struct pieces *pieces) { free(pieces->piece); }

static enum stasis_status cut(struct stasis_image *image, uint64_t off, const char *why)
{
        return stasis_image_remark(image, "flattened file, at 0x%" PRIx64 ": %s; what follows is not read", off, why);
}

/* Every piece costs at least 17 bytes of the file, and 24 bytes here: the file bounds the list. */
static enum stasis_status read_pieces(struct stasis_image *image, struct stasis_map *map, struct pieces *pieces)
{
        uint64_t size = map->bytes.len;
        for (uint64_t off = FLAT_FIRST;;) {
                uint8_t buf[sizeof(struct flat_piece)];
                struct stasis_bytes header = stasis_map_bytes(map, off, sizeof buf, buf);
                if (!header.at)
                        return cut(image, off, "cut off before the mark of its end");
                uint64_t at = load_be64(header.at), end;
                uint64_t len = load_be64(header.at + offsetof(struct flat_piece, len));
                if (at == UINT64_MAX && len == UINT64_MAX)
                        return STASIS_OK;
                if (at > INT64_MAX || len > INT64_MAX)
                        return cut(image, off, "a piece of nonsense");
                off += sizeof(struct flat_piece);
                end = off + len;
                bool whole = len <= size - off;
                if (!whole)
                        len = size - off;
                if (len && !stasis_grow(&pieces->piece, &pieces->capacity, pieces->count + 1, sizeof *pieces->piece))
                        return STASIS_NOMEM;
                if (len)
                        pieces->piece[pieces->count++] = (struct flat_extent){ at, len, off };
                if (!whole)
                        return cut(image, off, "cut off inside a piece");
                off = end;
        }
}

/* ---- sorted and disjoint: what was written later counts, as on a disk */

static int compare(const void *a, const void *b)
{
        const struct flat_extent *x = a, *y = b;
        if (x->at != y->at)
                return x->at < y->at ? -1 : 1;
        return x->off < y->off ? -1 : x->off > y->off;
}

/* A heap of the pieces that began already; on top the one that lies last in the file. */
struct heap {
        const struct flat_extent **item;
        size_t count;
};

static void heap_push(struct heap *heap, const struct flat_extent *piece)
{
        size_t i = heap->count++;
        for (; i && heap->item[(i - 1) / 2]->off < piece->off; i = (i - 1) / 2)
                heap->item[i] = heap->item[(i - 1) / 2];
        heap->item[i] = piece;
}

static void heap_pop(struct heap *heap)
{
        const struct flat_extent *moved = heap->item[--heap->count];
        size_t i = 0;
        for (size_t child = 1; child < heap->count; child = 2 * i + 1) {
                if (child + 1 < heap->count && heap->item[child + 1]->off > heap->item[child]->off)
                        child++;
                if (heap->item[child]->off <= moved->off)
                        break;
                heap->item[i] = heap->item[child];
                i = child;
        }
        heap->item[i] = moved;
}

static void emit(struct flat *flat, uint64_t at, uint64_t end, const struct flat_extent *piece)
{
        struct flat_extent *last = flat->count ? &flat->extent[flat->count - 1] : NULL;
        uint64_t off = piece->off + (at - piece->at);
        if (last && last->at + last->len == at && last->off + last->len == off)
                last->len += end - at;
        else
                flat->extent[flat->count++] = (struct flat_extent){ at, end - at, off };
}

/* From border to border: between two of them the top of the heap is what counts. At most two extents a piece. */
static void sweep(struct flat *flat, const struct flat_extent *piece, size_t count, struct heap *heap)
{
        size_t next = 0;
        uint64_t at = 0;
        while (next < count || heap->count) {
                while (heap->count && heap->item[0]->at + heap->item[0]->len <= at)
                        heap_pop(heap);
                if (!heap->count && next < count && piece[next].at > at)
                        at = piece[next].at;
                for (; next < count && piece[next].at <= at; next++)
                        heap_push(heap, &piece[next]);
                if (!heap->count)
                        continue;
                const struct flat_extent *top = heap->item[0];
                uint64_t end = top->at + top->len;
                if (end <= at)
                        continue;
                if (next < count && piece[next].at < end)
                        end = piece[next].at;
                emit(flat, at, end, top);
                at = end;
        }
}

static enum stasis_status arrange(struct pieces *pieces, struct flat *flat, struct stasis_error *err)
{
        _cleanup_free_ void *heap = calloc(pieces->count, sizeof(void *));
        flat->extent = calloc(2 * pieces->count, sizeof *flat->extent);
        if (!flat->extent || !heap)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        qsort(pieces->piece, pieces->count, sizeof *pieces->piece, compare);
        sweep(flat, pieces->piece, pieces->count, &(struct heap){ .item = heap });
        const struct flat_extent *last = &flat->extent[flat->count - 1];
        flat->len = last->at + last->len;
        return STASIS_OK;
}

static enum stasis_status index_pieces(struct stasis_image *image, struct flat *flat, struct stasis_error *err)
{
        _cleanup_(pieces_free) struct pieces pieces = { 0 };
        uint8_t buf[sizeof(struct flat_header)];
        struct stasis_bytes header = stasis_map_bytes(flat->map, 0, sizeof buf, buf);
        if (!header.at)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the header of a flattened file");
        uint64_t type = load_be64(header.at + offsetof(struct flat_header, type));
        uint64_t version = load_be64(header.at + offsetof(struct flat_header, version));
        if (type != FLAT_TYPE || version != FLAT_VERSION)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a flattened file of type %" PRIu64 ", version %" PRIu64 ": only 1, 1 is read", type,
                                   version);
        if (read_pieces(image, flat->map, &pieces) != STASIS_OK)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if (pieces.count == 0)
                return stasis_fail(err, STASIS_CORRUPT, "a flattened file without content");
        return arrange(&pieces, flat, err);
}

enum stasis_status flat_open(struct stasis_image *image, struct stasis_map *map, struct flat *ret_flat,
                             struct stasis_error *err)
{
        *ret_flat = (struct flat){ .map = map, .len = map->bytes.len };
        uint8_t buf[sizeof FLAT_SIGNATURE];
        if (!flat_probe(stasis_map_bytes(map, 0, sizeof buf, buf)))
                return STASIS_OK;
        ret_flat->flattened = true;
        return index_pieces(image, ret_flat, err);
}

void flat_close(struct flat *flat)
{
        free(flat->extent);
        flat->extent = NULL;
        flat->count = 0;
}

/* ---- reading through it */

const struct flat_extent *flat_first(const struct flat *flat, uint64_t at)
{
        size_t low = 0, high = flat->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (flat->extent[middle].at <= at)
                        low = middle + 1;
                else
                        high = middle;
        }
        bool inside = low && at - flat->extent[low - 1].at < flat->extent[low - 1].len;
        return flat->extent + (inside ? low - 1 : low);
}

/* The extent that holds at, or NULL. */
static const struct flat_extent *find(const struct flat *flat, uint64_t at)
{
        const struct flat_extent *extent = flat_first(flat, at);
        return extent < flat->extent + flat->count && extent->at <= at ? extent : NULL;
}

struct stasis_bytes flat_bytes(const struct flat *flat, uint64_t at, size_t len, void *buf)
{
        if (!flat->flattened)
                return stasis_map_bytes(flat->map, at, len, buf);
        const struct flat_extent *extent = find(flat, at);
        if (extent && len <= extent->len - (at - extent->at))
                return stasis_map_bytes(flat->map, extent->off + (at - extent->at), len, buf);
        size_t done = 0;
        while (buf && extent && done < len) {
                uint64_t inside = at + done - extent->at, left = extent->len - inside;
                size_t part = len - done < left ? len - done : (size_t)left;
                uint8_t *to = (uint8_t *)buf + done;
                struct stasis_bytes from = stasis_map_bytes(flat->map, extent->off + inside, part, to);
                if (!from.at)
                        break;
                if (from.at != to)
                        memcpy(to, from.at, part);
                done += part;
                extent = extent + 1 < flat->extent + flat->count && extent[1].at == at + done ? extent + 1 : NULL;
        }
        return done == len && len ? (struct stasis_bytes){ buf, len } : (struct stasis_bytes){ NULL, 0 };
}

uint64_t flat_held(const struct flat *flat, uint64_t at, uint64_t len)
{
        if (!flat->flattened) {
                uint64_t left = at < flat->len ? flat->len - at : 0;
                return len < left ? len : left;
        }
        uint64_t done = 0;
        const struct flat_extent *extent = find(flat, at);
        while (extent && done < len) {
                done = extent->at + extent->len - at;
                extent = extent + 1 < flat->extent + flat->count && extent[1].at == at + done ? extent + 1 : NULL;
        }
        return done < len ? done : len;
}

enum stasis_status flat_keep(struct stasis_image *image, const struct flat *flat, uint64_t at, uint64_t len,
                             struct stasis_bytes *ret_bytes)
{
        uint64_t held = flat_held(flat, at, len);
        *ret_bytes = flat_bytes(flat, at, (size_t)held, NULL);
        if (ret_bytes->at || held == 0)
                return STASIS_OK;
        void *copy = stasis_arena_alloc(&image->arena, (size_t)held);
        if (!copy)
                return STASIS_NOMEM;
        *ret_bytes = flat_bytes(flat, at, (size_t)held, copy);
        return STASIS_OK;
}
