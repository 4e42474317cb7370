/* SPDX-License-Identifier: MIT */
/*
 * A tiny process (src/test/tiny_process.h) with some of its bytes replaced: its stack is followed and each frame named.
 * Input: byte 0 chooses the kind, then patches {place: 2 bytes, length - 1: 1 byte, of which 3 bits count, bytes}. A
 * place counts the pages that hold something.
 */
#include <stdlib.h>
#include <string.h>

#include "../os/linux/unwind_user.h"
#include "../os/linux/user.h"
#include "../test/tiny_process.h"

#define PATCHES_MAX 64
#define KINDS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The kernel's structures, the four pages of the file, those of them in the array of struct page. */
static uint64_t place(const struct tp *tp, uint32_t number)
{
        const uint64_t at[] = {
                tp->world.page[0].pa, tp->world.page[1].pa,
                tp->world.page[2].pa, tp->world.page[3].pa,
                tp->file_pa[0],       tp->file_pa[2],
                tp->file_pa[3],       tp->world.page[6].pa + 0x4000 + (tp->file_pa[0] >> 12 & 0xff) * 64
        };
        number &= 0x7fff;
        return at[number >> 12] + (number & 0xfff);
}

static struct tp *ready(unsigned kind)
{
        static struct tp *built[KINDS];
        if (!built[kind]) {
                const struct tp_kind of = { kind & 1, kind & 2, (enum tp_cache)((kind >> 3) % 3), kind & 4,
                                            kind >> 3 != 3 };
                if (!(built[kind] = calloc(1, sizeof **built)))
                        abort();
                tp_start(built[kind], &of);
        }
        return built[kind];
}

static enum stasis_status entry_at(void *ctx, uint64_t pc, struct cfi_entry *ret_entry)
{
        return user_entry_at(ctx, pc, ret_entry);
}

static void follow(struct tp *tp, const struct stasis_registers *r)
{
        struct linux_frame frame[32];
        struct linux_user_name name;
        struct linux_user *user = linux_user_get(&tp->l, tp->mm);
        if (!user)
                return;
        struct user_walk w = { .space = &user->space, .entry_at = entry_at, .ctx = user, .frame = frame, .max = 32 };
        unwind_user(&w, r);
        if (!w.count || !w.end)
                abort();
        for (size_t i = 0; i < w.count; i++) {
                linux_user_name(&tp->l, frame[i].pc, frame[i].exact, &name);
                if (strnlen(name.symbol, sizeof name.symbol) == sizeof name.symbol)
                        abort();
        }
        linux_user_free(tp->l.memory);
        tp->l.memory = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct {
                uint64_t at;
                uint8_t len, old[8];
        } patch[PATCHES_MAX];
        size_t count = 0, at = 1;
        if (!size)
                return 0;
        struct tp *tp = ready(data[0] % KINDS);
        struct stasis_registers r = tp_registers(tp);
        while (count < PATCHES_MAX && size - at > 3) {
                size_t len = (data[at + 2] & 7u) + 1;
                patch[count].at = place(tp, data[at] | (uint32_t)data[at + 1] << 8);
                at += 3;
                len = len < size - at ? len : size - at;
                patch[count].len = (uint8_t)len;
                memcpy(patch[count].old, tp->world.mem + patch[count].at, len);
                memcpy(tp->world.mem + patch[count].at, data + at, len);
                count++;
                at += len;
        }
        memset(tp->world.space.tlb, 0, sizeof tp->world.space.tlb);
        memset(tp->world.space.prefix, 0, sizeof tp->world.space.prefix);
        tp->l.user_mm = 0;
        follow(tp, &r);
        while (count-- > 0)
                memcpy(tp->world.mem + patch[count].at, patch[count].old, patch[count].len);
        return 0;
}
