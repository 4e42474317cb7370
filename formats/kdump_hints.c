/* SPDX-License-Identifier: MIT */
/* What a kdump says beside its pages: registers, VMCOREINFO, the machine, what the system called itself. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "elf.h"
#include "kdump.h"

enum { NOTES_MAX = 16 << 20 /* those of a machine with 8,192 CPUs have 3 MiB */ };

static const char *utsname(const struct kdump_headers *h, size_t member)
{
        return (const char *)h->header + offsetof(struct kdump_header64, utsname) + member;
}
#define UTSNAME(h, name) utsname(h, offsetof(struct kdump_utsname, name)), 64

static uint64_t bounded(uint64_t len) { return len < NOTES_MAX ? len : NOTES_MAX; }

static enum stasis_status read_notes(struct stasis_image *image, const struct kdump_headers *h, const struct flat *flat,
                                     struct elf_notes *notes)
{
        struct stasis_bytes bytes;
        enum stasis_status status = flat_keep(image, flat, h->notes_at, bounded(h->notes_len), &bytes);
        if (status == STASIS_OK && bytes.len < h->notes_len)
                status = stasis_image_remark(image, "of %" PRIu64 " bytes of notes %zu are there", h->notes_len,
                                             bytes.len);
        if (status == STASIS_OK && bytes.len)
                status = elf_read_notes(image, notes, bytes);
        if (status != STASIS_OK || image->hints.known & STASIS_HINT_VMCOREINFO)
                return status;
        status = flat_keep(image, flat, h->vmcoreinfo_at, bounded(h->vmcoreinfo_len), &bytes);
        if (status != STASIS_OK || bytes.len == 0)
                return status;
        image->hints.vmcoreinfo = bytes;
        image->hints.known |= STASIS_HINT_VMCOREINFO;
        return STASIS_OK;
}

static const struct {
        const char *name; /* as uname gives it */
        enum stasis_machine machine;
} machines[] = {
        { "x86_64", STASIS_MACHINE_X64 }, { "i386", STASIS_MACHINE_X86 }, { "i486", STASIS_MACHINE_X86 },
        { "i586", STASIS_MACHINE_X86 },   { "i686", STASIS_MACHINE_X86 }, { "aarch64", STASIS_MACHINE_ARM64 },
};

static enum stasis_machine machine_by_name(const char *name, size_t len)
{
        for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
                if (strnlen(name, len) == strlen(machines[i].name) &&
                    memcmp(name, machines[i].name, strlen(machines[i].name)) == 0)
                        return machines[i].machine;
        return STASIS_MACHINE_UNKNOWN;
}

/* The kernel's addresses as VMCOREINFO writes them (%lx): 8 digits or 16. */
static enum stasis_machine machine_by_addresses(const struct stasis_hints *hints)
{
        static const char symbol[] = "SYMBOL(_stext)=";
        if (!(hints->known & STASIS_HINT_VMCOREINFO))
                return STASIS_MACHINE_UNKNOWN;
        struct stasis_bytes info = hints->vmcoreinfo;
        const uint8_t *at = memmem(info.at, info.len, symbol, sizeof symbol - 1);
        size_t digits = 0;
        if (!at)
                return STASIS_MACHINE_UNKNOWN;
        at += sizeof symbol - 1;
        while (at + digits < info.at + info.len && isxdigit(at[digits]))
                digits++;
        return digits == 16 ? STASIS_MACHINE_X64 : digits == 8 ? STASIS_MACHINE_X86 : STASIS_MACHINE_UNKNOWN;
}

/*
 * What the file says by its content goes before the name in its header: QEMU writes there what QEMU itself was built
 * for, or nothing at all. Only x86 is told apart by content; another name is believed.
 */
static enum stasis_status find_machine(struct stasis_image *image, const struct kdump_headers *h,
                                       const struct elf_notes *notes)
{
        enum stasis_machine named = machine_by_name(UTSNAME(h, machine)), machine = notes->machine;
        bool other = *utsname(h, offsetof(struct kdump_utsname, machine)) && named != STASIS_MACHINE_X64 &&
                     named != STASIS_MACHINE_X86;
        if (machine == STASIS_MACHINE_UNKNOWN)
                machine = machine_by_addresses(&image->hints);
        if (machine == STASIS_MACHINE_UNKNOWN || other)
                machine = named;
        if (machine == STASIS_MACHINE_UNKNOWN)
                return stasis_image_remark(image, "nothing in the file tells what machine it is of");
        image->hints.machine = machine;
        image->hints.known |= STASIS_HINT_MACHINE;
        if (named == STASIS_MACHINE_UNKNOWN || named == machine)
                return STASIS_OK;
        return stasis_image_remark(image, "the header names another machine than the registers and VMCOREINFO are of; "
                                          "it is not believed");
}

static size_t append(char *text, size_t at, size_t size, const char *from, size_t len)
{
        if (*from && at && at + 1 < size)
                text[at++] = ' ';
        for (size_t i = 0; i < len && from[i] && at + 1 < size; i++)
                text[at++] = isprint((unsigned char)from[i]) ? from[i] : '?';
        text[at] = '\0';
        return at;
}

/* What the dumped system called itself; nothing where its name is not there. */
static enum stasis_status read_comment(struct stasis_image *image, const struct kdump_headers *h)
{
        char text[512];
        size_t at = append(text, 0, sizeof text, UTSNAME(h, sysname));
        at = append(text, at, sizeof text, UTSNAME(h, nodename));
        size_t before = at;
        at = append(text, at, sizeof text, UTSNAME(h, release));
        if (at == before)
                return STASIS_OK;
        at = append(text, at, sizeof text, UTSNAME(h, version));
        at = append(text, at, sizeof text, UTSNAME(h, machine));
        image->hints.comment = stasis_arena_strndup(&image->arena, text, at);
        if (!image->hints.comment)
                return STASIS_NOMEM;
        image->hints.known |= STASIS_HINT_COMMENT;
        return STASIS_OK;
}

enum stasis_status kdump_read_hints(struct stasis_image *image, const struct kdump_headers *h, const struct flat *flat)
{
        struct elf_notes notes = { 0 };
        if (machine_by_name(UTSNAME(h, machine)) == STASIS_MACHINE_ARM64)
                image->hints.machine = STASIS_MACHINE_ARM64; /* its NT_PRSTATUS is passed over */
        enum stasis_status status = read_notes(image, h, flat, &notes);
        if (status == STASIS_OK)
                status = find_machine(image, h, &notes);
        if (status == STASIS_OK)
                status = read_comment(image, h);
        image->hints.dump_level = h->dump_level;
        image->hints.known |= h->version >= 1 ? STASIS_HINT_DUMP_LEVEL : 0;
        image->hints.processors = h->processors;
        image->hints.known |= h->processors ? STASIS_HINT_PROCESSORS : 0;
        elf_hint_from_cpus(&image->hints);
        return status;
}
