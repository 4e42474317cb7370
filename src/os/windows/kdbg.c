/* SPDX-License-Identifier: MIT */
/*
 * KDDEBUGGER_DATA64 and DBGKD_GET_VERSION64. Members and places: the declarations in Microsoft's debugger SDK
 * (wdbgexts.h); sizes of the block by version: 0x290 in XP, which ends before the Offset/Size members, to 0x380 from
 * 1809 on.
 */
#include <stddef.h>

#include "kdbg.h"
#include "region.h"

#define KDBG_SIZE_ETHREAD 0x2c0 /* the last of the members that make the tuple */

struct kdbg_row {
        uint16_t offset, width;
        size_t into;
};

#define POINTER(at, member) at, 8, offsetof(struct kdbg, member)
#define SHORT(at, member) at, 2, offsetof(struct kdbg, member)

static const struct kdbg_row kdbg_rows[] = {
        { POINTER(0x018, KernBase) },
        { POINTER(0x048, PsLoadedModuleList) },
        { POINTER(0x050, PsActiveProcessHead) },
        { POINTER(0x058, PspCidTable) },
        { POINTER(0x060, ExpSystemResourcesList) },
        { POINTER(0x078, KeTimeIncrement) },
        { POINTER(0x088, KiBugcheckData) },
        { POINTER(0x098, ObpRootDirectoryObject) },
        { POINTER(0x0c0, MmPfnDatabase) },
        { POINTER(0x120, MmPagedPoolStart) },
        { POINTER(0x1c8, MmHighestUserAddress) },
        { POINTER(0x1d0, MmSystemRangeStart) },
        { POINTER(0x200, MmLoadedUserImageList) },
        { POINTER(0x208, NtBuildLab) },
        { POINTER(0x218, KiProcessorBlock) },
        { POINTER(0x220, MmUnloadedDrivers) },
        { POINTER(0x268, CmNtCSDVersion) },
        { POINTER(0x270, MmPhysicalMemoryBlock) },
        { SHORT(0x298, OffsetKThreadNextProcessor) },
        { SHORT(0x29a, OffsetKThreadTeb) },
        { SHORT(0x29c, OffsetKThreadKernelStack) },
        { SHORT(0x29e, OffsetKThreadInitialStack) },
        { SHORT(0x2a0, OffsetKThreadApcProcess) },
        { SHORT(0x2a2, OffsetKThreadState) },
        { SHORT(0x2a8, SizeEProcess) },
        { SHORT(0x2aa, OffsetEprocessPeb) },
        { SHORT(0x2ac, OffsetEprocessParentCID) },
        { SHORT(0x2ae, OffsetEprocessDirectoryTableBase) },
        { SHORT(0x2b0, SizePrcb) },
        { SHORT(0x2b4, OffsetPrcbCurrentThread) },
        { SHORT(0x2bc, OffsetPrcbProcStateContext) },
        { SHORT(0x2be, OffsetPrcbNumber) },
        { SHORT(0x2c0, SizeEThread) },
        { SHORT(0x338, OffsetPrcbContext) },
        { POINTER(0x360, PteBase) },
};

static const uint8_t kdbg_tag[4] = { 'K', 'D', 'B', 'G' };

bool kdbg_head(const uint8_t *raw, size_t *ret_size)
{
        size_t size = load_le32(raw + KDBG_SIZE);

        if (memcmp(raw + KDBG_TAG, kdbg_tag, sizeof(kdbg_tag)) != 0 || size < KDBG_LEN_MIN || size > KDBG_LEN_MAX)
                return false;
        *ret_size = size;
        return true;
}

/* A 32-bit system writes its pointers into 64-bit slots, sign-extended or not. */
static uint64_t own_width(const struct stasis_space *space, uint64_t value)
{
        return space->paging->sign_extended ? value : (uint32_t)value;
}

static void kdbg_decode(const struct stasis_space *space, const uint8_t *raw, size_t len, struct kdbg *kdbg)
{
        for (size_t i = 0; i < sizeof(kdbg_rows) / sizeof(kdbg_rows[0]); i++) {
                const struct kdbg_row *row = &kdbg_rows[i];
                uint8_t *into = (uint8_t *)kdbg + row->into;

                if (row->offset + row->width > len)
                        continue;
                if (row->width == 8) {
                        uint64_t value = own_width(space, load_le64(raw + row->offset));
                        memcpy(into, &value, sizeof(value));
                } else {
                        uint16_t value = load_le16(raw + row->offset);
                        memcpy(into, &value, sizeof(value));
                }
        }
        kdbg->sizes = len >= KDBG_SIZE_ETHREAD + 2 && kdbg->SizeEThread && kdbg->SizeEProcess;
}

/* The upper half of a 32-bit pointer's slot is all zeros or all ones. */
static bool slot_is_sane(const struct stasis_space *space, uint64_t slot)
{
        uint64_t high = slot >> 32;

        return space->paging->sign_extended || high == 0 || high == UINT32_MAX;
}

static bool list_head_is_sane(const struct stasis_space *space, uint64_t va)
{
        return kernel_half(space, va) && va % 4 == 0;
}

enum stasis_status kdbg_take(const struct stasis_space *space, uint64_t va, const uint8_t *raw, size_t len,
                             struct kdbg *ret_kdbg)
{
        struct kdbg kdbg = { .va = va, .size = load_le32(raw + KDBG_SIZE) };

        kdbg_decode(space, raw, len, &kdbg);
        if (!slot_is_sane(space, load_le64(raw + KDBG_KERN_BASE)) || !kernel_half(space, kdbg.KernBase) ||
            kdbg.KernBase % 0x1000 || !list_head_is_sane(space, kdbg.PsLoadedModuleList) ||
            !list_head_is_sane(space, kdbg.PsActiveProcessHead))
                return STASIS_CORRUPT;
        *ret_kdbg = kdbg;
        return STASIS_OK;
}

