/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../base/bytes.h"
#include "kernel.h"
#include "region.h"
#include "text.h"

/* ---------------------------------------------------------------- KUSER_SHARED_DATA */

/* Places: _KUSER_SHARED_DATA in Microsoft's public symbols, equal from NT 4.0 to 11 for the members that exist. */
enum {
        SHARED_TICK_COUNT_LOW = 0x000,
        SHARED_TICK_COUNT_MULTIPLIER = 0x004,
        SHARED_INTERRUPT_TIME = 0x008, /* KSYSTEM_TIME: low, high, high again */
        SHARED_SYSTEM_TIME = 0x014,
        SHARED_TIME_ZONE_BIAS = 0x020,
        SHARED_NT_SYSTEM_ROOT = 0x030, /* 260 UTF-16 units */
        SHARED_NT_BUILD_NUMBER = 0x260,
        SHARED_NT_PRODUCT_TYPE = 0x264,
        SHARED_NT_MAJOR_VERSION = 0x26c,
        SHARED_NT_MINOR_VERSION = 0x270,
        SHARED_SUITE_MASK = 0x2d0,
        SHARED_TICK_COUNT = 0x320, /* since 2003 and XP SP2 */
        SHARED_ACTIVE_PROCESSORS = 0x3c0,
        SHARED_LEN = 0x3c4,
        SYSTEM_ROOT_UNITS = 260
};

#define SHARED_X86 UINT64_C(0xffdf0000)
#define SHARED_X64 UINT64_C(0xfffff78000000000)
#define SHARED_USER UINT64_C(0x7ffe0000) /* the same page as every process sees it */

static void system_root(const uint8_t *units, char *buf, size_t len)
{
        size_t count = 0;

        while (count < SYSTEM_ROOT_UNITS && load_le16(units + 2 * count))
                count++;
        text_utf16(units, count, buf, len);
}

static enum stasis_status shared_data_at(struct stasis_space *space, uint64_t va, struct shared_data *ret_shared)
{
        uint8_t raw[SHARED_LEN];

        if (stasis_space_read(space, va, raw, sizeof(raw)) != STASIS_OK)
                return STASIS_ABSENT;
        struct shared_data shared = {
                .va = va,
                .NtMajorVersion = load_le32(raw + SHARED_NT_MAJOR_VERSION),
                .NtMinorVersion = load_le32(raw + SHARED_NT_MINOR_VERSION),
                .NtProductType = load_le32(raw + SHARED_NT_PRODUCT_TYPE),
                .SuiteMask = load_le32(raw + SHARED_SUITE_MASK),
                .TickCountMultiplier = load_le32(raw + SHARED_TICK_COUNT_MULTIPLIER),
                .SystemTime = load_le64(raw + SHARED_SYSTEM_TIME),
                .InterruptTime = load_le64(raw + SHARED_INTERRUPT_TIME),
                .TickCount = load_le64(raw + SHARED_TICK_COUNT),
                .TimeZoneBias = load_le64(raw + SHARED_TIME_ZONE_BIAS),
        };
        if (shared.NtMajorVersion < 3 || shared.NtMajorVersion > 20 || shared.NtMinorVersion > 99)
                return STASIS_CORRUPT;
        if (!shared.TickCount)
                shared.TickCount = load_le32(raw + SHARED_TICK_COUNT_LOW);
        if (shared.NtMajorVersion >= 10) /* other things lie there before */
                shared.NtBuildNumber = load_le32(raw + SHARED_NT_BUILD_NUMBER) & 0xffff;
        if (shared.NtMajorVersion > 6 || (shared.NtMajorVersion == 6 && shared.NtMinorVersion >= 1))
                shared.ActiveProcessorCount = load_le32(raw + SHARED_ACTIVE_PROCESSORS);
        system_root(raw + SHARED_NT_SYSTEM_ROOT, shared.NtSystemRoot, sizeof(shared.NtSystemRoot));
        *ret_shared = shared;
        return STASIS_OK;
}

enum stasis_status shared_data_read(struct stasis_space *space, struct shared_data *ret_shared)
{
        uint64_t va = space->paging->sign_extended ? SHARED_X64 : SHARED_X86;
        enum stasis_status status = shared_data_at(space, va, ret_shared);

