/* SPDX-License-Identifier: MIT */
/*
 * Page-table roots that something in the image tells: a dump header, the registers of a CPU, the code that starts the
 * other processors. The scan for tables is in root_scan.c.
 *
 * Sources: Intel SDM 3A, "Paging" and "Control registers" (CR0.PG, CR4.PAE, CR4.LA57); the low stub, which is the
 * kernel's PROCESSOR_START_BLOCK, as MemProcFS and memflow recognise it (a jump and two flags at 0, the kernel entry at
 * 0x70, CR3 at 0xa0); CR4 at 0xa8 follows from it, since _KSPECIAL_REGISTERS holds Cr0, Cr2, Cr3, Cr4 in a row.
 */
#include "root.h"

#include <stdlib.h>

#include "../../base/bytes.h"
#include "root_list.h"

enum {
        CR0_PG = 31,
        CR4_PAE = 5,
        CR4_LA57 = 12,
        CS_RPL = 3,
        LOW_STUB_LEN = 0xb0,
        LOW_STUB_ENTRY = 0x70,
        LOW_STUB_CR3 = 0xa0,
        LOW_STUB_CR4 = 0xa8,
};
#define LOW_STUB_END UINT64_C(0x100000)

/* Higher is better; the scan's ranks are below all of these but the doubtful ones. */
enum { RANK_HEADER = 900, RANK_KERNEL_CPU = 800, RANK_LOW_STUB = 700, RANK_USER_CPU = 600, DOUBTFUL = 500 };

/* Best first; among equals 64-bit modes first (more bits that agree by chance), then the lower address. */
static int compare_roots(const void *left, const void *right)
{
        const struct windows_root *a = left, *b = right;
        if (a->rank != b->rank)
                return a->rank > b->rank ? -1 : 1;
        if (a->paging != b->paging)
                return a->paging->levels != b->paging->levels ? b->paging->levels - a->paging->levels : 0;
        return (a->root > b->root) - (a->root < b->root);
}

void root_list_add(struct root_list *list, const struct windows_root *root)
{
        for (size_t i = 0; i < list->count; i++) {
                if (list->root[i].paging != root->paging || list->root[i].root != root->root)
                        continue;
                if (list->root[i].rank < root->rank)
                        list->root[i] = *root;
                return;
        }
        if (list->count < list->max) {
                list->root[list->count++] = *root;
                return;
        }
        struct windows_root *worst = list->root;
        for (size_t i = 1; i < list->count; i++)
                if (compare_roots(&list->root[i], worst) > 0)
                        worst = &list->root[i];
        if (list->count && compare_roots(root, worst) < 0)
                *worst = *root;
}

void root_list_sort(struct root_list *list) { qsort(list->root, list->count, sizeof(*list->root), compare_roots); }

static void tell(struct root_list *list, const struct stasis_paging *paging, uint64_t cr3, const char *how,
                 uint32_t rank, uint64_t entry)
{
        uint64_t root = cr3 & paging->root_mask;
        if (root)
                root_list_add(list, &(struct windows_root){ paging, root, how, rank, entry, 0 });
}

/* A dump header tells 32 or 64 bits and PAE, never the number of levels. */
static void from_header(struct root_list *list, const struct stasis_hints *hints)
{
        if (!(hints->known & STASIS_HINT_ROOT) || hints->cpu_count) /* with CPUs the root is a copy of theirs */
                return;
        if (hints->machine == STASIS_MACHINE_X64) {
                tell(list, &stasis_paging_x64, hints->root, "header", RANK_HEADER, 0);
                tell(list, &stasis_paging_la57, hints->root, "header", RANK_HEADER - DOUBTFUL, 0);
        } else if (hints->machine == STASIS_MACHINE_X86) {
                bool known = hints->known & STASIS_HINT_PAE;
                const struct stasis_paging *paging = known && hints->pae ? &stasis_paging_pae : &stasis_paging_x86;
                tell(list, paging, hints->root, "header", RANK_HEADER, 0);
                if (!known)
                        tell(list, &stasis_paging_pae, hints->root, "header", RANK_HEADER - DOUBTFUL, 0);
        }
}

