/* SPDX-License-Identifier: MIT */
/*
 * The list of modules where no symbol tells its head (32-bit kernels that keep no data in kallsyms), and the members of
 * struct module where no types do. In every version the structure begins with its state, its links and its name
 * (include/linux/module.h of 2.6.32 to 6.x), and lies in the module's own data. So the head is a pair of words in the
 * kernel's data that leads through a whole ring of such structures and back; where one offset is right for every
 * module of the ring, there are the module's place and size, and its symbols.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "infer.h"

#define DATA_MAX (UINT64_C(48) << 20) /* behind the text: read-only data, data, bss */
#define WINDOW 1024                   /* of a struct module: where its members are looked for */
#define NAME_MAX_LEN 56
#define SIZE_MAX_MODULE (64u << 20)
#define SYMBOLS_MAX 65536
#define STATES 4 /* live, coming, going, unformed */

struct ring {
        struct linux_system *l;
        uint32_t word;
        uint64_t head, found; /* found: the one that is right */
        unsigned right;
        struct linux_module *module;
        uint8_t (*window)[WINDOW];
        size_t count, capacity, window_capacity;
        uint32_t base, size_at, symbols; /* offsets in struct module; 0: not found */
        bool no_memory;
};

static uint64_t load(const struct ring *r, size_t module, uint32_t offset, uint32_t size)
{
        return load_le(r->window[module] + offset, size);
}

/* ---------------------------------------------------------------- the ring */

/* What a module may be called: as its file is, with every '-' made '_'. */
static size_t name_length(const uint8_t *name)
{
        size_t len = 0;
        while (len < NAME_MAX_LEN &&
               ((name[len] >= 'a' && name[len] <= 'z') || (name[len] >= 'A' && name[len] <= 'Z') ||
                (name[len] >= '0' && name[len] <= '9') || name[len] == '_' || name[len] == '-'))
                len++;
        return len < NAME_MAX_LEN && name[len] == '\0' ? len : 0;
}

static bool add(struct ring *r, uint64_t entry)
{
        uint64_t object = entry - r->word;
        if (r->count == LINUX_MODULES_MAX || !stasis_grow(&r->module, &r->capacity, r->count + 1, sizeof *r->module) ||
            !stasis_grow(&r->window, &r->window_capacity, r->count + 1, sizeof *r->window)) {
                r->no_memory |= r->count < LINUX_MODULES_MAX;
                return false;
        }
        r->module[r->count] = (struct linux_module){ .object = object };
        if (stasis_space_read(r->l->kernel, object, r->window[r->count], WINDOW) != STASIS_OK ||
            load(r, r->count, 0, 4) >= STATES || !name_length(r->window[r->count] + 3 * r->word))
                return false;
        r->module[r->count].state = load(r, r->count, 0, 4);
        r->count++;
        return true;
}

/* Every entry points back to the one before it, and the last to the head again. */
static bool walk(struct ring *r, uint64_t first, uint64_t last)
{
        uint64_t entry = first, before = r->head, back;
        r->count = 0;
        while (entry != r->head) {
                if (!linux_is_kernel_address(r->l, entry) || entry % r->word ||
                    linux_read_pointer(r->l, entry + r->word, &back) != STASIS_OK || back != before || !add(r, entry))
                        return false;
                before = entry;
                entry = load(r, r->count - 1, r->word, r->word);
        }
        return r->count && before == last;
}

/* ---------------------------------------------------------------- members, each right for every module */

static bool extent_at(const struct ring *r, size_t i, uint32_t base_at, uint32_t size_at)
{
        uint64_t base = load(r, i, base_at, r->word), size = load(r, i, size_at, 4), object = r->module[i].object;
        return base % 4096 == 0 && linux_is_kernel_address(r->l, base) && size && size <= SIZE_MAX_MODULE &&
               object >= base && object - base < size && (r->l->is64 || base + size <= UINT32_MAX);
}

/* module_core and core_size (before 4.5) have init_size between them; core_layout has them side by side. */
static unsigned find_extent(struct ring *r)
{
        unsigned places = 0;
        for (uint32_t at = 3 * r->word + NAME_MAX_LEN; at + 2 * r->word + 8 <= WINDOW; at += r->word)
                for (uint32_t gap = 0; gap <= 4; gap += 4) {
                        bool good = true;
                        for (size_t i = 0; i < r->count && good; i++)
                                good = extent_at(r, i, at, at + r->word + gap);
                        if (!good)
                                continue;
                        r->base = places ? r->base : at;
                        r->size_at = places ? r->size_at : at + r->word + gap;
                        places++;
                }
        return places;
}

static bool inside(const struct linux_module *m, uint64_t va, uint64_t len)
{
        return va >= m->base && va - m->base < m->size && len <= m->size - (va - m->base);
}

/* struct mod_kallsyms (since 4.5): the table, how many, the names. Its first symbol is none, the second has a name. */
static bool symbols_at(const struct ring *r, size_t i, uint32_t at)
{
        const struct linux_module *m = &r->module[i];
        uint64_t table = load(r, i, at, r->word), count = load(r, i, at + r->word, 4);
        uint64_t strings = load(r, i, at + 2 * r->word, r->word);
        uint32_t size = r->l->is64 ? 24 : 16;
        uint8_t symbol[48], name[2];
        if (count < 2 || count > SYMBOLS_MAX || !inside(m, table, count * size) || !inside(m, strings, 2) ||
            stasis_space_read(r->l->kernel, table, symbol, 2 * size) != STASIS_OK ||
            !inside(m, strings + load_le32(symbol + size), 2) ||
            stasis_space_read(r->l->kernel, strings, name, 1) != STASIS_OK || name[0] != '\0' ||
            stasis_space_read(r->l->kernel, strings + load_le32(symbol + size), name, 1) != STASIS_OK ||
            name[0] <= ' ' || name[0] >= 0x7f)
                return false;
        for (uint32_t k = 0; k < size; k++)
                if (symbol[k])
                        return false;
        return true;
}

