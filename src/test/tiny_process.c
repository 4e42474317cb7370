/* SPDX-License-Identifier: MIT */
#include "tiny_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../os/layout_internal.h"

static void must(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "tiny_process: %s\n", what);
        abort();
}

void tp_put(struct tp *tp, uint64_t va, uint64_t value) { world_u(&tp->world, va, tp->word, value); }

uint8_t *tp_file(struct tp *tp, uint64_t at) { return tp->world.mem + tp->file_pa[at / 0x1000] + at % 0x1000; }

static void file_u(struct tp *tp, uint64_t at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                *tp_file(tp, at + i) = (uint8_t)(value >> 8 * i);
}

static void file_put(struct tp *tp, uint64_t at, const void *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++)
                *tp_file(tp, at + i) = ((const uint8_t *)bytes)[i];
}

/* ---------------------------------------------------------------- the layout */

enum when { ALWAYS, MAPLE, RB, XARRAY, RADIX, OLD };

static const struct {
        const char *structure;
        unsigned size;
        const char *field;
        unsigned offset, bytes, count; /* bytes 0: a word; count 0: no array */
        const char *target;
        enum when when;
} fields[] = {
        { "mm_struct", 0x80, "pgd", 0x10, 0, 0, NULL, ALWAYS },
        { "mm_struct", 0x80, "mm_mt", 0x20, 0, 0, "maple_tree", MAPLE },
        { "mm_struct", 0x80, "mm_rb", 0x20, 0, 0, "rb_root", RB },
        { "mm_struct", 0x80, "context", 0x40, 0, 0, "mm_context_t", ALWAYS },
        { "mm_context_t", 0x20, "vdso", 8, 0, 0, NULL, ALWAYS },
        { "maple_tree", 0x10, "ma_root", 8, 0, 0, NULL, ALWAYS },
        { "rb_root", 8, "rb_node", 0, 0, 0, NULL, ALWAYS },
        { "rb_node", 0x18, "rb_right", 8, 0, 0, NULL, ALWAYS },
        { "rb_node", 0x18, "rb_left", 0x10, 0, 0, NULL, ALWAYS },
        { "vm_area_struct", 0x60, "vm_start", 0, 0, 0, NULL, ALWAYS },
        { "vm_area_struct", 0x60, "vm_end", 8, 0, 0, NULL, ALWAYS },
        { "vm_area_struct", 0x60, "vm_rb", 0x10, 0, 0, "rb_node", ALWAYS },
        { "vm_area_struct", 0x60, "vm_flags", 0x30, 0, 0, NULL, ALWAYS },
        { "vm_area_struct", 0x60, "vm_pgoff", 0x38, 0, 0, NULL, ALWAYS },
        { "vm_area_struct", 0x60, "vm_file", 0x40, 0, 0, NULL, ALWAYS },
        { "maple_node", 0x100, "mr64", 0, 0, 0, "maple_range_64", ALWAYS },
        { "maple_node", 0x100, "ma64", 0, 0, 0, "maple_arange_64", ALWAYS },
        { "maple_range_64", 0x100, "pivot", 8, 0, 15, NULL, ALWAYS },
        { "maple_range_64", 0x100, "slot", 0x80, 0, 16, NULL, ALWAYS },
        { "maple_arange_64", 0xf0, "pivot", 8, 0, 9, NULL, ALWAYS },
        { "maple_arange_64", 0xf0, "slot", 0x50, 0, 10, NULL, ALWAYS },
        { "file", 0x40, "f_mapping", 0x18, 0, 0, NULL, ALWAYS },
        { "address_space", 0x40, "i_pages", 8, 0, 0, "xarray", XARRAY },
        { "address_space", 0x40, "page_tree", 8, 0, 0, "radix_tree_root", RADIX },
        { "address_space", 0x40, "page_tree", 8, 0, 0, "radix_tree_root", OLD },
        { "xarray", 0x10, "xa_head", 8, 0, 0, NULL, XARRAY },
        { "radix_tree_root", 0x10, "height", 0, 4, 0, NULL, OLD },
        { "radix_tree_root", 0x10, "rnode", 8, 0, 0, NULL, ALWAYS },
        { "xa_node", 0x240, "shift", 0, 1, 0, NULL, XARRAY },
        { "xa_node", 0x240, "slots", 0x28, 0, 64, NULL, XARRAY },
        { "radix_tree_node", 0x240, "shift", 0, 1, 0, NULL, RADIX },
        { "radix_tree_node", 0x240, "slots", 0x28, 0, 64, NULL, ALWAYS },
        { "page", 64, "compound_head", 8, 0, 0, NULL, ALWAYS },
        { "page", 64, "mapping", 0x18, 0, 0, NULL, ALWAYS },
        { "page", 64, "index", 0x20, 0, 0, NULL, ALWAYS },
};
#define FIELDS (sizeof fields / sizeof *fields)

