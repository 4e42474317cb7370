/* SPDX-License-Identifier: MIT */
/*
 * A tiny Linux (src/test/tiny_linux.h) with some of its bytes replaced, read through to the last fact. Input: byte 0
 * chooses the kind of kernel, then patches {place: 3 bytes, length - 1: 1 byte, of which 3 bits count, bytes}. A place
 * counts the pieces that the system uses, so that hardly any patch hits nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stasis/stasis.h>

#include "../test/tiny_linux.h"

#define PATCHES_MAX 64

static const struct tl_kind kinds[] = {
        { PT_X64, KSYMS_BEFORE, true, true, false, true, 0x12600000 },
        { PT_X64, KSYMS_BEHIND, true, false, true, true, 0 },
        { PT_PAE, KSYMS_BEFORE, false, false, true, true, 0 },
        { PT_X86, KSYMS_ABSOLUTE, false, true, false, true, 0 },
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* Pieces of physical memory that hold something; the last one stands for the note. */
static const struct {
        uint32_t at, len;
} pieces[] = { { 0x200000, 0x100 },   { 0x210000, 0x6000 }, { 0x230000, 0x600 },  { 0x240000, 0x4000 },
               { 0x246000, 0x6000 },  { 0x3f0000, 0x200 },  { 0x3c1000, 0x100 },  { 0x3d1000, 0x100 },
               { 0x400000, 0x1a000 }, { 0x460000, 0xd000 }, { 0x480000, 0x4000 }, { 0x500000, 0x8000 } };
#define PIECES (sizeof pieces / sizeof *pieces)

static uint32_t place(uint32_t number)
{
        uint32_t all = 0;
        for (size_t i = 0; i < PIECES; i++)
                all += pieces[i].len - 8;
        number %= all;
        for (size_t i = 0;; i++) {
                if (number < pieces[i].len - 8)
                        return pieces[i].at + number;
                number -= pieces[i].len - 8;
        }
}

static void promise(bool kept, const char *what)
{
        if (kept)
                return;
        fprintf(stderr, "broken: %s\n", what);
        abort();
}

static void check_record(const struct stasis_record *record)
{
        static char text[0x20000];
        for (size_t i = 0; i < record->count; i++) {
                const struct stasis_fact *f = &record->fact[i];
                bool is_text =
                        record->column[i].kind == STASIS_KIND_TEXT || record->column[i].kind == STASIS_KIND_TEXTS;
                promise(!is_text || f->absence != STASIS_PRESENT || f->text, "a text that is present is there");
                size_t len = stasis_fact_text(&record->column[i], f, text, sizeof text);
                promise(len < sizeof text && strlen(text) == len, "a fact's text has the length that is told");
        }
}

static void check_all(struct stasis_system *system, enum stasis_what what)
{
        const struct stasis_record *record;
        size_t count;
        if (stasis_system_count(system, what, &count, NULL) != STASIS_OK)
                return;
        promise(count < 1000, "there are no more than the memory holds");
        for (size_t i = 0; i < count; i++) {
                promise(stasis_system_record(system, what, i, &record, NULL) == STASIS_OK,
                        "what is counted can be decoded");
                check_record(record);
        }
}

static void read_through(const struct tl *t)
{
        const struct stasis_image_options options = { .format = "raw" };
        struct stasis_image *image = NULL;
        struct stasis_system *system = NULL;
        struct stasis_space *space;
        struct stasis_error err;
        uint8_t byte;
        if (stasis_image_open_memory(t->mem, TL_LEN, "tiny", &options, &image, &err) != STASIS_OK)
                return;
        if (stasis_system_open(image, NULL, &system, &err) == STASIS_OK) {
                check_record(stasis_system_facts(system));
                check_all(system, STASIS_PROCESSES);
                check_all(system, STASIS_THREADS);
                check_all(system, STASIS_MODULES);
                if (stasis_system_process_space(system, 101, &space, &err) == STASIS_OK)
                        (void)!stasis_space_read(space, 0x1000, &byte, 1);
        }
        stasis_system_close(system);
        stasis_image_close(image);
}

static struct tl *ready(size_t kind)
{
        static struct tl built[KINDS];
        if (!built[kind].pointer)
                tl_build(&built[kind], &kinds[kind]);
        return &built[kind];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct {
                uint32_t at;
                uint8_t len, old[8];
        } patch[PATCHES_MAX];
        size_t count = 0, at = 1;
        if (!size)
                return 0;
        struct tl *t = ready(data[0] % KINDS);
        while (count < PATCHES_MAX && size - at > 4) {
                size_t len = (data[at + 3] & 7u) + 1;
                patch[count].at = place(data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16);
                at += 4;
                len = len < size - at ? len : size - at;
                patch[count].len = (uint8_t)len;
                memcpy(patch[count].old, t->mem + patch[count].at, len);
                memcpy(t->mem + patch[count].at, data + at, len);
                count++;
                at += len;
        }
        read_through(t);
        while (count-- > 0)
                memcpy(t->mem + patch[count].at, patch[count].old, patch[count].len);
        return 0;
}
