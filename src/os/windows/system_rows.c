/* SPDX-License-Identifier: MIT */
#include "system_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

/* Columns and what fills them stand in two tables with one order; the static_assert keeps their lengths together. */
#define COLUMN(k, t, g, kd, h) \
        { \
                .key = (k), .title = (t), .group = (g), .kind = STASIS_KIND_##kd, .help = (h) \
        }
#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct stasis_fact number(uint64_t value) { return fact_derived(value); }

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

/* ---------------------------------------------------------------- the system */

static const char *system_name(struct windows *w)
{
        if (w->version.reactos)
                return "ReactOS";
        bool server = w->has_shared && w->shared.NtProductType > 1;
        const char *name = name_of_build(windows_build(w), server);
        return name ? name : stasis_arena_printf(&w->system->arena, "Windows, build %u", windows_build(w));
}

static const char *system_version(struct windows *w)
{
        uint32_t layout[4] = { 0 };
        uint32_t major = w->version.major, minor = w->version.minor;
        if (!major && w->has_shared) {
                major = w->shared.NtMajorVersion;
                minor = w->shared.NtMinorVersion;
        }
        if (!major) {
                stasis_layout_version(w->layout, layout);
                major = layout[0];
                minor = layout[1];
        }
        uint32_t revision = w->revision[3] ? w->revision[3] : w->version.revision;
        return stasis_arena_printf(&w->system->arena, revision ? "%u.%u.%u.%u" : "%u.%u.%u", major, minor,
                                   windows_build(w), revision);
}

