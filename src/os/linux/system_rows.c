/* SPDX-License-Identifier: MIT */
#include "system_rows.h"

#include <string.h>

#define COLUMN(k, t, g, kd, h) \
        { \
                .key = (k), .title = (t), .group = (g), .kind = STASIS_KIND_##kd, .help = (h) \
        }
#define COUNT(table) (sizeof(table) / sizeof *(table))
#define FILETIME_1970 UINT64_C(116444736000000000)

static struct stasis_fact number_if(bool known, uint64_t value)
{
        return known ? fact_derived(value) : fact_absent(STASIS_NOT_KNOWN);
}

static struct stasis_fact text(const char *value)
{
        struct stasis_fact fact = fact_derived(0);
        fact.text = value;
        return value && *value ? fact : fact_absent(STASIS_NOT_KNOWN);
}

static struct stasis_fact time_if(uint64_t nanoseconds)
{
        return number_if(nanoseconds != 0, FILETIME_1970 + nanoseconds / 100);
}

/* ---------------------------------------------------------------- the system */

static struct stasis_fact fact_name(struct linux_system *l)
{
        (void)l;
        return text("Linux");
}
static struct stasis_fact fact_version(struct linux_system *l) { return text(l->release); }
static struct stasis_fact fact_banner(struct linux_system *l) { return text(l->banner); }
static struct stasis_fact fact_build(struct linux_system *l)
{
        struct stasis_bytes line = vmcoreinfo_line(l->vmcoreinfo, "BUILD-ID");
        return text(line.len ? stasis_arena_strndup(&l->system->arena, (const char *)line.at, line.len) : NULL);
}
static struct stasis_fact fact_machine(struct linux_system *l) { return text(l->is64 ? "x64" : "x86"); }
static struct stasis_fact fact_processors(struct linux_system *l)
{
        return number_if(l->walked && l->cpu_count, l->cpu_count);
}
static struct stasis_fact fact_time(struct linux_system *l) { return time_if(l->wall_time); }
static struct stasis_fact fact_boot(struct linux_system *l) { return time_if((uint64_t)l->boot_time); }
static struct stasis_fact fact_up(struct linux_system *l) { return number_if(l->up_time != 0, l->up_time / 1000000); }
static struct stasis_fact fact_paging(struct linux_system *l) { return text(l->kernel->paging->name); }
static struct stasis_fact fact_root(struct linux_system *l) { return fact_derived(l->kernel->root); }
static struct stasis_fact fact_text(struct linux_system *l) { return fact_derived(l->place.text_va); }
static struct stasis_fact fact_text_pa(struct linux_system *l) { return fact_derived(l->place.text_pa); }
static struct stasis_fact fact_symbols(struct linux_system *l)
{
        return number_if(l->kallsyms != NULL, l->kallsyms ? kallsyms_count(l->kallsyms) : 0);
}
static struct stasis_fact fact_init(struct linux_system *l) { return number_if(l->init_task != 0, l->init_task); }
static struct stasis_fact fact_layout(struct linux_system *l) { return text(stasis_layout_name(l->layout)); }
static struct stasis_fact fact_layout_how(struct linux_system *l) { return text(l->layout_evidence.how); }
static struct stasis_fact fact_layout_sure(struct linux_system *l) { return text(l->layout_evidence.sure); }

static const struct stasis_column columns[] = {
        COLUMN("name", "System", "system", TEXT, ""),
        COLUMN("version", "Release", "system", TEXT, "third word of the banner, or OSRELEASE of VMCOREINFO"),
        COLUMN("banner", "Banner", "system", TEXT, "linux_banner"),
        COLUMN("build_id", "Build id", "system", TEXT, "BUILD-ID of VMCOREINFO"),
        COLUMN("machine", "Machine", "system", TEXT, "x86 or x64"),
        COLUMN("processors", "Processors found", "system", NUMBER, "run queues, after the tasks were walked"),
        COLUMN("system_time", "System time", "system", TIME, "UTC, of the image: the timekeeper's last update"),
        COLUMN("boot_time", "Booted", "system", TIME, "UTC"),
        COLUMN("up_time", "Up time", "system", NUMBER, "milliseconds, sleep included"),
        COLUMN("paging", "Paging mode", "memory", TEXT, "x86, pae, x64 or la57"),
        COLUMN("root", "Page-table root", "memory", PHYSICAL, "the kernel's: swapper_pg_dir, where it is known"),
        COLUMN("kernel_base", "Kernel base", "kernel", ADDRESS, "_text, as KASLR placed it"),
        COLUMN("kernel_base_pa", "Kernel base, physical", "kernel", PHYSICAL, ""),
        COLUMN("symbols", "Symbols", "kernel", NUMBER, "in kallsyms' tables"),
        COLUMN("init_task", "init_task", "kernel", ADDRESS, ""),
        COLUMN("layout", "Layout", "layout", TEXT, "what told the places of members"),
        COLUMN("layout_evidence", "Layout chosen by", "layout", TEXT, ""),
        COLUMN("layout_confidence", "How sure", "layout", TEXT,
               "exact (the kernel's own), given, or inferred (of what must hold)"),
};

static struct stasis_fact (*const fill[])(struct linux_system *l) = {
        fact_name,    fact_version, fact_banner, fact_build,  fact_machine,    fact_processors,
        fact_time,    fact_boot,    fact_up,     fact_paging, fact_root,       fact_text,
        fact_text_pa, fact_symbols, fact_init,   fact_layout, fact_layout_how, fact_layout_sure,
};
_Static_assert(COUNT(columns) == COUNT(fill), "each column of the system has its function");

const struct stasis_column *linux_system_column_at(size_t index)
{
        return index < COUNT(columns) ? &columns[index] : NULL;
}

bool linux_system_facts_make(struct linux_system *l)
{
        l->fact = arena_array(&l->system->arena, struct stasis_fact, COUNT(columns));
        if (!l->fact)
                return false;
        for (size_t i = 0; i < COUNT(columns); i++)
                l->fact[i] = fill[i](l);
        l->facts = (struct stasis_record){
                .object = l->place.text_va, .column = columns, .fact = l->fact, .count = COUNT(columns)
        };
        return true;
}

void linux_system_facts_walked(struct linux_system *l)
{
        for (size_t i = 0; l->fact && i < COUNT(columns); i++)
                if (fill[i] == fact_processors)
                        l->fact[i] = fact_processors(l);
}

/* ---------------------------------------------------------------- modules */

static const struct stasis_column modules[] = {
        COLUMN("base", "Base", "module", ADDRESS, "of the part that stays loaded; since 6.4 of its text"),
        COLUMN("size", "Size", "module", HEX, ""),
        COLUMN("name", "Name", "module", TEXT, ""),
        COLUMN("object", "Object", "module", ADDRESS, "its struct module"),
        COLUMN("state", "State", "module", NUMBER, "0 live, 1 coming, 2 going, 3 being loaded"),
        COLUMN("symbols", "Symbols", "module", NUMBER, "in its own table"),
};

const struct stasis_column *linux_module_columns(size_t *ret_count)
{
        *ret_count = COUNT(modules);
        return modules;
}

void linux_module_facts(const struct linux_module *m, struct stasis_fact *ret_fact)
{
        const struct stasis_fact facts[COUNT(modules)] = {
                fact_derived(m->base),   fact_derived(m->size),  text(m->name),
                fact_derived(m->object), fact_derived(m->state), fact_derived(m->num_symtab),
        };
        memcpy(ret_fact, facts, sizeof facts);
}
