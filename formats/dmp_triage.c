/* SPDX-License-Identifier: MIT */
/*
 * Triage dumps (type 4): no physical memory, but copies of what a debugger asks for first, most of them with the
 * virtual address that they had. The image is a virtual one. For three copies the dump does not say where they were;
 * two of them are told by the others: the processor block names its current thread, the thread its process. The place
 * of the processor block is known where a data block repeats it. A copy whose address nothing tells is served at none.
 */
#include <inttypes.h>
#include <string.h>

#include "../src/base/error.h"
#include "dmp_triage.h"

#define BLOCKS_MAX (UINT32_C(1) << 20) /* real ones: under 2,000 */
#define PROCESSORS_MAX 2048
#define PRCB_TRIED_MAX 64

#define DISPATCHER_PROCESS 3 /* _KOBJECTS, in the first byte of the object; bit 7 is a lock */
#define DISPATCHER_THREAD 6

static const struct triage_width widths[2] = {
#define M(type, name) \
        { \
                offsetof(struct type, name), sizeof(((struct type *)0)->name) \
        }
#define WIDTH(t, b, d, u) \
        .size = sizeof(struct t), .block_size = sizeof(struct b), .driver_size = sizeof(struct d), \
        .size_of_dump = M(t, size_of_dump), .valid = M(t, valid), .prcb = M(t, prcb), .process = M(t, process), \
        .thread = M(t, thread), .stack = M(t, call_stack), .stack_len = M(t, call_stack_len), \
        .drivers = M(t, drivers), .driver_count = M(t, driver_count), .top_of_stack = M(t, top_of_stack), \
        .page_va = M(t, page_va), .page = M(t, page), .page_len = M(t, page_len), .kdbg = M(t, debugger_data), \
        .kdbg_len = M(t, debugger_data_len), .blocks = M(t, blocks), .block_count = M(t, block_count), \
        .block_va = M(b, va), .block_off = M(b, off), .block_len = M(b, len), .name = M(d, name), .base = M(d, base), \
        .entry_point = M(d, entry_point), .image_size = M(d, image_size), .timestamp = M(d, timestamp), \
        .unloaded = M(t, unloaded_drivers), .broken = M(t, broken_driver), .gone_name_len = M(u, name_len), \
        .gone_name = M(u, name), .gone_start = M(u, start), .gone_end = M(u, end), .gone_size = sizeof(struct u)
        /* XP (2600) has a debugger block without these; KTHREAD.ApcState.Process is at 0x44 there */
        { WIDTH(dmp_triage32, dmp_block32, dmp_driver32, dmp_unloaded32), .prcb_current = 4, .apc_process = 0x44,
          .gone_first = 4 },
        { WIDTH(dmp_triage64, dmp_block64, dmp_driver64, dmp_unloaded64), .prcb_current = 8, .gone_first = 8 },
#undef WIDTH
#undef M
};

/* ---------------------------------------------------------------- pieces with their address */

/* A piece that cannot be where the dump says is left out, with a remark; the others are still good. */
static enum stasis_status add_piece(struct triage *t, const char *what, uint64_t va, uint64_t off, uint64_t len,
                                    struct stasis_error *err)
{
        uint64_t end;
        if (!len || !off || !va)
                return STASIS_OK;
        if (add_overflows(va, len, &end) || (t->pointer == 4 && end > UINT64_C(1) << 32))
                return stasis_image_remark(t->image, "%s: 0x%" PRIx64 "+0x%" PRIx64 " is no virtual address: left out",
                                           what, va, len);
        return stasis_image_add_run(t->image, va, len, off, err);
}

static void read_block(const struct triage *t, size_t i, uint64_t *va, uint64_t *off, uint64_t *len)
{
        const uint8_t *block = t->block + i * t->width->block_size;
        *va = triage_get(block, t->width->block_va);
        *off = triage_get(block, t->width->block_off);
        *len = triage_get(block, t->width->block_len);
}

static enum stasis_status find_blocks(struct triage *t)
{
        uint64_t count = triage_head(t, t->width->block_count), off = triage_head(t, t->width->blocks);
        uint64_t held = off && off < t->file.len ? (t->file.len - off) / t->width->block_size : 0;
        uint64_t max = held < BLOCKS_MAX ? held : BLOCKS_MAX;
        t->block_count = (size_t)(count < max ? count : max);
        t->block = t->file.at + (t->block_count ? off : 0);
        return count > t->block_count
                       ? stasis_image_remark(t->image, "%" PRIu64 " data blocks are counted, %zu can be read", count,
                                             t->block_count)
                       : STASIS_OK;
}

