/* SPDX-License-Identifier: MIT */
/* The pages of a kdump: which there are (bitmaps), where each is (descriptors), and unpacking one. */
#include <stdlib.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "kdump.h"

/* A hole of the machine ends a gap: of those a dump has some dozens, and a hostile bitmap as many as it has bits. */
enum { HOLES_MAX = 65536, RANK_BYTES = KDUMP_RANK / 8, LAST_DESCS = 65536 };

static const struct {
        uint32_t flag;
        enum unpack method;
} methods[] = {
        { KDUMP_ZLIB, UNPACK_ZLIB },
        { KDUMP_LZO, UNPACK_LZO },
        { KDUMP_SNAPPY, UNPACK_SNAPPY },
        { KDUMP_ZSTD, UNPACK_ZSTD },
};

struct desc {
        uint64_t offset;
        uint32_t size, flags;
};

/* ---- descriptors */

static bool desc_at(const struct kdump_part *part, uint64_t index, struct desc *ret_desc)
{
        uint8_t torn[sizeof(struct kdump_desc)];
        struct stasis_bytes raw = flat_bytes(&part->flat, part->desc_at + index * sizeof torn, sizeof torn, torn);
        if (!raw.at)
                return false;
        ret_desc->offset = load_le64(raw.at);
        ret_desc->size = load_le32(raw.at + offsetof(struct kdump_desc, size));
        ret_desc->flags = load_le32(raw.at + offsetof(struct kdump_desc, flags));
        return true;
}

/* Why the page of a descriptor cannot be there; NULL where it can. */
static const char *desc_trouble(const struct kdump_part *part, uint64_t index, struct desc *ret_desc)
{
        if (!desc_at(part, index, ret_desc))
                return "cut off: the file ends";
        if (ret_desc->offset == 0 || ret_desc->size == 0)
                return "not written: the dump is incomplete";
        if (ret_desc->size > KDUMP_BLOCK)
                return "its page descriptor is damaged";
        if (flat_held(&part->flat, ret_desc->offset, ret_desc->size) < ret_desc->size)
                return "cut off: the file ends";
        return NULL;
}

/*
 * Pages are written in their order, but that all zero pages share the first one's data: where the last page that is
 * none of those is in the file, all are. Only of a file that is cut all descriptors are looked at.
 */
static bool is_whole(const struct kdump_part *part)
{
        struct desc first, desc;
        if (part->status & KDUMP_INCOMPLETE)
                return false;
        if (part->desc_count == 0)
                return true;
        if (desc_trouble(part, 0, &first))
                return false;
        uint64_t most = part->desc_count < LAST_DESCS ? part->desc_count : LAST_DESCS;
        for (uint64_t i = 0; i < most; i++) {
                if (desc_trouble(part, part->desc_count - 1 - i, &desc))
                        return false;
                if (desc.offset != first.offset)
                        return true;
        }
        return true;
}

/* ---- bitmaps */

/* KDUMP_RANK bits of a bitmap; zeros where it has no more, or the file does not hold them. */
static const uint8_t *bits_at(const struct kdump_part *part, uint64_t bitmap_at, uint64_t pfn, uint8_t torn[RANK_BYTES])
{
        struct stasis_bytes bits = { NULL, 0 };
        if (bitmap_at)
                bits = flat_bytes(&part->flat, bitmap_at + pfn / 8, RANK_BYTES, torn);
        if (bits.at)
                return bits.at;
        memset(torn, 0, RANK_BYTES);
        uint64_t held = bitmap_at ? flat_held(&part->flat, bitmap_at + pfn / 8, RANK_BYTES) : 0;
        if (held)
                bits = flat_bytes(&part->flat, bitmap_at + pfn / 8, (size_t)held, torn);
        if (bits.at && bits.at != torn)
                memcpy(torn, bits.at, bits.len);
        return torn;
}

/* Eight bytes of it, from bit pfn of the bitmap on, without the pages that are not this part's. */
static uint64_t word_of(const struct kdump_part *part, const uint8_t *bits, uint64_t pfn)
{
        uint64_t word = load_le64(bits + pfn % KDUMP_RANK / 8);
        if (pfn < part->first_pfn)
                word = part->first_pfn - pfn < 64 ? word & UINT64_MAX << (part->first_pfn - pfn) : 0;
        if (part->end_pfn < pfn + 64)
                word = part->end_pfn > pfn ? word & UINT64_MAX >> (pfn + 64 - part->end_pfn) : 0;
        return word;
}

static uint64_t step_of(uint64_t pfn) { return pfn / KDUMP_RANK * KDUMP_RANK; }

