/* SPDX-License-Identifier: MIT */
/* What a process says of itself (PEB, parameters), its parent, its handles: for its own record and for its threads'. */
#include <string.h>

#include "derive.h"
#include "handle_table.h"

#define HANDLE_PAGES_MAX 65536 /* 16 million handles */

/* ---------------------------------------------------------------- PEB */

static struct stasis_fact peb_member(struct decode *d, const char *path, uint32_t x86_place)
{
        struct stasis_member m = { .offset = x86_place, .size = d->w->pointer_size };
        const struct windows_process *p = &d->w->process[d->process];
        struct stasis_space *space = p->peb ? windows_user_space(d->w, d->process) : NULL;
        if (!stasis_layout_member(d->w->layout, path, &m) && d->w->is64)
                return fact_absent(STASIS_NOT_KNOWN);
        return space ? load_at(space, p->peb + m.offset, m.size) : fact_absent(STASIS_NOT_APPLICABLE);
}

/* A UNICODE_STRING at va of the process's own memory. */
static void user_text(struct decode *d, uint64_t va, uint8_t pointer_size, struct stasis_fact *fact)
{
        enum stasis_absence why;
        struct stasis_space *space = windows_user_space(d->w, d->process);
        *fact = load_at(space, va, 1);
        fact->value = 0;
        fact->text = read_unicode_string(space, va, pointer_size, d->arena, &why);
        fact->absence = (uint8_t)why;
}

/* The places of ProcessParameters and its texts never moved: what serves where a layout has no such structure. */
static void parameter(struct decode *d, const char *path, uint32_t x86, uint32_t x64, struct stasis_fact *fact)
{
        struct stasis_member m = { .offset = d->w->is64 ? x64 : x86 };
        *fact = peb_member(d, "_PEB.ProcessParameters", 0x10);
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        (void)stasis_layout_member(d->w->layout, path, &m);
        user_text(d, fact->value + m.offset, d->w->pointer_size, fact);
}

#define PARAMETERS "_RTL_USER_PROCESS_PARAMETERS."

void derive_command_line(struct decode *d, struct stasis_fact *fact)
{
        parameter(d, PARAMETERS "CommandLine", 0x40, 0x70, fact);
}
void derive_image_path(struct decode *d, struct stasis_fact *fact)
{
        parameter(d, PARAMETERS "ImagePathName", 0x38, 0x60, fact);
}
void derive_current_directory(struct decode *d, struct stasis_fact *fact)
{
        parameter(d, PARAMETERS "CurrentDirectory", 0x24, 0x38, fact);
}
void derive_window_title(struct decode *d, struct stasis_fact *fact)
{
        parameter(d, PARAMETERS "WindowTitle", 0x70, 0xb0, fact);
}
void derive_desktop(struct decode *d, struct stasis_fact *fact)
{
        parameter(d, PARAMETERS "DesktopInfo", 0x78, 0xc0, fact);
}

/* The same structures as on x86, in the lower four GB. */
void derive_command_line32(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        struct stasis_space *space = windows_user_space(d->w, d->process);
        *fact = fact_absent(d->w->is64 ? STASIS_NOT_APPLICABLE : STASIS_NOT_IN_VERSION);
        if (!d->w->is64 || !p->wow64 || !p->peb32 || !space)
                return;
        *fact = load_at(space, p->peb32 + 0x10, 4);
        derive_zero_is_none(d, fact);
        if (fact_is(fact))
                user_text(d, fact->value + 0x40, 4, fact);
}

void derive_session(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_member m;
        if (!stasis_layout_member(d->w->layout, "_PEB.SessionId", &m)) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        *fact = peb_member(d, "_PEB.SessionId", m.offset);
}

/* It is the third byte of every PEB. */
void derive_being_debugged(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        struct stasis_space *space = p->peb ? windows_user_space(d->w, d->process) : NULL;
        *fact = space ? load_at(space, p->peb + 2, 1) : fact_absent(STASIS_NOT_APPLICABLE);
}

/* ---------------------------------------------------------------- the process of a thread, and its parent */

static struct stasis_fact of_process(const struct decode *d, uint32_t process, const struct place *place)
{
        struct stasis_fact fact = load_place_of(d->w->kernel, d->w->process[process].object, place);
        if (!place->has)
                fact.absence = STASIS_NOT_KNOWN;
        return fact;
}

void derive_ppid(struct decode *d, struct stasis_fact *fact)
{
        *fact = of_process(d, d->process, &d->w->at.process_parent);
}

/* An id may be another process's by now: that one would be younger than its child. */
void derive_parent(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_fact id = of_process(d, d->process, &d->w->at.process_parent);
        struct stasis_fact born = of_process(d, d->process, &d->w->at.process_created);
        *fact = fact_is(&id) && !id.value ? fact_absent(STASIS_NOT_APPLICABLE) : fact_absent(STASIS_NOT_KNOWN);
        for (uint32_t i = 0; fact_is(&id) && id.value && i < d->w->process_count; i++) {
                const struct windows_process *p = &d->w->process[i];
                if (!p->pid_known || p->pid != id.value || i == d->process || !p->name_known)
                        continue;
                struct stasis_fact earlier = of_process(d, i, &d->w->at.process_created);
                if (fact_is(&born) && fact_is(&earlier) && earlier.value > born.value)
                        continue;
                *fact = load_at(d->w->kernel, p->object + d->w->at.process_name.offset, 1);
                fact->value = 0;
                fact->text = text_from_bytes(d->arena, (const uint8_t *)p->name, sizeof p->name - 1);
                fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
                return;
        }
}

