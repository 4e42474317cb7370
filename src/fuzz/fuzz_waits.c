/* SPDX-License-Identifier: MIT */
/*
 * A tiny system in which threads wait for each other (mutants, a resource, a fast mutex, ALPC or LPC, a file, a
 * timeout), with patched memory: every fact, then the graph of waits. Input as in fuzz_system.h.
 */
#include "../test/tiny_objects.h"
#include "../test/tiny_waits.h"
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tiny *waiting(bool is64)
{
        static struct tiny ready[2];
        if (!ready[is64].world.image) {
                tiny_build(&ready[is64], is64);
                tiny_waits(&ready[is64]);
        }
        return &ready[is64];
}

static void check_step(const struct stasis_wait_step *step, size_t threads, size_t processes,
                       const struct stasis_waits *w)
{
        promise(step->thread < threads || step->process < processes, "a step is a thread or a process");
        promise(step->wait == SIZE_MAX || w->wait[step->wait].thread == step->thread, "a step's wait is its thread's");
}

static void check_waits(struct stasis_system *system)
{
        const struct stasis_waits *w;
        size_t threads = 0, processes = 0, steps = 0;
        if (stasis_system_count(system, STASIS_THREADS, &threads, NULL) != STASIS_OK ||
            stasis_system_count(system, STASIS_PROCESSES, &processes, NULL) != STASIS_OK)
                return;
        promise(stasis_system_waits(system, &w, NULL) == STASIS_OK, "waits can be told where threads can");
        for (size_t i = 0; i < w->wait_count; i++) {
                const struct stasis_wait *wait = &w->wait[i];
                promise(wait->thread < threads && (!i || wait[-1].thread <= wait->thread), "waits are by thread");
                promise(wait->process == SIZE_MAX || wait->process < processes, "a process is one of the list");
                for (size_t k = 0; k < wait->owner_count; k++)
                        promise(wait->owner[k] < threads, "an owner is a thread of the list");
                check_text(wait->what);
                check_text(wait->name ? wait->name : "");
        }
        for (size_t i = 0; i < w->chain_count; i++) {
                promise(!i || w->chain[i - 1].depth >= w->chain[i].depth, "the longest comes first");
                promise(w->chain[i].joins == SIZE_MAX || w->chain[i].joins <= i, "a chain joins one before it");
                for (size_t k = 0; k < w->chain[i].count; k++, steps++)
                        check_step(&w->chain[i].step[k], threads, processes, w);
        }
        promise(steps <= 3 * (threads + 2 * processes), "what is told is told once");
        for (size_t i = 0; i < w->deadlock_count; i++)
                for (size_t k = 0; k < w->deadlock[i].count; k++)
                        check_step(&w->deadlock[i].step[k], threads, processes, w);
}

static void run(const struct tiny *t, bool told)
{
        const struct stasis_image_options options = { .format = "raw" };
        const struct stasis_system_options root = { .mode = t->is64 ? "x64" : "x86",
                                                    .root_known = told,
                                                    .root = t->root[TINY_SYSTEM] };
        struct stasis_image *image;
        struct stasis_system *system = NULL;
        struct stasis_error err;
        if (stasis_image_open_memory(t->world.mem, WORLD_LEN, "tiny", &options, &image, &err) != STASIS_OK)
                return;
        if (stasis_system_open(image, &root, &system, &err) == STASIS_OK) {
                check_all(system, STASIS_THREADS);
                check_waits(system);
                check_said(system);
        }
        stasis_system_close(system);
        stasis_image_close(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        if (!size)
                return 0;
        struct tiny *t = waiting(data[0] & 1);
        size_t count = patches_apply(t, data + 1, size - 1, t->world.mem, 0, patch);
        run(t, data[0] & 2);
        patches_undo(t->world.mem, patch, count);
        return 0;
}

#ifdef FUZZING
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        return mutate(waiting(size && data[0] & 1), 0, data, size, max_size, seed);
}
#endif
