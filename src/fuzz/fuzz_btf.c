/* SPDX-License-Identifier: MIT */
/* BTF from bytes: opened, then asked for everything that its strings name. */
#include "../base/bytes.h"
#include "layout_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct stasis_layout *layout = NULL;
        struct stasis_error err;
        if (size > 1 << 20 || size < 24)
                return 0;
        struct stasis_bytes blob = { data, size };
        if (stasis_layout_open_btf(blob, "fuzz", &layout, &err) != STASIS_OK)
                return 0;
        ask_strings(layout,
                    bytes_slice(blob, load_le32(data + 4) + (uint64_t)load_le32(data + 16), load_le32(data + 20)));
        stasis_layout_close(layout);
        return 0;
}
