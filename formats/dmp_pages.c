/* SPDX-License-Identifier: MIT */
/* Where the pages of a crash dump lie: the run list of full dumps, the bitmap of the newer kinds. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "dmp.h"
#include "dmp_wire.h"

enum { PAGE_SHIFT = 12, PAGE_SIZE = 1 << PAGE_SHIFT };
#define FRAMES_MAX (UINT64_C(1) << (52 - PAGE_SHIFT)) /* no processor of this kind addresses more than 52 bits */

/* ---- run list */

static enum stasis_status no_run_list(struct dmp *dmp, struct stasis_error *err)
{
        if (stasis_image_remark(dmp->image, "the header has no list of runs: the pages behind it are taken to begin at "
                                            "physical address 0, which may be wrong") != STASIS_OK)
                return STASIS_NOMEM;
        uint64_t off = dmp->width->header_size;
        return stasis_image_add_run(dmp->image, 0, dmp->file.len - off, off, err);
}

static enum stasis_status check_page_count(struct dmp *dmp, uint64_t seen)
{
        uint64_t said;
        if (!dmp_get(dmp, dmp->width->page_count, &said) || said == seen)
                return STASIS_OK;
        return stasis_image_remark(dmp->image, "the header counts %" PRIu64 " pages, its runs have %" PRIu64, said,
                                   seen);
}

static enum stasis_status stop_at_run(struct dmp *dmp, uint64_t i, uint64_t count, uint64_t base, uint64_t pages)
{
        return stasis_image_remark(dmp->image,
                                   "run %" PRIu64 " of %" PRIu64 " cannot be (page 0x%" PRIx64 ", 0x%" PRIx64
                                   " pages): it and what follows is not read",
                                   i, count, base, pages);
}

enum stasis_status dmp_read_runs(struct dmp *dmp, struct stasis_error *err)
{
        const struct dmp_width *width = dmp->width;
        uint64_t count, off = width->header_size, seen = 0, room = width->runs.size / (2u * width->run_word);
        if (!dmp_get(dmp, width->run_count, &count))
                return no_run_list(dmp, err);
        if (count > room &&
            stasis_image_remark(dmp->image, "the header announces %" PRIu64 " runs and has room for %" PRIu64, count,
                                room) != STASIS_OK)
                return STASIS_NOMEM;
        for (uint64_t i = 0; i < count && i < room; i++) {
                const uint8_t *at = dmp->file.at + width->runs.at + i * 2 * width->run_word;
                uint64_t base = load_le(at, width->run_word), pages = load_le(at + width->run_word, width->run_word);
                if (pages == 0 || base >= FRAMES_MAX || pages > FRAMES_MAX - base)
                        return stop_at_run(dmp, i, count, base, pages);
                enum stasis_status status =
                        stasis_image_add_run(dmp->image, base << PAGE_SHIFT, pages << PAGE_SHIFT, off, err);
                if (status != STASIS_OK)
                        return status;
                off += pages << PAGE_SHIFT; /* at most 43 runs of 2^52 bytes: no overflow */
                seen += pages;
        }
        dmp->end = off;
        return check_page_count(dmp, seen);
}

/* ---- bitmap */

/* Gaps are exact as far as this many; a hostile bitmap could ask for billions. */
enum { TAIL_GAPS_MAX = 65536 };

/* A second header: newer, or older in either width. Everything that differs is where its members lie. */
static const struct form {
        struct dmp_member first_page, pages, bits, bits_again;
        uint16_t size;
} forms[] = {
#define M(type, name) \
        { \
                offsetof(struct type, name), sizeof(((struct type *)0)->name) \
        }
        { M(dmp_summary, header_size), M(dmp_summary, pages), M(dmp_summary, bits), M(dmp_summary, bits),
          sizeof(struct dmp_summary) },
        { M(dmp_summary_old32, header_size), M(dmp_summary_old32, pages), M(dmp_summary_old32, bits),
          M(dmp_summary_old32, bits_again), sizeof(struct dmp_summary_old32) },
        { M(dmp_summary_old64, header_size), M(dmp_summary_old64, pages), M(dmp_summary_old64, bits),
          M(dmp_summary_old64, bits_again), sizeof(struct dmp_summary_old64) },
#undef M
};

