/* SPDX-License-Identifier: MIT */
/* kdump-compressed files, plain and flattened: docs/formats/kdump.md. */
#include "kdump.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "elf.h"
#include "format.h"
#include "kdump_wire.h"
#include "unpack.h"

/* Notes of a machine with 8,192 CPUs have 3 MiB. */
enum { NOTES_MAX = 16 << 20, LAST_VERSION = 6 };

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

/* What the headers of one part say. */
struct headers {
        const struct shape *shape;
        uint32_t version;
        uint8_t header[sizeof(struct kdump_header64)], sub[sizeof(struct kdump_sub_header64)];
};

static uint64_t get(const uint8_t *at, struct member member) { return load_le(at + member.at, member.size); }

/* A member of the sub header that came with a version. */
static uint64_t get_since(const struct headers *h, uint32_t version, struct member member)
{
        return h->version >= version ? get(h->sub, member) : 0;
}

static const char *utsname(const struct headers *h, size_t member)
{
        return (const char *)h->header + offsetof(struct kdump_header64, utsname) + member;
}
#define UTSNAME(h, name) utsname(h, offsetof(struct kdump_utsname, name)), 64

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        bool plain = head.len >= 8 && memcmp(head.at, KDUMP_SIGNATURE, 8) == 0;
        return plain || flat_probe(head) ? 100 : 0;
}

/* ---- headers */

static bool is_shape(const struct shape *shape, const uint8_t *header)
{
        return get(header, shape->block_size) == KDUMP_BLOCK && get(header, shape->sub_hdr_size) &&
               get(header, shape->bitmap_blocks);
}

static enum stasis_status choose_shape(struct headers *h, struct stasis_error *err)
{
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !h->shape; i++)
                if (is_shape(&shapes[i], h->header))
                        h->shape = &shapes[i];
        if (h->shape)
                return STASIS_OK;
        uint32_t block = (uint32_t)get(h->header, shapes[0].block_size);
        if (__builtin_bswap32(block) == KDUMP_BLOCK)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a kdump of a big-endian machine: only little-endian machines are read");
        if (block > KDUMP_BLOCK && block <= 1 << 20 && (block & (block - 1)) == 0)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a kdump with pages of %" PRIu32 " bytes: only those of x86 are read", block);
        return stasis_fail(err, STASIS_CORRUPT, "kdump header: no block size of %d where it should be", KDUMP_BLOCK);
}

static enum stasis_status read_headers(const struct flat *flat, struct headers *h, struct stasis_error *err)
{
        size_t have = (size_t)flat_held(flat, 0, sizeof h->header);
        struct stasis_bytes raw = flat_bytes(flat, 0, have, h->header);
        if (!raw.at || have < sizeof(struct kdump_header32))
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the kdump header");
        if (raw.at != h->header)
                memcpy(h->header, raw.at, have);
        if (memcmp(h->header, KDUMP_SIGNATURE, 8) != 0)
                return stasis_fail(err, flat->flattened ? STASIS_UNSUPPORTED : STASIS_CORRUPT, "no kdump header%s",
                                   flat->flattened ? " in the flattened file: arrange it first (makedumpfile -R)" : "");
        enum stasis_status status = choose_shape(h, err);
        if (status != STASIS_OK)
                return status;
        raw = flat_bytes(flat, KDUMP_BLOCK, h->shape->sub_size, h->sub);
        if (!raw.at)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the kdump sub header");
        if (raw.at != h->sub)
                memcpy(h->sub, raw.at, raw.len);
        h->version = load_le32(h->header + offsetof(struct kdump_header64, header_version));
        return STASIS_OK;
}

/* ---- where things are */

