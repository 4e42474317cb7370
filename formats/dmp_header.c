/* SPDX-License-Identifier: MIT */
/* The first header of a crash dump: a table of members, and the rule of the "PAGE" filler. */
#include <stdio.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "dmp.h"
#include "dmp_wire.h"

#define M(type, name) \
        { \
                offsetof(struct type, name), sizeof(((struct type *)0)->name) \
        }
#define WIDTH_MEMBERS(h) \
        .machine_type = M(h, machine), .dump_type = M(h, dump_type), .run_count = M(h, run_count), \
        .page_count = M(h, page_count), .runs = M(h, runs), .exception = M(h, exception), .comment = M(h, comment), \
        .major = M(h, major), .minor = M(h, minor), .root = M(h, directory_table_base), \
        .pfn_database = M(h, pfn_database), .module_head = M(h, loaded_module_list), \
        .process_head = M(h, active_process_head), .kdbg = M(h, debugger_data), .processors = M(h, processors), \
        .bugcheck = M(h, bugcheck), .parameter = M(h, parameter[0]), .system_time = M(h, system_time), \
        .up_time = M(h, up_time), .product_type = M(h, product_type), .suite_mask = M(h, suite_mask), \
        .attributes = M(h, attributes)

const struct dmp_width dmp_width32 = {
        .magic = DMP_MAGIC32,
        .bits = 32,
        .run_word = 4,
        .header_size = sizeof(struct dmp_header32),
        .machine = STASIS_MACHINE_X86,
        WIDTH_MEMBERS(dmp_header32),
        .pae = M(dmp_header32, pae_enabled),
        .context = { offsetof(struct dmp_header32, context), DMP_CONTEXT32_LEN },
};
const struct dmp_width dmp_width64 = {
        .magic = DMP_MAGIC64,
        .bits = 64,
        .run_word = 8,
        .header_size = sizeof(struct dmp_header64),
        .machine = STASIS_MACHINE_X64,
        WIDTH_MEMBERS(dmp_header64),
        .context = { offsetof(struct dmp_header64, context), DMP_CONTEXT64_LEN },
};

bool dmp_get(const struct dmp *dmp, struct dmp_member member, uint64_t *ret_value)
{
        const uint64_t filler = (uint64_t)DMP_FILLER << 32 | DMP_FILLER;
        uint64_t value = load_le(dmp->file.at + member.at, member.size);
        if (member.size == 0 || (member.size >= 4 && value == (member.size == 8 ? filler : DMP_FILLER)))
                return false;
        *ret_value = value;
        return true;
}

/*
 * Numbers of the header that become hints as they are. Zero says "not filled" where no such thing can lie at 0; a bug
 * check of 0 or an up time of 0 may be meant.
 */
static const struct row {
        uint32_t hint;
        uint16_t member, to; /* of struct dmp_width, of struct stasis_hints */
        uint8_t to_size;
        bool zero_is_absent;
} rows[] = {
#define ROW(hint, name, zero_is_absent) \
        { \
                hint, offsetof(struct dmp_width, name), offsetof(struct stasis_hints, name), \
                        sizeof(((struct stasis_hints *)0)->name), zero_is_absent \
        }
        ROW(STASIS_HINT_ROOT, root, true),
        ROW(STASIS_HINT_KDBG, kdbg, true),
        ROW(STASIS_HINT_PROCESS_HEAD, process_head, true),
        ROW(STASIS_HINT_MODULE_HEAD, module_head, true),
        ROW(STASIS_HINT_PFN_DATABASE, pfn_database, true),
        ROW(STASIS_HINT_PROCESSORS, processors, true),
        ROW(STASIS_HINT_BUGCHECK, bugcheck, false),
        ROW(STASIS_HINT_SYSTEM_TIME, system_time, true),
        ROW(STASIS_HINT_UP_TIME, up_time, false),
        ROW(STASIS_HINT_DUMP_TYPE, dump_type, true),
        ROW(STASIS_HINT_PRODUCT_TYPE, product_type, true),
        ROW(STASIS_HINT_SUITE_MASK, suite_mask, false),
        ROW(0, major, true),
#undef ROW
};

static void read_rows(const struct dmp *dmp, struct stasis_hints *hints)
{
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                const struct row *row = &rows[i];
                const struct dmp_member *member =
                        (const struct dmp_member *)(const void *)((const char *)dmp->width + row->member);
                uint64_t value;
                if (!dmp_get(dmp, *member, &value) || (value == 0 && row->zero_is_absent))
                        continue;
                uint32_t narrow = (uint32_t)value;
                if (row->to_size == sizeof narrow)
                        memcpy((char *)hints + row->to, &narrow, sizeof narrow);
                else
                        memcpy((char *)hints + row->to, &value, sizeof value);
                hints->known |= row->hint;
        }
}

