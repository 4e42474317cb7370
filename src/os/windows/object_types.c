/* SPDX-License-Identifier: MIT */
/* Which types of objects there are, and which number means which: found once, when the first object is asked for. */
#include "object_types.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_NUMBER 2         /* 0 and 1 of ObTypeIndexTable are no types */
#define DIRECTORY_ENTRIES 4096 /* of one directory; \ObjectTypes has some seventy */
#define SECTION_MAX 0x1000000  /* of the kernel; its largest one with variables has some 2 MiB */
#define VOTES_MAX 16           /* processes and threads asked for the cookie */

static const struct place_row place_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct object_places, name), { __VA_ARGS__ } \
        }
        PLACE(type, "_OBJECT_HEADER.Type"),
        PLACE(name_info_offset, "_OBJECT_HEADER.NameInfoOffset"),
        PLACE(type_index, "_OBJECT_HEADER.TypeIndex"),
        PLACE(info_mask, "_OBJECT_HEADER.InfoMask"),
        PLACE(name_directory, "_OBJECT_HEADER_NAME_INFO.Directory"),
        PLACE(type_number, "_OBJECT_TYPE.Index"),
        PLACE(type_key, "_OBJECT_TYPE.Key"),
        PLACE(bucket, "_OBJECT_DIRECTORY.HashBuckets"),
        PLACE(chain, "_OBJECT_DIRECTORY_ENTRY.ChainLink"),
        PLACE(chained, "_OBJECT_DIRECTORY_ENTRY.Object"),
        PLACE(pool_tag, "_POOL_HEADER.PoolTag"),
#undef PLACE
};

static uint32_t offset_of(const struct stasis_layout *layout, const char *path, uint32_t *ret_count)
{
        struct stasis_member m = { 0 };
        bool has = stasis_layout_member(layout, path, &m);
        if (ret_count)
                *ret_count = has ? m.count : 0;
        return has ? m.offset : 0;
}

static void bind(const struct stasis_layout *layout, struct object_types *t)
{
        static const char *const optional[] = { "_OBJECT_HEADER_CREATOR_INFO", "_OBJECT_HEADER_NAME_INFO",
                                                "_OBJECT_HEADER_HANDLE_INFO", "_OBJECT_HEADER_QUOTA_INFO",
                                                "_OBJECT_HEADER_PROCESS_INFO" };
        places_bind(layout, place_rows, sizeof place_rows / sizeof *place_rows, &t->at);
        t->body = offset_of(layout, "_OBJECT_HEADER.Body", NULL);
        t->name_info = stasis_layout_sizeof(layout, "_OBJECT_HEADER_NAME_INFO");
        t->name_string = offset_of(layout, "_OBJECT_HEADER_NAME_INFO.Name", NULL);
        t->type_name = offset_of(layout, "_OBJECT_TYPE.Name", NULL);
        offset_of(layout, "_OBJECT_DIRECTORY.HashBuckets", &t->buckets);
        t->pool_header = stasis_layout_sizeof(layout, "_POOL_HEADER");
        if (!t->pool_header) { /* the tables of 10586 lost it; alike in every version (WRK, pool.h) */
                t->pool_header = 2u * stasis_layout_pointer_size(layout);
                t->at.pool_tag = (struct place){ .has = true, .offset = 4, .size = 4 };
        }
        for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
                t->optional[i] = stasis_layout_sizeof(layout, optional[i]);
        t->indexed = t->at.type_index.has;
        if (!t->type_name || (t->indexed ? !t->at.info_mask.has || !t->at.type_number.has : !t->at.type.has))
                t->body = 0;
}

/* ---------------------------------------------------------------- one type */

