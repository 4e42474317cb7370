/* SPDX-License-Identifier: MIT */
/* Debugger blocks, version blocks and a loader's list in what is said to be a kernel's memory. */
#include "../os/windows/kernel.h"
#include "../os/windows/modules.h"
#include "flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kdbg(const struct flat *flat, const struct kdbg *kdbg)
{
        flat_promise(kdbg->KernBase % 0x1000 == 0 && kernel_half(&flat->space, kdbg->KernBase));
        flat_promise(kernel_half(&flat->space, kdbg->PsActiveProcessHead));
        flat_promise(kdbg->size >= 0x2c2 || (!kdbg->sizes && !kdbg->SizeEThread));
}

static void look(struct flat *flat, const struct pe_image *pe)
{
        struct kdbg kdbg, solved, kdbg_again;
        struct kdbg_key key;
        struct kd_version block;
        struct kernel_version version;
        bool plain = kdbg_scan(&flat->space, pe, &kdbg) == STASIS_OK;

        if (plain) {
                check_kdbg(flat, &kdbg);
                flat_promise(kdbg.KernBase == pe->base);
        }
        if (kdbg_solve_scan(&flat->space, pe, &key, &solved) == STASIS_OK) {
                check_kdbg(flat, &solved);
                flat_promise(pe->is64 && key.rotate < 64 && solved.KernBase == pe->base);
                flat_promise(solved.PsActiveProcessHead >= pe->base);
                flat_promise(kdbg_read_encoded(&flat->space, pe, solved.va, &key, &kdbg_again) == STASIS_OK);
        }
        if (kd_version_find(&flat->space, pe, &block) == STASIS_OK)
                flat_promise(block.PsLoadedModuleList >= pe->base && block.build);
        kernel_version_read(&flat->space, pe, plain ? &kdbg : NULL, &version);
        if (plain) {
                struct modules modules;

                (void)!modules_kernel(&flat->space, NULL, kdbg.PsLoadedModuleList, &modules);
                modules_free(&modules);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct flat *flat = flat_open(data, size);
        struct kdbg kdbg;

        if (!flat)
                return 0;
        struct pe_image pe = { .base = flat->base, .is64 = data[0] & 1, .size = (uint32_t)size };
        pe.machine = pe.is64 ? 0x8664 : 0x14c;
        if (kdbg_read(&flat->space, flat->base, &kdbg) == STASIS_OK)
                check_kdbg(flat, &kdbg);
        look(flat, &pe);
        pe.section_count = 2;
        pe.section[0] = (struct pe_section){ ".rdata", 0, (uint32_t)size / 2, 0x40000040 };
        pe.section[1] = (struct pe_section){ ".data", (uint32_t)size / 2, (uint32_t)(size - size / 2), 0xc0000040 };
        look(flat, &pe);
        flat_close(flat);
        return 0;
}