static bool applies(const struct tp_kind *kind, enum when when)
{
        static const enum when caches[] = { [TP_XARRAY] = XARRAY, [TP_RADIX] = RADIX, [TP_OLD_RADIX] = OLD };
        return when == ALWAYS || when == (kind->maple ? MAPLE : RB) || when == caches[kind->cache];
}

static size_t add_field(const struct tp *tp, size_t i, bool first, char *to, size_t len)
{
        unsigned bytes = fields[i].bytes ? fields[i].bytes : tp->word;
        char type[128];
        if (fields[i].target)
                snprintf(type, sizeof type, "{\"kind\":\"struct\",\"name\":\"%s\"}", fields[i].target);
        else if (fields[i].count)
                snprintf(type, sizeof type,
                         "{\"kind\":\"array\",\"count\":%u,\"subtype\":{\"kind\":\"base\",\"name\":\"u%u\"}}",
                         fields[i].count, bytes);
        else
                snprintf(type, sizeof type, "{\"kind\":\"base\",\"name\":\"u%u\"}", bytes);
        return (size_t)snprintf(to, len, "%s\"%s\":{\"offset\":%u,\"type\":%s}", first ? "" : ",", fields[i].field,
                                fields[i].offset, type);
}

static void make_layout(struct tp *tp)
{
        static char text[16384];
        size_t used = (size_t)snprintf(text, sizeof text,
                                       "{\"base_types\":{\"pointer\":{\"size\":%u,\"kind\":\"int\"},"
                                       "\"u1\":{\"size\":1,\"kind\":\"int\"},\"u4\":{\"size\":4,\"kind\":\"int\"},"
                                       "\"u8\":{\"size\":8,\"kind\":\"int\"}},\"user_types\":{",
                                       tp->word);
        for (size_t i = 0; i < FIELDS; i++) {
                if (i && strcmp(fields[i].structure, fields[i - 1].structure) == 0)
                        continue;
                used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s\":{\"size\":%u,\"fields\":{",
                                         i ? "," : "", fields[i].structure, fields[i].size);
                bool first = true;
                for (size_t j = i; j < FIELDS && strcmp(fields[i].structure, fields[j].structure) == 0; j++) {
                        if (!applies(&tp->kind, fields[j].when))
                                continue;
                        used += add_field(tp, j, first, text + used, sizeof text - used);
                        first = false;
                }
                used += (size_t)snprintf(text + used, sizeof text - used, "}}");
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "}}");
        must(used < sizeof text, "the layout is too long");
        struct stasis_error err = { .text = "" };
        must(layout_isf_parse((struct stasis_bytes){ (uint8_t *)text, used }, "tiny", &tp->layout, &err) == STASIS_OK,
             err.text);
}

/* ---------------------------------------------------------------- the ELF file */

