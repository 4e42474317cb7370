/* SPDX-License-Identifier: MIT */
/* A file of --symbols from bytes, whatever it is: ELF, BTF, System.map, ISF. */
#include "../os/layout_symbols.h"
#include "layout_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint8_t names[] = "s\0_text\0task_struct\0list_head\0init_task\0a";
        struct symbol_file file = { 0 };
        struct stasis_error err;
        if (size > 1 << 20 || symbol_file_read((struct stasis_bytes){ data, size }, "fuzz", &file, &err) != STASIS_OK)
                return 0;
        struct stasis_layout *parts[2] = { file.types, file.symbols };
        for (size_t i = 0; i < 2; i++) {
                if (!parts[i])
                        continue;
                ask_strings(parts[i], (struct stasis_bytes){ names, sizeof names });
                stasis_layout_has_types(parts[i]);
                stasis_layout_has_symbols(parts[i]);
                stasis_layout_close(parts[i]);
        }
        return 0;
}