static enum stasis_status bitmaps(const struct headers *h, struct stasis_image *image, struct kdump_part *part,
                                  struct stasis_error *err)
{
        uint64_t at = (1 + get(h->header, h->shape->sub_hdr_size)) * KDUMP_BLOCK;
        uint64_t len = get(h->header, h->shape->bitmap_blocks) * KDUMP_BLOCK,
                 pages = get(h->header, h->shape->max_mapnr);
        uint64_t pages_64 = get_since(h, 6, h->shape->max_mapnr_64);
        pages = pages_64 ? pages_64 : pages;
        part->desc_at = at + len;
        /* One bitmap only: old writers, that filtered nothing. */
        bool two = pages / 8 + (pages % 8 != 0) <= len / 2;
        uint64_t one_len = two ? len / 2 : len;
        part->ram_at = two ? at : 0;
        part->held_at = two ? at + one_len : at;
        uint64_t held = flat_held(&part->flat, part->held_at, one_len) * 8;
        if (held == 0)
                return stasis_fail(err, STASIS_CORRUPT, "cut off: the bitmap of the pages should be at 0x%" PRIx64,
                                   part->held_at);
        part->max_pfn = pages < held ? pages : held;
        if (pages > held && stasis_image_remark(image, "the bitmap tells of %" PRIu64 " pages; the header of %" PRIu64,
                                                held, pages) != STASIS_OK)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return STASIS_OK;
}

static void range(const struct headers *h, struct kdump_part *part)
{
        part->split = get_since(h, 2, h->shape->split);
        part->end_pfn = part->max_pfn;
        if (!part->split)
                return;
        bool wide = h->version >= 6;
        part->first_pfn = get(h->sub, wide ? h->shape->start_pfn_64 : h->shape->start_pfn);
        part->end_pfn = get(h->sub, wide ? h->shape->end_pfn_64 : h->shape->end_pfn);
        if (part->end_pfn > part->max_pfn)
                part->end_pfn = part->max_pfn;
        if (part->first_pfn > part->end_pfn)
                part->first_pfn = part->end_pfn;
}

static enum stasis_status read_part(struct stasis_image *image, struct headers *h, struct kdump_part *part,
                                    struct stasis_error *err)
{
        enum stasis_status status = read_headers(&part->flat, h, err);
        if (status != STASIS_OK)
                return status;
        part->version = h->version;
        part->status = (uint32_t)get(h->header, h->shape->status);
        part->dump_level = (uint32_t)get_since(h, 1, h->shape->dump_level);
        part->processors = (uint32_t)get(h->header, h->shape->nr_cpus);
        status = bitmaps(h, image, part, err);
        range(h, part);
        return status;
}

/* ---- hints */

/* A piece of the file that lives as long as the image: in place, or, where it is torn, in the arena. */
static enum stasis_status keep(struct stasis_image *image, const struct flat *flat, uint64_t at, uint64_t len,
                               struct stasis_bytes *ret_bytes)
{
        uint64_t held = flat_held(flat, at, len < NOTES_MAX ? len : NOTES_MAX);
        *ret_bytes = flat_bytes(flat, at, (size_t)held, NULL);
        if (ret_bytes->at || held == 0)
                return STASIS_OK;
        void *copy = stasis_arena_alloc(&image->arena, (size_t)held);
        if (!copy)
                return STASIS_NOMEM;
        *ret_bytes = flat_bytes(flat, at, (size_t)held, copy);
        return STASIS_OK;
}

static enum stasis_status read_notes(struct stasis_image *image, const struct headers *h, const struct flat *flat,
                                     struct elf_notes *notes)
{
        struct stasis_bytes bytes;
        uint64_t len = get_since(h, 4, h->shape->size_note);
        enum stasis_status status = keep(image, flat, get(h->sub, h->shape->offset_note), len, &bytes);
        if (status == STASIS_OK && bytes.len < len)
                status = stasis_image_remark(image, "of %" PRIu64 " bytes of notes %zu are there", len, bytes.len);
        if (status == STASIS_OK && bytes.len)
                status = elf_read_notes(image, notes, bytes);
        len = get_since(h, 3, h->shape->size_vmcoreinfo);
        if (status != STASIS_OK || len == 0 || image->hints.known & STASIS_HINT_VMCOREINFO)
                return status;
        status = keep(image, flat, get(h->sub, h->shape->offset_vmcoreinfo), len, &bytes);
        if (status != STASIS_OK || bytes.len == 0)
                return status;
        image->hints.vmcoreinfo = bytes;
        image->hints.known |= STASIS_HINT_VMCOREINFO;
        return STASIS_OK;
}

