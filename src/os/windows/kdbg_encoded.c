/* SPDX-License-Identifier: MIT */
/*
 * KDDEBUGGER_DATA64 as 64-bit kernels from Windows 8 on keep it in memory. What KdCopyDataBlock does to each quadword
 * (facts: REPORT.md section 4; Volatility 2's win8_kdbg and MemProcFS say the same):
 *
 *     plain = bswap(rol(v ^ KiWaitNever, KiWaitNever & 63) ^ F) ^ KiWaitAlways
 *
 * where F is the address of KdpDataBlockEncoded with its upper 16 bits set. A rotation and a byte swap let an exclusive
 * or through, so that all three keys come to one mask:
 *
 *     plain = bswap(rol(v, rotate)) ^ mask
 *
 * One known quadword (KernBase) tells the mask for each of 64 rotations, and the next one (tag and size) which of them
 * it is: no key, no symbol and no code is needed.
 */
#include "kdbg.h"

static uint64_t rol(uint64_t value, unsigned count)
{
        count &= 63;
        return count ? value << count | value >> (64 - count) : value;
}

static uint64_t turn(uint64_t value, unsigned rotate) { return __builtin_bswap64(rol(value, rotate)); }

struct kdbg_key kdbg_key_of(uint64_t wait_never, uint64_t wait_always, uint64_t encoded_flag)
{
        unsigned rotate = wait_never & 63;
        uint64_t flag = encoded_flag | UINT64_C(0xffff) << 48;

        return (struct kdbg_key){ .rotate = (uint8_t)rotate,
                                  .mask = turn(wait_never, rotate) ^ __builtin_bswap64(flag) ^ wait_always };
}

static void decode(uint8_t *raw, size_t len, const struct kdbg_key *key)
{
        for (size_t at = 0; at + 8 <= len; at += 8) {
                uint64_t plain = turn(load_le64(raw + at), key->rotate) ^ key->mask;

                for (unsigned i = 0; i < 8; i++)
                        raw[at + i] = (uint8_t)(plain >> 8 * i);
        }
}

static bool inside(const struct pe_image *kernel, uint64_t va)
{
        return va >= kernel->base && pe_holds(kernel, va - kernel->base, 16);
}

