/* SPDX-License-Identifier: MIT */
/* The files of --symbols as one layout. */
#include "layout_symbols.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../base/error.h"
#include "../base/map.h"
#include "btf_wire.h"

struct set {
        struct stasis_layout layout; /* first */
        struct stasis_map map[SYMBOL_FILES_MAX];
        struct symbol_file file[SYMBOL_FILES_MAX];
        size_t count, map_count;
        const struct stasis_layout *types; /* of the first file that has them */
};

/* ---- one file */

static bool is_isf(struct stasis_bytes bytes)
{
        static const uint8_t xz[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
        size_t at = 0;
        if (bytes.len >= sizeof xz && memcmp(bytes.at, xz, sizeof xz) == 0)
                return true;
        while (at < bytes.len && at < 4096 && isspace(bytes.at[at]))
                at++;
        return at < bytes.len && bytes.at[at] == '{';
}

static bool is_btf(struct stasis_bytes bytes)
{
        return bytes.len >= 2 && (load_le16(bytes.at) == BTF_MAGIC || load_le16(bytes.at) == 0x9feb);
}

enum stasis_status symbol_file_read(struct stasis_bytes bytes, const char *path, struct symbol_file *ret_file,
                                    struct stasis_error *err)
{
        struct symbol_file file = { 0 };
        enum stasis_status status;
        if (bytes.len >= 4 && memcmp(bytes.at, "\177ELF", 4) == 0)
                return elf_symbols_read(bytes, path, ret_file, err);
        if (is_btf(bytes))
                status = stasis_layout_open_btf(bytes, path, &file.types, err);
        else if (is_isf(bytes))
                status = layout_isf_parse(bytes, path, &file.types, err);
        else if (system_map_probe(bytes))
                status = system_map_read(bytes, path, &file.symbols, err);
        else
                return stasis_fail(err, STASIS_CORRUPT,
                                   "%s: neither an ELF file, nor BTF, nor a System.map, nor an ISF", path);
        if (status == STASIS_OK)
                *ret_file = file;
        return status;
}

/* ---- all of them: what has both types and symbols (an ISF) stands in types */

static const struct set *set_of(const struct stasis_layout *layout) { return (const struct set *)layout; }

static bool set_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        const struct stasis_layout *types = set_of(layout)->types;
        return types && types->backend->open(types, name, len, ret_view);
}

static size_t set_enumeration(const struct stasis_layout *layout, const char *name, struct stasis_name *names,
                              size_t max)
{
        const struct stasis_layout *types = set_of(layout)->types;
        return types ? stasis_layout_enum(types, name, names, max) : 0;
}

static bool set_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva)
{
        const struct set *set = set_of(layout);
        for (size_t i = 0; i < set->count; i++)
                if ((set->file[i].symbols && stasis_layout_symbol(set->file[i].symbols, symbol, ret_rva)) ||
                    (set->file[i].types && stasis_layout_symbol(set->file[i].types, symbol, ret_rva)))
                        return true;
        return false;
}

static bool set_has_types(const struct stasis_layout *layout) { return set_of(layout)->types != NULL; }

static bool set_has_symbols(const struct stasis_layout *layout)
{
        const struct set *set = set_of(layout);
        for (size_t i = 0; i < set->count; i++)
                if (set->file[i].symbols || (set->file[i].types && stasis_layout_has_symbols(set->file[i].types)))
                        return true;
        return false;
}

static void set_close(struct stasis_layout *layout)
{
        struct set *set = (struct set *)layout;
        for (size_t i = 0; i < set->count; i++) {
                stasis_layout_close(set->file[i].types);
                stasis_layout_close(set->file[i].symbols);
        }
        for (size_t i = 0; i < set->map_count; i++)
                stasis_map_close(&set->map[i]);
        free((void *)(uintptr_t)layout->name);
        free(set);
}

