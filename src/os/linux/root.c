/* SPDX-License-Identifier: MIT */
/*
 * The kernel's page tables. Candidates come from VMCOREINFO, from kallsyms with the place of the text, from the CPUs,
 * and, where none of them holds, from every page near the kernel. A candidate is believed when it translates what is
 * known: the text, and at its right distance from there kallsyms' own table, whose physical place we saw; or, without
 * kallsyms, the name in init_uts_ns.
 */
#include <inttypes.h>
#include <string.h>

#include "../../base/bytes.h"
#include "search.h"

#define KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define TEXT_ALIGN (UINT64_C(2) << 20)
#define TEXTS 512 /* places in the map of the kernel: all of 1 GiB */

struct root {
        const struct stasis_paging *paging;
        uint64_t pa;
        uint64_t text_va, text_pa; /* as it translates */
        uint64_t rank;             /* among several that hold */
};

/* ---------------------------------------------------------------- confirming */

static bool walk(const struct linux_system *l, const struct root *r, uint64_t va, uint64_t *ret_pa)
{
        struct stasis_walk w;
        if (stasis_paging_walk(l->image, r->paging, r->pa, va, &w) != STASIS_OK)
                return false;
        *ret_pa = w.pa;
        return true;
}

/* struct new_utsname begins with sysname: "Linux". */
static bool confirm_uts(const struct linux_system *l, const struct root *r)
{
        uint64_t va, pa, offset = 0;
        char name[6];
        if (!vmcoreinfo_symbol(l->vmcoreinfo, "init_uts_ns", &va))
                return false;
        (void)vmcoreinfo_offset(l->vmcoreinfo, "uts_namespace.name", &offset);
        /* Before uts_namespace.name was told, a reference count of 4 bytes stood before it. */
        for (unsigned i = 0; i < 2; i++)
                if (walk(l, r, va + offset + 4 * i, &pa) && stasis_image_read(l->image, pa, name, 6) == STASIS_OK &&
                    memcmp(name, "Linux", 6) == 0)
                        return true;
        return false;
}

/* Where physical memory may begin in the kernel's half of 4 GiB: x86 may be built for other splits. */
static const uint64_t splits[] = { 0xc0000000, 0xb0000000, 0x80000000, 0x78000000, 0x40000000 };
#define SPLITS (sizeof splits / sizeof *splits)

/* The text, and at its right distance from there the table whose physical place was seen. */
static bool confirm_text(const struct linux_system *l, struct root *r, uint64_t text_va)
{
        uint64_t pa, token = kallsyms_token_table_pa(l->kallsyms);
        r->text_va = text_va;
        return walk(l, r, text_va, &r->text_pa) && r->text_pa < token && token - r->text_pa < KALLSYMS_NEAR &&
               walk(l, r, text_va + (token - r->text_pa), &pa) && pa == token;
}

/*
 * Tables that tell physical places alone: the address is that of the possible ones which leads to the text's place. On
 * x64 the last entry of a root holds the kernel's map: where it is empty none of the 512 places is worth a try.
 */
static bool confirm_places(const struct linux_system *l, struct root *r)
{
        uint64_t text, in_page, top;
        if (!linux_text_symbol(l, &text))
                return false;
        if (l->is64 && (stasis_paging_load(l->image, r->paging, r->pa + 511 * 8, &top) != STASIS_OK ||
                        !(top & STASIS_ENTRY_PRESENT)))
                return false;
        in_page = text & (TEXT_ALIGN - 1);
        for (size_t i = 0; i < (l->is64 ? TEXTS : SPLITS); i++) {
                uint64_t va = l->is64 ? KERNEL_MAP + i * TEXT_ALIGN + in_page : splits[i] + text;
                if (confirm_text(l, r, va) && r->text_pa == text)
                        return true;
        }
        return false;
}

static bool confirm(const struct linux_system *l, struct root *r)
{
        if (l->kallsyms && !kallsyms_placed(l->kallsyms))
                return confirm_places(l, r);
        r->text_va = l->place.text_va;
        if (l->kallsyms)
                return confirm_text(l, r, l->place.text_va);
        return walk(l, r, l->place.text_va, &r->text_pa) && confirm_uts(l, r);
}