static enum stasis_status count_pages(struct kdump_part *part, struct stasis_error *err)
{
        uint8_t torn[RANK_BYTES];
        uint64_t from = step_of(part->first_pfn), count = 0;
        part->rank = calloc((size_t)((part->end_pfn - from) / KDUMP_RANK + 1), sizeof *part->rank);
        if (!part->rank)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        for (uint64_t pfn = from; pfn < part->end_pfn; pfn += KDUMP_RANK) {
                const uint8_t *bits = bits_at(part, part->held_at, pfn, torn);
                part->rank[(pfn - from) / KDUMP_RANK] = count;
                for (uint64_t i = 0; i < KDUMP_RANK; i += 64)
                        count += (uint64_t)__builtin_popcountll(word_of(part, bits, pfn + i));
        }
        part->desc_count = count;
        return STASIS_OK;
}

/* Which descriptor is that of a page in the file. */
static uint64_t desc_of(const struct kdump_part *part, uint64_t pfn)
{
        uint8_t torn[RANK_BYTES];
        uint64_t from = step_of(pfn), count = part->rank[(from - step_of(part->first_pfn)) / KDUMP_RANK];
        const uint8_t *bits = bits_at(part, part->held_at, from, torn);
        for (uint64_t at = from; at <= pfn; at += 64) {
                uint64_t word = word_of(part, bits, at);
                if (pfn - at < 64)
                        word &= (UINT64_C(1) << (pfn - at)) - 1;
                count += (uint64_t)__builtin_popcountll(word);
        }
        return count;
}

/* ---- stretches of equal bits become runs and gaps */

struct adding {
        struct stasis_image *image;
        struct kdump_part *part;
        struct stasis_error *err;
        uint64_t descs, descs_max; /* so far, and how many the file has room for */
        uint64_t gaps, gaps_max, unlisted;
        bool check; /* every descriptor */
};

/* A stretch that may go on. */
struct stretch {
        bool open;
        uint64_t first;
};

typedef enum stasis_status stretch_add(struct adding *adding, uint64_t first, uint64_t end);

static enum stasis_status no_memory(const struct adding *adding)
{
        return stasis_fail(adding->err, STASIS_NOMEM, "out of memory");
}

/* A bound for hostile bitmaps: what honest ones have is listed. */
static enum stasis_status add_gap(struct adding *adding, uint64_t first, uint64_t end, const char *why)
{
        uint64_t pa = first * KDUMP_BLOCK, len = (end - first) * KDUMP_BLOCK;
        if (adding->gaps >= adding->gaps_max) {
                adding->unlisted += end - first;
                return STASIS_OK;
        }
        adding->gaps++;
        enum stasis_status status =
                why ? stasis_image_add_gap(adding->image, pa, len, why)
                    : stasis_image_add_filtered(adding->image, pa, len, "filtered out by makedumpfile");
        return status == STASIS_OK ? STASIS_OK : no_memory(adding);
}

static enum stasis_status add_run(struct adding *adding, uint64_t first, uint64_t end)
{
        adding->gaps_max++;
        return stasis_image_add_run(adding->image, first * KDUMP_BLOCK, (end - first) * KDUMP_BLOCK, 0, adding->err);
}

static enum stasis_status add_filtered(struct adding *adding, uint64_t first, uint64_t end)
{
        return add_gap(adding, first, end, NULL);
}

/* In a file that is cut or damaged: each page by itself, joined with those before it that are in the same state. */
static enum stasis_status add_checked(struct adding *adding, uint64_t first, uint64_t end)
{
        enum stasis_status status = STASIS_OK;
        struct desc desc;
        while (first < end && status == STASIS_OK) {
                const char *why = desc_trouble(adding->part, adding->descs++, &desc);
                uint64_t stop = first + 1;
                for (; stop < end && desc_trouble(adding->part, adding->descs, &desc) == why; stop++)
                        adding->descs++;
                status = why ? add_gap(adding, first, stop, why) : add_run(adding, first, stop);
                first = stop;
        }
        return status;
}

static enum stasis_status add_held(struct adding *adding, uint64_t first, uint64_t end)
{
        if (adding->part->absent)
                return add_gap(adding, first, end, "in a part of the split dump that is not given");
        uint64_t room = adding->descs_max - adding->descs, cut = end - first > room ? first + room : end;
        enum stasis_status status = STASIS_OK;
        if (adding->check) {
                status = add_checked(adding, first, cut);
        } else {
                adding->descs += cut - first;
                if (cut > first)
                        status = add_run(adding, first, cut);
        }
        return status == STASIS_OK && cut < end ? add_gap(adding, cut, end, "cut off: the file ends") : status;
}

