/* SPDX-License-Identifier: MIT */
/*
 * Small images of every format, built byte by byte. The places of all members are spelled out here again from the
 * documents (never from a reader's wire header), so that a wrong place there cannot agree with itself.
 */
#ifndef STASIS_TEST_SAMPLES_H
#define STASIS_TEST_SAMPLES_H

#include <stdint.h>
#include <string.h>

enum { SAMPLE_MAX = 65536 };

struct sample {
        uint8_t at[SAMPLE_MAX];
        size_t len;    /* of the file so far */
        size_t header; /* what the sweep flips: everything before the first page */
};

static inline void put(struct sample *s, size_t at, uint64_t value, size_t size)
{
        for (size_t i = 0; i < size; i++)
                s->at[at + i] = (uint8_t)(value >> 8 * i);
        if (s->len < at + size)
                s->len = at + size;
}
static inline void put16(struct sample *s, size_t at, uint64_t value) { put(s, at, value, 2); }
static inline void put32(struct sample *s, size_t at, uint64_t value) { put(s, at, value, 4); }
static inline void put64(struct sample *s, size_t at, uint64_t value) { put(s, at, value, 8); }
static inline void put_text(struct sample *s, size_t at, const char *text)
{
        memcpy(s->at + at, text, strlen(text));
        if (s->len < at + strlen(text))
                s->len = at + strlen(text);
}
/* len bytes of one value, so that a test can tell which page it got. */
static inline void put_fill(struct sample *s, size_t at, size_t len, uint8_t value)
{
        memset(s->at + at, value, len);
        if (s->len < at + len)
                s->len = at + len;
}

/* Each clears the sample first. */
void sample_raw(struct sample *s);
void sample_elf64(struct sample *s);     /* QEMU: two CPUs, VMCOREINFO, three loads, one with a gap */
void sample_elf32(struct sample *s);     /* 32-bit class, PRSTATUS of 144 bytes */
void sample_elf_many(struct sample *s);  /* e_phnum 0xffff, the count in section 0 before the program headers */
void sample_elf_vbox(struct sample *s);  /* VBCORE and VBCPU */
void sample_dmp32(struct sample *s);     /* full, as XP writes it */
void sample_dmp32_old(struct sample *s); /* full, as NT 4.0 writes it: PAGE filler in the later members */
void sample_dmp64(struct sample *s);     /* full */
void sample_dmp32_bitmap(struct sample *s);
void sample_dmp64_bitmap(struct sample *s);
void sample_dmp32_triage(struct sample *s); /* as XP writes it */
void sample_dmp64_triage(struct sample *s);
void sample_lime(struct sample *s);
void sample_lime_raw(struct sample *s);   /* the only one that no contest gives to its reader */
void sample_kdump64(struct sample *s);    /* zlib, lzo, plain, zero and left-out pages */
void sample_kdump32(struct sample *s);    /* snappy and zstd pages, one bitmap */
void sample_kdump_flat(struct sample *s); /* kdump64, flattened */
void sample_elf_flat(struct sample *s);   /* elf64, flattened */

void sample_dmp32_summary(struct sample *s);   /* type 2 in its older form */
void sample_dmp64_summary(struct sample *s);   /* the same, as a 64-bit system wrote it */
void sample_dmp64_ranges(struct sample *s);    /* type 8: .dump /k */
void sample_dmp64_ranges_ka(struct sample *s); /* type 9 */
void sample_dmp64_ranges_f(struct sample *s);  /* type 10: counts its pages */
void sample_dmp64_secondary(struct sample *s); /* full, taken live, three blobs behind its pages */

extern const struct sample_kind {
        const char *name, *format;
        void (*build)(struct sample *s);
} sample_kinds[]; /* ended by a name of NULL */

#endif
