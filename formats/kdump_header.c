/* SPDX-License-Identifier: MIT */
/* The two headers of a kdump, of either width, in plain numbers. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "kdump.h"

/* Both widths are the same file with other places. */
struct member {
        uint8_t size;
        uint16_t at;
};
#define M(type, name) \
        { \
                sizeof(((struct type *)0)->name), offsetof(struct type, name) \
        }

static const struct shape {
        uint8_t bits;
        uint16_t header_size, sub_size;
        struct member status, block_size, sub_hdr_size, bitmap_blocks, max_mapnr, nr_cpus;
        struct member dump_level, split, start_pfn, end_pfn, offset_vmcoreinfo, size_vmcoreinfo, offset_note, size_note;
        struct member size_eraseinfo, start_pfn_64, end_pfn_64, max_mapnr_64;
} shapes[] = {
        { 64,
          sizeof(struct kdump_header64),
          sizeof(struct kdump_sub_header64),
          M(kdump_header64, status),
          M(kdump_header64, block_size),
          M(kdump_header64, sub_hdr_size),
          M(kdump_header64, bitmap_blocks),
          M(kdump_header64, max_mapnr),
          M(kdump_header64, nr_cpus),
          M(kdump_sub_header64, dump_level),
          M(kdump_sub_header64, split),
          M(kdump_sub_header64, start_pfn),
          M(kdump_sub_header64, end_pfn),
          M(kdump_sub_header64, offset_vmcoreinfo),
          M(kdump_sub_header64, size_vmcoreinfo),
          M(kdump_sub_header64, offset_note),
          M(kdump_sub_header64, size_note),
          M(kdump_sub_header64, size_eraseinfo),
          M(kdump_sub_header64, start_pfn_64),
          M(kdump_sub_header64, end_pfn_64),
          M(kdump_sub_header64, max_mapnr_64) },
        { 32,
          sizeof(struct kdump_header32),
          sizeof(struct kdump_sub_header32),
          M(kdump_header32, status),
          M(kdump_header32, block_size),
          M(kdump_header32, sub_hdr_size),
          M(kdump_header32, bitmap_blocks),
          M(kdump_header32, max_mapnr),
          M(kdump_header32, nr_cpus),
          M(kdump_sub_header32, dump_level),
          M(kdump_sub_header32, split),
          M(kdump_sub_header32, start_pfn),
          M(kdump_sub_header32, end_pfn),
          M(kdump_sub_header32, offset_vmcoreinfo),
          M(kdump_sub_header32, size_vmcoreinfo),
          M(kdump_sub_header32, offset_note),
          M(kdump_sub_header32, size_note),
          M(kdump_sub_header32, size_eraseinfo),
          M(kdump_sub_header32, start_pfn_64),
          M(kdump_sub_header32, end_pfn_64),
          M(kdump_sub_header32, max_mapnr_64) },
};

static uint64_t get(const uint8_t *at, struct member member) { return load_le(at + member.at, member.size); }

static bool is_shape(const struct shape *shape, const uint8_t *header)
{
        return get(header, shape->block_size) == KDUMP_BLOCK && get(header, shape->sub_hdr_size) &&
               get(header, shape->bitmap_blocks);
}

static const struct shape *shape_of(const uint8_t *header)
{
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                if (is_shape(&shapes[i], header))
                        return &shapes[i];
        return NULL;
}

static enum stasis_status no_shape(const uint8_t *header, struct stasis_error *err)
{
        uint32_t block = (uint32_t)get(header, shapes[0].block_size);
        if (__builtin_bswap32(block) == KDUMP_BLOCK)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a kdump of a big-endian machine: only little-endian machines are read");
        if (block > KDUMP_BLOCK && block <= 1 << 20 && (block & (block - 1)) == 0)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a kdump with pages of %" PRIu32 " bytes: only those of x86 are read", block);
        return stasis_fail(err, STASIS_CORRUPT, "kdump header: no block size of %d where it should be", KDUMP_BLOCK);
}

