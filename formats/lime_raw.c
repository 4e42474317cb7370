/* SPDX-License-Identifier: MIT */
/*
 * What LiME writes with format=raw: each range that the kernel calls "System RAM" (LiME main.c goes through
 * iomem_resource's children), one behind the other, and nothing that says where each was. But the kernel's own list of
 * them is memory too: it is found by the shape of struct resource, and where its ranges make up the file, to the byte,
 * they are what the file is made of. docs/formats/lime_raw.md.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "../src/base/guard.h"
#include "format.h"
#include "resource_wire.h"

enum {
        CHUNK = 1 << 20,
        AROUND = 64,         /* a resource around its flags: no build has more on either side */
        FIRST_RAM = 1 << 20, /* every x86 has some below that */
        FOUND_MAX = 1 << 16, /* structures of that shape; a kernel has hundreds, an adversary a file full */
};

/* One resource that may be RAM. What has the same name and parent (pointers, of no meaning here) is one list. */
struct found {
        uint64_t name, parent, start, end /* inclusive */;
        uint8_t build;
};

struct list {
        struct found *at;
        size_t count, capacity;
};

static void list_free(struct list *list) { free(list->at); }

/* ---- what has the shape */

/* Of 32 bit the kernel may begin lower than usual; its own data never lie in the fixed mappings at the top. */
static bool is_kernel(const struct resource_build *b, uint64_t pointer)
{
        return b->pointer_size == 8 ? pointer >> 48 == 0xffff : pointer >= 0x40000000 && pointer < 0xff000000;
}

/* The structure whose flags are at `at`; room for AROUND bytes is on both sides. */
static bool is_resource(const struct resource_build *b, const uint8_t *at, struct found *ret_found)
{
        const uint8_t *start = at - b->flags;
        struct found f = {
                .name = load_le(start + b->name, b->pointer_size),
                .parent = load_le(start + b->parent, b->pointer_size),
                .start = load_le(start, b->address_size),
                .end = load_le(start + b->address_size, b->address_size),
                .build = (uint8_t)(b - resource_builds),
        };
        if (load_le(at, b->pointer_size) != b->flags_value || !is_kernel(b, f.name) || !is_kernel(b, f.parent) ||
            f.start > f.end || f.end >> 52)
                return false;
        *ret_found = f;
        return true;
}

static bool look_at(struct stasis_bytes file, uint64_t off, uint32_t flags, struct list *list)
{
        uint8_t around[2 * AROUND] = { 0 }; /* at the edges of the file nothing is there */
        uint64_t low = off < AROUND ? off : AROUND, high = file.len - off < AROUND ? file.len - off : AROUND;
        memcpy(around + AROUND - low, file.at + off - low, (size_t)(low + high));
        for (size_t i = 0; i < RESOURCE_BUILDS; i++) {
                struct found found;
                if (resource_builds[i].flags_value != flags || list->count >= FOUND_MAX ||
                    !is_resource(&resource_builds[i], around + AROUND, &found))
                        continue;
                if (!stasis_grow(&list->at, &list->capacity, list->count + 1, sizeof *list->at))
                        return false;
                list->at[list->count++] = found;
        }
        return true;
}

static bool search(struct stasis_map *map, uint32_t flags, struct list *list)
{
        struct stasis_bytes file = map->bytes;
        uint8_t pattern[4] = { (uint8_t)flags, (uint8_t)(flags >> 8), (uint8_t)(flags >> 16), (uint8_t)(flags >> 24) };
        for (uint64_t from = 0; from < file.len; from += CHUNK) {
                from = stasis_map_next_data(map, from);
                if (from >= file.len)
                        break;
                size_t len = CHUNK + sizeof pattern - 1;
                if (len > file.len - from)
                        len = (size_t)(file.len - from);
                const uint8_t *at = file.at + from, *end = at + len;
                stasis_map_touch(map, from, len);
                while ((at = memmem(at, (size_t)(end - at), pattern, sizeof pattern))) {
                        if (!look_at(file, (uint64_t)(at - file.at), flags, list))
                                return false;
                        at++;
                }
        }
        return true;
}

