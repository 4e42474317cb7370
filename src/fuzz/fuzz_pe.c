/* SPDX-License-Identifier: MIT */
/* A PE in memory, and all that is read of a kernel through it. */
#include <string.h>

#include "../os/windows/kernel.h"
#include "../os/windows/modules.h"
#include "flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pe(const struct pe_image *pe)
{
        flat_promise(pe->section_count <= PE_SECTIONS_MAX);
        for (size_t i = 0; i < pe->section_count; i++) {
                flat_promise(pe->section[i].rva < pe->size && pe->section[i].size <= pe->size - pe->section[i].rva);
                flat_promise(memchr(pe->section[i].name, 0, sizeof(pe->section[i].name)) != NULL);
        }
        flat_promise(memchr(pe->pdb_name, 0, sizeof(pe->pdb_name)) != NULL);
        flat_promise(memchr(pe->export_name, 0, sizeof(pe->export_name)) != NULL);
        flat_promise(pe->resource_rva <= pe->size && pe->resource_len <= pe->size - pe->resource_rva);
}

static void check_exports(struct flat *flat, const struct pe_image *pe)
{
        static const char *const name[] = { "PsInitialSystemProcess", "NtBuildNumber", "A" };
        uint64_t va;

        for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
                if (pe_export(&flat->space, pe, name[i], &va) == STASIS_OK)
                        flat_promise(va >= pe->base && va - pe->base < pe->size);
}

static void check_by_address(struct flat *flat, const struct pe_image *pe)
{
        struct pe_exports exports;
        struct pe_function part, whole;

        if (pe_exports_read(&flat->space, pe, &exports) == STASIS_OK) {
                for (size_t i = 0; i < exports.count; i++) {
                        const struct pe_exported *found = pe_exports_below(&exports, exports.at[i].rva);
                        flat_promise(found && found->rva == exports.at[i].rva && found <= &exports.at[i]);
                        flat_promise(exports.at[i].rva < pe->size && exports.at[i].name < pe->size);
                        flat_promise(!i || exports.at[i - 1].rva <= exports.at[i].rva);
                }
                if (exports.count && exports.at[0].rva)
                        flat_promise(!pe_exports_below(&exports, exports.at[0].rva - 1));
        }
        pe_exports_free(&exports);
        for (uint64_t rva = pe->entry & 0xfff; rva < 0x8000; rva += 0x123) {
                if (pe_function_below(&flat->space, pe, rva, &part) != STASIS_OK)
                        continue;
                flat_promise(part.begin <= rva);
                (void)!pe_function_primary(&flat->space, pe, &part, &whole);
        }
}

static void check_modules(struct flat *flat, const struct pe_image *pe)
{
        struct modules modules;
        uint64_t head;

        if (modules_head_by_shape(&flat->space, pe, NULL, &head) != STASIS_OK)
                return;
        if (modules_kernel(&flat->space, NULL, head, &modules) == STASIS_OK) {
                for (size_t i = 1; i < modules.count; i++)
                        flat_promise(modules.module[i - 1].base < modules.module[i].base);
                flat_promise(modules.count <= 2 * MODULES_MAX);
                (void)modules_find(&modules, pe->base);
        }
        modules_free(&modules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct flat *flat = flat_open(data, size);
        struct pe_image pe;
        struct kernel_version version;

        if (!flat)
                return 0;
        if (pe_open(&flat->space, flat->base, &pe) == STASIS_OK) {
                check_pe(&pe);
                check_exports(flat, &pe);
                check_by_address(flat, &pe);
                check_modules(flat, &pe);
                kernel_version_read(&flat->space, &pe, NULL, &version);
        }
        if (kernel_find(&flat->space, NULL, 0, NULL, NULL, &pe) == STASIS_OK)
                check_pe(&pe);
        flat_close(flat);
        return 0;
}
