/* SPDX-License-Identifier: MIT */
/* Windows' side of the tables of facts: what their rows are relative to, and which of them others build on. */
#include "fields.h"

static const char *const key_names[FACT_KEYS] = {
        [FACT_TID] = "tid",
        [FACT_STATE] = "state",
        [FACT_WAIT_REASON] = "wait_reason",
        [FACT_WAIT_TIME] = "wait_time",
        [FACT_BASE_PRIORITY] = "base_priority",
        [FACT_ATTACHED] = "attached",
        [FACT_CREATE_TIME] = "create_time",
        [FACT_IMPERSONATING] = "impersonating",
        [FACT_TOKEN] = "token",
        [FACT_FIBER] = "fiber",
};

/* A place that Microsoft never moved (32-bit TEB), for layouts that have no such structure. */
static bool fixed_ok(const void *os, uint8_t base)
{
        bool public = base == ON_TEB32 || base == ON_IRP || base == ON_APC || base == ON_INNER;
        return public || !((const struct windows *)os)->is64;
}

struct field_set *fields_bind(const struct windows *w, const struct row *row, size_t count, enum stasis_what what)
{
        const struct row_table table = {
                .row = row, .count = count, .what = what, .key = key_names, .key_count = FACT_KEYS
        };
        const struct row_binding binding = {
                .layout = w->layout, .pointer_size = w->pointer_size, .os = w, .fixed_ok = fixed_ok
        };
        return rows_bind(&table, &binding);
}

static enum stasis_absence base_of(struct decode *d, uint8_t base, struct stasis_space **ret_space, uint64_t *ret_va)
{
        const uint64_t at[] = {
                [ON_OBJECT] = d->at,  [ON_TEB] = d->teb,    [ON_TEB32] = d->teb32, [ON_TOKEN] = d->token,
                [ON_IRP] = d->object, [ON_APC] = d->object, [ON_INNER] = d->inner,
        };
        const enum stasis_absence why[] = {
                [ON_OBJECT] = STASIS_PRESENT, [ON_TEB] = d->teb_why,     [ON_TEB32] = d->teb32_why,
                [ON_TOKEN] = d->token_why,    [ON_IRP] = STASIS_PRESENT, [ON_APC] = STASIS_PRESENT,
                [ON_INNER] = d->inner_why
        };
        bool user = base == ON_TEB || base == ON_TEB32;
        if (why[base] == STASIS_PRESENT) {
                *ret_space = user ? windows_user_space(d->w, d->process) : base == ON_OBJECT ? d->space : d->w->kernel;
                *ret_va = at[base];
                if (!*ret_space) /* of a process that is not there any more */
                        return STASIS_NOT_KNOWN;
        }
        return why[base];
}

void fields_decode(struct decode *d) { rows_decode(d->set, d->object, d, base_of); }

struct stasis_fact load_place(const struct decode *d, const struct place *place)
{
        return load_place_of(d->space, d->at, place);
}

/* ---------------------------------------------------------------- lists */

bool list_add(const struct decode *d, struct list_maker *maker, uint64_t object, const void *item)
{
        struct decode row = *d;
        row.set = maker->set;
        row.object = row.at = object;
        row.space = d->w->kernel;
        row.of = d;
        row.item = item;
        fields_decode(&row);
        return list_keep(maker);
}

void list_done(const struct decode *d, struct list_maker *maker, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        const char *key = d->set->column[fact - d->set->fact].key;
        list_end(maker, fact);
        if ((!maker->cut && !maker->exhausted) || d->quiet)
                return;
        system_note(d->w->system, STASIS_NOTE_MISSING, "list-cut", d->object, p->pid_known ? (int64_t)p->pid : -1,
                    d->thread ? (int64_t)d->thread->tid : -1, "%s has more than the %zu entries that are shown", key,
                    maker->rows);
}
