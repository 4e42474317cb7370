/* SPDX-License-Identifier: MIT */
/*
 * A tiny system (src/test/tiny.h) with some of its bytes replaced, read through to the last fact. Input: byte 0 chooses
 * the version (bit 0: x64) and whether the page-table root is told (bit 1: no search for it, so faster), then patches
 * {place: 3 bytes, length - 1: 1 byte, of which 3 bits count, bytes}. A place counts the bytes that the system really
 * uses (page tables, then pages); so that hardly any of them hits nothing.
 */
#ifndef STASIS_FUZZ_SYSTEM_H
#define STASIS_FUZZ_SYSTEM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stasis/stasis.h>

#include "../test/tiny.h"

#ifndef SYSTEM_OPTIONS
#define SYSTEM_OPTIONS /* of a target that asks for more: initialisers, each with its comma */
#endif
#define PATCHES_MAX 128
#define PAGES_FROM 0x100000u /* where a world's pages begin; its tables are below */

struct patch {
        uint32_t at;
        uint8_t len, old[8];
};

static inline void promise(bool kept, const char *what)
{
        if (kept)
                return;
        fprintf(stderr, "broken: %s\n", what);
        abort();
}

/* Built once; every input puts back what it changed. */
static inline struct tiny *tiny_ready(bool is64)
{
        static struct tiny ready[2];
        if (!ready[is64].world.image)
                tiny_build(&ready[is64], is64);
        return &ready[is64];
}

static inline uint32_t used_tables(const struct tiny *t) { return (uint32_t)t->world.tables.next - 0x1000; }
static inline uint32_t used_len(const struct tiny *t) { return used_tables(t) + (uint32_t)t->world.next - PAGES_FROM; }

static inline uint32_t used_place(const struct tiny *t, uint32_t number)
{
        number %= used_len(t) - 8;
        return number < used_tables(t) ? 0x1000 + number : PAGES_FROM + number - used_tables(t);
}

/* Applies the patches to mem, where the system's memory begins at base; header: bytes before it that may be patched
 * too. */
static inline size_t patches_apply(const struct tiny *t, const uint8_t *data, size_t size, uint8_t *mem, uint32_t base,
                                   struct patch patch[static PATCHES_MAX])
{
        size_t count = 0, at = 0;
        while (count < PATCHES_MAX && size - at > 4) {
                uint32_t number = data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16;
                size_t len = (data[at + 3] & 7u) + 1;
                at += 4;
                if (len > size - at)
                        len = size - at;
                struct patch *p = &patch[count++];
                p->at = number < base ? number % (base - 8) : base + used_place(t, number - base);
                p->len = (uint8_t)len;
                memcpy(p->old, mem + p->at, len);
                memcpy(mem + p->at, data + at, len);
                at += len;
        }
        return count;
}

static inline void patches_undo(uint8_t *mem, const struct patch *patch, size_t count)
{
        while (count-- > 0)
                memcpy(mem + patch[count].at, patch[count].old, patch[count].len);
}

/* ---------------------------------------------------------------- what must hold */

/* One character of UTF-8 as the standard has it: no overlong form, no surrogate, none above U+10FFFF. */
static inline size_t utf8_len(const unsigned char *c)
{
        size_t more = c[0] < 0x80             ? 0
                      : (c[0] & 0xe0) == 0xc0 ? 1
                      : (c[0] & 0xf0) == 0xe0 ? 2
                      : (c[0] & 0xf8) == 0xf0 ? 3
                                              : 9;
        static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
        if (more > 3)
                return 0;
        uint32_t value = more ? c[0] & (0x3fu >> more) : c[0];
        for (size_t i = 1; i <= more; i++) {
                if ((c[i] & 0xc0) != 0x80)
                        return 0;
                value = value << 6 | (c[i] & 0x3f);
        }
        return value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : more + 1;
}

static inline void check_text(const char *text)
{
        for (const unsigned char *c = (const unsigned char *)text; *c;) {
                size_t len = utf8_len(c);
                promise(len > 0, "a text is valid UTF-8");
                c += len;
        }
}

static inline void check_fact(const struct stasis_column *column, const struct stasis_fact *fact);