/* What a type object says of itself. False: it has no name that can be read. */
static bool read_type(struct windows *w, const struct object_types *t, uint64_t object, struct object_type *ret_type)
{
        enum stasis_absence why;
        uint64_t key;
        if (!is_kernel_address(w, object) || object % w->pointer_size)
                return false;
        char *name = read_unicode_string(w->kernel, object + t->type_name, w->pointer_size, &w->system->arena, &why);
        if (!name || strlen(name) > 64)
                return false;
        *ret_type = (struct object_type){ .object = object, .name = name };
        ret_type->key_known = read_place(w->kernel, object, &t->at.type_key, &key) == STASIS_OK;
        ret_type->key = ret_type->key_known ? (uint32_t)key : 0;
        return true;
}

/* A type with a number, taken where it is the first of that number. */
static bool take_numbered(struct windows *w, struct object_types *t, uint64_t object)
{
        struct object_type type;
        uint64_t number;
        if (!is_kernel_address(w, object) || read_place(w->kernel, object, &t->at.type_number, &number) != STASIS_OK ||
            number < FIRST_NUMBER || number >= OBJECT_TYPES_MAX || t->type[number].object ||
            !read_type(w, t, object, &type))
                return false;
        t->type[number] = type;
        return true;
}

/* ---------------------------------------------------------------- numbers, since 7 */

static bool numbers_from_table(struct windows *w, struct object_types *t, uint64_t table)
{
        size_t found = 0;
        for (uint64_t i = FIRST_NUMBER; i < OBJECT_TYPES_MAX; i++) {
                uint64_t object, number;
                if (read_pointer(w, w->kernel, table + i * w->pointer_size, &object) != STASIS_OK || !object)
                        break;
                if (!is_kernel_address(w, object) ||
                    read_place(w->kernel, object, &t->at.type_number, &number) != STASIS_OK || number != i)
                        continue; /* a type whose page is not there; the others stand */
                found += take_numbered(w, t, object);
        }
        return found > 0;
}

/* The directory that Process is in is \ObjectTypes, which has them all. */
static bool numbers_from_directory(struct windows *w, struct object_types *t, uint64_t directory)
{
        size_t found = 0, entries = 0;
        for (uint32_t i = 0; i < t->buckets && t->at.chain.has && t->at.chained.has; i++) {
                uint64_t entry, object;
                if (read_pointer(w, w->kernel, directory + t->at.bucket.offset + i * (uint64_t)w->pointer_size,
                                 &entry) != STASIS_OK)
                        continue;
                for (; is_kernel_address(w, entry) && entries < DIRECTORY_ENTRIES; entries++) {
                        if (read_place(w->kernel, entry, &t->at.chained, &object) == STASIS_OK)
                                found += take_numbered(w, t, object);
                        if (read_place(w->kernel, entry, &t->at.chain, &entry) != STASIS_OK)
                                break;
                }
        }
        return found > 0;
}

/* The type object that a variable of the kernel points to ("PsProcessType": exported since NT). */
static bool type_variable(struct windows *w, const char *name, uint64_t *ret_object)
{
        uint64_t va;
        bool known =
                windows_symbol(w, name, &va) || (w->has_pe && pe_export(w->kernel, &w->pe, name, &va) == STASIS_OK);
        return known && read_pointer(w, w->kernel, va, ret_object) == STASIS_OK && is_kernel_address(w, *ret_object);
}

static bool numbers_from_process_type(struct windows *w, struct object_types *t)
{
        uint64_t object, directory, mask;
        if (!type_variable(w, "PsProcessType", &object))
                return false;
        uint64_t header = object - t->body;
        if (read_place(w->kernel, header, &t->at.info_mask, &mask) != STASIS_OK || !(mask & 2))
                return false;
        uint64_t info = header - (mask & 1 ? t->optional[0] : 0) - t->name_info;
        return read_place(w->kernel, info, &t->at.name_directory, &directory) == STASIS_OK &&
               is_kernel_address(w, directory) && numbers_from_directory(w, t, directory);
}