enum stasis_status kdbg_read_encoded(struct stasis_space *space, const struct pe_image *kernel, uint64_t va,
                                     const struct kdbg_key *key, struct kdbg *ret_kdbg)
{
        uint8_t raw[KDBG_LEN_READ];
        struct kdbg kdbg;
        size_t size;

        if (!kernel->is64)
                return STASIS_CORRUPT;
        if (stasis_space_read(space, va, raw, KDBG_KERN_BASE) != STASIS_OK)
                return STASIS_ABSENT;
        decode(raw, KDBG_KERN_BASE, key);
        if (!kdbg_head(raw, &size) || size % 8)
                return STASIS_CORRUPT;
        size_t len = size < sizeof(raw) ? size : sizeof(raw);
        if (stasis_space_read(space, va, raw, len) != STASIS_OK)
                return STASIS_ABSENT;
        decode(raw, len, key);
        if (kdbg_take(space, va, raw, len, &kdbg) != STASIS_OK || kdbg.KernBase != kernel->base ||
            !inside(kernel, kdbg.PsLoadedModuleList) || !inside(kernel, kdbg.PsActiveProcessHead))
                return STASIS_CORRUPT;
        *ret_kdbg = kdbg;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- without keys */

#define TAG UINT32_C(0x4742444b) /* "KDBG" */
#define PAGE_LEN UINT64_C(0x1000)

enum stasis_status kdbg_solve(struct stasis_space *space, const struct pe_image *kernel, uint64_t va,
                              struct kdbg_key *ret_key, struct kdbg *ret_kdbg)
{
        uint8_t raw[KDBG_KERN_BASE + 8];

        if (!kernel->is64)
                return STASIS_CORRUPT;
        if (stasis_space_read(space, va, raw, sizeof(raw)) != STASIS_OK)
                return STASIS_ABSENT;
        for (uint8_t rotate = 0; rotate < 64; rotate++) {
                uint64_t base = turn(load_le64(raw + KDBG_KERN_BASE), rotate);
                struct kdbg_key key = { rotate, base ^ kernel->base };

                if ((uint32_t)(turn(load_le64(raw + KDBG_TAG), rotate) ^ key.mask) == TAG &&
                    kdbg_read_encoded(space, kernel, va, &key, ret_kdbg) == STASIS_OK) {
                        *ret_key = key;
                        return STASIS_OK;
                }
        }
        return STASIS_CORRUPT;
}

/*
 * The difference of the two quadwords holds, rotated by who knows how much, 32 bits that are known: those of the tag
 * against those of KernBase. Wherever they lie, one of its four 16-bit words lies wholly inside them, and so is one of
 * 16 values. This leaves one quadword of a thousand for the 64 rotations.
 */
struct sieve {
        uint8_t word[UINT16_MAX / 8 + 1];
};

static void sieve_make(struct sieve *sieve, uint64_t base)
{
        uint32_t known = __builtin_bswap32(TAG ^ (uint32_t)base);

        memset(sieve, 0, sizeof(*sieve));
        for (unsigned at = 0; at < 16; at++) {
                uint16_t word = (uint16_t)(known >> at);
                sieve->word[word / 8] |= (uint8_t)(1u << word % 8);
        }
}

static bool sieve_lets(const struct sieve *sieve, uint64_t difference)
{
        for (unsigned i = 0; i < 64; i += 16) {
                uint16_t word = (uint16_t)(difference >> i);
                if (sieve->word[word / 8] >> word % 8 & 1)
                        return true;
        }
        return false;
}

/* The four quadwords at va, where they lie on one page or on two. */
static bool lets(struct stasis_space *space, const struct sieve *sieve, struct stasis_bytes page, size_t at,
                 uint64_t va)
{
        uint8_t raw[16];

        if (at + KDBG_KERN_BASE + 8 <= page.len)
                return sieve_lets(sieve, load_le64(page.at + at + KDBG_TAG) ^ load_le64(page.at + at + KDBG_KERN_BASE));
        return stasis_space_read(space, va + KDBG_TAG, raw, sizeof(raw)) == STASIS_OK &&
               sieve_lets(sieve, load_le64(raw) ^ load_le64(raw + 8));
}

static bool solve_part(struct stasis_space *space, const struct pe_image *kernel, const struct sieve *sieve,
                       const struct pe_part *part, struct kdbg_key *ret_key, struct kdbg *ret_kdbg)
{
        for (uint64_t va = part->va - part->va % PAGE_LEN, last = part->end - 1; va <= last; va += PAGE_LEN) {
                struct stasis_bytes page = stasis_space_view(space, va, PAGE_LEN);

                for (size_t at = 0; at < page.len; at += 8)
                        if (lets(space, sieve, page, at, va + at) &&
                            kdbg_solve(space, kernel, va + at, ret_key, ret_kdbg) == STASIS_OK)
                                return true;
                if (last - va < PAGE_LEN)
                        break; /* the last page of the address space has no next one */
        }
        return false;
}

enum stasis_status kdbg_solve_scan(struct stasis_space *space, const struct pe_image *kernel, struct kdbg_key *ret_key,
                                   struct kdbg *ret_kdbg)
{
        static const enum pe_group groups[] = { PE_WRITABLE, PE_CONSTANT };
        struct sieve sieve;

        if (!kernel->is64)
                return STASIS_ABSENT;
        sieve_make(&sieve, kernel->base);
        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
                for (struct pe_part part = { 0 }; pe_next_part(kernel, groups[i], &part);)
                        if (part.end > part.va && solve_part(space, kernel, &sieve, &part, ret_key, ret_kdbg))
                                return STASIS_OK;
        return STASIS_ABSENT;
}