static void put_segment(struct tp *tp, unsigned number, uint32_t kind, uint64_t offset, uint64_t len)
{
        uint64_t at = tp->kind.is64 ? 64 + 56 * number : 52 + 32 * number;
        unsigned w = tp->word;
        static const uint8_t places[2][4] = { { 4, 8, 16, 20 }, { 8, 16, 32, 40 } };
        const uint8_t *p = places[tp->kind.is64];
        file_u(tp, at, 4, kind);
        file_u(tp, at + p[0], w, offset);
        file_u(tp, at + p[1], w, TP_LINKED + offset);
        file_u(tp, at + p[2], w, len);
        file_u(tp, at + p[3], w, len);
}

static void put_section(struct tp *tp, unsigned number, uint32_t name, uint32_t kind, uint64_t addr, uint64_t offset,
                        uint64_t len, uint32_t link)
{
        uint64_t at = 0x3000 + (tp->kind.is64 ? 64u : 40u) * number;
        unsigned w = tp->word;
        static const uint8_t places[2][4] = { { 12, 16, 20, 24 }, { 16, 24, 32, 40 } };
        const uint8_t *p = places[tp->kind.is64];
        file_u(tp, at, 4, name);
        file_u(tp, at + 4, 4, kind);
        file_u(tp, at + p[0], w, addr);
        file_u(tp, at + p[1], w, offset);
        file_u(tp, at + p[2], w, len);
        file_u(tp, at + p[3], 4, link);
}

static void put_symbol(struct tp *tp, uint64_t table, unsigned number, uint32_t name, unsigned function)
{
        uint64_t at = table + (tp->kind.is64 ? 24u : 16u) * number, value = TP_LINKED + 0x1000 + 0x100 * function;
        file_u(tp, at, 4, name);
        if (tp->kind.is64) {
                file_u(tp, at + 4, 1, 0x12); /* global, a function */
                file_u(tp, at + 6, 2, 7);
                file_u(tp, at + 8, 8, value);
                file_u(tp, at + 16, 8, 0x100);
        } else {
                file_u(tp, at + 4, 4, value);
                file_u(tp, at + 8, 4, 0x100);
                file_u(tp, at + 12, 1, 0x12);
                file_u(tp, at + 14, 2, 7);
        }
}

/* .dynsym with two of the functions, and .dynamic with what is asked of it. */
static void put_dynamic(struct tp *tp)
{
        unsigned w = tp->word;
        const uint64_t words[] = { 5, TP_LINKED + 0x2b00, 6, TP_LINKED + 0x2a00, 10, 32, 4, TP_LINKED + 0x2b40, 0, 0 };
        put_symbol(tp, 0x2a00, 1, 1, 0);
        put_symbol(tp, 0x2a00, 2, 6, 2);
        file_put(tp, 0x2b00, "\0leaf\0outer", 12);
        file_u(tp, 0x2b44, 4, 3);
        for (unsigned i = 0; i < 10; i++)
                file_u(tp, 0x2c00 + (uint64_t)i * w, w, words[i]);
}

/* One FDE: 16 bytes of head and up to 8 of instructions. */
static void put_fde(struct tp *tp, uint64_t at, unsigned function, const char *program, size_t len)
{
        file_u(tp, at, 4, 20);
        file_u(tp, at + 4, 4, at + 4 - 0x2000);
        file_u(tp, at + 8, 4, 0x1000 + 0x100 * function - (at + 8));
        file_u(tp, at + 12, 4, 0x100);
        file_put(tp, at + 17, program, len);
}