static enum stasis_status feed(struct adding *adding, struct stretch *stretch, uint64_t word, uint64_t pfn,
                               stretch_add *add)
{
        for (unsigned at = 0; at < 64;) {
                uint64_t rest = (stretch->open ? ~word : word) >> at;
                if (!rest)
                        break;
                at += (unsigned)__builtin_ctzll(rest);
                stretch->open = !stretch->open;
                if (stretch->open) {
                        stretch->first = pfn + at;
                        continue;
                }
                enum stasis_status status = add(adding, stretch->first, pfn + at);
                if (status != STASIS_OK)
                        return status;
        }
        return STASIS_OK;
}

static enum stasis_status add_all(struct adding *adding)
{
        const struct kdump_part *part = adding->part;
        struct stretch held = { 0 }, filtered = { 0 };
        uint8_t held_torn[RANK_BYTES], ram_torn[RANK_BYTES];
        enum stasis_status status = STASIS_OK;
        uint64_t pfn = step_of(part->first_pfn);
        for (; pfn < part->end_pfn && status == STASIS_OK; pfn += KDUMP_RANK) {
                const uint8_t *held_bits = bits_at(part, part->held_at, pfn, held_torn);
                const uint8_t *ram_bits = bits_at(part, part->ram_at, pfn, ram_torn);
                for (uint64_t at = pfn; at < pfn + KDUMP_RANK && status == STASIS_OK; at += 64) {
                        uint64_t in_file = word_of(part, held_bits, at), ram = word_of(part, ram_bits, at);
                        status = feed(adding, &held, in_file, at, add_held);
                        if (status == STASIS_OK)
                                status = feed(adding, &filtered, ram & ~in_file, at, add_filtered);
                }
        }
        if (status == STASIS_OK)
                status = feed(adding, &held, 0, pfn, add_held);
        return status == STASIS_OK ? feed(adding, &filtered, 0, pfn, add_filtered) : status;
}

enum stasis_status kdump_add_pages(struct stasis_image *image, struct kdump_part *part, struct stasis_error *err)
{
        struct adding adding = { .image = image, .part = part, .err = err, .gaps_max = HOLES_MAX };
        enum stasis_status status = part->absent ? STASIS_OK : count_pages(part, err);
        if (status != STASIS_OK)
                return status;
        /* A page costs a descriptor: there are never more of them than the file itself has room for. */
        adding.descs_max = part->flat.map->bytes.len / sizeof(struct kdump_desc);
        adding.check = !part->absent && !is_whole(part);
        status = add_all(&adding);
        if (status == STASIS_OK && adding.unlisted &&
            stasis_image_remark(image, "%llu more pages are missing than are listed",
                                (unsigned long long)adding.unlisted) != STASIS_OK)
                return no_memory(&adding);
        return status;
}

/* ---- one page */

static const struct kdump_part *part_of(const struct kdump *kdump, uint64_t pfn)
{
        for (size_t i = 0; i < kdump->count; i++)
                if (pfn >= kdump->part[i].first_pfn && pfn < kdump->part[i].end_pfn)
                        return &kdump->part[i];
        return NULL;
}

bool kdump_packing(uint32_t flags, enum unpack *ret_method)
{
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                if (flags & methods[i].flag) {
                        *ret_method = methods[i].method;
                        return true;
                }
        return false;
}

static enum stasis_status unpack_page(const struct desc *desc, struct stasis_bytes data, void *page)
{
        enum unpack method;
        if (kdump_packing(desc->flags, &method))
                return unpack(method, data, page, KDUMP_BLOCK);
        if (data.len != KDUMP_BLOCK)
                return STASIS_CORRUPT;
        memcpy(page, data.at, KDUMP_BLOCK);
        return STASIS_OK;
}

enum stasis_status kdump_read_page(const struct stasis_image *image, void *priv, uint64_t pa, void *page)
{
        (void)image;
        const struct kdump_part *part = part_of(priv, pa / KDUMP_BLOCK);
        uint8_t torn[KDUMP_BLOCK];
        struct desc desc;
        if (!part)
                return STASIS_ABSENT;
        if (desc_trouble(part, desc_of(part, pa / KDUMP_BLOCK), &desc))
                return STASIS_CORRUPT;
        struct stasis_bytes data = flat_bytes(&part->flat, desc.offset, desc.size, torn);
        return data.at ? unpack_page(&desc, data, page) : STASIS_CORRUPT;
}
