/* SPDX-License-Identifier: MIT */
/*
 * Entries of every kernel's forms, and a tiny system whose tables, prototype entries, VADs and page file are the
 * input's. Byte 0: bit 0 x64, the others choose the layout; then a mask and values of eight bytes each: the entry of
 * a TEB, the one of its table, a prototype entry; 0x80 bytes of VADs; the rest is the page file.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../mem/space.h"
#include "../os/windows/pagefile.h"
#include "../os/windows/pte.h"
#include "../os/windows/pte_mask.h"
#include "../test/tiny.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 0xa1u
#define VADS_LEN 0x80u

static void promise(bool kept)
{
        if (!kept)
                abort();
}

/* ---- the forms alone */

static void read_entry(const struct pte_forms *forms, uint64_t value, bool prototype)
{
        struct stasis_pte shown;
        struct pte_meaning m = pte_read(forms, value, prototype);
        promise((m.kind == PTE_IS_ZERO) == (value == 0));
        promise(!(value & 1) || m.kind == PTE_IS_VALID || m.kind == PTE_IS_UNKNOWN);
        promise(m.kind != PTE_IS_PAGEFILE || (m.page && m.pagefile < PAGEFILES_MAX));
        promise(prototype ? m.kind != PTE_IS_PROTOTYPE && m.kind != PTE_IS_LOOKUP : m.kind != PTE_IS_SUBSECTION);
        promise(!m.doubtful || !forms->mask_known);
        pte_show(forms, &m, &shown);
        promise(shown.member_count <= STASIS_PTE_MEMBERS_MAX && (shown.form || !shown.member_count));
}

static void read_forms(unsigned choice, const uint8_t *data)
{
        struct pte_forms forms;
        struct pte_mask_guess guess;
        size_t layouts = 0;
        uint64_t mask = load_le64(data);
        while (stasis_layout_at(layouts))
                layouts++;
        assert(layouts);
        for (uint8_t size = 4; size <= 8; size += 4) {
                pte_bind(stasis_layout_at(choice % layouts), size, &forms);
                pte_mask_begin(mask, &guess);
                for (size_t i = 0; i < 4; i++) {
                        pte_mask_see(&forms, load_le64(data + 8 * i), &guess);
                        read_entry(&forms, load_le64(data + 8 * i), false);
                        read_entry(&forms, load_le64(data + 8 * i), true);
                }
                (void)pte_mask_tells(&guess, &mask);
                forms.invalid_mask = mask;
                forms.mask_known = true;
                for (size_t i = 0; i < 4; i++)
                        read_entry(&forms, load_le64(data + 8 * i), false);
        }
}

/* ---- in a system */

static uint8_t *slot(struct tiny *t, uint64_t va, unsigned up)
{
        struct stasis_walk walk;
        (void)!stasis_paging_walk(t->world.image, t->is64 ? &stasis_paging_x64 : &stasis_paging_x86,
                                  t->root[TINY_ALPHA], va, &walk);
        return walk.depth > up ? t->world.mem + walk.entry[walk.depth - 1 - up].pa : NULL;
}

static void look(struct stasis_space *space, uint64_t va)
{
        struct stasis_address address;
        uint8_t byte = 0;
        stasis_space_examine(space, va, &address);
        promise(address.verdict <= STASIS_VERDICT_NOT_PRESENT && address.pte_count <= STASIS_PTES_MAX);
        promise(address.status != STASIS_OK || address.backing != STASIS_BACKING_NONE);
        promise((address.pa != STASIS_NOWHERE) == (address.backing == STASIS_BACKING_IMAGE));
        promise((stasis_space_read(space, va, &byte, 1) == STASIS_OK) == (address.status == STASIS_OK));
        struct stasis_bytes view = stasis_space_view(space, va, 1);
        promise((view.len == 1) == (address.status == STASIS_OK) && (!view.len || *view.at == byte));
}

static void ask(struct tiny *t, const uint8_t *file, size_t len)
{
        struct stasis_pagefile given = { .number = 0, .bytes = file, .len = len };
        struct stasis_system_options options = { .mode = t->is64 ? "x64" : "x86",
                                                 .root_known = true,
                                                 .root = t->root[TINY_SYSTEM],
                                                 .pagefile = &given,
                                                 .pagefile_count = len > 0 };
        struct stasis_system *system = NULL;
        struct stasis_space *space;
        if (stasis_system_open(t->world.image, &options, &system, NULL) == STASIS_OK &&
            stasis_system_process_space(system, tiny_pid(TINY_ALPHA), &space, NULL) == STASIS_OK) {
                look(space, t->teb[TINY_RUNNER]);
                look(space, t->teb[TINY_RUNNER] + 0x10000);
                look(space, 0x500000);
                look(space, t->pool);
                look(space, 0xdeadbeef);
        }
        stasis_system_close(system);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct tiny tiny[2];
        static bool built[2];
        if (size < HEAD)
                return 0;
        bool is64 = data[0] & 1;
        struct tiny *t = &tiny[is64];
        if (!built[is64])
                tiny_build(t, is64);
        built[is64] = true;
        read_forms(data[0] >> 1, data + 1);
        uint64_t vads = t->pool + TINY_POOL_FREE, root = t->process[TINY_ALPHA] + (is64 ? 0x7d8 : 0x11c);
        uint8_t *place[] = { slot(t, t->teb[TINY_RUNNER], 0), slot(t, t->teb[TINY_RUNNER], 1),
                             world_at(&t->world, vads + VADS_LEN), world_at(&t->world, root) };
        uint8_t old[4][8], *nodes = world_at(&t->world, vads);
        size_t width = is64 ? 8 : 4;
        for (size_t i = 0; i < 4; i++)
                memcpy(old[i], place[i], 8);
        memcpy(place[0], data + 9, width);
        if (data[0] & 0x80)
                memcpy(place[1], data + 17, width);
        memcpy(place[2], data + 25, width);
        memcpy(nodes, data + 33, VADS_LEN);
        memcpy(place[3], &vads, width);
        ask(t, data + HEAD, size - HEAD);
        memset(nodes, 0, VADS_LEN);
        for (size_t i = 4; i-- > 0;)
                memcpy(place[i], old[i], 8);
        return 0;
}