        if (status != STASIS_ABSENT)
                return status;
        return shared_data_at(space, SHARED_USER, ret_shared);
}

/* ---------------------------------------------------------------- version */

/*
 * Releases that share one kernel: the file is of the first build, and an enablement package makes the system call
 * itself by a later one. That is no contradiction (Microsoft's release information pages for each).
 */
static const struct {
        uint32_t file, last;
} same_kernel[] = { { 18362, 18363 }, { 19041, 19045 }, { 22621, 22631 }, { 26100, 26200 } };

/* The service pack that a kernel file of this revision or later belongs to, where nothing better says it. */
static const struct {
        uint32_t build, revision, service_pack;
} service_packs[] = {
        { 2600, 5512, 3 }, { 2600, 2180, 2 }, { 2600, 1106, 1 }, { 3790, 3959, 2 }, { 3790, 1830, 1 },
        { 6001, 0, 1 },    { 6002, 0, 2 },    { 6003, 0, 2 },    { 7601, 0, 1 },
};

static bool agree(uint32_t a, uint32_t b)
{
        uint32_t low = a < b ? a : b, high = a < b ? b : a;

        for (size_t i = 0; i < sizeof(same_kernel) / sizeof(same_kernel[0]); i++)
                if (low >= same_kernel[i].file && high <= same_kernel[i].last)
                        return true;
        return a == b;
}

static void witness_export(struct stasis_space *space, const struct pe_image *kernel, struct kernel_version *version)
{
        uint64_t va, value;

        if (pe_export(space, kernel, "NtBuildNumber", &va) != STASIS_OK ||
            stasis_space_u(space, va, 4, &value) != STASIS_OK)
                return;
        version->witness[WITNESS_EXPORT] = value & 0xffff;
        version->checked = value >> 28 == 0xc;
}

static void witness_shared(struct stasis_space *space, struct kernel_version *version)
{
        struct shared_data shared;

        if (shared_data_read(space, &shared) != STASIS_OK)
                return;
        version->major = shared.NtMajorVersion;
        version->minor = shared.NtMinorVersion;
        version->witness[WITNESS_SHARED_DATA] = shared.NtBuildNumber;
}

static void witness_debugger(struct stasis_space *space, const struct pe_image *kernel, struct kernel_version *version)
{
        struct kd_version kd;

        if (kd_version_find(space, kernel, &kd) != STASIS_OK)
                return;
        version->witness[WITNESS_KDVERSION] = kd.build;
        version->checked = kd.checked;
}

static void witness_resource(struct stasis_space *space, const struct pe_image *kernel, struct kernel_version *version)
{
        uint32_t file[4];

        if (pe_file_version(space, kernel, file) != STASIS_OK)
                return;
        version->witness[WITNESS_RESOURCE] = file[2];
        version->revision = file[3];
        if (!version->major) {
                version->major = file[0];
                version->minor = file[1];
        }
}

/* "19041.1.amd64fre.vb_release.191206-1406": NtBuildLab, pointed to by KDBG, and exported by later kernels. */
static void witness_lab(struct stasis_space *space, const struct pe_image *kernel, const struct kdbg *kdbg,
                        struct kernel_version *version)
{
        uint64_t va = kdbg ? kdbg->NtBuildLab : 0;

        if (!va && pe_export(space, kernel, "NtBuildLab", &va) != STASIS_OK)
                return;
        if (!text_ascii(space, va, version->build_lab, sizeof(version->build_lab)) ||
            !isdigit((unsigned char)version->build_lab[0])) {
                version->build_lab[0] = '\0';
                return;
        }
        unsigned long build = strtoul(version->build_lab, NULL, 10);
        version->witness[WITNESS_BUILD_LAB] = build <= UINT16_MAX ? (uint32_t)build : 0;
}

static void witness_header(const struct stasis_space *space, struct kernel_version *version)
{
        const struct stasis_hints *hints = stasis_image_hints(space->image);

        if (hints->known & STASIS_HINT_BUILD)
                version->witness[WITNESS_HEADER] = hints->build & 0xffff;
}

