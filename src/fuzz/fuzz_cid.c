/* SPDX-License-Identifier: MIT */
/*
 * Handle tables of every form from hostile bytes: the first byte chooses layout and levels, the rest is a table, its
 * pages of pointers and its entries; and the same bytes as a thread object, whatever they begin with.
 */
#include <stdlib.h>
#include <string.h>

#include "../os/windows/handle_table.h"
#include "../os/windows/thread_shape.h"
#include "../test/world.h"

#define TABLE_64 UINT64_C(0xfffff8a000000000)
#define TABLE_32 UINT64_C(0x8a000000)
#define PAGES 6

static const struct {
        const char *name;
        bool la57;
        uint32_t old; /* a build whose tables no layout has */
} layouts[] = {
        { "5.1.2600.2180-x86", false, 0 },         { "6.1.7601.17514-x64", false, 0 },
        { "6.2.9200.16384-x64", false, 0 },        { "6.3.9600.17031-x86", false, 0 },
        { "10.0.19041.1237-x64", false, 0 },       { "10.0.20348.288-x64", true, 0 },
        { "4.0.1381.0-x86-partial", false, 1381 }, { "5.0.2195.0-x86-partial", false, 2195 },
};

struct counted {
        unsigned step;
        uint64_t last;
        size_t count;
};

static enum stasis_status see(void *ctx, const struct handle_entry *entry)
{
        struct counted *c = ctx;
        if (c->count++ && entry->handle <= c->last)
                abort(); /* in the order of handles */
        if (!entry->object || entry->handle % c->step)
                abort();
        c->last = entry->handle;
        return STASIS_OK;
}

static void walk(struct stasis_space *space, const struct handle_format *format, uint64_t table)
{
        struct handle_walk walk;
        struct handle_entry entry;
        struct counted c = { .step = format->step };
        if (handle_table_walk(space, format, table, 64, see, &c, &walk) == STASIS_OK &&
            (walk.entries != c.count || walk.pages + walk.missing > 64 + HANDLE_TABLE_PAGE * 64u))
                abort();
        if (c.count &&
            (handle_table_lookup(space, format, table, c.last, &entry) != STASIS_OK || entry.handle != c.last))
                abort();
}

static void score(const struct stasis_layout *layout, const uint8_t *data, size_t len)
{
        struct thread_shape shape;
        bool is64 = stasis_layout_pointer_size(layout) == 8;
        thread_shape_bind(layout, is64 ? UINT64_C(0xffff800000000000) : 0x80000000, &shape);
        for (uint32_t low = 0; low < 0x1000 && low < len; low += 0x100) {
                struct shape_score score =
                        thread_shape_score(&shape, (struct stasis_bytes){ data + low, len - low }, low);
                if (score.va && (score.va & 0xfff) != low)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
        static struct world world;
        struct handle_format format;
        if (len < 2)
                return 0;
        size_t which = data[0] % (sizeof layouts / sizeof *layouts);
        const struct stasis_layout *layout = stasis_layout_by_name(layouts[which].name);
        bool is64 = stasis_layout_pointer_size(layout) == 8;
        score(layout, data + 1, len - 1);
        const struct stasis_paging *paging = layouts[which].la57 ? &stasis_paging_la57
                                             : is64              ? &stasis_paging_x64
                                                                 : &stasis_paging_x86;
        bool ids = layouts[which].old && !(data[0] & 0x80); /* else the table of a process */
        if (!(ids ? handle_format_old(layouts[which].old, &format)
                  : handle_format_of_process(layout, paging, layouts[which].old, &format)))
                abort();
        uint64_t table = is64 ? TABLE_64 : TABLE_32;
        world_start(&world, layouts[which].la57 ? PT_LA57 : is64 ? PT_X64 : PT_X86);
        if (layouts[which].la57)
                table = UINT64_C(0xff00f8a000000000);
        world_map(&world, table, PAGES * 0x1000);
        for (size_t i = 1; i < len && i <= PAGES * 0x1000u; i++)
                *world_at(&world, table + i - 1) = data[i];
        if (format.form == HANDLE_CODED)
                world_u(&world, table + format.code.offset, format.pointer_size, (table + 0x1000) | (data[0] >> 4 & 3));
        else
                world_u(&world, table + (format.form == HANDLE_ARRAY ? 0xc : 8), 4, table + 0x1000);
        walk(&world.space, &format, table);
        world_end(&world);
        return 0;
}