static unsigned find_symbols(struct ring *r)
{
        unsigned places = 0;
        for (uint32_t at = 3 * r->word + NAME_MAX_LEN; at + 3 * r->word <= WINDOW; at += r->word) {
                bool good = true;
                for (size_t i = 0; i < r->count && good; i++)
                        good = symbols_at(r, i, at);
                if (!good)
                        continue;
                r->symbols = places ? r->symbols : at;
                places++;
        }
        return places;
}

static void take_extents(struct ring *r)
{
        for (size_t i = 0; i < r->count; i++) {
                r->module[i].base = load(r, i, r->base, r->word);
                r->module[i].size = load(r, i, r->size_at, 4);
        }
}

/* ---------------------------------------------------------------- the head */

static void try_head(struct ring *r, uint64_t head, uint64_t next, uint64_t prev)
{
        r->head = head;
        if (!walk(r, next, prev) || find_extent(r) != 1)
                return;
        r->found = head;
        r->right++;
}

/* Both words point out of themselves, to what points back. */
static void look_at_page(struct ring *r, uint64_t va)
{
        uint8_t page[4096 + 8];
        struct linux_system *l = r->l;
        uint64_t next, prev, back;
        size_t have = stasis_space_read(l->kernel, va, page, 4096 + r->word) == STASIS_OK ? 4096 : 4096 - r->word;
        if (have < 4096 && stasis_space_read(l->kernel, va, page, 4096) != STASIS_OK)
                return;
        for (size_t at = 0; at < have && !r->no_memory; at += r->word) {
                next = load_le(page + at, r->word);
                prev = load_le(page + at + r->word, r->word);
                if (next % r->word || prev % r->word || next == va + at || !linux_is_kernel_address(l, next) ||
                    !linux_is_kernel_address(l, prev) || linux_read_pointer(l, next + r->word, &back) != STASIS_OK ||
                    back != va + at)
                        continue;
                try_head(r, va + at, next, prev);
        }
}

static void find_head(struct ring *r)
{
        struct linux_system *l = r->l;
        uint64_t low, end = l->place.text_va + DATA_MAX;
        if (!linux_symbol_find(l, "_etext", &low) || low < l->place.text_va || low >= end)
                low = l->place.text_va;
        for (uint64_t va = low & ~UINT64_C(4095); va < end && va >= l->place.text_va && r->right < 2; va += 4096)
                look_at_page(r, va);
}

/* ---------------------------------------------------------------- all of it */

static void keep_evidence(struct linux_system *l, const char *member, const char *rule, uint32_t offset,
                          unsigned places, size_t count)
{
        struct stasis_inference e = { .member = member,
                                      .verdict = places == 1 ? "found"
                                                 : places    ? "ambiguous"
                                                             : "thin",
                                      .rule = rule,
                                      .offset = offset,
                                      .agreed = places == 1 ? (uint32_t)count : 0,
                                      .of = (uint32_t)count };
        infer_keep(l, &e);
        system_trace(l->system, "modules", places == 1, "%s at 0x%x: %s, in all of %zu", member, offset, rule, count);
}

static bool give(struct ring *r)
{
        struct linux_system *l = r->l;
        take_extents(r);
        unsigned places = find_symbols(r);
        keep_evidence(l, "module.core_layout.base", "an extent that the structure itself lies in", r->base, 1,
                      r->count);
        keep_evidence(l, "module.core_kallsyms", "a table of symbols in that extent, and its names", r->symbols, places,
                      r->count);
        for (size_t i = 0; i < r->count; i++) {
                struct linux_module *m = &r->module[i];
                const uint8_t *name = r->window[i] + 3 * r->word;
                m->name = stasis_arena_strndup(&l->system->arena, (const char *)name, name_length(name));
                if (places == 1) {
                        m->symtab = load(r, i, r->symbols, r->word);
                        m->num_symtab = load(r, i, r->symbols + r->word, 4);
                        m->strtab = load(r, i, r->symbols + 2 * r->word, r->word);
                }
                if (!m->name)
                        return false;
        }
        return true;
}

enum stasis_status linux_modules_infer(struct linux_system *l)
{
        struct ring r = { .l = l, .word = l->pointer_size };
        uint64_t next = 0, prev = 0;
        if (!l->place.known || (l->version && l->version >= LINUX_VERSION(6, 4)))
                return STASIS_ABSENT; /* a module's parts lie apart since then */
        find_head(&r);
        bool good = !r.no_memory && r.right == 1;
        r.head = r.found;
        good = good && linux_read_pointer(l, r.found, &next) == STASIS_OK &&
               linux_read_pointer(l, r.found + r.word, &prev) == STASIS_OK && walk(&r, next, prev) &&
               find_extent(&r) == 1;
        system_trace(l->system, "modules", good,
                     good ? "%u ring of structures that begin as a module does: at 0x%" PRIx64
                          : "%u rings of structures that begin as a module does",
                     r.right, r.found);
        good = good && give(&r);
        free(r.window);
        if (!good) {
                free(r.module);
                return r.no_memory ? STASIS_NOMEM : STASIS_ABSENT;
        }
        l->modules = (struct linux_modules){
                .module = r.module, .count = r.count, .capacity = r.capacity, .known = true, .inferred = true
        };
        return STASIS_OK;
}