static enum stasis_status add_blocks(struct triage *t, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < t->block_count && status == STASIS_OK; i++) {
                uint64_t va, off, len;
                read_block(t, i, &va, &off, &len);
                status = add_piece(t, "data block", va, off, len, err);
        }
        return status;
}

/* TopOfStack is the lowest address that is kept: the stack grows down to it from its base. */
static enum stasis_status add_stack(struct triage *t, struct stasis_error *err)
{
        struct stasis_hints *hints = &t->image->hints;
        uint64_t va = triage_head(t, t->width->top_of_stack), len = triage_head(t, t->width->stack_len);
        if (va && len) {
                hints->stack = va;
                hints->stack_len = len;
                hints->stack_off = triage_head(t, t->width->stack);
                hints->known |= STASIS_HINT_STACK;
        }
        return add_piece(t, "call stack", va, triage_head(t, t->width->stack), len, err);
}

/* ---------------------------------------------------------------- the copies without an address */

/* A member of the debugger block's second half, 0 where this version's has none. */
static uint16_t kdbg_short(const struct triage *t, size_t at)
{
        return at + 2 <= t->kdbg.len ? load_le16(t->kdbg.at + at) : 0;
}

static bool find_kdbg(struct triage *t)
{
        t->kdbg = bytes_slice(t->file, triage_head(t, t->width->kdbg), triage_head(t, t->width->kdbg_len));
        if (t->kdbg.len < KDBG_TAG_AT + 8 || memcmp(t->kdbg.at + KDBG_TAG_AT, "KDBG", 4) != 0)
                t->kdbg = (struct stasis_bytes){ NULL, 0 };
        return t->kdbg.at;
}

/*
 * One copied structure: as long as the debugger block says, and never longer than up to the next thing that the header
 * points to.
 */
static struct stasis_bytes copy_of(const struct triage *t, struct dmp_member at, size_t kdbg_size)
{
        const struct dmp_member others[] = { t->width->prcb,  t->width->process, t->width->thread,
                                             t->width->stack, t->width->kdbg,    t->width->drivers };
        uint64_t off = triage_head(t, at), end = t->file.len, size = kdbg_short(t, kdbg_size);
        if (!off || off >= t->file.len)
                return (struct stasis_bytes){ NULL, 0 };
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
                if (triage_head(t, others[i]) > off && triage_head(t, others[i]) < end)
                        end = triage_head(t, others[i]);
        return bytes_slice(t->file, off, size && size < end - off ? size : end - off);
}

static uint64_t pointer_in(const struct triage *t, struct stasis_bytes copy, uint16_t at)
{
        return (size_t)at + t->pointer <= copy.len ? load_le(copy.at + at, t->pointer) : 0;
}

static bool is_object(struct stasis_bytes copy, uint8_t type) { return copy.len && (copy.at[0] & 0x7f) == type; }

static enum stasis_status add_copy(struct triage *t, const char *what, struct stasis_bytes copy, uint64_t va,
                                   uint32_t hint, uint64_t *to, struct stasis_error *err)
{
        if (!copy.len || !va || va % t->pointer)
                return stasis_image_remark(
                        t->image, "the dump's copy of the %s is not there, or nothing tells its address", what);
        *to = va;
        t->image->hints.known |= hint;
        return add_piece(t, what, va, (uint64_t)(copy.at - t->file.at), copy.len, err);
}

/* KiProcessorBlock, where a data block holds it. */
static struct stasis_bytes processor_blocks(const struct triage *t)
{
        uint64_t va, off, len;
        uint64_t wanted = KDBG_PROCESSOR_BLOCK + 8 <= t->kdbg.len ? load_le64(t->kdbg.at + KDBG_PROCESSOR_BLOCK) : 0;
        if (t->pointer == 4)
                wanted = (uint32_t)wanted;
        for (size_t i = 0; wanted && i < t->block_count; i++) {
                read_block(t, i, &va, &off, &len);
                if (wanted >= va && wanted - va < len)
                        return bytes_slice(t->file, off + (wanted - va), len - (wanted - va));
        }
        return (struct stasis_bytes){ NULL, 0 };
}