static void choose_build(struct kernel_version *version)
{
        for (size_t i = 0; i < WITNESS_COUNT; i++) {
                if (!version->witness[i])
                        continue;
                if (!version->build)
                        version->build = version->witness[i];
                version->disagree = version->disagree || !agree(version->build, version->witness[i]);
        }
}

/* CmNtCSDVersion: the number of the service pack is the high byte of the low word (0x300: Service Pack 3). */
static void service_pack(struct stasis_space *space, const struct kdbg *kdbg, struct kernel_version *version)
{
        uint64_t value;

        if (kdbg && kdbg->CmNtCSDVersion && stasis_space_u(space, kdbg->CmNtCSDVersion, 4, &value) == STASIS_OK)
                version->service_pack = value >> 8 & 0xff;
        else
                for (size_t i = 0; i < sizeof(service_packs) / sizeof(service_packs[0]); i++)
                        if (version->build == service_packs[i].build &&
                            version->revision >= service_packs[i].revision && !version->service_pack)
                                version->service_pack = service_packs[i].service_pack;
        if (version->service_pack)
                snprintf(version->csd, sizeof(version->csd), "Service Pack %u", version->service_pack);
}

/*
 * ReactOS calls its kernel ntoskrnl.exe and reports a version of Windows. It is told by its symbol section (rossym), or
 * by its name in the version resource; neither is in a kernel of Microsoft's.
 */
static bool is_reactos(struct stasis_space *space, const struct pe_image *kernel)
{
        static const char name[] = "R\0e\0a\0c\0t\0O\0S"; /* the last NUL is the string's own */
        uint64_t va = kernel->base + kernel->resource_rva;

        for (size_t i = 0; i < kernel->section_count; i++)
                if (!strcmp(kernel->section[i].name, ".rossym"))
                        return true;
        return kernel->resource_len && region_find(space, &va, va + kernel->resource_len, name, sizeof(name), 2);
}

/* ReactOS has no NtBuildLab; what it says of itself stands among its constants: "ReactOS 0.4.13 (Build 20200409-...".
 */
static void reactos_release(struct stasis_space *space, const struct pe_image *kernel, struct kernel_version *version)
{
        static const char name[] = { 'R', 'e', 'a', 'c', 't', 'O', 'S', ' ' };

        for (struct pe_part part = { 0 }; pe_next_part(kernel, PE_CONSTANT, &part);) {
                for (uint64_t va = part.va, digit; region_find(space, &va, part.end, name, sizeof(name), 1); va++) {
                        if (stasis_space_u(space, va + sizeof(name), 1, &digit) != STASIS_OK || !isdigit((int)digit))
                                continue;
                        text_ascii(space, va, version->build_lab, sizeof(version->build_lab));
                        version->build_lab[strcspn(version->build_lab, "?")] = '\0'; /* the end of the line */
                        return;
                }
        }
}

void kernel_version_read(struct stasis_space *space, const struct pe_image *kernel, const struct kdbg *kdbg_or_null,
                         struct kernel_version *ret_version)
{
        struct kernel_version version = { .reactos = is_reactos(space, kernel) };

        witness_header(space, &version);
        witness_shared(space, &version);
        witness_resource(space, kernel, &version);
        witness_lab(space, kernel, kdbg_or_null, &version);
        witness_debugger(space, kernel, &version);
        witness_export(space, kernel, &version);
        if (!version.major) {
                version.major = kernel->os_major;
                version.minor = kernel->os_minor;
        }
        choose_build(&version);
        service_pack(space, kdbg_or_null, &version);
        if (version.reactos && !version.build_lab[0])
                reactos_release(space, kernel, &version);
        *ret_version = version;
}

const char *version_witness_name(enum version_witness witness)
{
        static const char *const name[WITNESS_COUNT] = {
                [WITNESS_EXPORT] = "NtBuildNumber",     [WITNESS_SHARED_DATA] = "KUSER_SHARED_DATA",
                [WITNESS_KDVERSION] = "KdVersionBlock", [WITNESS_RESOURCE] = "file version of the kernel",
                [WITNESS_BUILD_LAB] = "NtBuildLab",     [WITNESS_HEADER] = "header of the image",
        };

        return (unsigned)witness < WITNESS_COUNT ? name[witness] : "?";
}