static const struct layout_backend layout_set = {
        .open = set_open,
        .enumeration = set_enumeration,
        .symbol = set_symbol,
        .has_types = set_has_types,
        .has_symbols = set_has_symbols,
        .close = set_close,
};

static void file_told(const struct symbol_file *file, struct layout_file *ret)
{
        bool has_types = file->types && stasis_layout_has_types(file->types);
        const struct stasis_layout *both = file->types && stasis_layout_has_symbols(file->types) ? file->types : NULL;
        *ret = (struct layout_file){ .types = has_types ? file->types : NULL,
                                     .symbols = file->symbols ? file->symbols : both,
                                     .build_id = file->build_id };
        ret->path = stasis_layout_name(file->types ? file->types : file->symbols);
}

bool layout_symbols_file(const struct stasis_layout *layout, size_t index, struct layout_file *ret_file)
{
        const struct symbol_file alone = { .types = (struct stasis_layout *)(uintptr_t)layout };
        if (!layout || (layout->backend != &layout_set && index))
                return false;
        if (layout->backend == &layout_set && index >= set_of(layout)->count)
                return false;
        file_told(layout->backend == &layout_set ? &set_of(layout)->file[index] : &alone, ret_file);
        return ret_file->types || ret_file->symbols;
}

static enum stasis_status width_add(struct set *set, const struct stasis_layout *part, struct stasis_error *err)
{
        uint8_t *size = &set->layout.pointer_size;
        if (!part || part->pointer_size == *size)
                return STASIS_OK;
        if (*size)
                return stasis_fail(err, STASIS_CORRUPT, "%s: of a %u-bit kernel, unlike the file before it", part->name,
                                   part->pointer_size * 8u);
        *size = part->pointer_size;
        return STASIS_OK;
}

static enum stasis_status set_add(struct set *set, const char *path, struct stasis_error *err)
{
        struct symbol_file *file = &set->file[set->count];
        struct stat st;
        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
                return stasis_fail(err, STASIS_USAGE,
                                   S_ISDIR(st.st_mode) ? "%s: is a folder: of a Linux kernel, name the file itself"
                                                       : "%s: not a regular file",
                                   path);
        enum stasis_status status = stasis_map_open(path, &set->map[set->map_count], err);
        if (status != STASIS_OK)
                return status;
        status = symbol_file_read(set->map[set->map_count++].bytes, path, file, err);
        if (status != STASIS_OK)
                return status;
        set->count++;
        if (!set->types && file->types && stasis_layout_has_types(file->types))
                set->types = file->types;
        status = width_add(set, file->types, err);
        return status == STASIS_OK ? width_add(set, file->symbols, err) : status;
}

/* "a, b": as it is shown. */
static char *names_joined(const char *const *paths, size_t count)
{
        size_t len = 1;
        for (size_t i = 0; i < count; i++)
                len += strlen(paths[i]) + 2;
        char *joined = calloc(1, len);
        for (size_t i = 0; joined && i < count; i++) {
                if (i)
                        strcat(joined, ", ");
                strcat(joined, paths[i]);
        }
        return joined;
}

enum stasis_status stasis_layout_open_symbols(const char *const *paths, size_t count, struct stasis_layout **ret_layout,
                                              struct stasis_error *err)
{
        if (count == 0 || count > SYMBOL_FILES_MAX)
                return stasis_fail(err, STASIS_USAGE, "from 1 to %d symbol files can be given", SYMBOL_FILES_MAX);
        struct set *set = calloc(1, sizeof *set);
        char *name = set ? names_joined(paths, count) : NULL;
        if (!name) {
                free(set);
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", paths[0]);
        }
        enum stasis_status status = STASIS_OK;
        set->layout = (struct stasis_layout){ .name = name, .backend = &layout_set };
        for (size_t i = 0; i < count && status == STASIS_OK; i++)
                status = set_add(set, paths[i], err);
        if (status == STASIS_OK)
                *ret_layout = &set->layout;
        else
                stasis_layout_close(&set->layout);
        return status;
}
