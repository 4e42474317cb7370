/* SPDX-License-Identifier: MIT */
/*
 * Names of functions in programs: .symtab, where the page cache still holds that part of the file, else .dynsym, which
 * is mapped. Source of the structures: System V ABI, "Object Files", "Dynamic Linking".
 */
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/bytes.h"
#include "user.h"

#define SECTIONS_MAX 256
#define SYMBOLS_MAX (1u << 17)
#define DYNAMIC_MAX 256
#define NAMED_MAX 32 /* bytes of a section's name that are looked at */

static const struct elf_places {
        uint8_t shoff, shentsize, shnum, shstrndx;
        uint8_t section, addr, offset, size, link, word;
        uint8_t symbol, value, len, info, index;
} places[2] = {
        { 32, 46, 48, 50, 40, 12, 16, 20, 24, 4, 16, 4, 8, 12, 14 },
        { 40, 58, 60, 62, 64, 16, 24, 32, 40, 8, 24, 8, 16, 4, 6 },
};

static const struct elf_places *places_of(const struct user_module *m) { return &places[m->machine->word == 8]; }

static bool read_table(struct linux_user *user, const struct user_module *m, const struct user_table *t, uint64_t at,
                       void *buf, size_t len)
{
        return t->in_file ? user_file_read(user, m->mapping, at, buf, len)
                          : stasis_space_read(&user->space, at, buf, len) == STASIS_OK;
}

/* ---------------------------------------------------------------- sections */

struct section {
        uint32_t name, kind, link;
        uint64_t addr, offset, size;
};
enum { SHT_SYMTAB = 2 };

static bool read_section(struct linux_user *user, const struct user_module *m, uint64_t table, uint64_t index,
                         struct section *ret_section)
{
        const struct elf_places *p = places_of(m);
        uint8_t one[64];
        if (!user_file_read(user, m->mapping, table + index * p->section, one, p->section))
                return false;
        *ret_section = (struct section){ .name = load_le32(one),
                                         .kind = load_le32(one + 4),
                                         .addr = load_le(one + p->addr, p->word),
                                         .offset = load_le(one + p->offset, p->word),
                                         .size = load_le(one + p->size, p->word),
                                         .link = load_le32(one + p->link) };
        return true;
}

static bool is_named(struct linux_user *user, const struct user_module *m, const struct section *names,
                     const struct section *s, const char *name)
{
        char text[NAMED_MAX];
        size_t len = strlen(name) + 1;
        return s->name < names->size && len <= names->size - s->name &&
               user_file_read(user, m->mapping, names->offset + s->name, text, len) && memcmp(text, name, len) == 0;
}

void user_sections(struct linux_user *user, struct user_module *m)
{
        const struct elf_places *p = places_of(m);
        struct section names, s, strings;
        uint8_t head[64];
        if (!m->mapping || !user_file_read(user, m->mapping, 0, head, sizeof head) ||
            load_le16(head + p->shentsize) != p->section)
                return;
        uint64_t table = load_le(head + p->shoff, p->word), count = load_le16(head + p->shnum);
        if (!table || count > SECTIONS_MAX || !read_section(user, m, table, load_le16(head + p->shstrndx), &names))
                return;
        for (uint64_t i = 1; i < count && read_section(user, m, table, i, &s); i++) {
                if (s.kind == SHT_SYMTAB && s.link < count && read_section(user, m, table, s.link, &strings))
                        m->symbols = (struct user_table){ s.offset, s.size, strings.offset, strings.size, true };
                else if (!m->header_len && s.addr && is_named(user, m, &names, &s, ".eh_frame")) {
                        m->frames = s.addr + m->bias;
                        m->frames_len = s.size;
                }
        }
        if (m->machine->word == 4)
                m->frames &= UINT32_MAX;
}

/* ---------------------------------------------------------------- .dynamic */

enum { DT_HASH = 4, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 10 };

/* The loader of some C libraries has moved these addresses already, in place. */
static uint64_t address(const struct user_module *m, uint64_t value)
{
        if (value < m->low || value >= m->high)
                value += m->bias;
        return m->machine->word == 4 ? value & UINT32_MAX : value;
}

