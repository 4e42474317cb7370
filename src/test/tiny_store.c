/* SPDX-License-Identifier: MIT */
#include "tiny_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct tiny_store_build tiny_store_builds[] = {
        { 14393, 0x17a8, 0x1918, 0x420, 0, 0, true },
        { 15063, 0x1828, 0x1988, 0x420, 0, 0, true },
        { 16299, 0x1848, 0x19a8, 0x430, 0, 0, true },
        { 17134, 0x1848, 0x19a8, 0x430, 0, 0, true },
        { 17763, 0x1848, 0x19a8, 0x430, 0, 0, true },
        { 18362, 0x1848, 0x19a8, 0x430, 0, 0, true },
        { 18363, 0x1848, 0x19a8, 0x430, 0, 0, true },
        { 19041, 0x1848, 0x19b8, 0x430, 0, 0, true },
        { 19045, 0x1848, 0x19b8, 0x430, 0, 0, true },
        { 20348, 0x1848, 0x19b8, 0x430, 0, 0, true },
        { 22000, 0x1848, 0x19b8, 0x430, 0, 0, true },
        { 22621, 0x1848, 0x19b8, 0x430, 8, 0x7a8, true },
        { 22631, 0x1848, 0x19b8, 0x430, 8, 0x7a8, true },
        { 26100, 0x1b70, 0x1d08, 0, 0x10, 0xc30, false },
        { 0 },
};

/* In the kernel's .data, beside what tiny.c has there. */
enum { GLOBALS = 0x2100, PAGING_FILES = 0x2400 };
#define POOL UINT64_C(0xffffc60045600000)

static void must(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "tiny store: %s\n", what);
        abort();
}

/* ---------------------------------------------------------------- nodes */

static void put_leaf(struct tiny *t, uint64_t node) { world_u(&t->world, node + 3, 1, 1); }

static void leaf_add(struct tiny *t, uint64_t node, uint32_t key, uint32_t value)
{
        uint8_t *count = world_at(&t->world, node);
        must(*count < 200, "a leaf is full");
        world_u(&t->world, node + 0x10 + *count * 8u, 4, key);
        world_u(&t->world, node + 0x14 + *count * 8u, 4, value);
        ++*count;
}

static void put_root(struct tiny *t, const struct tiny_store *s)
{
        world_u(&t->world, s->root, 2, 1);
        world_u(&t->world, s->root + 2, 1, 1);
        world_u(&t->world, s->root + 8, 8, s->left);
        world_u(&t->world, s->root + 0x10, 4, tiny_store_key(s, 0x1000));
        world_u(&t->world, s->root + 0x18, 8, s->right);
        put_leaf(t, s->left);
        put_leaf(t, s->right);
        put_leaf(t, s->pages);
}

/* ---------------------------------------------------------------- the store */

static void put_manager(struct tiny *t, const struct tiny_store *s)
{
        struct world *w = &t->world;
        if (s->build->link)
                world_u(w, s->globals + s->build->link, 8, s->manager + s->build->back);
        world_u(w, s->manager, 8, s->array);
        world_u(w, s->manager + 0x1c0, 8, s->root);
        world_u(w, s->array + TINY_STORE_INDEX * 0x28, 8, s->smkm);
        world_u(w, s->array + TINY_STORE_INDEX * 0x28 + 0x18, 8, t->process[TINY_STORE_OWNER]);
}

static void put_smkm(struct tiny *t, const struct tiny_store *s)
{
        struct world *w = &t->world;
        world_u(w, s->smkm + 0x50, 8, s->pages);
        world_u(w, s->smkm + 0x110, 8, s->chunk_arrays);            /* one chunk */
        world_u(w, s->smkm + 0x110 + 8, 8, s->chunk_arrays + 0x10); /* two */
        world_u(w, s->smkm + 0x218, 4, 4);                          /* 16 records a chunk */
        world_u(w, s->smkm + 0x21c, 4, 0xf);
        world_u(w, s->smkm + 0x220, 4, 0x18);
        world_u(w, s->smkm + 0x228, 4, 0x20);
        world_u(w, s->smkm + 0x370, 8, s->smkm);
        world_u(w, s->smkm + 0x378, 4, 0x1fff); /* regions of 128 KiB */
        world_u(w, s->smkm + 0x37c, 4, 13);
        if (s->build->format)
                world_u(w, s->smkm + s->build->format, 2, 3);
        world_u(w, s->smkm + s->build->regions, 8, s->regions);
        world_u(w, s->smkm + s->build->owner, 8, t->process[TINY_STORE_OWNER]);
        for (unsigned i = 0; i < 3; i++)
                world_u(w, s->chunk_arrays + i * 0x10, 8, s->chunk[i]);
        world_u(w, s->regions, 8, TINY_STORE_REGION - 0x100000 + 1); /* a mark in the bits that no address has */
        world_u(w, s->regions + 8, 8, TINY_STORE_REGION);
}