enum stasis_status kdbg_read(struct stasis_space *space, uint64_t va, struct kdbg *ret_kdbg)
{
        uint8_t raw[KDBG_LEN_READ];
        size_t size;

        va = own_width(space, va);
        if (stasis_space_read(space, va, raw, KDBG_KERN_BASE) != STASIS_OK)
                return STASIS_ABSENT;
        if (!kdbg_head(raw, &size))
                return STASIS_CORRUPT;
        size_t len = size < sizeof(raw) ? size : sizeof(raw);
        if (stasis_space_read(space, va, raw, len) != STASIS_OK)
                return STASIS_ABSENT;
        return kdbg_take(space, va, raw, len, ret_kdbg);
}

/* ---------------------------------------------------------------- looking through the kernel */

/* What was looked for, seen at va: true ends the search. */
typedef bool seen(struct stasis_space *space, const struct pe_image *kernel, uint64_t va, void *ret);

struct pattern {
        const void *bytes;
        size_t len, align;
        seen *seen;
};

static bool look_through(struct stasis_space *space, const struct pe_image *kernel, enum pe_group group,
                         const struct pattern *pattern, void *ret)
{
        for (struct pe_part part = { 0 }; pe_next_part(kernel, group, &part);)
                for (uint64_t va = part.va;
                     region_find(space, &va, part.end, pattern->bytes, pattern->len, pattern->align);
                     va += pattern->align)
                        if (pattern->seen(space, kernel, va, ret))
                                return true;
        return false;
}

static bool seen_kdbg(struct stasis_space *space, const struct pe_image *kernel, uint64_t va, void *ret)
{
        struct kdbg *kdbg = (struct kdbg *)ret;

        return kdbg_read(space, va - KDBG_TAG, kdbg) == STASIS_OK && kdbg->KernBase == kernel->base;
}

enum stasis_status kdbg_scan(struct stasis_space *space, const struct pe_image *kernel, struct kdbg *ret_kdbg)
{
        static const struct pattern tag = { kdbg_tag, sizeof(kdbg_tag), 4, seen_kdbg };
        struct kdbg kdbg;

        if (!look_through(space, kernel, PE_WRITABLE, &tag, &kdbg) &&
            !look_through(space, kernel, PE_CONSTANT, &tag, &kdbg))
                return STASIS_ABSENT;
        *ret_kdbg = kdbg;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- KdVersionBlock */

enum {
        VERSION_LEN = 0x28,
        VERSION_BUILD = 0x02,
        VERSION_MACHINE = 0x08,
        VERSION_KERN_BASE = 0x10,
        VERSION_MODULES = 0x18,
        VERSION_DATA_LIST = 0x20,
        KPCR_VERSION_BLOCK = 0x34
};

/* Where the first processor's KPCR lies on x86 until 2003; later ones lie inside the kernel. */
#define X86_KPCR UINT64_C(0xffdff000)

static bool inside(const struct pe_image *kernel, uint64_t va)
{
        return va >= kernel->base && va - kernel->base < kernel->size;
}

/* The low byte of MajorVersion is the top nibble of NtBuildNumber: 0xf in a free build, 0xc in a checked one. */
static bool version_at(struct stasis_space *space, const struct pe_image *kernel, uint64_t va, struct kd_version *ret)
{
        uint8_t raw[VERSION_LEN];

        if (stasis_space_read(space, va, raw, sizeof(raw)) != STASIS_OK)
                return false;
        uint8_t kind = raw[0];
        uint64_t modules = own_width(space, load_le64(raw + VERSION_MODULES));
        uint64_t data_list = own_width(space, load_le64(raw + VERSION_DATA_LIST));
        if ((kind != 0xf && kind != 0xc) || !load_le16(raw + VERSION_BUILD) ||
            load_le16(raw + VERSION_MACHINE) != kernel->machine || !inside(kernel, modules) || modules % 4 ||
            own_width(space, load_le64(raw + VERSION_KERN_BASE)) != kernel->base)
                return false;
        *ret = (struct kd_version){ .va = va,
                                    .build = load_le16(raw + VERSION_BUILD),
                                    .checked = kind == 0xc,
                                    .PsLoadedModuleList = modules,
                                    .DebuggerDataList = inside(kernel, data_list) ? data_list : 0 };
        return true;
}

static bool seen_version(struct stasis_space *space, const struct pe_image *kernel, uint64_t va, void *ret)
{
        return version_at(space, kernel, va - VERSION_KERN_BASE, (struct kd_version *)ret);
}

enum stasis_status kd_version_find(struct stasis_space *space, const struct pe_image *kernel,
                                   struct kd_version *ret_version)
{
        struct kd_version version;
        uint8_t base[8];
        uint64_t va;
        size_t len = kernel->is64 ? 8 : 4;
        struct pattern pattern = { base, len, len, seen_version };

        if (!kernel->is64 && stasis_space_u(space, X86_KPCR + KPCR_VERSION_BLOCK, 4, &va) == STASIS_OK && va &&
            version_at(space, kernel, va, ret_version))
                return STASIS_OK;
        for (size_t i = 0; i < sizeof(base); i++)
                base[i] = (uint8_t)(kernel->base >> 8 * i);
        if (!look_through(space, kernel, PE_WRITABLE, &pattern, &version) &&
            !look_through(space, kernel, PE_CONSTANT, &pattern, &version))
                return STASIS_ABSENT;
        *ret_version = version;
        return STASIS_OK;
}