struct bitmap {
        struct stasis_bytes bytes;
        uint64_t bits, first_page, pages; /* as the header says, cut to what can be */
        uint64_t bits_again, at;          /* at: of the bitmap in the file */
        uint64_t held, lost;              /* set bits with and without a page in the file */
};

static uint64_t member(struct stasis_bytes header, struct dmp_member member)
{
        return load_le(header.at + member.at, member.size);
}

/* What the second header says, taken for one of this form; false where there is no such header. */
static bool read_form(const struct dmp *dmp, const struct form *form, struct bitmap *bitmap)
{
        struct stasis_bytes header = bytes_slice(dmp->file, dmp->width->header_size, form->size);
        if (!header.at ||
            (memcmp(header.at, DMP_SUMMARY_KERNEL, 8) != 0 && memcmp(header.at, DMP_SUMMARY_FULL, 8) != 0))
                return false;
        *bitmap = (struct bitmap){
                .at = (uint64_t)dmp->width->header_size + form->size,
                .first_page = member(header, form->first_page),
                .pages = member(header, form->pages),
                .bits = member(header, form->bits),
                .bits_again = member(header, form->bits_again),
        };
        return true;
}

/* Each form has other numbers in these places: they must agree with each other, and with the file. */
static const struct form *find_form(const struct dmp *dmp)
{
        const struct form *either[] = { &forms[0], &forms[dmp->width->bits == 64 ? 2 : 1] };
        for (size_t i = 0; i < sizeof either / sizeof *either; i++) {
                struct bitmap b;
                if (read_form(dmp, either[i], &b) && b.bits && b.bits == b.bits_again && b.pages <= b.bits &&
                    b.first_page > b.at && b.first_page < dmp->file.len && b.bits / 8 <= b.first_page - b.at)
                        return either[i];
        }
        return NULL;
}

bool dmp_has_bitmap(const struct dmp *dmp) { return find_form(dmp) != NULL; }

/* The bitmap lies between its header and the first page; what it claims beyond that is not believed. */
static enum stasis_status find_bitmap(struct dmp *dmp, const struct form *form, struct bitmap *bitmap,
                                      struct stasis_error *err)
{
        if (!read_form(dmp, form, bitmap))
                return stasis_fail(err, STASIS_CORRUPT, "no bitmap header (SDMP, FDMP) at 0x%x",
                                   dmp->width->header_size);
        if (bitmap->first_page <= bitmap->at)
                return stasis_fail(err, STASIS_CORRUPT, "the first page would lie at 0x%" PRIx64 ", inside the header",
                                   bitmap->first_page);
        if (bitmap->first_page >= dmp->file.len)
                return stasis_fail(err, STASIS_CORRUPT,
                                   "cut off: the first page should be at 0x%" PRIx64 ", the file ends at 0x%zx",
                                   bitmap->first_page, dmp->file.len);
        bitmap->bytes = bytes_slice(dmp->file, bitmap->at, bitmap->first_page - bitmap->at);
        uint64_t room = (uint64_t)bitmap->bytes.len * 8;
        if (room > FRAMES_MAX)
                room = FRAMES_MAX;
        if (bitmap->bits <= room)
                return STASIS_OK;
        uint64_t said = bitmap->bits;
        bitmap->bits = room;
        return stasis_image_remark(dmp->image,
                                   "the bitmap is said to have %" PRIu64 " bits; before the first page there is "
                                   "room for %" PRIu64,
                                   said, room);
}

/* 64 bits from bit at (a multiple of 64) on, as far as there are bytes. The last byte may hold more than bits counts.
 */
