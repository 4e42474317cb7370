/* SPDX-License-Identifier: MIT */
/*
 * The compressed store of a tiny system with some of its bytes replaced: what is asked for comes out whole, or with a
 * reason. Input: byte 0 chooses the build, then patches as in fuzz_system.h.
 */
#include <assert.h>

#include "../os/system.h"
#include "../os/windows/store.h"
#include "../os/windows/windows.h"
#include "../test/pack.h"
#include "../test/tiny_store.h"
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REOPENED_AFTER 1000 /* inputs: what a system remembers of them grows */
#define PAGEFILE 2

/* Built once for each build; every input puts back what it changed. */
struct ready {
        struct tiny t;
        struct tiny_store s;
        struct stasis_system *sys;
        unsigned inputs;
};

static void put_pages(struct ready *r)
{
        static uint8_t plain[4096], packed[8192];
        for (size_t i = 0; i < sizeof plain; i++)
                plain[i] = (uint8_t)(i % 61 + i / 500);
        size_t len = pack_xpress(plain, sizeof plain, packed);
        for (uint32_t number = 0xffc; number < 0x1004; number++)
                tiny_store_put(&r->t, &r->s, number, packed, number == 0xffe ? 0 : len);
        tiny_store_put(&r->t, &r->s, 0x2000, plain, 4096);
        uint64_t moved = tiny_store_put(&r->t, &r->s, 0x2001, plain, 16);
        world_u(&r->t.world, moved, 8, UINT64_C(0x11ffffffff));
}

static void open_system(struct ready *r)
{
        struct stasis_system_options told = { .mode = "x64", .root_known = true, .root = r->t.root[TINY_SYSTEM] };
        struct stasis_error err;
        stasis_system_close(r->sys);
        if (stasis_system_open(r->t.world.image, &told, &r->sys, &err) != STASIS_OK)
                abort();
}

static struct ready *ready_for(uint8_t number)
{
        static struct ready *ready[256];
        size_t builds = 0;
        while (tiny_store_builds[builds].build)
                builds++;
        assert(builds);
        struct ready **r = &ready[number % builds];
        if (!*r) {
                *r = calloc(1, sizeof **r);
                if (!*r)
                        abort();
                tiny_build(&(*r)->t, true);
                tiny_store_build(&(*r)->t, &(*r)->s, tiny_store_builds[number % builds].build, PAGEFILE);
                put_pages(*r);
        }
        if ((*r)->inputs++ % REOPENED_AFTER == 0)
                open_system(*r);
        return *r;
}

static void ask(struct store *store, uint32_t number)
{
        static uint8_t page[4096], again[4096];
        memset(page, 0xee, sizeof page);
        enum stasis_status status = store_page(store, PAGEFILE, number, page);
        promise(status == STASIS_OK || store_why(store)[0], "a failure has its reason");
        promise(status == STASIS_OK || (page[0] == 0xee && !memcmp(page, page + 1, 4095)), "a failure writes nothing");
        promise(status == STASIS_OK || status == STASIS_ABSENT || status == STASIS_IO || status == STASIS_CORRUPT ||
                        status == STASIS_UNSUPPORTED,
                "a status that the header tells");
        promise(store_page(store, PAGEFILE, number, again) == status, "asked again it is the same");
        promise(status != STASIS_OK || !memcmp(page, again, sizeof page), "and so are its bytes");
}

static void ask_all(struct store *store)
{
        if (!store_is_pagefile(store, PAGEFILE))
                return;
        for (uint32_t number = 0xffb; number < 0x1005; number++)
                ask(store, number);
        ask(store, 0x2000);
        ask(store, 0x2001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        struct store *store;
        if (!size)
                return 0;
        struct ready *r = ready_for(data[0]);
        struct windows *w = r->sys->priv;
        w->version.build = r->s.build->build;
        size_t count = patches_apply(&r->t, data + 1, size - 1, r->t.world.mem, 0, patch);
        stasis_space_init(w->kernel, w->image, w->kernel->paging, w->kernel->root); /* remembers nothing */
        if (store_open(w, &store) == STASIS_OK) {
                ask_all(store);
                store_close(store);
        }
        patches_undo(r->t.world.mem, patch, count);
        return 0;
}

#ifdef FUZZING
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        return mutate(&ready_for(size ? data[0] : 0)->t, 0, data, size, max_size, seed);
}
#endif