static void put_frames(struct tp *tp)
{
        uint8_t sp = tp->kind.is64 ? 7 : 4, bp = tp->kind.is64 ? 6 : 5, ra = tp->kind.is64 ? 16 : 8,
                w = (uint8_t)tp->word;
        const uint8_t cie[0x18] = { 0x14, 0, 0,    0,    0,  0, 0,         0, 1, 'z', 'R', 0, 1, (uint8_t)(0x80 - w),
                                    ra,   1, 0x1b, 0x0c, sp, w, 0x80 | ra, 1, 0, 0 };
        file_put(tp, 0x2000, cie, sizeof cie);
        put_fde(tp, 0x2018, 0, "", 0);
        put_fde(tp, 0x2030, 1, (char[]){ 0x0e, (char)(2 * w), (char)(0x80 | bp), 2 }, 4);
        put_fde(tp, 0x2048, 2, (char[]){ 0x07, (char)ra }, 2);
        file_put(tp, 0x2800, "\x01\x1b\x03\x3b", 4);
        file_u(tp, 0x2804, 4, (uint32_t)(0x2000 - 0x2804));
        file_u(tp, 0x2808, 4, 3);
        for (unsigned i = 0; i < 3; i++) {
                file_u(tp, 0x280c + 8 * i, 4, 0x1000 + 0x100 * i - 0x2800u);
                file_u(tp, 0x2810 + 8 * i, 4, 0x2018 + 0x18 * i - 0x2800);
        }
}

static void put_sections(struct tp *tp)
{
        static const char names[] = "\0.eh_frame\0.symtab\0.strtab";
        put_section(tp, 1, 1, 1, TP_LINKED + 0x2000, 0x2000, 0x60, 0);
        put_section(tp, 2, 19, 3, 0, 0x3400, sizeof names, 0);
        file_put(tp, 0x3400, names, sizeof names);
        if (tp->kind.header) /* stripped */
                return;
        put_section(tp, 3, 11, 2, 0, 0x3500, 4 * (tp->kind.is64 ? 24 : 16), 4);
        put_section(tp, 4, 19, 3, 0, 0x3600, 32, 0);
        put_symbol(tp, 0x3500, 1, 1, 0);
        put_symbol(tp, 0x3500, 2, 6, 1);
        put_symbol(tp, 0x3500, 3, 13, 2);
        file_put(tp, 0x3600, "\0leaf\0pushed\0outermost", 23);
}

static void put_elf(struct tp *tp)
{
        unsigned w = tp->word;
        bool is64 = tp->kind.is64;
        file_put(tp, 0, is64 ? "\177ELF\2\1\1" : "\177ELF\1\1\1", 7);
        file_u(tp, 16, 2, 3);
        file_u(tp, 18, 2, is64 ? 62 : 3);
        file_u(tp, is64 ? 32 : 28, w, is64 ? 64 : 52);
        file_u(tp, is64 ? 40 : 32, w, 0x3000);
        file_u(tp, is64 ? 54 : 42, 2, is64 ? 56 : 32);
        file_u(tp, is64 ? 56 : 44, 2, tp->kind.header ? 5 : 4);
        file_u(tp, is64 ? 58 : 46, 2, is64 ? 64 : 40);
        file_u(tp, is64 ? 60 : 48, 2, 5);
        file_u(tp, is64 ? 62 : 50, 2, 2);
        for (unsigned i = 0; i < 3; i++)
                put_segment(tp, i, 1, 0x1000 * i, 0x1000);
        put_segment(tp, 3, 2, 0x2c00, 10 * w);
        put_segment(tp, 4, 0x6474e550, 0x2800, 0x24);
        for (unsigned i = 0; i < 4; i++) /* each function calls something */
                file_put(tp, 0x1000 + 0x100 * i + 0x10, "\xe8\1\2\3\4", 5);
        put_frames(tp);
        put_dynamic(tp);
        put_sections(tp);
}

/* ---------------------------------------------------------------- the kernel's side */

#define VMA_PAGES 0x1000u /* from the start of the kernel's memory: mappings, */
#define NODES_AT 0x2000u  /* nodes of trees, */
#define FILE_AT 0x3000u   /* the file and its address_space, */
#define ROOT_AT 0x6000u   /* the page tables' root, */
#define PAGES_AT 0x10000u /* and the array of struct page */
#define PAGE_AT(tp, pa) ((tp)->kernel + PAGES_AT + (pa) / 0x1000 * 64)

