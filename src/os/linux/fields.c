/* SPDX-License-Identifier: MIT */
#include "fields.h"

struct field_set *linux_fields_bind(const struct linux_system *l, const struct row *row, size_t count,
                                    enum stasis_what what)
{
        const struct row_table table = { .row = row, .count = count, .what = what };
        const struct row_binding binding = { .layout = l->layout, .pointer_size = l->pointer_size, .os = l };
        return rows_bind(&table, &binding);
}

/* A pointer in the task, by the place that it has; a member that only an inferred layout lacks is not known. */
static enum stasis_absence follow(struct decode *d, const struct place *place, uint64_t *ret_va)
{
        enum stasis_status status = read_place(d->l->kernel, d->object, place, ret_va);
        if (status == STASIS_UNSUPPORTED)
                return STASIS_NOT_KNOWN;
        if (status != STASIS_OK)
                return absence_of(status);
        if (!*ret_va)
                return STASIS_NOT_APPLICABLE;
        return linux_is_kernel_address(d->l, *ret_va) ? STASIS_PRESENT : STASIS_CONTRADICTORY;
}

enum stasis_absence linux_base_of(struct decode *d, uint8_t base, uint64_t *ret_va)
{
        const struct place *const place[LINUX_BASES] = {
                [ON_CRED] = &d->l->at.cred, [ON_MM] = &d->l->at.mm, [ON_NSPROXY] = &d->l->at.nsproxy
        };
        if (!d->base[base].known) {
                d->base[base].known = true;
                d->base[base].va = d->object;
                d->base[base].why = place[base] ? follow(d, place[base], &d->base[base].va) : STASIS_PRESENT;
        }
        *ret_va = d->base[base].va;
        return d->base[base].why;
}

static enum stasis_absence base_of(struct decode *d, uint8_t base, struct stasis_space **ret_space, uint64_t *ret_va)
{
        *ret_space = d->l->kernel;
        return linux_base_of(d, base, ret_va);
}

void linux_fields_decode(struct decode *d) { rows_decode(d->set, d->object, d, base_of); }