static inline void check_list(const struct stasis_column *column, const struct stasis_fact *fact)
{
        const struct stasis_list *list = fact->list;
        promise(list && list->rows == fact->value && list->rows <= 65536,
                "a list that is present is there, and bounded");
        if (!list) /* promise() does not return then, which the analyser does not follow so far */
                return;
        promise(list->columns && !stasis_list_column_at(column, list->columns), "a list has the columns of its table");
        for (size_t i = 0; i < list->rows * list->columns; i++) {
                promise(list->column[i % list->columns].kind != STASIS_KIND_LIST, "a list holds no lists");
                check_fact(&list->column[i % list->columns], &list->fact[i]);
        }
}

static inline void check_fact(const struct stasis_column *column, const struct stasis_fact *fact)
{
        static char text[0x400000];
        char small[16];

        promise(fact->absence <= STASIS_NOT_MAPPED, "absence is one of the list");
        promise(fact->origin <= STASIS_ORIGIN_CONTEXT, "origin is one of the list");
        bool is_text = column->kind == STASIS_KIND_TEXT || column->kind == STASIS_KIND_TEXTS ||
                       column->kind == STASIS_KIND_STACK || column->kind == STASIS_KIND_REGISTERS;
        promise(!is_text || fact->absence != STASIS_PRESENT || fact->text, "a text that is present is there");
        if (column->kind == STASIS_KIND_LIST && fact->absence == STASIS_PRESENT)
                check_list(column, fact);
        size_t len = stasis_fact_text(column, fact, text, sizeof(text));
        promise(len < sizeof(text) && strlen(text) == len, "a fact's text has the length that is told");
        check_text(text);
        promise(stasis_fact_text(column, fact, small, sizeof(small)) == len, "the length does not depend on the room");
        promise(memchr(small, 0, sizeof(small)) != NULL, "a cut text is terminated");
        if (fact->text)
                check_text(fact->text);
}

static inline void check_record(const struct stasis_record *record)
{
        for (size_t i = 0; i < record->count; i++)
                check_fact(&record->column[i], &record->fact[i]);
}

static inline void check_all(struct stasis_system *system, enum stasis_what what)
{
        const struct stasis_record *record;
        struct stasis_error err;
        size_t count, columns;

        if (stasis_system_count(system, what, &count, &err) != STASIS_OK)
                return;
        promise(count <= 1048576 + 65536, "counts are bounded");
        (void)stasis_system_columns(system, what, &columns);
        for (size_t i = 0; i < count; i++) {
                promise(stasis_system_record(system, what, i, &record, &err) == STASIS_OK,
                        "what is counted can be decoded");
                promise(record->count == columns, "a record has its columns");
                check_record(record);
        }
        promise(stasis_system_record(system, what, count, &record, &err) == STASIS_USAGE,
                "there is none behind the last");
}

static inline void check_lists(struct stasis_system *system)
{
        size_t count;
        const struct stasis_unloaded *gone = stasis_system_unloaded(system, &count);
        for (size_t i = 0; i < count; i++)
                promise(gone[i].off == STASIS_NOWHERE || gone[i].off, "an unloaded driver is somewhere");
        const struct stasis_processor *p = stasis_system_processors(system, &count);
        for (size_t i = 1; i < count; i++)
                promise(p[i - 1].number <= p[i].number, "processors are sorted");
}

static inline void check_said(const struct stasis_system *system)
{
        size_t count;
        const struct stasis_note *note = stasis_system_notes(system, &count);
        for (size_t i = 0; i < count; i++) {
                promise(note[i].severity <= STASIS_NOTE_MISSING && note[i].code, "a note has severity and code");
                check_text(note[i].text);
        }
        const struct stasis_trace *trace = stasis_system_trace(system, &count);
        for (size_t i = 0; i < count; i++)
                check_text(trace[i].text);
}

static inline void check_lone(struct stasis_system *system, uint64_t object)
{
        const struct stasis_record *record;
        struct stasis_error err;
        if (stasis_system_thread_at(system, object, &record, &err) == STASIS_OK)
                check_record(record);
        else
                check_text(err.text);
}