static uint64_t word_at(const struct bitmap *bitmap, uint64_t at)
{
        uint64_t word = 0;
        size_t byte = (size_t)(at / 8), len = bitmap->bytes.len - byte;
        if (len >= 8)
                word = load_le64(bitmap->bytes.at + byte);
        else
                for (size_t i = 0; i < len; i++)
                        word |= (uint64_t)bitmap->bytes.at[byte + i] << 8 * i;
        return word;
}

/* The first bit at or after from that is set (or clear, by flip); bits where there is none. */
static uint64_t next_bit(const struct bitmap *bitmap, uint64_t from, bool set)
{
        for (uint64_t at = from & ~UINT64_C(63); at < bitmap->bits; at += 64) {
                uint64_t word = word_at(bitmap, at);
                if (!set)
                        word = ~word;
                if (at < from)
                        word &= ~UINT64_C(0) << (from - at);
                if (word) {
                        uint64_t bit = at + (unsigned)__builtin_ctzll(word);
                        return bit < bitmap->bits ? bit : bitmap->bits;
                }
        }
        return bitmap->bits;
}

/* Frames [from, to) are in the dump: the run, and beyond the end of the file the gap. */
static enum stasis_status add_frames(struct dmp *dmp, struct bitmap *bitmap, uint64_t from, uint64_t to,
                                     struct stasis_error *err)
{
        uint64_t off = bitmap->first_page + (bitmap->held + bitmap->lost) * PAGE_SIZE, count = to - from;
        uint64_t left = off < dmp->file.len ? (dmp->file.len - off) / PAGE_SIZE : 0;
        uint64_t held = count < left ? count : left;
        bitmap->held += held;
        bitmap->lost += count - held;
        if (held == 0 && dmp->image->gap_count >= TAIL_GAPS_MAX)
                return STASIS_OK;
        return stasis_image_add_run(dmp->image, from << PAGE_SHIFT, count << PAGE_SHIFT, off, err);
}

static enum stasis_status account(struct dmp *dmp, const struct bitmap *bitmap)
{
        enum stasis_status status = STASIS_OK;
        if (bitmap->held + bitmap->lost != bitmap->pages)
                status = stasis_image_remark(dmp->image, "the header counts %" PRIu64 " pages, its bitmap has %" PRIu64,
                                             bitmap->pages, bitmap->held + bitmap->lost);
        if (status == STASIS_OK && bitmap->lost)
                status =
                        stasis_image_remark(dmp->image, "cut off: %" PRIu64 " of %" PRIu64 " pages are not in the file",
                                            bitmap->lost, bitmap->held + bitmap->lost);
        return status;
}

static enum stasis_status read_bitmap(struct dmp *dmp, const struct form *form, struct stasis_error *err)
{
        struct bitmap bitmap = { 0 };
        enum stasis_status status = find_bitmap(dmp, form, &bitmap, err);
        for (uint64_t from = 0, to; status == STASIS_OK; from = to) {
                from = next_bit(&bitmap, from, true);
                if (from >= bitmap.bits)
                        break;
                to = next_bit(&bitmap, from, false);
                status = add_frames(dmp, &bitmap, from, to, err);
        }
        dmp->end = bitmap.first_page + (bitmap.held + bitmap.lost) * PAGE_SIZE;
        return status == STASIS_OK ? account(dmp, &bitmap) : status;
}

enum stasis_status dmp_read_bitmap(struct dmp *dmp, struct stasis_error *err)
{
        return read_bitmap(dmp, &forms[0], err);
}

enum stasis_status dmp_read_summary(struct dmp *dmp, struct stasis_error *err)
{
        struct bitmap bitmap;
        const struct form *form = find_form(dmp);
        if (form || !read_form(dmp, &forms[0], &bitmap))
                return read_bitmap(dmp, form ? form : &forms[0], err);
        return stasis_fail(err, STASIS_CORRUPT,
                           "the numbers of the bitmap header at 0x%x fit neither the newer form nor the older one",
                           dmp->width->header_size);
}
