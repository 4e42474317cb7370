/* SPDX-License-Identifier: MIT */
/*
 * kallsyms' tables by their shape: the input is physical memory; the digits are looked for as discovery does it. Seeds
 * are kallsyms_test's tables with few symbols.
 */
#include <stdlib.h>
#include <string.h>

#include "../os/linux/kallsyms.h"

static void ask(struct kallsyms *k)
{
        char name[64];
        uint64_t address, end;
        uint32_t index;
        for (uint32_t i = 0; i < kallsyms_count(k); i += 37) {
                if (!kallsyms_name(k, i, name, sizeof name))
                        continue;
                (void)kallsyms_find(k, name, &address);
                if (kallsyms_at(k, kallsyms_address(k, i), &index, &end) && index >= kallsyms_count(k))
                        abort();
        }
        (void)kallsyms_at(k, UINT64_MAX, &index, &end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct stasis_image_options options = { .format = "raw" };
        struct stasis_image *image = NULL;
        if (stasis_image_open_memory(data, size, "fuzz", &options, &image, NULL) != STASIS_OK)
                return 0;
        const uint8_t *at = data;
        for (unsigned tries = 0; tries < 8; tries++, at++) {
                at = memmem(at, size - (size_t)(at - data), kallsyms_digits, sizeof kallsyms_digits);
                if (!at)
                        break;
                struct kallsyms *k = NULL;
                const char *why;
                if (kallsyms_open(image, (uint64_t)(at - data), &k, &why) == STASIS_OK)
                        ask(k);
                kallsyms_close(k);
        }
        stasis_image_close(image);
        return 0;
}