/* Is it the type of this number, and (name not NULL) called so? */
static bool is_type(struct windows *w, const struct object_types *t, uint64_t object, uint64_t want, const char *name)
{
        uint64_t number;
        struct object_type type;
        if (!is_kernel_address(w, object) || object % w->pointer_size ||
            read_place(w->kernel, object, &t->at.type_number, &number) != STASIS_OK || number != want)
                return false;
        return !name || (read_type(w, t, object, &type) && strcmp(type.name, name) == 0);
}

/* Two neighbours in the kernel's variables that point to the types 2, which is Type, and 3. */
static bool numbers_from_section(struct windows *w, struct object_types *t, const struct pe_section *section)
{
        uint64_t first, second = 0;
        for (uint64_t at = 0; at + w->pointer_size <= section->size; at += w->pointer_size) {
                uint64_t va = w->pe.base + section->rva + at;
                first = second;
                if (read_pointer(w, w->kernel, va, &second) != STASIS_OK) {
                        second = 0;
                        at = (at | 0xfff) + 1 - w->pointer_size; /* the rest of that page is not there either */
                        continue;
                }
                if (first && second && is_type(w, t, first, FIRST_NUMBER, "Type") &&
                    is_type(w, t, second, FIRST_NUMBER + 1, NULL))
                        return numbers_from_table(w, t, va - (FIRST_NUMBER + 1) * w->pointer_size);
        }
        return false;
}

static bool numbers_by_shape(struct windows *w, struct object_types *t)
{
        for (size_t i = 0; w->has_pe && !is_virtual(w) && i < w->pe.section_count; i++)
                if (pe_section_group(&w->pe.section[i]) != PE_OTHER && w->pe.section[i].size <= SECTION_MAX &&
                    pe_holds(&w->pe, w->pe.section[i].rva, w->pe.section[i].size) &&
                    numbers_from_section(w, t, &w->pe.section[i]))
                        return true;
        return false;
}

static uint64_t number_of(const struct object_types *t, const char *name)
{
        for (uint64_t i = FIRST_NUMBER; i < OBJECT_TYPES_MAX; i++)
                if (t->type[i].name && strcmp(t->type[i].name, name) == 0)
                        return i;
        return 0;
}

/* ---------------------------------------------------------------- the cookie, since 10 */

/* What the cookie must be, where the object behind this header is of that type. */
static bool cookie_of(struct windows *w, const struct object_types *t, uint64_t object, uint64_t number,
                      uint8_t *ret_cookie)
{
        uint64_t header = object - t->body, index;
        if (!number || read_place(w->kernel, header, &t->at.type_index, &index) != STASIS_OK)
                return false;
        *ret_cookie = (uint8_t)(index ^ number);
        return true;
}

struct votes {
        unsigned plain[256], mixed[256], count;
};

static void vote(struct windows *w, const struct object_types *t, uint64_t object, uint64_t number, struct votes *votes)
{
        uint8_t cookie;
        if (!cookie_of(w, t, object, number, &cookie))
                return;
        votes->plain[cookie]++;
        votes->mixed[cookie ^ (uint8_t)((object - t->body) >> 8)]++;
        votes->count++;
}

/*
 * Processes and threads are of known types. Until 8.1 the number stands there as it is: all of them say 0 without the
 * address. Since 10 all of them say the same with it.
 */
static void solve_cookie(struct windows *w, struct object_types *t)
{
        struct votes votes = { 0 };
        uint64_t process = number_of(t, "Process"), thread = number_of(t, "Thread");
        unsigned best = 0;
        for (size_t i = 0; i < w->process_count && i < VOTES_MAX; i++)
                if (!w->process[i].idle)
                        vote(w, t, w->process[i].object, process, &votes);
        for (size_t i = 0; i < w->thread_count && i < VOTES_MAX; i++)
                if (w->thread[i].tid)
                        vote(w, t, w->thread[i].object, thread, &votes);
        for (unsigned i = 1; i < 256; i++)
                best = votes.mixed[i] > votes.mixed[best] ? i : best;
        t->mixed = votes.plain[0] <= votes.mixed[best];
        t->cookie = t->mixed ? (uint8_t)best : 0;
        unsigned agreed = t->mixed ? votes.mixed[best] : votes.plain[0];
        t->cookie_known = agreed >= 2 && agreed * 4 >= votes.count * 3;
}