/* The modes that come into question, the likelier first; ended by NULL. */
static void modes(const struct linux_system *l, const struct stasis_paging *ret_mode[3])
{
        int64_t l5 = 0;
        bool other = l->is64 ? vmcoreinfo_number(l->vmcoreinfo, "pgtable_l5_enabled", &l5) && l5
                             : l->vmcoreinfo.len && !vmcoreinfo_line(l->vmcoreinfo, "CONFIG_X86_PAE").len;
        ret_mode[0] = l->is64 ? &stasis_paging_x64 : &stasis_paging_pae;
        ret_mode[1] = l->is64 ? &stasis_paging_la57 : &stasis_paging_x86;
        ret_mode[2] = NULL;
        if (other) {
                ret_mode[0] = ret_mode[1];
                ret_mode[1] = l->is64 ? &stasis_paging_x64 : &stasis_paging_pae;
        }
}

static bool try_root(const struct linux_system *l, uint64_t pa, struct root *ret_root)
{
        const struct stasis_paging *mode[3];
        modes(l, mode);
        for (size_t i = 0; mode[i]; i++) {
                struct root r = { .paging = mode[i], .pa = pa & mode[i]->root_mask };
                if (confirm(l, &r)) {
                        *ret_root = r;
                        return true;
                }
        }
        return false;
}

/* ---------------------------------------------------------------- candidates */

static const char *const root_names[] = { "init_top_pgt", "swapper_pg_dir", "init_level4_pgt" };
#define ROOT_NAMES (sizeof root_names / sizeof *root_names)

/* Its symbol, and where physical memory begins in the kernel's half. */
static bool by_vmcoreinfo(struct linux_system *l, struct root *ret_root)
{
        int64_t base = 0;
        uint64_t va;
        for (size_t i = 0; i < ROOT_NAMES; i++) {
                if (!vmcoreinfo_symbol(l->vmcoreinfo, root_names[i], &va))
                        continue;
                if (l->is64 && vmcoreinfo_number(l->vmcoreinfo, "phys_base", &base) &&
                    try_root(l, va - KERNEL_MAP + (uint64_t)base, ret_root))
                        return true;
                for (size_t k = 0; !l->is64 && k < SPLITS; k++)
                        if (va >= splits[k] && try_root(l, va - splits[k], ret_root))
                                return true;
        }
        return false;
}

/* Tables that tell physical places tell that of the root. */
static bool by_place_told(struct linux_system *l, struct root *ret_root)
{
        uint64_t pa;
        for (size_t i = 0; i < ROOT_NAMES; i++)
                if (kallsyms_find(l->kallsyms, root_names[i], &pa) && try_root(l, pa, ret_root))
                        return true;
        return false;
}

/* Tables that tell addresses: the symbol, for every place below the tables at which the text may start. */
static bool by_kallsyms(struct linux_system *l, struct root *ret_root)
{
        uint64_t va;
        if (!l->kallsyms)
                return false;
        if (!kallsyms_placed(l->kallsyms))
                return by_place_told(l, ret_root);
        uint64_t token = kallsyms_token_table_pa(l->kallsyms);
        for (size_t i = 0; i < ROOT_NAMES; i++) {
                if (!kallsyms_find(l->kallsyms, root_names[i], &va) || va < l->place.text_va)
                        continue;
                uint64_t text = token & ~(TEXT_ALIGN - 1);
                for (; token - text < KALLSYMS_NEAR; text -= TEXT_ALIGN) {
                        if (try_root(l, text + (va - l->place.text_va), ret_root) && ret_root->text_pa == text)
                                return true;
                        if (text < TEXT_ALIGN)
                                break;
                }
        }
        return false;
}

/* With page-table isolation a CPU in user mode has its process's other table: the page behind the kernel's. */
static bool by_cpus(struct linux_system *l, struct root *ret_root)
{
        const struct stasis_hints *h = &l->image->hints;
        for (size_t i = 0; i < h->cpu_count; i++) {
                uint64_t cr3 = h->cpu[i].cr[3];
                if (!(h->cpu[i].known & STASIS_CPU_CONTROL) || !cr3)
                        continue;
                if (try_root(l, cr3, ret_root) || try_root(l, cr3 & ~UINT64_C(0x1000), ret_root))
                        return true;
        }
        return h->known & STASIS_HINT_ROOT && try_root(l, h->root, ret_root);
}

