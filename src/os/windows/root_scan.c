/* SPDX-License-Identifier: MIT */
/*
 * The whole image scanned for page tables that map themselves, as every Windows NT keeps them (and ReactOS):
 *
 *   x86   page tables at 0xc0000000: entry 0x300 of the page directory is the page directory itself
 *   pae   directories at 0xc0600000: the first four entries of the fourth directory are the four directories, in order;
 *         the 32-byte table that names them is found by these values in a second pass (made only where there is one)
 *   x64   entry 0x1ed of the PML4 until Windows 10 1511, since 1607 one that is drawn at boot from 0x100..0x1ff
 *   la57  the same, one level up
 *
 * Sources: Intel SDM 3A "Paging"; "Windows Internals", 7th edition, part 1, chapter 5 (address space layouts, "x86 and
 * x64 address translation"); ReactOS 0.4 in two images of ours. The entry is writable, for the supervisor, no large
 * page.
 *
 * What raises a candidate above chance: KUSER_SHARED_DATA is found through it (at its fixed kernel address, with the
 * path of the system directory, "C:\..."), and other candidates share its kernel half.
 *
 * Bounds: a pass costs a look at each entry and, for a table that maps itself, two walks an entry that does. Tables
 * that map themselves through the same entry are a family; each family keeps its best few in places of its own, so that
 * a file full of one kind cannot push out the others.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "../../base/bytes.h"
#include "../../base/guard.h"
#include "../../mem/image.h"
#include "root_list.h"

#define PAGE UINT64_C(4096)
#define HALF 2048
#define PIECE (UINT64_C(1) << 20)
#define FRAME UINT64_C(0x000ffffffffff000)

/* present, writable; neither user nor large */
#define SELF_BITS 0x03u
#define SELF_MASK 0x87u

enum {
        FAMILY_X64 = 0,
        FAMILY_LA57 = 256,
        FAMILY_X86 = 512,
        FAMILY_PAE = 513,
        FAMILIES = 514,
        FAMILY_MAX = 8,
        FAMILY_MAX_32 = 256, /* 32-bit systems have one family only */
        CANDIDATES = FAMILY_X86 * FAMILY_MAX + 2 * FAMILY_MAX_32,
        X86_SELF = 0x300,
        PAE_SELF = 3,
        X64_SELVES_MAX = 4, /* a table that maps itself through more entries is something else */
        PAE_SLOT = 32,
        HASH = 1024,
};

/* Ranks of what the scan finds; see root.c for those of what is told. */
enum { RANK_SCAN = 100, RANK_SHARED_DATA = 200, RANK_SHARED_DATA_MAPPED = 30, SHARERS_MAX = 40 };

struct candidate {
        const struct stasis_paging *paging;
        uint64_t root;     /* pae: 0 until the table of four is found */
        uint64_t table;    /* what maps itself; pae: the fourth directory */
        uint64_t frame[4]; /* pae: the four directories */
        uint32_t score, sharers;
};

struct scan {
        const struct stasis_image *image;
        windows_progress *progress;
        void *progress_ctx;
        uint64_t done, total;
        struct {
                uint64_t seen;
                size_t count; /* of its candidates that are kept */
        } family[FAMILIES];
        struct candidate candidate[CANDIDATES]; /* family after family, each with as many places as it may take */
        uint16_t hash[HASH]; /* pae: by frame of the fourth directory; number of its candidate, plus one */
};

/* ---- going over the image */

typedef void page_visitor(struct scan *scan, uint64_t pa, const uint8_t *page);

/* An image is mapped for access in any order (no read-ahead); here it is read from end to end. */
static void read_ahead(struct stasis_bytes piece)
{
        uintptr_t skip = -(uintptr_t)piece.at & (PAGE - 1);
        if (piece.len > skip)
                (void)posix_madvise((void *)(piece.at + skip), piece.len - skip, POSIX_MADV_WILLNEED);
}

/* Pages that lie in one piece are looked at in place; others (compressed, torn between runs) are read. */
static void visit_pages(struct scan *scan, uint64_t pa, uint64_t end, page_visitor *visit)
{
        uint8_t copy[PAGE];
        while (pa < end) {
                uint64_t data = stasis_image_skip_hole(scan->image, pa) & ~(PAGE - 1); /* a torn page is none */
                if (data > pa) {
                        pa = data;
                        continue;
                }
                struct stasis_bytes piece = stasis_image_view(scan->image, pa, end - pa < PIECE ? end - pa : PIECE);
                if (piece.len < PAGE) {
                        if (stasis_image_read(scan->image, pa, copy, PAGE) == STASIS_OK)
                                visit(scan, pa, copy);
                        pa += PAGE;
                        continue;
                }
                read_ahead(piece);
                for (; piece.len >= PAGE; pa += PAGE, piece.at += PAGE, piece.len -= PAGE)
                        visit(scan, pa, piece.at);
        }
}