static void find_numbers(struct windows *w, struct object_types *t)
{
        uint64_t va, cookie;
        t->numbers_known = (windows_symbol(w, "ObTypeIndexTable", &va) && numbers_from_table(w, t, va)) ||
                           numbers_from_process_type(w, t) || numbers_by_shape(w, t);
        if (windows_symbol(w, "ObHeaderCookie", &va) && stasis_space_u(w->kernel, va, 1, &cookie) == STASIS_OK) {
                t->mixed = t->cookie_known = true;
                t->cookie = (uint8_t)cookie;
        } else if (t->numbers_known) {
                solve_cookie(w, t);
        }
}

/* ---------------------------------------------------------------- asking */

const struct object_types *windows_object_types(struct windows *w)
{
        if (w->types)
                return w->types;
        struct object_types *t = calloc(1, sizeof *t);
        if (!t)
                return NULL;
        w->types = t;
        bind(w->layout, t);
        if (t->body && t->indexed)
                find_numbers(w, t);
        return t;
}

void object_types_free(struct object_types *types) { free(types); }

static const struct object_type *numbered(const struct windows *w, const struct object_types *t, uint64_t header,
                                          enum stasis_absence *ret_why)
{
        uint64_t index;
        *ret_why = STASIS_NOT_KNOWN;
        if (!t->numbers_known || !t->cookie_known)
                return NULL;
        enum stasis_status status = read_place(w->kernel, header, &t->at.type_index, &index);
        if (status != STASIS_OK) {
                *ret_why = absence_at(w->kernel, header + t->at.type_index.offset, 1, status);
                return NULL;
        }
        if (t->mixed)
                index ^= t->cookie ^ (header >> 8 & 0xff);
        *ret_why = STASIS_NOT_APPLICABLE;
        return t->type[index & 0xff].object ? &t->type[index & 0xff] : NULL;
}

/* The type's type is Type, whose type it is itself. */
static bool type_proven(const struct windows *w, const struct object_types *t, uint64_t type)
{
        uint64_t of_type, of_that;
        return is_kernel_address(w, type) && type % w->pointer_size == 0 &&
               read_place(w->kernel, type - t->body, &t->at.type, &of_type) == STASIS_OK &&
               is_kernel_address(w, of_type) && of_type % w->pointer_size == 0 &&
               read_place(w->kernel, of_type - t->body, &t->at.type, &of_that) == STASIS_OK && of_that == of_type;
}

static const struct object_type *pointed(struct windows *w, struct object_types *t, uint64_t header,
                                         enum stasis_absence *ret_why)
{
        uint64_t object;
        enum stasis_status status = read_place(w->kernel, header, &t->at.type, &object);
        if (status != STASIS_OK) {
                *ret_why = absence_at(w->kernel, header + t->at.type.offset, w->pointer_size, status);
                return NULL;
        }
        for (size_t i = 0; i < t->count; i++)
                if (t->type[i].object == object)
                        return &t->type[i];
        *ret_why = STASIS_NOT_APPLICABLE;
        if (!type_proven(w, t, object))
                return NULL;
        struct object_type *type = &t->type[t->count];
        *ret_why = STASIS_NOT_KNOWN;
        if (t->count >= OBJECT_TYPES_MAX || !read_type(w, t, object, type))
                return NULL;
        t->count++;
        return type;
}

const struct object_type *object_type_of(struct windows *w, uint64_t header, enum stasis_absence *ret_why)
{
        struct object_types *t = w->types;
        return t->indexed ? numbered(w, t, header, ret_why) : pointed(w, t, header, ret_why);
}