/* Everything that can be asked of the system in these bytes. */
static inline void read_through(const struct tiny *t, const uint8_t *bytes, size_t len, const char *format, bool told)
{
        const struct stasis_image_options options = { .format = format };
        const struct stasis_system_options root = { SYSTEM_OPTIONS.mode = t->is64 ? "x64" : "x86", .root_known = told,
                                                    .root = t->root[TINY_SYSTEM] };
        struct stasis_image *image;
        struct stasis_system *system = NULL;
        struct stasis_error err;

        if (stasis_image_open_memory(bytes, len, "tiny", &options, &image, &err) != STASIS_OK)
                return;
        if (stasis_system_open(image, &root, &system, &err) == STASIS_OK) {
                check_record(stasis_system_facts(system));
                check_all(system, STASIS_PROCESSES);
                check_all(system, STASIS_THREADS);
                check_all(system, STASIS_MODULES);
                check_lists(system);
                check_lone(system, t->thread[TINY_HIDDEN]);
                check_lone(system, t->pool);
                if (stasis_system_modules_of(system, tiny_pid(TINY_BETA), &err) == STASIS_OK)
                        check_all(system, STASIS_MODULES);
                check_record(stasis_system_facts(system));
        }
        if (system)
                check_said(system);
        stasis_system_close(system);
        stasis_image_close(image);
}

/* ---------------------------------------------------------------- a mutator that knows where something lies */

#ifdef FUZZING
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* The number of a place whose word is not zero, found from a random one on. */
static inline uint32_t busy_place(const struct tiny *t, uint32_t number)
{
        for (uint32_t i = 0; i < 0x4000; i += 4) {
                uint32_t at = (number & ~3u) + i;
                if (t->world.mem[used_place(t, at)] | t->world.mem[used_place(t, at) + 1])
                        return at % (used_len(t) - 8);
        }
        return number;
}

/* Half of the time a patch is added: at a busy place a zero, a bit, a byte, or what stands in another busy place. */
static inline size_t mutate(const struct tiny *t, uint32_t base, uint8_t *data, size_t size, size_t max_size,
                            unsigned seed)
{
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        if (random >> 63 || size == 0 || size + 12 > max_size)
                return LLVMFuzzerMutate(data, size, max_size);
        uint32_t number = busy_place(t, (uint32_t)(random >> 20)), other = busy_place(t, (uint32_t)(random >> 7));
        const uint8_t *from = t->world.mem + used_place(t, number), *source = t->world.mem + used_place(t, other);
        uint8_t word[8];
        size_t len = random >> 60 & 1 ? t->pointer : random >> 59 & 1 ? 4 : 1;
        memcpy(word, from, 8);
        switch (random >> 56 & 3) {
        case 0: memset(word, 0, 8); break;
        case 1: word[random >> 50 & (t->pointer - 1)] ^= (uint8_t)(1u << (random >> 45 & 7)); break;
        case 2: word[0] = (uint8_t)(random >> 40); break;
        default: memcpy(word, source, 8); break;
        }
        number += base;
        data[size++] = (uint8_t)number;
        data[size++] = (uint8_t)(number >> 8);
        data[size++] = (uint8_t)(number >> 16);
        data[size++] = (uint8_t)(len - 1);
        memcpy(data + size, word, len);
        return size + len;
}
#endif

/*
 * A target over patched raw memory: its first byte says which system (`make` gives it) and how it is read, the others
 * are patches.
 */
static inline void raw_target(struct tiny *t, const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        size_t count = patches_apply(t, data + 1, size - 1, t->world.mem, 0, patch);
        read_through(t, t->world.mem, WORLD_LEN, "raw", data[0] & 2);
        patches_undo(t->world.mem, patch, count);
}

#ifdef FUZZING
#define RAW_MUTATOR(make) \
        size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) \
        { \
                return mutate(make(size && data[0] & 1), 0, data, size, max_size, seed); \
        }
#else
#define RAW_MUTATOR(make)
#endif

#define RAW_TARGET(make) \
        int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); \
        int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) \
        { \
                if (size) \
                        raw_target(make(data[0] & 1), data, size); \
                return 0; \
        } \
        RAW_MUTATOR(make)

#endif