static void visit_image(struct scan *scan, const char *what, page_visitor *visit)
{
        size_t count;
        const struct stasis_run *run = stasis_image_runs(scan->image, &count);
        scan->done = 0;
        for (size_t i = 0; i < count; i++) {
                uint64_t last = run[i].pa + (run[i].len - 1);
                uint64_t first = run[i].pa + (-run[i].pa & (PAGE - 1));
                for (uint64_t pa = first; pa >= first && pa <= last; pa += 64 * PIECE) {
                        uint64_t left = last - pa + 1;
                        if (scan->progress)
                                scan->progress(scan->progress_ctx, what, scan->done + (pa - first), scan->total);
                        visit_pages(scan, pa, pa + (left < 64 * PIECE ? left : 64 * PIECE), visit);
                }
                scan->done += run[i].len;
        }
        if (scan->progress)
                scan->progress(scan->progress_ctx, what, scan->total, scan->total);
}

/* ---- what a candidate is worth */

/* NtSystemRoot of KUSER_SHARED_DATA: UTF-16 at 0x30, a drive letter, a colon, a backslash. */
static uint32_t shared_data_score(const struct stasis_image *image, const struct stasis_paging *paging, uint64_t root)
{
        uint64_t va = paging->va_bits == 32 ? 0xffdf0000 : UINT64_C(0xfffff78000000000);
        struct stasis_walk walk;
        uint8_t path[6];
        if (stasis_paging_walk(image, paging, root, va + 0x30, &walk) != STASIS_OK)
                return 0;
        if (stasis_image_read(image, walk.pa, path, sizeof(path)) == STASIS_OK && (path[0] | 0x20) >= 'a' &&
            (path[0] | 0x20) <= 'z' && !path[1] && load_le16(path + 2) == ':' && load_le16(path + 4) == '\\')
                return RANK_SHARED_DATA;
        return RANK_SHARED_DATA_MAPPED;
}

static struct candidate *members(struct scan *scan, unsigned family, size_t *ret_max)
{
        *ret_max = family < FAMILY_X86 ? FAMILY_MAX : FAMILY_MAX_32;
        if (family < FAMILY_X86)
                return &scan->candidate[family * FAMILY_MAX];
        return &scan->candidate[FAMILY_X86 * FAMILY_MAX + (family - FAMILY_X86) * FAMILY_MAX_32];
}

static void keep(struct scan *scan, unsigned family, const struct candidate *found)
{
        size_t max;
        struct candidate *member = members(scan, family, &max);
        scan->family[family].seen++;
        if (scan->family[family].count < max) {
                member[scan->family[family].count++] = *found;
                return;
        }
        struct candidate *worst = member;
        for (size_t i = 1; i < max; i++)
                if (member[i].score <= worst->score)
                        worst = &member[i];
        if (worst->score < found->score)
                *worst = *found;
}

static void keep_table(struct scan *scan, const struct stasis_paging *paging, uint64_t pa, unsigned family)
{
        keep(scan, family,
             &(struct candidate){
                     .paging = paging,
                     .root = pa,
                     .table = pa,
                     .score = shared_data_score(scan->image, paging, pa),
             });
}

/* ---- the first pass: tables that map themselves */

static bool is_self(uint64_t entry, uint64_t pa) { return (entry & FRAME) == pa && (entry & SELF_MASK) == SELF_BITS; }

static void look_for_pae(struct scan *scan, uint64_t pa, const uint8_t *page)
{
        struct candidate found = { .paging = &stasis_paging_pae, .table = pa };
        for (unsigned i = 0; i < 4; i++) {
                uint64_t entry = load_le64(page + 8 * i);
                found.frame[i] = entry & FRAME;
                if ((entry & SELF_MASK) != SELF_BITS || (found.frame[i] == pa) != (i == PAE_SELF))
                        return;
        }
        keep(scan, FAMILY_PAE, &found);
}

static void look_for_self(struct scan *scan, uint64_t pa, const uint8_t *page)
{
        uint32_t x86 = load_le32(page + X86_SELF * 4);
        if ((x86 & 0xfffff000) == pa && (x86 & SELF_MASK) == SELF_BITS)
                keep_table(scan, &stasis_paging_x86, pa, FAMILY_X86);
        if (is_self(load_le64(page + PAE_SELF * 8), pa))
                look_for_pae(scan, pa, page);

        unsigned self[X64_SELVES_MAX], count = 0;
        for (unsigned i = 256; i < 512; i++) {
                if (!is_self(load_le64(page + i * 8), pa))
                        continue;
                if (count == X64_SELVES_MAX)
                        return;
                self[count++] = i - 256;
        }
        for (unsigned i = 0; i < count; i++) {
                keep_table(scan, &stasis_paging_x64, pa, FAMILY_X64 + self[i]);
                keep_table(scan, &stasis_paging_la57, pa, FAMILY_LA57 + self[i]);
        }
}

/* ---- the second pass, for PAE: four pointers that name the directories of a candidate */

