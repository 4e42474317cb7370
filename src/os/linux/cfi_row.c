/* SPDX-License-Identifier: MIT */
/* The instructions of call frame information (DWARF 5, section 6.4.2), run up to one address. */
#include "cfi.h"

#define REMEMBERED_MAX 16 /* compilers nest two */

struct run {
        struct cfi_reader r;
        const struct cfi_machine *machine;
        const struct cfi_entry *entry;
        struct cfi_row row, first, remembered[REMEMBERED_MAX];
        size_t depth;
        uint64_t location, pc;
        bool common; /* the CIE's own, which stand before any location */
};

static void refuse(struct run *run, enum stasis_status status)
{
        if (run->r.status == STASIS_OK)
                run->r.status = status;
}

/* Columns that are not kept (vector registers, flags) are read over. */
static void set(struct run *run, uint64_t column, struct cfi_rule rule)
{
        if (column < CFI_REGISTERS)
                run->row.reg[column] = rule;
}

static void set_offset(struct run *run, uint64_t column, enum cfi_kind kind, uint64_t factored)
{
        set(run, column,
            (struct cfi_rule){ .kind = kind, .offset = (int64_t)(factored * (uint64_t)run->entry->data_align) });
}

static void restore(struct run *run, uint64_t column)
{
        if (run->common)
                refuse(run, STASIS_CORRUPT);
        else if (column < CFI_REGISTERS)
                run->row.reg[column] = run->first.reg[column];
}

static void set_cfa(struct run *run, uint64_t column, int64_t offset)
{
        if (column >= CFI_REGISTERS)
                refuse(run, STASIS_CORRUPT);
        else
                run->row.cfa = (struct cfi_rule){ .kind = CFI_REGISTER, .reg = (uint8_t)column, .offset = offset };
}

static struct cfi_rule expression(struct run *run, enum cfi_kind kind)
{
        uint64_t len = cfi_uleb(&run->r);
        struct cfi_rule rule = { .kind = kind, .at = run->r.at, .len = len };
        cfi_skip(&run->r, len);
        return rule;
}

static void remember(struct run *run)
{
        if (run->depth == REMEMBERED_MAX)
                refuse(run, STASIS_LIMIT);
        else
                run->remembered[run->depth++] = run->row;
}

static void recall(struct run *run)
{
        if (run->depth == 0)
                refuse(run, STASIS_CORRUPT);
        else
                run->row = run->remembered[--run->depth];
}

/* false: what follows holds behind pc only. */
static bool advance(struct run *run, uint64_t delta)
{
        run->location += delta * run->entry->code_align;
        return run->location <= run->pc;
}

/* One of those that stand in a byte of their own; false: what follows holds behind pc only. */
static bool one(struct run *run, uint8_t op)
{
        struct cfi_reader *r = &run->r;
        uint64_t column, offset;
        switch (op) {
        case 0x00: /* nop */ break;
        case 0x02: return advance(run, cfi_u(r, 1));
        case 0x03: return advance(run, cfi_u(r, 2));
        case 0x04: return advance(run, cfi_u(r, 4));
        case 0x05: /* offset_extended */
                column = cfi_uleb(r);
                set_offset(run, column, CFI_OFFSET, cfi_uleb(r));
                break;
        case 0x06: restore(run, cfi_uleb(r)); break;
        case 0x07: set(run, cfi_uleb(r), (struct cfi_rule){ .kind = CFI_UNDEFINED }); break;
        case 0x08: set(run, cfi_uleb(r), (struct cfi_rule){ .kind = CFI_SAME }); break;
        case 0x09: /* register */
                column = cfi_uleb(r);
                offset = cfi_uleb(r);
                if (offset >= CFI_REGISTERS && column < CFI_REGISTERS)
                        set(run, column, (struct cfi_rule){ .kind = CFI_UNDEFINED });
                else
                        set(run, column, (struct cfi_rule){ .kind = CFI_REGISTER, .reg = (uint8_t)offset });
                break;
        case 0x0a: remember(run); break;
        case 0x0b: recall(run); break;
        case 0x0c: /* def_cfa */
                column = cfi_uleb(r);
                set_cfa(run, column, (int64_t)cfi_uleb(r));
                break;
        case 0x0d: set_cfa(run, cfi_uleb(r), run->row.cfa.offset); break;
        case 0x0e: run->row.cfa.offset = (int64_t)cfi_uleb(r); break;
        case 0x0f: run->row.cfa = expression(run, CFI_EXPRESSION); break;
        case 0x10: /* expression */
                column = cfi_uleb(r);
                set(run, column, expression(run, CFI_EXPRESSION));
                break;
        case 0x11: /* offset_extended_sf */
                column = cfi_uleb(r);
                set_offset(run, column, CFI_OFFSET, (uint64_t)cfi_sleb(r));
                break;
        case 0x12: /* def_cfa_sf */
                column = cfi_uleb(r);
                set_cfa(run, column, (int64_t)((uint64_t)cfi_sleb(r) * (uint64_t)run->entry->data_align));
                break;
        case 0x13: run->row.cfa.offset = (int64_t)((uint64_t)cfi_sleb(r) * (uint64_t)run->entry->data_align); break;
        case 0x14: /* val_offset */
                column = cfi_uleb(r);
                set_offset(run, column, CFI_VAL_OFFSET, cfi_uleb(r));
                break;
        case 0x15: /* val_offset_sf */
                column = cfi_uleb(r);
                set_offset(run, column, CFI_VAL_OFFSET, (uint64_t)cfi_sleb(r));
                break;
        case 0x16: /* val_expression */
                column = cfi_uleb(r);
                set(run, column, expression(run, CFI_VAL_EXPRESSION));
                break;
        case 0x2e: /* GNU_args_size: for who throws */ (void)cfi_uleb(r); break;
        default: refuse(run, STASIS_UNSUPPORTED);
        }
        return true;
}

static bool instruction(struct run *run)
{
        uint8_t op = (uint8_t)cfi_u(&run->r, 1), low = op & 0x3f;
        switch (op >> 6) {
        case 1: return advance(run, low);
        case 2: set_offset(run, low, CFI_OFFSET, cfi_uleb(&run->r)); return true;
        case 3: restore(run, low); return true;
        default: return one(run, op);
        }
}

static void run_all(struct run *run, uint64_t at, uint64_t len)
{
        enum stasis_status status = run->r.status;
        struct stasis_space *space = run->r.space;
        cfi_reader_start(&run->r, space, at, len);
        run->r.status = status;
        while (run->r.status == STASIS_OK && run->r.at < run->r.end)
                if (!instruction(run))
                        break;
}

enum stasis_status cfi_row_at(struct stasis_space *space, const struct cfi_machine *machine,
                              const struct cfi_entry *entry, uint64_t pc, struct cfi_row *ret_row)
{
        struct run run = { .machine = machine, .entry = entry, .location = entry->start, .pc = pc, .common = true };
        if (pc < entry->start || pc >= entry->end)
                return STASIS_ABSENT;
        run.r.space = space;
        run_all(&run, entry->common_at, entry->common_len);
        run.first = run.row;
        run.common = false;
        run_all(&run, entry->at, entry->len);
        if (run.r.status == STASIS_OK && run.row.cfa.kind == CFI_UNSPECIFIED)
                return STASIS_CORRUPT;
        if (run.r.status == STASIS_OK)
                *ret_row = run.row;
        return run.r.status;
}