static void put_vma(struct tp *tp, unsigned i, uint64_t start, uint64_t len, uint64_t first, uint64_t flags, bool file)
{
        uint64_t at = tp->vma[i] = tp->kernel + VMA_PAGES + 0x80 * i;
        tp_put(tp, at, start);
        tp_put(tp, at + 8, start + len);
        tp_put(tp, at + 0x30, flags);
        tp_put(tp, at + 0x38, first);
        tp_put(tp, at + 0x40, file ? tp->file : 0);
}

/* The root has gaps (kind 3) and two leaves (kind 1): one mapping in the second, behind a slot of nothing. */
static void put_maple(struct tp *tp)
{
        uint64_t root = tp->kernel + NODES_AT, leaf = root + 0x100, second = root + 0x200, w = tp->word;
        tp_put(tp, tp->mm + 0x28, root | 3 << 3 | 4 | 2);
        tp_put(tp, root + 8, TP_IMAGE + 0x2fff);
        tp_put(tp, root + 0x50, leaf | 1 << 3 | 4);
        tp_put(tp, root + 0x50 + w, second | 1 << 3 | 4);
        for (unsigned i = 0; i < 4; i++) {
                tp_put(tp, leaf + 8 + i * w, TP_IMAGE + 0x1000 * i - 1);
                tp_put(tp, leaf + 0x80 + i * w, i ? tp->vma[i - 1] : 0);
        }
        tp_put(tp, second + 8, TP_STACK - 1);
        tp_put(tp, second + 8 + w, TP_STACK + 0xfff);
        tp_put(tp, second + 0x80 + w, tp->vma[3]);
}

static void put_rb(struct tp *tp)
{
        tp_put(tp, tp->mm + 0x20, tp->vma[2] + 0x10);
        tp_put(tp, tp->vma[2] + 0x10 + 0x10, tp->vma[0] + 0x10);
        tp_put(tp, tp->vma[2] + 0x10 + 8, tp->vma[3] + 0x10);
        tp_put(tp, tp->vma[0] + 0x10 + 8, tp->vma[1] + 0x10);
}

static void put_cache(struct tp *tp)
{
        uint64_t root = tp->kernel + FILE_AT + 0x400, node = tp->node = root + 0x400, w = tp->word;
        uint64_t mark = tp->kind.cache == TP_XARRAY ? 2 : 1;
        world_u(&tp->world, root, 1, 6);
        tp_put(tp, tp->mapping + 16, root | mark);
        tp_put(tp, root + 0x28, node | (tp->kind.cache == TP_OLD_RADIX ? 0 : mark));
        if (tp->kind.cache == TP_OLD_RADIX) {
                world_u(&tp->world, tp->mapping + 8, 4, 2);
                world_u(&tp->world, root, 1, 77); /* no shift */
        }
        for (unsigned i = 0; i < 4; i++) {
                uint64_t page = PAGE_AT(tp, tp->file_pa[i]);
                tp_put(tp, node + 0x28 + i * w, page);
                tp_put(tp, page + 0x18, tp->mapping);
                tp_put(tp, page + 0x20, i);
        }
        tp_put(tp, tp->kernel + 0x800, tp->kernel + PAGES_AT); /* mem_map */
}

static struct place place(unsigned offset, unsigned size)
{
        return (struct place){ .offset = offset, .size = (uint8_t)size, .has = true };
}

