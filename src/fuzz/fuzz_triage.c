/* SPDX-License-Identifier: MIT */
/* A triage dump, read through to the last fact. Seeds: src/test/golden/triage.py --write. */
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_system(const struct stasis_image *image)
{
        const struct stasis_system_options options = { 0 };
        struct stasis_system *system = NULL;
        struct stasis_error err;
        if (stasis_system_open(image, &options, &system, &err) == STASIS_OK) {
                check_record(stasis_system_facts(system));
                check_all(system, STASIS_PROCESSES);
                check_all(system, STASIS_THREADS);
                check_all(system, STASIS_MODULES);
                check_lists(system);
                check_lone(system, stasis_image_hints(image)->process);
                if (stasis_system_modules_of(system, 4, &err) == STASIS_OK)
                        check_all(system, STASIS_MODULES);
        }
        if (system)
                check_said(system);
        stasis_system_close(system);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct stasis_image_options options = { .format = "dmp" };
        struct stasis_image *image;
        struct stasis_error err;
        if (stasis_image_open_memory(data, size, "triage", &options, &image, &err) != STASIS_OK)
                return 0;
        if (stasis_image_is_virtual(image)) /* fuzz_dump.c has the others */
                read_system(image);
        stasis_image_close(image);
        return 0;
}