static const struct {
        uint32_t type;
        enum stasis_machine machine;
} machines[] = {
        { DMP_MACHINE_X86, STASIS_MACHINE_X86 },
        { DMP_MACHINE_X64, STASIS_MACHINE_X64 },
        { DMP_MACHINE_ARM64, STASIS_MACHINE_ARM64 },
};

static enum stasis_status read_machine(const struct dmp *dmp, struct stasis_hints *hints)
{
        uint64_t type;
        hints->known |= STASIS_HINT_MACHINE;
        hints->machine = dmp->width->machine;
        if (!dmp_get(dmp, dmp->width->machine_type, &type))
                return stasis_image_remark(dmp->image, "the header names no machine: taken from its width");
        for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
                if (machines[i].type == type) {
                        hints->machine = machines[i].machine;
                        return STASIS_OK;
                }
        hints->machine = STASIS_MACHINE_UNKNOWN;
        hints->known &= ~(uint32_t)STASIS_HINT_MACHINE;
        return stasis_image_remark(dmp->image, "machine type 0x%x of the header is none that is known here",
                                   (unsigned)type);
}

/* A block of bytes, absent where it begins with filler or holds nothing but zeros. */
static struct stasis_bytes block(const struct dmp *dmp, struct dmp_member member)
{
        const uint8_t *at = dmp->file.at + member.at;
        bool zero = true;
        for (size_t i = 0; i < member.size && zero; i++)
                zero = at[i] == 0;
        if (zero || memcmp(at, "PAGEPAGE", 8) == 0)
                return (struct stasis_bytes){ NULL, 0 };
        return (struct stasis_bytes){ at, member.size };
}

static enum stasis_status read_comment(const struct dmp *dmp, struct stasis_hints *hints)
{
        struct stasis_bytes bytes = block(dmp, dmp->width->comment);
        if (!bytes.at || bytes.at[0] == '\0')
                return STASIS_OK;
        char *text = stasis_arena_strndup(&dmp->image->arena, (const char *)bytes.at, bytes.len);
        if (!text)
                return STASIS_NOMEM;
        for (char *p = text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        hints->comment = text;
        hints->known |= STASIS_HINT_COMMENT;
        return STASIS_OK;
}

/* MinorVersion is 16 bits of build number (DBGKD_GET_VERSION64 has it as such); PaeEnabled is a byte, 0 or 1. */
static void read_odd_ones(const struct dmp *dmp, struct stasis_hints *hints)
{
        uint64_t value;
        if (dmp_get(dmp, dmp->width->minor, &value) && value) {
                hints->build = (uint32_t)value;
                hints->known |= STASIS_HINT_BUILD;
        }
        if (dmp_get(dmp, dmp->width->pae, &value) && value <= 1) {
                hints->pae = value;
                hints->known |= STASIS_HINT_PAE;
        }
        for (uint16_t i = 0; i < 4 && hints->known & STASIS_HINT_BUGCHECK; i++) {
                struct dmp_member member = dmp->width->parameter;
                member.at = (uint16_t)(member.at + i * member.size);
                if (dmp_get(dmp, member, &value))
                        hints->bugcheck_parameter[i] = value;
        }
}

enum stasis_status dmp_read_header(struct dmp *dmp)
{
        struct stasis_hints *hints = &dmp->image->hints;
        read_rows(dmp, hints);
        read_odd_ones(dmp, hints);
        hints->context = block(dmp, dmp->width->context);
        hints->known |= hints->context.at ? STASIS_HINT_CONTEXT : 0;
        dmp_read_exception(dmp, block(dmp, dmp->width->exception));
        enum stasis_status status = read_machine(dmp, hints);
        if (status == STASIS_OK)
                status = dmp_read_context(dmp);
        return status == STASIS_OK ? read_comment(dmp, hints) : status;
}

enum stasis_status dmp_read_attributes(struct dmp *dmp)
{
        static const char *const names[] = { "HiberCrash",
                                             "DumpDevicePowerOff",
                                             "InsufficientDumpfileSize",
                                             "KernelGeneratedTriageDump",
                                             "LiveDumpGeneratedDump",
                                             "DumpIsGeneratedOffline",
                                             "FilterDumpFile",
                                             "EarlyBootCrash",
                                             "EncryptedDumpData",
                                             "DecryptedDump" };
        static_assert(DMP_ATTRIBUTES_KNOWN >> (sizeof names / sizeof *names) == 0, "");
        uint64_t value;
        char text[256];
        size_t at = 0;
        if (!dmp_get(dmp, dmp->width->attributes, &value) || value == 0 || value & ~(uint64_t)DMP_ATTRIBUTES_KNOWN)
                return STASIS_OK;
        dmp->attributes = (uint32_t)value;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (value >> i & 1)
                        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "", names[i]);
        return stasis_image_remark(dmp->image, "attributes of the dump: %s", text);
}