/* Copies what is there of [at, at+len), and says how much. */
static size_t copy(const struct flat *flat, uint64_t at, uint8_t *to, size_t len)
{
        size_t held = (size_t)flat_held(flat, at, len);
        struct stasis_bytes raw = flat_bytes(flat, at, held, to);
        if (raw.at && raw.at != to)
                memcpy(to, raw.at, held);
        return held;
}

static enum stasis_status copy_headers(const struct flat *flat, struct kdump_headers *h, const struct shape **ret_shape,
                                       struct stasis_error *err)
{
        if (copy(flat, 0, h->header, sizeof h->header) < sizeof(struct kdump_header32))
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the kdump header");
        if (memcmp(h->header, KDUMP_SIGNATURE, 8) != 0)
                return stasis_fail(err, flat->flattened ? STASIS_UNSUPPORTED : STASIS_CORRUPT, "no kdump header%s",
                                   flat->flattened ? " in the flattened file (an ELF core: --reader elf)" : "");
        const struct shape *shape = shape_of(h->header);
        if (!shape)
                return no_shape(h->header, err);
        if (copy(flat, KDUMP_BLOCK, h->sub, shape->sub_size) < shape->sub_size)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the kdump sub header");
        *ret_shape = shape;
        return STASIS_OK;
}

/* A member of the sub header that came with a version. */
static uint64_t get_since(const struct kdump_headers *h, uint32_t version, struct member member)
{
        return h->version >= version ? get(h->sub, member) : 0;
}

enum stasis_status kdump_read_headers(const struct flat *flat, struct kdump_headers *ret_headers,
                                      struct stasis_error *err)
{
        struct kdump_headers *h = ret_headers;
        const struct shape *shape = NULL;
        *h = (struct kdump_headers){ 0 };
        enum stasis_status status = copy_headers(flat, h, &shape, err);
        if (status != STASIS_OK)
                return status;
        assert(shape);
        h->bits = shape->bits;
        h->version = load_le32(h->header + offsetof(struct kdump_header64, header_version));
        h->status = (uint32_t)get(h->header, shape->status);
        h->processors = (uint32_t)get(h->header, shape->nr_cpus);
        h->bitmap_at = (1 + get(h->header, shape->sub_hdr_size)) * KDUMP_BLOCK;
        h->bitmap_len = get(h->header, shape->bitmap_blocks) * KDUMP_BLOCK;
        h->pages = get_since(h, 6, shape->max_mapnr_64);
        h->pages = h->pages ? h->pages : get(h->header, shape->max_mapnr);
        h->dump_level = (uint32_t)get_since(h, 1, shape->dump_level);
        h->split = get_since(h, 2, shape->split);
        h->first_pfn = get_since(h, 2, h->version < 6 ? shape->start_pfn : shape->start_pfn_64);
        h->end_pfn = get_since(h, 2, h->version < 6 ? shape->end_pfn : shape->end_pfn_64);
        h->vmcoreinfo_at = get_since(h, 3, shape->offset_vmcoreinfo);
        h->vmcoreinfo_len = get_since(h, 3, shape->size_vmcoreinfo);
        h->notes_at = get_since(h, 4, shape->offset_note);
        h->notes_len = get_since(h, 4, shape->size_note);
        h->erased_len = get_since(h, 5, shape->size_eraseinfo);
        return STASIS_OK;
}

static void without_range(const struct kdump_headers *h, uint8_t sub[sizeof h->sub])
{
        const struct shape *shape = shape_of(h->header);
        const struct member members[] = { shape->start_pfn, shape->end_pfn, shape->start_pfn_64, shape->end_pfn_64 };
        memcpy(sub, h->sub, sizeof h->sub);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
                memset(sub + members[i].at, 0, members[i].size);
}

bool kdump_same_dump(const struct kdump_headers *a, const struct kdump_headers *b)
{
        uint8_t sub_a[sizeof a->sub], sub_b[sizeof b->sub];
        if (memcmp(a->header, b->header, sizeof a->header) != 0)
                return false;
        without_range(a, sub_a);
        without_range(b, sub_b);
        return memcmp(sub_a, sub_b, sizeof sub_a) == 0;
}