/* Page files 0, 1 and so on up to the virtual store: pool blocks with their headers. */
static void put_paging_files(struct tiny *t, const struct tiny_store *s)
{
        for (uint32_t i = 0; i <= s->pagefile; i++) {
                uint64_t file = t->pool + TINY_POOL_FREE + 0x800 + i * 0x140 + 0x10;
                world_u(&t->world, file - 12, 4, 0x20206d4d);
                world_u(&t->world, file + 0xcc, 2, i | (i == s->pagefile ? 0x40u : 0) | 0x80);
                world_u(&t->world, s->paging_files + i * 8, 8, file);
        }
}

void tiny_store_build(struct tiny *t, struct tiny_store *s, uint32_t build, uint32_t pagefile)
{
        struct world *w = &t->world;
        *s = (struct tiny_store){ .build = tiny_store_builds, .pagefile = pagefile, .used = 4 };
        while (s->build->build && s->build->build != build)
                s->build++;
        must(s->build->build && t->is64 && pagefile < 4, "no such store");
        world_map(w, POOL, 0x9000);
        world_map(w, POOL + 0x10000, 0x2000); /* the store: two pages */
        s->globals = t->kernel + GLOBALS;
        s->manager = s->build->link ? POOL + 0x40 : s->globals;
        s->array = t->pool + TINY_POOL_FREE;
        s->root = POOL + 0x1000;
        s->left = POOL + 0x2000;
        s->right = POOL + 0x3000;
        s->pages = POOL + 0x4000;
        for (unsigned i = 0; i < 3; i++)
                s->chunk[i] = POOL + 0x5000 + i * 0x1000;
        s->chunk_arrays = POOL + 0x8000;
        s->regions = POOL + 0x8400;
        s->smkm = POOL + 0x10000;
        s->paging_files = t->kernel + PAGING_FILES;
        put_root(t, s);
        put_manager(t, s);
        put_smkm(t, s);
        put_paging_files(t, s);
        tiny_map_user(t, TINY_STORE_OWNER, TINY_STORE_REGION - 0x100000, 0x2000);
        tiny_map_user(t, TINY_STORE_OWNER, TINY_STORE_REGION, 0x2000);
        world_put(w, t->process[TINY_STORE_OWNER] + tiny_place(t, "EPROCESS.ImageFileName").at, "MemCompression", 15);
}

/* ---------------------------------------------------------------- pages */

uint32_t tiny_store_key(const struct tiny_store *s, uint32_t number)
{
        return (s->build->number_in_key ? s->pagefile << 28 : 0) | number;
}

/* Chunks have the numbers 1; 2, 3: the highest bit says which array, the rest which of its elements. */
uint32_t tiny_store_chunk_key(uint32_t i) { return (i / 16 + 1) << 4 | i % 16; }

uint64_t tiny_store_put(struct tiny *t, struct tiny_store *s, uint32_t number, const uint8_t *bytes, size_t len)
{
        uint32_t i = s->records++, key = tiny_store_key(s, number);
        uint64_t record = s->chunk[i / 16] + 0x20 + i % 16 * 0x18;
        must(i < TINY_STORE_RECORDS && s->used * 16 + len <= 0x2000, "the store is full");
        leaf_add(t, number < 0x1000 ? s->left : s->right, key, 0x4000000 | TINY_STORE_INDEX);
        leaf_add(t, s->pages, key, tiny_store_chunk_key(i));
        world_u(&t->world, record, 4, s->used);
        world_u(&t->world, record + 4, 2, len);
        world_u(&t->world, record + 6, 2, 0x5a5a);
        for (size_t k = 0; k < len; k++)
                *tiny_user_at(t, TINY_STORE_OWNER, TINY_STORE_REGION - 0x100000 + s->used * 16u + k) = bytes[k];
        s->used += (uint32_t)(len + 15) / 16;
        return record;
}