/* The data block that is a processor block (KiProcessorBlock names it) and has the same current thread as the copy. */
static uint64_t prcb_address(const struct triage *t, uint64_t current, uint16_t at)
{
        struct stasis_bytes list = processor_blocks(t);
        size_t slots = list.len / t->pointer, tried = 0;
        slots = slots < PROCESSORS_MAX ? slots : PROCESSORS_MAX;
        for (size_t i = 0; slots && i < t->block_count && tried < PRCB_TRIED_MAX; i++) {
                uint64_t va, off, len;
                read_block(t, i, &va, &off, &len);
                if (!va || pointer_in(t, bytes_slice(t->file, off, len), at) != current)
                        continue;
                tried++;
                for (size_t k = 0; k < slots; k++)
                        if (load_le(list.at + k * t->pointer, t->pointer) == va)
                                return va;
        }
        return 0;
}

static enum stasis_status add_objects(struct triage *t, struct stasis_error *err)
{
        struct stasis_hints *hints = &t->image->hints;
        struct stasis_bytes prcb = copy_of(t, t->width->prcb, KDBG_SIZE_PRCB);
        struct stasis_bytes thread = copy_of(t, t->width->thread, KDBG_SIZE_THREAD);
        struct stasis_bytes process = copy_of(t, t->width->process, KDBG_SIZE_PROCESS);
        uint16_t current_at = kdbg_short(t, KDBG_PRCB_CURRENT), owner_at = kdbg_short(t, KDBG_THREAD_APC_PROCESS);
        uint64_t current = pointer_in(t, prcb, current_at ? current_at : t->width->prcb_current);
        uint16_t apc_process = owner_at ? owner_at : t->width->apc_process;
        uint64_t owner = apc_process && is_object(thread, DISPATCHER_THREAD) ? pointer_in(t, thread, apc_process) : 0;

        enum stasis_status status = add_copy(t, "thread", thread, is_object(thread, DISPATCHER_THREAD) ? current : 0,
                                             STASIS_HINT_THREAD, &hints->thread, err);
        if (status == STASIS_OK)
                status = add_copy(t, "process", process, is_object(process, DISPATCHER_PROCESS) ? owner : 0,
                                  STASIS_HINT_PROCESS, &hints->process, err);
        if (status == STASIS_OK)
                status = add_copy(t, "processor block", prcb,
                                  current ? prcb_address(t, current, current_at ? current_at : t->width->prcb_current)
                                          : 0,
                                  STASIS_HINT_PRCB, &hints->prcb, err);
        return status;
}

/* ---------------------------------------------------------------- the sequence */

static enum stasis_status check_valid(struct triage *t)
{
        struct stasis_bytes valid = bytes_slice(t->file, triage_head(t, t->width->valid), 4);
        if (valid.len == 4 && memcmp(valid.at, TRIAGE_VALID, 4) == 0)
                return STASIS_OK;
        return stasis_image_remark(t->image,
                                   "the mark at the end of the dump (TRGD) is not there: it was not finished, "
                                   "or is cut off");
}

static enum stasis_status add_all(struct triage *t, struct stasis_error *err)
{
        enum stasis_status status = check_valid(t);
        if (status == STASIS_OK)
                status = find_blocks(t);
        if (status == STASIS_OK && find_kdbg(t))
                status = add_piece(t, "debugger block",
                                   t->image->hints.known & STASIS_HINT_KDBG ? t->image->hints.kdbg : 0,
                                   triage_head(t, t->width->kdbg), t->kdbg.len, err);
        if (status == STASIS_OK)
                status = add_objects(t, err);
        if (status == STASIS_OK)
                status = add_stack(t, err);
        if (status == STASIS_OK)
                status = add_piece(t, "data page", triage_head(t, t->width->page_va), triage_head(t, t->width->page),
                                   triage_head(t, t->width->page_len), err);
        if (status == STASIS_OK)
                status = add_blocks(t, err);
        return status == STASIS_OK ? triage_read_lists(t) : status;
}

uint64_t dmp_triage_end(const struct dmp *dmp)
{
        const struct triage_width *width = &widths[dmp->width->bits == 64];
        struct stasis_bytes header = bytes_slice(dmp->file, dmp->width->header_size, width->size);
        return header.len ? triage_get(header.at, width->size_of_dump) : 0;
}

enum stasis_status dmp_read_triage(struct dmp *dmp, struct stasis_error *err)
{
        const bool is64 = dmp->width->bits == 64;
        struct triage t = { .image = dmp->image, .file = dmp->file, .width = &widths[is64], .pointer = is64 ? 8 : 4 };
        struct stasis_bytes header = bytes_slice(dmp->file, dmp->width->header_size, t.width->size);
        if (!header.len)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the triage header");
        t.header = header.at;
        dmp->image->is_virtual = true;
        dmp->end = triage_head(&t, t.width->size_of_dump);
        return add_all(&t, err);
}