void derive_process_created(struct decode *d, struct stasis_fact *fact)
{
        *fact = of_process(d, d->process, &d->w->at.process_created);
        if (fact_is(fact) && fact->va != STASIS_NOWHERE)
                *fact = load_at(d->w->kernel, fact->va, 8);
}

void derive_process_exited(struct decode *d, struct stasis_fact *fact)
{
        *fact = of_process(d, d->process, &d->w->at.process_exited);
        if (fact_is(fact))
                *fact = load_at(d->w->kernel, fact->va, 8);
        derive_zero_is_none(d, fact);
}

/* ---------------------------------------------------------------- handles */

static enum stasis_status count_nothing(void *ctx, const struct handle_entry *entry)
{
        (void)ctx;
        (void)entry;
        return STASIS_OK;
}

/* Where a page of the table is not there, how many are on it is not known, nor how many there are. */
void derive_handles(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_fact table = of_process(d, d->process, &d->w->at.process_handles);
        struct handle_format format;
        struct handle_walk walk;
        *fact = table;
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        if (!handle_format_of_process(d->w->layout, d->w->kernel->paging, d->w->version.build, &format)) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        enum stasis_status status =
                handle_table_walk(d->w->kernel, &format, table.value, HANDLE_PAGES_MAX, count_nothing, NULL, &walk);
        if (status != STASIS_OK || walk.missing)
                *fact = fact_absent(status == STASIS_OK ? absence_at(d->w->kernel, walk.missing_at, 1, STASIS_ABSENT)
                                                        : absence_of(status));
        else if (walk.cut)
                *fact = fact_absent(STASIS_CONTRADICTORY);
        else
                *fact = fact_derived(walk.entries);
}

/* ---------------------------------------------------------------- slots of a thread */

enum { TLS_ROW_SLOT, TLS_ROW_VALUE, TLS_ROWS };
static const struct row tls_rows[TLS_ROWS] = {
        [TLS_ROW_SLOT] = { .column = { .key = "slot",
                                       .title = "Slot",
                                       .group = "",
                                       .kind = STASIS_KIND_NUMBER,
                                       .help = "as TlsAlloc gave it" },
                           .base = ON_NOTHING },
        [TLS_ROW_VALUE] = { .column = { .key = "value",
                                        .title = "Value",
                                        .group = "",
                                        .kind = STASIS_KIND_HEX,
                                        .help = "" },
                            .base = ON_NOTHING },
};
const struct stasis_list_rows tls_list_rows = { .row = tls_rows, .count = TLS_ROWS };

#define TLS_SLOTS 64             /* TLS_MINIMUM_AVAILABLE (winnt.h): in the TEB itself; */
#define TLS_EXPANSION_SLOTS 1024 /* behind TlsExpansionSlots, once more than these are asked for */

/* Slots that hold something. A page that is not there has none that could be told. */
static void keep_slots(struct decode *d, struct list_maker *maker, uint64_t va, uint64_t first, uint64_t count)
{
        struct stasis_space *space = windows_user_space(d->w, d->process);
        uint8_t page[0x100];
        uint8_t size = d->w->pointer_size;
        for (uint64_t i = 0; space && i < count; i += sizeof page / size) {
                size_t here = sizeof page / size;
                if (stasis_space_read(space, va + i * size, page, sizeof page) != STASIS_OK)
                        continue;
                for (size_t k = 0; k < here; k++) {
                        struct stasis_fact value = { 0 };
                        bool empty = true;
                        for (size_t b = 0; b < size; b++)
                                empty &= !page[k * size + b];
                        if (empty)
                                continue;
                        value = load_at(space, va + (i + k) * size, size);
                        maker->set->fact[TLS_ROW_SLOT] = fact_derived(first + i + k);
                        maker->set->fact[TLS_ROW_VALUE] = value;
                        list_keep(maker);
                }
        }
}

void derive_tls_slots(struct decode *d, struct stasis_fact *fact)
{
        struct list_maker maker = list_begin(d->set, fact, d->arena, TLS_SLOTS + TLS_EXPANSION_SLOTS);
        struct stasis_space *space = windows_user_space(d->w, d->process);
        uint64_t more;
        if (!fact_is(fact))
                return;
        keep_slots(d, &maker, fact->va, 0, TLS_SLOTS);
        if (space && read_place(space, d->teb, &d->w->at.teb_tls_expansion, &more) == STASIS_OK && more)
                keep_slots(d, &maker, more, TLS_SLOTS, TLS_EXPANSION_SLOTS);
        list_end(&maker, fact);
}

/* NT_TIB.FiberData is Version of a thread that is none. */
void derive_fiber_data(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_fact *fiber = fact_of(d, FACT_FIBER);
        if (fact_is(fact) && !fact_is(fiber))
                *fact = fact_absent((enum stasis_absence)fiber->absence);
        else if (fact_is(fact) && !fiber->value)
                fact->absence = STASIS_NOT_APPLICABLE;
}