const char *windows_guid_text(struct windows *w, const uint8_t g[static 16])
{
        return stasis_arena_printf(&w->system->arena,
                                   "%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X", g[3], g[2], g[1],
                                   g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

static const char *pdb_guid(struct windows *w)
{
        return w->has_pe && w->pe.pdb_known ? windows_guid_text(w, w->pe.pdb.guid) : NULL;
}

static struct stasis_fact fact_name(struct windows *w) { return text(system_name(w)); }
static struct stasis_fact fact_version(struct windows *w) { return text(system_version(w)); }
static struct stasis_fact fact_build(struct windows *w) { return number_if(windows_build(w) != 0, windows_build(w)); }
static struct stasis_fact fact_lab(struct windows *w) { return text(w->version.build_lab); }
static struct stasis_fact fact_csd(struct windows *w) { return text(w->version.csd); }
static struct stasis_fact fact_product(struct windows *w)
{
        size_t count;
        const struct stasis_name *names = names_product(w, &count);
        return w->has_shared ? text(name_of(names, count, w->shared.NtProductType)) : fact_absent(STASIS_NOT_KNOWN);
}
static struct stasis_fact fact_root_path(struct windows *w)
{
        return w->has_shared ? text(w->shared.NtSystemRoot) : fact_absent(STASIS_NOT_KNOWN);
}
static struct stasis_fact fact_machine(struct windows *w) { return text(w->is64 ? "x64" : "x86"); }
static struct stasis_fact fact_paging(struct windows *w) { return text(w->kernel->paging->name); }
static struct stasis_fact fact_root(struct windows *w)
{
        return is_virtual(w) ? fact_absent(STASIS_NOT_APPLICABLE) : number(w->kernel->root);
}
static struct stasis_fact fact_time(struct windows *w) { return number_if(w->has_shared, w->shared.SystemTime); }
static struct stasis_fact fact_up(struct windows *w)
{
        return number_if(w->has_shared, w->shared.InterruptTime / 10000);
}
static struct stasis_fact fact_zone(struct windows *w)
{
        return number_if(w->has_shared, (uint64_t)((int64_t)w->shared.TimeZoneBias / 600000000));
}
static struct stasis_fact fact_processors(struct windows *w) { return number_if(w->walked, w->processor_count); }
static struct stasis_fact fact_kernel(struct windows *w) { return number_if(w->has_pe, w->pe.base); }
static struct stasis_fact fact_size(struct windows *w) { return number_if(w->has_pe, w->pe.size); }
static struct stasis_fact fact_stamp(struct windows *w) { return number_if(w->has_pe, w->pe.timestamp); }
static struct stasis_fact fact_pdb(struct windows *w) { return text(w->has_pe ? w->pe.pdb_name : NULL); }
static struct stasis_fact fact_guid(struct windows *w) { return text(pdb_guid(w)); }
static struct stasis_fact fact_age(struct windows *w) { return number_if(w->has_pe && w->pe.pdb_known, w->pe.pdb.age); }
static struct stasis_fact fact_layout(struct windows *w) { return text(stasis_layout_name(w->layout)); }
static struct stasis_fact fact_layout_how(struct windows *w) { return text(w->layout_evidence.how); }
static struct stasis_fact fact_layout_sure(struct windows *w) { return text(w->layout_evidence.sure); }
static struct stasis_fact fact_kdbg(struct windows *w) { return number_if(w->has_kdbg, w->kdbg.va); }
static struct stasis_fact fact_kdbg_form(struct windows *w) { return text(w->has_kdbg ? w->kdbg_form : NULL); }
static struct stasis_fact fact_head(struct windows *w) { return number_if(w->process_head != 0, w->process_head); }
static struct stasis_fact fact_system(struct windows *w) { return number_if(w->system_object != 0, w->system_object); }
static struct stasis_fact fact_modules(struct windows *w) { return number_if(w->module_head != 0, w->module_head); }

#define SYSTEM "system"
#define KERNEL "kernel"
#define MEMORY "memory"
#define LAYOUT "layout"

static const struct stasis_column columns[] = {
        COLUMN("name", "System", SYSTEM, TEXT, ""),
        COLUMN("version", "Version", SYSTEM, TEXT,
               "major.minor.build, and the revision where the PDB, the PE or its resource tells it"),
        COLUMN("build", "Build", SYSTEM, NUMBER, "agreed by the witnesses; a note says where one disagrees"),
        COLUMN("build_lab", "Build lab", SYSTEM, TEXT, "NtBuildLab"),
        COLUMN("service_pack", "Service pack", SYSTEM, TEXT, ""),
        COLUMN("product", "Product type", SYSTEM, TEXT, "KUSER_SHARED_DATA.NtProductType"),
        COLUMN("system_root", "System root", SYSTEM, TEXT, "KUSER_SHARED_DATA.NtSystemRoot"),
        COLUMN("machine", "Machine", SYSTEM, TEXT, "x86 or x64"),
        COLUMN("processors", "Processors found", SYSTEM, NUMBER, "processor blocks, after the lists were walked"),
        COLUMN("system_time", "System time", SYSTEM, TIME, "UTC, of the image: KUSER_SHARED_DATA.SystemTime"),
        COLUMN("up_time", "Up time", SYSTEM, NUMBER, "milliseconds: KUSER_SHARED_DATA.InterruptTime"),
        COLUMN("time_zone_bias", "Time zone bias", SYSTEM, SIGNED, "minutes to add to local time to get UTC"),
        COLUMN("paging", "Paging mode", MEMORY, TEXT,
               "x86, pae, x64 or la57; flat: a triage dump, which has no page tables"),
        COLUMN("root", "Page-table root", MEMORY, PHYSICAL, "System's"),
        COLUMN("kernel_base", "Kernel base", KERNEL, ADDRESS, ""),
        COLUMN("kernel_size", "Kernel size", KERNEL, HEX, "SizeOfImage"),
        COLUMN("kernel_timestamp", "Kernel timestamp", KERNEL, HEX, "PE TimeDateStamp"),
        COLUMN("pdb_name", "PDB", KERNEL, TEXT, "from the CodeView record"),
        COLUMN("pdb_guid", "PDB GUID", KERNEL, TEXT, ""),
        COLUMN("pdb_age", "PDB age", KERNEL, NUMBER, ""),
        COLUMN("kdbg", "Debugger block", KERNEL, ADDRESS, "KDDEBUGGER_DATA64, where one was found"),
        COLUMN("kdbg_form", "Its form", KERNEL, TEXT,
               "plain; or, as Windows 8 and later keep it on x64, decoded with the PDB's symbols, or with keys solved "
               "from the kernel's base"),
        COLUMN("process_head", "PsActiveProcessHead", KERNEL, ADDRESS, ""),
        COLUMN("system_object", "System's EPROCESS", KERNEL, ADDRESS, ""),
        COLUMN("module_head", "PsLoadedModuleList", KERNEL, ADDRESS, ""),
        COLUMN("layout", "Layout", LAYOUT, TEXT, "which table of member places was used"),
        COLUMN("layout_evidence", "Layout chosen by", LAYOUT, TEXT, "the strongest evidence for it"),
        COLUMN("layout_confidence", "How sure", LAYOUT, TEXT,
               "exact, strong (KDBG sizes), likely (build), weak (System's shape alone), given, or inferred"),
};

static struct stasis_fact (*const fill[])(struct windows *w) = {
        fact_name,      fact_version,    fact_build,  fact_lab,     fact_csd,    fact_product,    fact_root_path,
        fact_machine,   fact_processors, fact_time,   fact_up,      fact_zone,   fact_paging,     fact_root,
        fact_kernel,    fact_size,       fact_stamp,  fact_pdb,     fact_guid,   fact_age,        fact_kdbg,
        fact_kdbg_form, fact_head,       fact_system, fact_modules, fact_layout, fact_layout_how, fact_layout_sure,
};
_Static_assert(COUNT(columns) == COUNT(fill), "each column of the system has its function");

const struct stasis_column *system_columns(size_t *ret_count)
{
        *ret_count = COUNT(columns);
        return columns;
}

const struct stasis_column *system_column_at(size_t index) { return index < COUNT(columns) ? &columns[index] : NULL; }

bool system_facts_make(struct windows *w)
{
        w->fact = arena_array(&w->system->arena, struct stasis_fact, COUNT(columns));
        if (!w->fact)
                return false;
        for (size_t i = 0; i < COUNT(columns); i++)
                w->fact[i] = fill[i](w);
        w->facts = (struct stasis_record){
                .object = w->has_pe ? w->pe.base : 0, .column = columns, .fact = w->fact, .count = COUNT(columns)
        };
        return true;
}

void system_facts_walked(struct windows *w)
{
        for (size_t i = 0; w->fact && i < COUNT(columns); i++)
                if (fill[i] == fact_processors)
                        w->fact[i] = fact_processors(w);
}

/* ---------------------------------------------------------------- modules */

static const struct stasis_column modules[] = {
        COLUMN("base", "Base", "module", ADDRESS, ""),
        COLUMN("size", "Size", "module", HEX, "SizeOfImage"),
        COLUMN("name", "Name", "module", TEXT, ""),
        COLUMN("path", "Path", "module", TEXT, ""),
        COLUMN("entry_point", "Entry point", "module", ADDRESS, ""),
        COLUMN("timestamp", "Timestamp", "module", HEX, "PE TimeDateStamp, from the loader's entry"),
        COLUMN("entry", "Loader entry", "module", ADDRESS, "its LDR_DATA_TABLE_ENTRY"),
        COLUMN("wow64", "32-bit", "module", BOOL, "from the 32-bit loader list of a WoW64 process"),
};

const struct stasis_column *module_columns(size_t *ret_count)
{
        *ret_count = COUNT(modules);
        return modules;
}

void module_facts(const struct windows_module *module, struct stasis_fact *ret_fact)
{
        const struct stasis_fact facts[COUNT(modules)] = {
                number(module->base),        number(module->size),      text(module->name),    text(module->path),
                number(module->entry_point), number(module->timestamp), number(module->entry), number(module->wow64),
        };
        memcpy(ret_fact, facts, sizeof facts);
}