static uint64_t count_entries(const struct linux_system *l, const struct root *r)
{
        uint64_t count = 0, first = r->paging->entry_size == 4 ? 0x300 : r->paging->levels == 3 ? 3 : 256;
        unsigned total = 1u << r->paging->level[0].bits;
        for (uint64_t i = first; i < total; i++) {
                uint64_t value;
                if (stasis_paging_load(l->image, r->paging, r->pa + i * r->paging->entry_size, &value) == STASIS_OK)
                        count += value & STASIS_ENTRY_PRESENT;
        }
        return count;
}

/*
 * How good a table that holds is: one in the kernel's own image is swapper_pg_dir or served at boot, and of those the
 * one with most entries is the former. With PAE the four entries of the top say nothing, those below do.
 */
static uint64_t rank(const struct linux_system *l, const struct root *r)
{
        uint64_t table, value, entries = count_entries(l, r);
        if (r->paging == &stasis_paging_pae && stasis_paging_load(l->image, r->paging, r->pa + 24, &table) == STASIS_OK)
                for (unsigned i = 0; i < 512; i++)
                        if (stasis_paging_load(l->image, r->paging, (table & r->paging->frame_mask) + 8 * i, &value) ==
                            STASIS_OK)
                                entries += value & STASIS_ENTRY_PRESENT;
        bool inside = r->pa >= r->text_pa && r->pa - r->text_pa < KALLSYMS_NEAR;
        return entries + (inside ? 1u << 16 : 0);
}

static bool by_pages(struct linux_system *l, uint64_t low, uint64_t high, struct root *ret_root)
{
        bool found = false;
        size_t runs;
        const struct stasis_run *run = stasis_image_runs(l->image, &runs);
        for (size_t i = 0; i < runs; i++) {
                uint64_t end = run[i].pa + run[i].len < high ? run[i].pa + run[i].len : high;
                uint64_t pa = ((run[i].pa > low ? run[i].pa : low) + 4095) & ~UINT64_C(4095);
                for (; pa < end; pa += 4096) {
                        struct root r;
                        pa = stasis_image_skip_hole(l->image, pa);
                        if (pa >= end)
                                break;
                        if (!try_root(l, pa, &r))
                                continue;
                        r.rank = rank(l, &r);
                        if (!found || r.rank > ret_root->rank)
                                *ret_root = r;
                        found = true;
                }
        }
        return found;
}

static bool by_near_pages(struct linux_system *l, struct root *ret_root)
{
        if (!l->kallsyms)
                return false;
        uint64_t token = kallsyms_token_table_pa(l->kallsyms);
        return by_pages(l, token > KALLSYMS_NEAR ? token - KALLSYMS_NEAR : 0, token + KALLSYMS_NEAR, ret_root);
}

static bool by_all_pages(struct linux_system *l, struct root *ret_root) { return by_pages(l, 0, UINT64_MAX, ret_root); }

static const struct way {
        const char *name;
        bool (*find)(struct linux_system *l, struct root *ret_root);
} ways[] = {
        { "its symbol in VMCOREINFO", by_vmcoreinfo }, { "its symbol in kallsyms, below the tables", by_kallsyms },
        { "page-table root of a CPU", by_cpus },       { "pages near the kernel", by_near_pages },
        { "every page of the image", by_all_pages },
};

static bool use(struct linux_system *l, const struct root *r, const char *how)
{
        stasis_space_init(l->kernel, l->image, r->paging, r->pa);
        l->place = (struct linux_image){ .text_va = r->text_va, .text_pa = r->text_pa, .known = true };
        if (l->kallsyms)
                kallsyms_place(l->kallsyms, r->text_va - r->text_pa);
        system_trace(l->system, "root", true,
                     "%s: %s at 0x%" PRIx64 "; the text at 0x%" PRIx64 " comes from 0x%" PRIx64
                     ", %s translates as it must",
                     how, r->paging->name, r->pa, l->place.text_va, r->text_pa,
                     l->kallsyms ? "kallsyms' table" : "init_uts_ns");
        return true;
}

bool linux_find_root(struct linux_system *l)
{
        const struct stasis_system_options *o = &l->system->options;
        struct root r = { 0 };
        if (o->root_known && o->mode) {
                r = (struct root){ .paging = stasis_paging_by_name(o->mode), .pa = o->root };
                return r.paging && confirm(l, &r) && use(l, &r, "given");
        }
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
                if (ways[i].find(l, &r))
                        return use(l, &r, ways[i].name);
                system_trace(l->system, "root", false, "%s: none that translates what is known", ways[i].name);
        }
        return false;
}