static const struct {
        const char *name; /* as uname gives it */
        enum stasis_machine machine;
} machines[] = {
        { "x86_64", STASIS_MACHINE_X64 }, { "i386", STASIS_MACHINE_X86 }, { "i486", STASIS_MACHINE_X86 },
        { "i586", STASIS_MACHINE_X86 },   { "i686", STASIS_MACHINE_X86 }, { "aarch64", STASIS_MACHINE_ARM64 },
};

static enum stasis_machine machine_by_name(const char *name, size_t len)
{
        for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
                if (strnlen(name, len) == strlen(machines[i].name) &&
                    memcmp(name, machines[i].name, strlen(machines[i].name)) == 0)
                        return machines[i].machine;
        return STASIS_MACHINE_UNKNOWN;
}

/* The kernel's addresses as VMCOREINFO writes them (%lx): 8 digits or 16. */
static enum stasis_machine machine_by_addresses(const struct stasis_hints *hints)
{
        static const char symbol[] = "SYMBOL(_stext)=";
        if (!(hints->known & STASIS_HINT_VMCOREINFO))
                return STASIS_MACHINE_UNKNOWN;
        struct stasis_bytes info = hints->vmcoreinfo;
        const uint8_t *at = memmem(info.at, info.len, symbol, sizeof symbol - 1);
        size_t digits = 0;
        if (!at)
                return STASIS_MACHINE_UNKNOWN;
        at += sizeof symbol - 1;
        while (at + digits < info.at + info.len && isxdigit(at[digits]))
                digits++;
        return digits == 16 ? STASIS_MACHINE_X64 : digits == 8 ? STASIS_MACHINE_X86 : STASIS_MACHINE_UNKNOWN;
}

/*
 * What the file says by its content goes before the name in its header: QEMU writes there what QEMU itself was built
 * for, or nothing at all. Only x86 is told apart by content; another name is believed.
 */
static enum stasis_status find_machine(struct stasis_image *image, const struct headers *h,
                                       const struct elf_notes *notes)
{
        enum stasis_machine named = machine_by_name(UTSNAME(h, machine)), machine = notes->machine;
        bool other = *utsname(h, offsetof(struct kdump_utsname, machine)) && named != STASIS_MACHINE_X64 &&
                     named != STASIS_MACHINE_X86;
        if (machine == STASIS_MACHINE_UNKNOWN)
                machine = machine_by_addresses(&image->hints);
        if (machine == STASIS_MACHINE_UNKNOWN || other)
                machine = named;
        if (machine == STASIS_MACHINE_UNKNOWN)
                return stasis_image_remark(image, "nothing in the file tells what machine it is of");
        image->hints.machine = machine;
        image->hints.known |= STASIS_HINT_MACHINE;
        if (named == STASIS_MACHINE_UNKNOWN || named == machine)
                return STASIS_OK;
        return stasis_image_remark(image, "the header names another machine than the registers and VMCOREINFO are of; "
                                          "it is not believed");
}

static size_t append(char *text, size_t at, size_t size, const char *from, size_t len)
{
        if (*from && at && at + 1 < size)
                text[at++] = ' ';
        for (size_t i = 0; i < len && from[i] && at + 1 < size; i++)
                text[at++] = isprint((unsigned char)from[i]) ? from[i] : '?';
        text[at] = '\0';
        return at;
}

/* What the dumped system called itself; nothing where its name is not there. */
static enum stasis_status read_comment(struct stasis_image *image, const struct headers *h)
{
        char text[512];
        size_t at = append(text, 0, sizeof text, UTSNAME(h, sysname));
        at = append(text, at, sizeof text, UTSNAME(h, nodename));
        size_t before = at;
        at = append(text, at, sizeof text, UTSNAME(h, release));
        if (at == before)
                return STASIS_OK;
        at = append(text, at, sizeof text, UTSNAME(h, version));
        at = append(text, at, sizeof text, UTSNAME(h, machine));
        image->hints.comment = stasis_arena_strndup(&image->arena, text, at);
        if (!image->hints.comment)
                return STASIS_NOMEM;
        image->hints.known |= STASIS_HINT_COMMENT;
        return STASIS_OK;
}