/* ---- which of them make up the file */

static int compare_number(uint64_t a, uint64_t b) { return a < b ? -1 : a > b; }

static int compare(const void *a, const void *b)
{
        const struct found *x = a, *y = b;
        int order = x->build - y->build;
        order = order ? order : compare_number(x->name, y->name);
        order = order ? order : compare_number(x->parent, y->parent);
        order = order ? order : compare_number(x->start, y->start);
        return order ? order : compare_number(x->end, y->end);
}

static bool same_list(const struct found *a, const struct found *b)
{
        return a->build == b->build && a->name == b->name && a->parent == b->parent;
}

/* A list of disjoint ranges, count of them; bytes is 0 where they overlap. A stale copy of one counts once. */
struct group {
        struct found *at;
        size_t count;
        uint64_t bytes;
};

/* From the sorted ones at *next on, which it moves. */
static struct group next_group(struct list *list, size_t *next)
{
        struct group group = { .at = &list->at[*next] };
        bool sound = true;
        for (; *next < list->count && same_list(group.at, &list->at[*next]); (*next)++) {
                struct found f = list->at[*next], *last = group.count ? &group.at[group.count - 1] : NULL;
                if (last && last->start == f.start && last->end == f.end)
                        continue;
                sound &= !last || f.start > last->end;
                group.at[group.count++] = f;
                group.bytes += f.end - f.start + 1; /* all below 2^52: where they are disjoint, so is this */
        }
        if (!sound)
                group.bytes = 0;
        return group;
}

/*
 * The one that makes up the file; else the smallest that is larger: then the file is cut off. Only lists of kernels
 * that mark RAM are believed then (in older ones all that is taken looks alike), and that begin where RAM does.
 */
static struct group choose(struct list *list, uint64_t size)
{
        struct group best = { 0 };
        if (list->count)
                qsort(list->at, list->count, sizeof *list->at, compare);
        for (size_t next = 0; next < list->count;) {
                struct group group = next_group(list, &next);
                if (group.bytes == size)
                        return group;
                bool ram = resource_builds[group.at->build].flags_value == RESOURCE_RAM && group.at->start < FIRST_RAM;
                if (ram && group.bytes > size && (best.bytes == 0 || group.bytes < best.bytes))
                        best = group;
        }
        return best;
}

/* ---- the reader */

/* Nothing in its head tells it from any raw file: it is asked for by name, or where raw memory made no sense. */
static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)head;
        (void)file_size;
        return 0;
}

static enum stasis_status add(struct stasis_image *image, const struct group *group, struct stasis_error *err)
{
        uint64_t off = 0;
        for (size_t i = 0; i < group->count; i++) {
                uint64_t len = group->at[i].end - group->at[i].start + 1;
                enum stasis_status status = stasis_image_add_run(image, group->at[i].start, len, off, err);
                if (status != STASIS_OK)
                        return status;
                off += len;
        }
        bool cut = group->bytes > image->map.bytes.len;
        if (stasis_image_remark(image,
                                "the file does not say where its bytes were in memory: %zu ranges of \"System RAM\" in "
                                "the kernel's own list of resources %s",
                                group->count,
                                cut ? "would make up a longer file; this one is read as far as it goes"
                                    : "make up the file to the byte") != STASIS_OK)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return STASIS_OK;
}

static enum stasis_status lime_raw_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        (void)priv;
        _cleanup_(list_free) struct list list = { 0 };
        if (!search(&image->map, RESOURCE_RAM, &list) || !search(&image->map, RESOURCE_TAKEN, &list))
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        struct group group = choose(&list, image->map.bytes.len);
        if (group.bytes == 0)
                return stasis_fail(err, STASIS_CORRUPT,
                                   "no list of \"System RAM\" in it whose ranges would make up the file");
        return add(image, &group, err);
}

const struct stasis_format stasis_format_lime_raw = {
        .name = "lime-raw",
        .title = "LiME physical memory, its ranges joined (format=raw)",
        .probe = probe,
        .open = lime_raw_open,
};
