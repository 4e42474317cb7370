/* SPDX-License-Identifier: MIT */
/* The Windows kernel inside an address space: its base and PE, its debugger block, and what tells its version. */
#ifndef STASIS_OS_WINDOWS_KERNEL_H
#define STASIS_OS_WINDOWS_KERNEL_H

#include <stasis/stasis.h>

#include "pe.h"
#include "root.h"

/* Is this PE a Windows (or ReactOS) kernel? By PDB name (nt*, ntkr*, ntoskrnl ...) or export directory name. */
bool kernel_is(const struct pe_image *pe);
/*
 * Finds the kernel in this space: at hint addresses first (hint[i] != 0: an address inside the kernel or its base;
 * scanned backwards at most 64 MiB in page steps), else through every mapped page of the kernel half (x86: from
 * 0x80000000; x64: from 0xffff800000000000, the range of 0xfffff80000000000 first), gaps skipped whole. STASIS_ABSENT
 * where there is none.
 */
enum stasis_status kernel_find(struct stasis_space *space, const uint64_t *hint, size_t hint_count,
                               windows_progress *progress, void *progress_ctx,
                               struct pe_image *ret_pe) STASIS_MUST_CHECK;

/* Is va in the half of the space that belongs to the kernel (x86 booted with /3GB included)? */
bool kernel_half(const struct stasis_space *space, uint64_t va);

/* KDDEBUGGER_DATA64: what of it serves threads. Pointers are sign-extended on x86 in the block; here they are as
   the kernel of that width sees them (32 bits on x86). 0: not there. */
struct kdbg {
        uint64_t va;
        uint32_t size;
        uint64_t KernBase, PsLoadedModuleList, PsActiveProcessHead, PspCidTable, KiProcessorBlock, MmUnloadedDrivers,
                NtBuildLab, CmNtCSDVersion, MmPfnDatabase, KeTimeIncrement, MmPhysicalMemoryBlock, KiBugcheckData,
                ObpRootDirectoryObject, ExpSystemResourcesList, MmHighestUserAddress, MmSystemRangeStart,
                MmLoadedUserImageList, PteBase, MmPagedPoolStart;
        bool sizes; /* size is past the Offset/Size members: the next ones are there */
        uint16_t OffsetKThreadNextProcessor, OffsetKThreadTeb, OffsetKThreadKernelStack, OffsetKThreadInitialStack,
                OffsetKThreadApcProcess, OffsetKThreadState, SizeEProcess, OffsetEprocessPeb, OffsetEprocessParentCID,
                OffsetEprocessDirectoryTableBase, SizePrcb, OffsetPrcbCurrentThread, OffsetPrcbProcStateContext,
                OffsetPrcbNumber, SizeEThread, OffsetPrcbContext;
};
/* STASIS_ABSENT: not readable; STASIS_CORRUPT: no plain block there (encoded, or another thing). */
enum stasis_status kdbg_read(struct stasis_space *space, uint64_t va, struct kdbg *ret_kdbg) STASIS_MUST_CHECK;
/*
 * Looks through the sections of the kernel for a plain block whose KernBase is this kernel and whose list heads are
 * kernel addresses. STASIS_ABSENT where there is none.
 */
enum stasis_status kdbg_scan(struct stasis_space *space, const struct pe_image *kernel,
                             struct kdbg *ret_kdbg) STASIS_MUST_CHECK;

/*
 * From Windows 8 on, x64, the block is kept encoded unless kernel debugging was on at boot (kdbg_encoded.c). Each
 * quadword v of it is plain as bswap(rol(v, rotate)) ^ mask.
 */
struct kdbg_key {
        uint8_t rotate;
        uint64_t mask;
};
/* From the values of KiWaitNever and KiWaitAlways and the address of KdpDataBlockEncoded. */
struct kdbg_key kdbg_key_of(uint64_t wait_never, uint64_t wait_always, uint64_t encoded_flag);
/*
 * The encoded block at va, read with this key. It is believed only where tag, size, the KernBase of this kernel and
 * list heads inside this kernel come out: else STASIS_CORRUPT; STASIS_ABSENT where it is not readable.
 */
enum stasis_status kdbg_read_encoded(struct stasis_space *space, const struct pe_image *kernel, uint64_t va,
                                     const struct kdbg_key *key, struct kdbg *ret_kdbg) STASIS_MUST_CHECK;
/* The same without keys: KernBase is known, and tells the mask for each of the 64 rotations. */
enum stasis_status kdbg_solve(struct stasis_space *space, const struct pe_image *kernel, uint64_t va,
                              struct kdbg_key *ret_key, struct kdbg *ret_kdbg) STASIS_MUST_CHECK;
/* Wherever in the kernel's sections such a block lies; STASIS_ABSENT where there is none. */
enum stasis_status kdbg_solve_scan(struct stasis_space *space, const struct pe_image *kernel, struct kdbg_key *ret_key,
                                   struct kdbg *ret_kdbg) STASIS_MUST_CHECK;

/*
 * The kernel's own answer to a debugger's "which version" (DBGKD_GET_VERSION64, KdVersionBlock), which later systems
 * leave plain in memory where KDBG is encoded: by KPCR.KdVersionBlock (x86, first processor), else by its shape in the
 * kernel's variables: machine, KernBase, and a module list inside the kernel. STASIS_ABSENT where there is none.
 */
struct kd_version {
        uint64_t va;
        uint32_t build;
        bool checked;
        uint64_t PsLoadedModuleList, DebuggerDataList; /* 0: not there */
};
enum stasis_status kd_version_find(struct stasis_space *space, const struct pe_image *kernel,
                                   struct kd_version *ret_version) STASIS_MUST_CHECK;

/* KUSER_SHARED_DATA (x86 0xffdf0000, x64 0xfffff78000000000): the same places in every version that has the member. */
struct shared_data {
        uint64_t va;
        uint32_t NtMajorVersion, NtMinorVersion, NtBuildNumber /* 0 before 10 */, NtProductType, SuiteMask,
                TickCountMultiplier;
        uint64_t SystemTime, InterruptTime, TickCount, TimeZoneBias;
        uint32_t ActiveProcessorCount; /* 0 before 7 */
        char NtSystemRoot[64];         /* UTF-8, printable */
};
enum stasis_status shared_data_read(struct stasis_space *space, struct shared_data *ret_shared) STASIS_MUST_CHECK;

/* Every witness of the build number, in the order of trust; the caller compares them. */
enum version_witness {
        WITNESS_EXPORT,
        WITNESS_SHARED_DATA,
        WITNESS_KDVERSION,
        WITNESS_RESOURCE,
        WITNESS_BUILD_LAB,
        WITNESS_HEADER,
        WITNESS_COUNT
};
struct kernel_version {
        uint32_t major, minor, build;    /* agreed, or by the most trusted */
        uint32_t revision;               /* of the file version resource, 0 where not known */
        uint32_t witness[WITNESS_COUNT]; /* build each one says, 0: says nothing */
        bool disagree;
        bool checked;          /* high bits of NtBuildNumber / MajorVersion: 0xc checked build, 0xf free */
        char build_lab[128];   /* "19041.1.amd64fre.vb_release.191206-1406" */
        char csd[64];          /* "Service Pack 3" */
        uint32_t service_pack; /* major number, 0: none */
        bool reactos;          /* strings of the kernel say so */
};
void kernel_version_read(struct stasis_space *space, const struct pe_image *kernel, const struct kdbg *kdbg_or_null,
                         struct kernel_version *ret_version);
const char *version_witness_name(enum version_witness witness);

#endif
