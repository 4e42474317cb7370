/* SPDX-License-Identifier: MIT */
#include "object_header.h"

#include <string.h>

#include "object_types.h"

#define DEPTH_MAX 32      /* directories above a name; real ones are four deep */
#define NAME_LEN_MAX 4096 /* bytes of a whole path */

/* Bits of InfoMask; the optional headers lie in their order before the header, the first one next to it. */
enum { HAS_CREATOR = 1, HAS_NAME = 2, OPTIONAL_KNOWN = 0x1f };

static bool info_mask(const struct windows *w, uint64_t header, uint64_t *ret_mask)
{
        return read_place(w->kernel, header, &w->types->at.info_mask, ret_mask) == STASIS_OK;
}

/* Where this header's _OBJECT_HEADER_NAME_INFO is. STASIS_PRESENT, or why there is none. */
static enum stasis_absence name_info(const struct windows *w, uint64_t header, uint64_t *ret_info)
{
        const struct object_types *t = w->types;
        uint64_t value;
        const struct place *place = t->indexed ? &t->at.info_mask : &t->at.name_info_offset;
        enum stasis_status status = read_place(w->kernel, header, place, &value);
        if (status != STASIS_OK)
                return absence_at(w->kernel, header + place->offset, 1, status);
        if (t->indexed ? !(value & HAS_NAME) : !value)
                return STASIS_NOT_APPLICABLE;
        *ret_info = header - (t->indexed ? t->name_info + (value & HAS_CREATOR ? t->optional[0] : 0) : value);
        return STASIS_PRESENT;
}

/* ---------------------------------------------------------------- its name, from the root down */

struct path {
        const char *part[DEPTH_MAX];
        size_t count, len;
        bool whole; /* up to the root */
};

/* One name and the directory that it is in. */
static enum stasis_absence one_name(const struct windows *w, uint64_t header, struct stasis_arena *arena,
                                    const char **ret_name, uint64_t *ret_directory)
{
        uint64_t info = 0;
        enum stasis_absence why = name_info(w, header, &info);
        if (why != STASIS_PRESENT)
                return why;
        *ret_name = read_unicode_string(w->kernel, info + w->types->name_string, w->pointer_size, arena, &why);
        if (*ret_name && read_place(w->kernel, info, &w->types->at.name_directory, ret_directory) != STASIS_OK)
                *ret_directory = 0;
        return why;
}

/* The names upwards. The root is called "\" and is in no directory. */
static enum stasis_absence collect(const struct windows *w, uint64_t header, struct stasis_arena *arena,
                                   struct path *path)
{
        uint64_t directory = 0;
        enum stasis_absence first = STASIS_NOT_KNOWN;
        for (size_t i = 0; i < DEPTH_MAX; i++, header = directory - w->types->body) {
                const char *name = NULL;
                enum stasis_absence why = one_name(w, header, arena, &name, &directory);
                first = i ? first : why;
                if (why != STASIS_PRESENT)
                        return first;
                path->whole = !directory && strcmp(name, "\\") == 0;
                if (path->whole)
                        return first;
                path->len += strlen(name) + 1;
                if (path->len > NAME_LEN_MAX)
                        return STASIS_CONTRADICTORY;
                path->part[path->count++] = name;
                if (!is_kernel_address(w, directory) || directory % w->pointer_size)
                        return first;
        }
        return STASIS_CONTRADICTORY; /* directories in a ring */
}

static char *join(const struct path *path, struct stasis_arena *arena)
{
        char *text = stasis_arena_alloc(arena, path->len + 2), *at = text;
        if (!text)
                return NULL;
        if (!path->count) /* the root itself */
                *at++ = '\\';
        for (size_t i = path->count; i-- > 0;) {
                size_t len = strlen(path->part[i]);
                if (path->whole || i + 1 < path->count)
                        *at++ = '\\';
                memcpy(at, path->part[i], len);
                at += len;
        }
        *at = '\0';
        return text;
}

char *windows_object_name(struct windows *w, uint64_t body, struct stasis_arena *arena, enum stasis_absence *ret_why)
{
        struct path path = { .len = 0 };
        const struct object_types *t = windows_object_types(w);
        *ret_why = STASIS_NOT_KNOWN;
        if (!t || !t->body || !is_kernel_address(w, body))
                return NULL;
        *ret_why = collect(w, body - t->body, arena, &path);
        if (*ret_why != STASIS_PRESENT)
                return NULL;
        char *name = join(&path, arena);
        *ret_why = name ? STASIS_PRESENT : STASIS_NOT_KNOWN;
        return name;
}

/* ---------------------------------------------------------------- is it one? */

/* The block of pool that the object is in begins with the optional headers, and is tagged with the type's key. */
static bool tagged(const struct windows *w, uint64_t header, const struct object_type *type)
{
        const struct object_types *t = w->types;
        uint64_t mask, tag, at = header;
        if (!t->pool_header || !type->key_known || !info_mask(w, header, &mask) || mask & ~(uint64_t)OPTIONAL_KNOWN)
                return false;
        for (size_t i = 0; i < sizeof t->optional / sizeof *t->optional; i++)
                at -= mask >> i & 1 ? t->optional[i] : 0;
        /* until 7 the last letter's high bit says that the block is protected */
        return read_place(w->kernel, at - t->pool_header, &t->at.pool_tag, &tag) == STASIS_OK &&
               ((tag ^ type->key) & 0x7fffffff) == 0 && type->key;
}

static bool in_directory(struct windows *w, uint64_t header)
{
        uint64_t info = 0, directory = 0;
        enum stasis_absence why;
        if (name_info(w, header, &info) != STASIS_PRESENT ||
            read_place(w->kernel, info, &w->types->at.name_directory, &directory) != STASIS_OK ||
            !is_kernel_address(w, directory) || directory % w->pointer_size)
                return false;
        const struct object_type *type = object_type_of(w, directory - w->types->body, &why);
        return type && strcmp(type->name, "Directory") == 0;
}

static bool proven(struct windows *w, uint64_t body, const struct object_type *type)
{
        const struct object_types *t = w->types;
        if (!t->indexed)
                return true; /* by the type's type */
        if (strcmp(type->name, "Process") == 0)
                return !windows_process_refused(w, body);
        if (strcmp(type->name, "Thread") == 0)
                return !windows_thread_refused(w, body);
        return tagged(w, body - t->body, type) || in_directory(w, body - t->body);
}

bool windows_object(struct windows *w, uint64_t body, struct stasis_arena *arena, struct windows_object *ret_object)
{
        const struct object_types *t = windows_object_types(w);
        *ret_object = (struct windows_object){ .body = body,
                                               .type_why = STASIS_NOT_KNOWN,
                                               .name_why = STASIS_NOT_APPLICABLE };
        if (!t || !t->body || !is_kernel_address(w, body) || body % 8)
                return false;
        ret_object->header = body - t->body;
        const struct object_type *type = object_type_of(w, ret_object->header, &ret_object->type_why);
        if (type && !proven(w, body, type)) {
                ret_object->type_why = STASIS_NOT_APPLICABLE;
                type = NULL;
        }
        if (!type)
                return false;
        ret_object->type = type->object;
        ret_object->type_name = type->name;
        ret_object->type_why = STASIS_PRESENT;
        ret_object->name = windows_object_name(w, body, arena, &ret_object->name_why);
        return true;
}