void user_dynamic(struct linux_user *user, struct user_module *m, uint64_t dynamic, uint64_t len)
{
        uint8_t word = m->machine->word;
        uint64_t value[16] = { 0 }, tag = 1, chain = 0, count;
        for (uint64_t i = 0; i < DYNAMIC_MAX && (i + 1) * 2 * word <= len && tag; i++) {
                uint64_t at = dynamic + i * 2 * word, what;
                if (stasis_space_u(&user->space, at, word, &tag) != STASIS_OK ||
                    stasis_space_u(&user->space, at + word, word, &what) != STASIS_OK)
                        return;
                if (tag < 16)
                        value[tag] = what;
        }
        if (!value[DT_SYMTAB] || !value[DT_STRTAB])
                return;
        uint64_t symbols = address(m, value[DT_SYMTAB]), strings = address(m, value[DT_STRTAB]);
        if (value[DT_HASH] && stasis_space_u(&user->space, address(m, value[DT_HASH]) + 4, 4, &chain) == STASIS_OK)
                count = chain;
        else /* without a number of symbols: linkers put their names right behind them */
                count = strings > symbols ? (strings - symbols) / places_of(m)->symbol : 0;
        m->symbols = (struct user_table){ symbols, count * places_of(m)->symbol, strings, value[DT_STRSZ], false };
}

/* ---------------------------------------------------------------- symbols */

enum { STT_FUNC = 2, STT_GNU_IFUNC = 10 };

static int by_start(const void *a, const void *b)
{
        const struct user_symbol *x = a, *y = b;
        return x->start < y->start ? -1 : x->start > y->start;
}

/* false: memory is exhausted. */
static bool add(const struct elf_places *p, const uint8_t *one, struct user_file *file)
{
        uint8_t kind = one[p->info] & 0xf;
        struct user_symbol s = { .start = load_le(one + p->value, p->word),
                                 .size = load_le(one + p->len, p->word),
                                 .name = load_le32(one) };
        if ((kind != STT_FUNC && kind != STT_GNU_IFUNC) || !s.size || !load_le16(one + p->index))
                return true;
        if (!stasis_grow(&file->symbol, &file->symbol_capacity, file->symbol_count + 1, sizeof *file->symbol))
                return false;
        file->symbol[file->symbol_count++] = s;
        return true;
}

static void load_symbols(struct linux_user *user, const struct user_module *m, struct user_file *file)
{
        const struct elf_places *p = places_of(m);
        uint64_t count = m->symbols.len / p->symbol;
        file->symbols_tried = true;
        for (uint64_t i = 0; i < count && i < SYMBOLS_MAX; i++) {
                uint8_t one[24];
                if (!read_table(user, m, &m->symbols, m->symbols.at + i * p->symbol, one, p->symbol))
                        break;
                if (!add(p, one, file)) {
                        user->l->no_memory = true;
                        break;
                }
        }
        if (file->symbol_count)
                qsort(file->symbol, file->symbol_count, sizeof *file->symbol, by_start);
}

/* The last that starts at or below at; where that ends before it, one around both may be meant, of which there are few.
 */
#define NESTED_MAX 8
static const struct user_symbol *find(const struct user_file *file, uint64_t at)
{
        size_t low = 0, high = file->symbol_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (file->symbol[middle].start <= at)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (size_t i = 0; i < NESTED_MAX && low; i++, low--)
                if (at - file->symbol[low - 1].start < file->symbol[low - 1].size)
                        return &file->symbol[low - 1];
        return NULL;
}

bool user_symbol_at(struct linux_user *user, const struct user_module *m, uint64_t va, char *buf, size_t len,
                    uint64_t *ret_start)
{
        struct user_file *file = m->machine && m->symbols.len ? user_file_of(user, m) : NULL;
        if (!file)
                return false;
        if (!file->symbols_tried)
                load_symbols(user, m, file);
        uint64_t at = va - m->bias, mask = m->machine->word == 4 ? UINT32_MAX : UINT64_MAX;
        const struct user_symbol *symbol = find(file, at & mask);
        size_t used = 0;
        for (; symbol && symbol->name < m->symbols.strings_len && used + 1 < len; used++)
                if (!read_table(user, m, &m->symbols, m->symbols.strings + symbol->name + used, buf + used, 1) ||
                    !buf[used])
                        break;
        if (len)
                buf[used] = '\0';
        if (used)
                *ret_start = (symbol->start + m->bias) & mask;
        return used != 0;
}