static enum stasis_status read_hints(struct stasis_image *image, const struct headers *h, const struct kdump_part *part)
{
        struct elf_notes notes = { 0 };
        if (machine_by_name(UTSNAME(h, machine)) == STASIS_MACHINE_ARM64)
                image->hints.machine = STASIS_MACHINE_ARM64; /* its NT_PRSTATUS is passed over */
        enum stasis_status status = read_notes(image, h, &part->flat, &notes);
        if (status == STASIS_OK)
                status = find_machine(image, h, &notes);
        if (status == STASIS_OK)
                status = read_comment(image, h);
        image->hints.dump_level = part->dump_level;
        image->hints.known |= h->version >= 1 ? STASIS_HINT_DUMP_LEVEL : 0;
        image->hints.processors = part->processors;
        image->hints.known |= part->processors ? STASIS_HINT_PROCESSORS : 0;
        elf_hint_from_cpus(&image->hints);
        return status;
}

/* ---- the whole */

/* "zlib", "not compressed"; and a clear line where its pages could not be read. */
static enum stasis_status packing_of(uint32_t status, const char **ret_name, struct stasis_error *err)
{
        enum unpack method;
        *ret_name = "not compressed";
        if (!kdump_packing(status, &method))
                return STASIS_OK;
        *ret_name = unpack_name(method);
        if (unpack_built_in(method))
                return STASIS_OK;
        return stasis_fail(err, STASIS_UNSUPPORTED,
                           "its pages are packed with %s, which is not built in (install %s and build again)",
                           unpack_name(method), unpack_package(method));
}

static enum stasis_status say(struct stasis_image *image, const struct headers *h, const struct kdump_part *part)
{
        enum stasis_status status = STASIS_OK;
        if (h->version > LAST_VERSION)
                status = stasis_image_remark(image, "header version %" PRIu32 ": read as version %d", h->version,
                                             LAST_VERSION);
        if (status == STASIS_OK && part->status & KDUMP_INCOMPLETE)
                status = stasis_image_remark(image, "the dump is incomplete: the disk was full when it was written");
        if (status == STASIS_OK && part->status & KDUMP_EXCLUDED_VMEMMAP)
                status = stasis_image_remark(image,
                                             "page structures of left-out pages are left out too (makedumpfile -e)");
        if (status == STASIS_OK && get_since(h, 5, h->shape->size_eraseinfo))
                status = stasis_image_remark(image, "data were erased from it (makedumpfile --config)");
        return status;
}

static enum stasis_status open_part(struct stasis_image *image, struct kdump_part *part, struct stasis_error *err)
{
        struct headers h = { 0 };
        const char *packing;
        enum stasis_status status = read_part(image, &h, part, err);
        if (status == STASIS_OK)
                status = packing_of(part->status, &packing, err);
        if (status != STASIS_OK)
                return status;
        stasis_image_set_title(image, "%skdump, %d-bit header, %s, dump level %" PRIu32,
                               part->flat.flattened ? "flattened " : "", h.shape->bits, packing, part->dump_level);
        if (read_hints(image, &h, part) != STASIS_OK || say(image, &h, part) != STASIS_OK)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return kdump_add_pages(image, part, err);
}

static enum stasis_status kdump_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        struct kdump *kdump = priv;
        kdump->part = calloc(1, sizeof *kdump->part);
        if (!kdump->part)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        kdump->count = 1;
        enum stasis_status status = flat_open(image, &image->map, &kdump->part->flat, err);
        return status == STASIS_OK ? open_part(image, kdump->part, err) : status;
}

static void kdump_close(void *priv)
{
        struct kdump *kdump = priv;
        for (size_t i = 0; i < kdump->count; i++) {
                flat_close(&kdump->part[i].flat);
                free(kdump->part[i].rank);
        }
        free(kdump->part);
}

const struct stasis_format stasis_format_kdump = {
        .name = "kdump",
        .title = "kdump-compressed dump of Linux",
        .priv_size = sizeof(struct kdump),
        .probe = probe,
        .open = kdump_open,
        .read_page = kdump_read_page,
        .close = kdump_close,
};