static unsigned hash_of(uint64_t frame)
{
        return (unsigned)((frame >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 54) % HASH;
}

static void hash_directories(struct scan *scan)
{
        size_t max;
        const struct candidate *member = members(scan, FAMILY_PAE, &max);
        for (size_t i = 0; i < scan->family[FAMILY_PAE].count; i++) {
                unsigned at = hash_of(member[i].frame[PAE_SELF]);
                while (scan->hash[at]) /* at most FAMILY_MAX_32 of HASH places are taken */
                        at = (at + 1) % HASH;
                scan->hash[at] = (uint16_t)(i + 1);
        }
}

/* A directory pointer has the present bit, and perhaps how it is cached; all else below the frame is reserved. */
static bool names_directories(const struct candidate *c, const uint8_t *slot)
{
        for (unsigned i = 0; i < 4; i++) {
                uint64_t entry = load_le64(slot + 8 * i);
                if ((entry & ~(FRAME | 0x18)) != 1 || (entry & FRAME) != c->frame[i])
                        return false;
        }
        return true;
}

static void look_for_pointers(struct scan *scan, uint64_t pa, const uint8_t *page)
{
        if (pa >> 32)
                return; /* CR3 has 32 bits with PAE */
        size_t max;
        struct candidate *member = members(scan, FAMILY_PAE, &max);
        for (unsigned off = 0; off < PAGE; off += PAE_SLOT) {
                uint64_t last = load_le64(page + off + 24);
                if ((last & ~(FRAME | 0x18)) != 1)
                        continue;
                for (unsigned at = hash_of(last & FRAME); scan->hash[at]; at = (at + 1) % HASH) {
                        struct candidate *c = &member[scan->hash[at] - 1];
                        if (!c->root && names_directories(c, page + off)) {
                                c->root = pa + off;
                                c->score = shared_data_score(scan->image, c->paging, c->root);
                        }
                }
        }
}

/* ---- the verdict */

/* The upper half of the table: what the kernel maps (pae: of the fourth directory, from 0xe0000000 on). */
static bool kernel_half(const struct scan *scan, const struct candidate *c, uint8_t half[static HALF])
{
        return stasis_image_read(scan->image, c->table + HALF, half, HALF) == STASIS_OK;
}

static bool shares_kernel(const struct candidate *a, const uint8_t *one, const uint8_t *other)
{
        unsigned size = a->paging->entry_size, present = 0, same = 0;
        for (unsigned off = 0; off < HALF; off += size) {
                uint64_t entry = load_le(one + off, size);
                present += entry & 1;
                same += (entry & 1) && entry == load_le(other + off, size);
        }
        return same && same * 2 >= present;
}

static void count_sharers(const struct scan *scan, struct candidate *member, size_t count)
{
        uint8_t one[HALF], other[HALF];
        for (size_t i = 0; i < count; i++) {
                struct candidate *c = &member[i];
                if (!kernel_half(scan, c, one))
                        continue;
                for (size_t j = 0; j < count && c->sharers < SHARERS_MAX; j++)
                        if (i != j && kernel_half(scan, &member[j], other))
                                c->sharers += shares_kernel(c, one, other);
        }
}

/* The same table is a candidate of x64 and of la57: where nothing decides between them, the common one comes first. */
static uint32_t rank_of(const struct candidate *c)
{
        return RANK_SCAN + c->score + c->sharers - (c->paging == &stasis_paging_la57);
}

static void verdict(struct scan *scan, struct root_list *list)
{
        for (unsigned family = 0; family < FAMILIES; family++) {
                size_t max, count = scan->family[family].count;
                struct candidate *member = members(scan, family, &max);
                count_sharers(scan, member, count);
                for (size_t i = 0; i < count; i++) {
                        if (!member[i].root)
                                continue;
                        root_list_add(list, &(struct windows_root){
                                                    .paging = member[i].paging,
                                                    .root = member[i].root,
                                                    .how = "self-map",
                                                    .rank = rank_of(&member[i]),
                                                    .seen = scan->family[family].seen,
                                            });
                }
        }
        root_list_sort(list);
}

size_t windows_roots_scan(const struct stasis_image *image, struct windows_root *ret_root, size_t max,
                          windows_progress *progress, void *progress_ctx)
{
        _cleanup_free_ struct scan *scan = calloc(1, sizeof(*scan));
        struct root_list list = { ret_root, 0, max < WINDOWS_ROOTS_MAX ? max : WINDOWS_ROOTS_MAX };
        size_t runs;
        if (!scan)
                return WINDOWS_NO_MEMORY;
        scan->image = image;
        scan->progress = progress;
        scan->progress_ctx = progress_ctx;
        const struct stasis_run *run = stasis_image_runs(image, &runs);
        for (size_t i = 0; i < runs; i++)
                scan->total += run[i].len;

        visit_image(scan, "page tables", look_for_self);
        hash_directories(scan);
        if (scan->family[FAMILY_PAE].count)
                visit_image(scan, "page directory pointers", look_for_pointers);
        verdict(scan, &list);
        return list.count;
}