/* An address above 4 GiB among these says long mode: a file for a 64-bit machine may hold a 32-bit system. */
static bool has_long_address(const struct stasis_cpu *cpu)
{
        uint64_t any = cpu->cr[3];
        if (cpu->known & STASIS_CPU_GPR)
                any |= cpu->rip | cpu->gpr[7];
        if (cpu->known & STASIS_CPU_BASES)
                any |= cpu->gdt_base | cpu->idt_base | cpu->gs_base;
        if (cpu->known & STASIS_CPU_KERNEL_GS)
                any |= cpu->kernel_gs_base;
        return any >> 32 != 0;
}

static void from_cpu(struct root_list *list, const struct stasis_hints *hints, const struct stasis_cpu *cpu)
{
        if (!(cpu->known & STASIS_CPU_CONTROL) || !(cpu->cr[0] >> CR0_PG & 1))
                return;
        /* With KVA shadow a CPU in user mode has tables without the kernel; often they are complete all the same. */
        bool user = (cpu->known & STASIS_CPU_SEGMENT) && (cpu->cs & CS_RPL) == CS_RPL;
        uint32_t rank = user ? RANK_USER_CPU : RANK_KERNEL_CPU;
        bool wide = hints->machine != STASIS_MACHINE_X86, sure = has_long_address(cpu);

        if (!(cpu->cr[4] >> CR4_PAE & 1)) { /* long mode cannot be without PAE */
                tell(list, &stasis_paging_x86, cpu->cr[3], "cpu", rank, 0);
                return;
        }
        if (wide)
                tell(list, cpu->cr[4] >> CR4_LA57 & 1 ? &stasis_paging_la57 : &stasis_paging_x64, cpu->cr[3], "cpu",
                     sure ? rank : rank - 1, 0);
        if (!wide || !sure)
                tell(list, &stasis_paging_pae, cpu->cr[3], "cpu", rank, 0);
}

/* The page that starts the other processors is in the first MiB; firmware may put the machine's own there too. */
static void from_low_stub(struct root_list *list, const struct stasis_image *image)
{
        uint8_t stub[LOW_STUB_LEN];
        for (uint64_t pa = 0x1000; pa < LOW_STUB_END; pa += 0x1000) {
                if (stasis_image_read(image, pa, stub, sizeof(stub)) != STASIS_OK)
                        continue;
                uint64_t entry = load_le64(stub + LOW_STUB_ENTRY), cr3 = load_le64(stub + LOW_STUB_CR3);
                if ((load_le64(stub) & UINT64_C(0xffffffffffff00ff)) != UINT64_C(0x00000001000600e9) ||
                    (entry & UINT64_C(0xfffff80000000003)) != UINT64_C(0xfffff80000000000) ||
                    (cr3 & ~(stasis_paging_x64.root_mask | 0xfff)))
                        continue;
                bool la57 = load_le64(stub + LOW_STUB_CR4) >> CR4_LA57 & 1;
                tell(list, la57 ? &stasis_paging_la57 : &stasis_paging_x64, cr3, "low stub", RANK_LOW_STUB, entry);
                tell(list, la57 ? &stasis_paging_x64 : &stasis_paging_la57, cr3, "low stub", RANK_LOW_STUB - DOUBTFUL,
                     entry);
        }
}

size_t windows_roots_told(const struct stasis_image *image, struct windows_root *ret_root, size_t max)
{
        const struct stasis_hints *hints = stasis_image_hints(image);
        struct root_list list = { ret_root, 0, max < WINDOWS_ROOTS_MAX ? max : WINDOWS_ROOTS_MAX };

        if (hints->machine != STASIS_MACHINE_ARM64) {
                from_header(&list, hints);
                for (size_t i = 0; i < hints->cpu_count; i++)
                        from_cpu(&list, hints, &hints->cpu[i]);
                from_low_stub(&list, image);
        }
        root_list_sort(&list);
        return list.count;
}
