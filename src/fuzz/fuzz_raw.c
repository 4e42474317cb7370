/* SPDX-License-Identifier: MIT */
#include "fuzz_image.h"

/* Raw takes everything, so this target also runs the contest of all readers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_image(data, size, "raw");
        fuzz_image(data, size, NULL);
        return 0;
}
