/* SPDX-License-Identifier: MIT */
/* Symbols by name, and the text files that list them. */
#include <inttypes.h>
#include <stdlib.h>

#include "../base/arena.h"
#include "../base/error.h"
#include "layout_names.h"
#include "layout_symbols.h"

static const struct symtab *symtab_of(const struct stasis_layout *layout) { return (const struct symtab *)layout; }

struct symtab *symtab_new(const char *name, uint8_t pointer_size)
{
        struct symtab *symtab = calloc(1, sizeof *symtab);
        char *kept = symtab ? strdup(name) : NULL;
        if (!kept) {
                free(symtab);
                return NULL;
        }
        symtab->layout =
                (struct stasis_layout){ .name = kept, .backend = &layout_symtab, .pointer_size = pointer_size };
        return symtab;
}

bool symtab_add(struct symtab *symtab, const char *name, size_t len, uint64_t address)
{
        if (len == 0 || len > SYMTAB_NAME_MAX)
                return true;
        if (symtab->count == SYMTAB_MAX ||
            !stasis_grow(&symtab->entry, &symtab->capacity, symtab->count + 1, sizeof *symtab->entry))
                return false;
        symtab->entry[symtab->count++] = (struct symtab_entry){ name, (uint32_t)len, layout_hash(name, len), address };
        return true;
}

static bool is_entry(const struct symtab_entry *e, uint32_t hash, const char *name, size_t len)
{
        return e->hash == hash && e->len == len && memcmp(e->name, name, len) == 0;
}

/* The slot of this name, or the empty one where it would be; NULL where a forged file crowds it. */
static uint32_t *slot_of(const struct symtab *symtab, uint32_t hash, const char *name, size_t len)
{
        for (size_t i = 0; i < SYMTAB_PROBES_MAX; i++) {
                uint32_t *slot = &symtab->slot[(hash + i) & (symtab->slots - 1)];
                if (*slot == 0 || is_entry(&symtab->entry[*slot - 1], hash, name, len))
                        return slot;
        }
        return NULL;
}

bool symtab_index(struct symtab *symtab)
{
        for (symtab->slots = 64; symtab->slots < 2 * symtab->count;)
                symtab->slots *= 2;
        symtab->slot = calloc(symtab->slots, sizeof *symtab->slot);
        for (size_t i = 0; symtab->slot && i < symtab->count; i++) {
                const struct symtab_entry *e = &symtab->entry[i];
                uint32_t *slot = slot_of(symtab, e->hash, e->name, e->len);
                if (slot && *slot == 0)
                        *slot = (uint32_t)i + 1;
        }
        return symtab->slot != NULL;
}

static bool symtab_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva)
{
        const struct symtab *symtab = symtab_of(layout);
        size_t len = strlen(symbol);
        const uint32_t *slot = slot_of(symtab, layout_hash(symbol, len), symbol, len);
        if (!slot || *slot == 0)
                return false;
        *ret_rva = symtab->entry[*slot - 1].address;
        return true;
}

static void symtab_close(struct stasis_layout *layout)
{
        struct symtab *symtab = (struct symtab *)layout;
        free(symtab->entry);
        free(symtab->slot);
        free((void *)(uintptr_t)layout->name);
        free(symtab);
}

const struct layout_backend layout_symtab = {
        .symbol = symtab_symbol,
        .close = symtab_close,
};

/* ---- System.map: "ffffffff81000000 T _text", with blanks for the address of what is not defined ("w __start_BTF");
 * /proc/kallsyms adds a tab and "[module]" */

struct map_line {
        bool defined;
        uint64_t address;
        size_t digits, name_len;
        const char *name;
};

static int hex_digit(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool map_line(const uint8_t *at, size_t len, struct map_line *ret)
{
        *ret = (struct map_line){ .defined = len > 0 && at[0] != ' ' };
        for (; ret->digits < len && ret->digits < 16; ret->digits++) {
                int digit = ret->defined ? hex_digit(at[ret->digits]) : at[ret->digits] == ' ' ? 0 : -1;
                if (digit < 0)
                        break;
                ret->address = ret->address << 4 | (unsigned)digit;
        }
        if (!ret->defined) /* the blank before the type is one more */
                ret->digits = ret->digits >= 16 ? 16 : ret->digits - (ret->digits > 0);
        size_t start = ret->digits + 3, end = start;
        if ((ret->digits != 8 && ret->digits != 16) || len <= start || at[start - 3] != ' ' || at[start - 1] != ' ')
                return false;
        while (end < len && at[end] > ' ')
                end++;
        ret->name = (const char *)at + start;
        ret->name_len = end - start;
        return end > start && (end == len || at[end] == '\t' || at[end] == ' ' || at[end] == '\r');
}

static size_t line_len(struct stasis_bytes bytes, size_t at)
{
        const uint8_t *end = memchr(bytes.at + at, '\n', bytes.len - at);
        return end ? (size_t)(end - (bytes.at + at)) : bytes.len - at;
}

bool system_map_probe(struct stasis_bytes bytes)
{
        struct map_line line;
        return bytes.len > 0 && map_line(bytes.at, line_len(bytes, 0), &line);
}

static enum stasis_status map_lines(struct stasis_bytes bytes, const char *name, struct symtab *symtab,
                                    struct stasis_error *err)
{
        size_t number = 1, len;
        for (size_t at = 0; at < bytes.len; at += len + 1, number++) {
                struct map_line line;
                len = line_len(bytes, at);
                if (!map_line(bytes.at + at, len, &line) || line.digits != symtab->layout.pointer_size * 2u)
                        return stasis_fail(err, STASIS_CORRUPT, "%s: line %zu: not 'address type name'", name, number);
                if (line.defined && !symtab_add(symtab, line.name, line.name_len, line.address))
                        return stasis_fail(err, symtab->count == SYMTAB_MAX ? STASIS_LIMIT : STASIS_NOMEM,
                                           "%s: line %zu: no room for more symbols", name, number);
        }
        return symtab_index(symtab) ? STASIS_OK : stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
}

enum stasis_status system_map_read(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                   struct stasis_error *err)
{
        struct map_line first;
        if (bytes.len == 0 || !map_line(bytes.at, line_len(bytes, 0), &first))
                return stasis_fail(err, STASIS_CORRUPT, "%s: line 1: not 'address type name'", name);
        struct symtab *symtab = symtab_new(name, first.digits == 8 ? 4 : 8);
        if (!symtab)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        enum stasis_status status = map_lines(bytes, name, symtab, err);
        if (status == STASIS_OK)
                *ret_layout = &symtab->layout;
        else
                stasis_layout_close(&symtab->layout);
        return status;
}