static void start_system(struct tp *tp)
{
        struct linux_system *l = &tp->l;
        *l = (struct linux_system){ .image = tp->world.image,
                                    .kernel = &tp->world.space,
                                    .is64 = tp->kind.is64,
                                    .pointer_size = (uint8_t)tp->word,
                                    .layout = tp->layout };
        l->user = calloc(1, sizeof *l->user);
        must(l->user != NULL, "out of memory");
        l->at.pgd = place(0x10, tp->word);
        l->at.file_dentry = place(0x28, tp->word);
        l->at.d_name = place(8, tp->word);
        l->at.d_len = place(4, 4);
        snprintf(tp->vmcoreinfo, sizeof tp->vmcoreinfo, "SYMBOL(mem_map)=%llx\n",
                 (unsigned long long)tp->kernel + 0x800);
        l->vmcoreinfo = (struct stasis_bytes){ (uint8_t *)tp->vmcoreinfo, strlen(tp->vmcoreinfo) };
}

static void put_file(struct tp *tp)
{
        uint64_t dentry = tp->file + 0x80;
        tp_put(tp, tp->file + 0x18, tp->mapping);
        tp_put(tp, tp->file + 0x28, dentry);
        world_u(&tp->world, dentry + 4, 4, 4);
        tp_put(tp, dentry + 8, dentry + 0x40);
        world_put(&tp->world, dentry + 0x40, "tiny", 4);
}

void tp_start(struct tp *tp, const struct tp_kind *kind)
{
        memset(tp, 0, sizeof *tp);
        tp->kind = *kind;
        tp->word = kind->is64 ? 8 : 4;
        tp->kernel = kind->is64 ? UINT64_C(0xffff888000000000) : 0xc0000000;
        struct world *w = &tp->world;
        world_start(w, kind->is64 ? PT_X64 : PT_PAE);
        world_map(w, tp->kernel, ROOT_AT);
        world_map(w, tp->kernel + PAGES_AT, 0x8000);
        world_map(w, TP_STACK, 0x1000);
        pt_map(&w->tables, tp->kernel + ROOT_AT, w->tables.root, PT_4K, 2);
        for (unsigned i = 0; i < 4; i++, w->next += 0x1000)
                tp->file_pa[i] = w->next;
        for (unsigned i = 0; i < 3; i++) /* the vDSO is mapped whole */
                if (i == 1 || !kind->file)
                        pt_map(&w->tables, TP_IMAGE + 0x1000 * i, tp->file_pa[i], PT_4K, 2);
        tp->mm = tp->kernel;
        tp->file = tp->kernel + FILE_AT;
        tp->mapping = tp->file + 0x200;
        tp_put(tp, tp->mm + 0x10, tp->kernel + ROOT_AT);
        for (unsigned i = 0; i < 3; i++)
                put_vma(tp, i, TP_IMAGE + 0x1000 * i, 0x1000, i, i == 1 ? 5 : 1, true);
        put_vma(tp, 3, TP_STACK, 0x1000, 0, 3, false);
        if (!kind->file) {
                put_vma(tp, 0, TP_IMAGE, 0x1000, 0, 5, false);
                put_vma(tp, 0, TP_IMAGE, 0x3000, 0, 5, false);
                tp->vma[1] = tp->vma[2] = tp->vma[0];
                tp_put(tp, tp->mm + 0x48, TP_IMAGE);
        }
        if (kind->maple)
                put_maple(tp);
        else
                put_rb(tp);
        put_file(tp);
        put_cache(tp);
        put_elf(tp);
        make_layout(tp);
        start_system(tp);
}

void tp_end(struct tp *tp)
{
        free(tp->l.user);
        stasis_layout_close(tp->layout);
        world_end(&tp->world);
}

struct stasis_registers tp_registers(const struct tp *tp)
{
        struct tp *to = (struct tp *)tp;
        struct stasis_registers r = { .width = (uint8_t)tp->word, .known = 0xff | 7u << 16 };
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r.va[i] = STASIS_NOWHERE;
        r.cpu.rip = TP_CODE + 0x50;
        r.cpu.gpr[7] = TP_STACK + 0x100;
        tp_put(to, TP_STACK + 0x100, TP_CODE + 0x115);
        tp_put(to, TP_STACK + 0x100 + 2 * tp->word, TP_CODE + 0x215);
        return r;
}
