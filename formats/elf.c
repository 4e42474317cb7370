/* SPDX-License-Identifier: MIT */
/* ELF cores of whole machines (QEMU dump-guest-memory, VirtualBox, Linux vmcore): docs/formats/elf.md. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "elf.h"
#include "elf_wire.h"
#include "format.h"

/* Both classes are the same file with other widths. */
struct member {
        uint8_t at, size;
};
#define M(type, name) \
        { \
                offsetof(struct type, name), sizeof(((struct type *)0)->name) \
        }

static const struct elf_class {
        uint8_t bits, ehdr_size, phdr_size, sh_info;
        struct member phoff, shoff, phentsize, phnum;
        struct member type, offset, vaddr, paddr, filesz, memsz;
} class64 = {
        64, sizeof(struct elf64_ehdr), sizeof(struct elf64_phdr), ELF64_SH_INFO,
        M(elf64_ehdr, phoff), M(elf64_ehdr, shoff), M(elf64_ehdr, phentsize), M(elf64_ehdr, phnum),
        M(elf64_phdr, type), M(elf64_phdr, offset), M(elf64_phdr, vaddr), M(elf64_phdr, paddr),
        M(elf64_phdr, filesz), M(elf64_phdr, memsz),
}, class32 = {
        32, sizeof(struct elf32_ehdr), sizeof(struct elf32_phdr), ELF32_SH_INFO,
        M(elf32_ehdr, phoff), M(elf32_ehdr, shoff), M(elf32_ehdr, phentsize), M(elf32_ehdr, phnum),
        M(elf32_phdr, type), M(elf32_phdr, offset), M(elf32_phdr, vaddr), M(elf32_phdr, paddr),
        M(elf32_phdr, filesz), M(elf32_phdr, memsz),
};

static uint64_t get(const uint8_t *at, struct member member) { return load_le(at + member.at, member.size); }

static const struct machine {
        uint16_t elf;
        enum stasis_machine machine;
        const char *name;
} machines[] = {
        { ELF_386, STASIS_MACHINE_X86, "x86" },
        { ELF_X86_64, STASIS_MACHINE_X64, "x64" },
        { ELF_AARCH64, STASIS_MACHINE_ARM64, "ARM64" },
};

struct elf {
        struct stasis_image *image;
        struct stasis_bytes file;
        const struct elf_class *class;
        struct elf_notes notes;
        uint64_t phoff, phentsize, phnum;
        /* What was met while the segments were read; said once, in the remarks. */
        uint64_t loads, no_address, wrapping, at_zero, distinct_va;
        uint64_t first_va;
};

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        return head.len >= 4 && memcmp(head.at, ELF_MAGIC, 4) == 0 ? 90 : 0;
}

static enum stasis_status check_ident(struct elf *elf, struct stasis_error *err)
{
        const uint8_t *at = elf->file.at;
        if (elf->file.len < ELF_IDENT_END || memcmp(at, ELF_MAGIC, 4) != 0)
                return stasis_fail(err, STASIS_CORRUPT, "no ELF header");
        if (at[EI_DATA] == ELF_BIG)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a big-endian ELF file: only little-endian machines are read");
        if (at[EI_DATA] != ELF_LITTLE || (at[EI_CLASS] != ELF_CLASS32 && at[EI_CLASS] != ELF_CLASS64))
                return stasis_fail(err, STASIS_CORRUPT, "ELF header: class %d, byte order %d", at[EI_CLASS],
                                   at[EI_DATA]);
        if (load_le16(at + E_TYPE) != ELF_CORE)
                return stasis_fail(err, STASIS_UNSUPPORTED, "an ELF file of type %d, not a core (4): no memory image",
                                   load_le16(at + E_TYPE));
        elf->class = at[EI_CLASS] == ELF_CLASS64 ? &class64 : &class32;
        if (elf->file.len < elf->class->ehdr_size)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the ELF header");
        return STASIS_OK;
}

static enum stasis_status read_machine(struct elf *elf)
{
        uint16_t e_machine = load_le16(elf->file.at + E_MACHINE);
        for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
                if (machines[i].elf != e_machine)
                        continue;
                elf->image->hints.machine = machines[i].machine;
                elf->image->hints.known |= STASIS_HINT_MACHINE;
                stasis_image_set_title(elf->image, "ELF core, %d-bit, %s", elf->class->bits, machines[i].name);
                return STASIS_OK;
        }
        stasis_image_set_title(elf->image, "ELF core, %d-bit, machine %u", elf->class->bits, e_machine);
        return stasis_image_remark(elf->image, "machine %u of the ELF header is none that is known here", e_machine);
}

/* More than 65,534 segments: the number stands in section 0, which may lie anywhere. */
static enum stasis_status real_phnum(struct elf *elf)
{
        uint64_t shoff = get(elf->file.at, elf->class->shoff), at;
        struct stasis_bytes sh_info = { NULL, 0 };
        if (shoff && !add_overflows(shoff, elf->class->sh_info, &at))
                sh_info = bytes_slice(elf->file, at, 4);
        if (sh_info.at)
                elf->phnum = load_le32(sh_info.at);
        if (sh_info.at && elf->phnum)
                return STASIS_OK;
        elf->phnum = ELF_PHNUM_ELSEWHERE;
        return stasis_image_remark(elf->image,
                                   "the number of segments should be in section 0, which is not in the file: "
                                   "%d are tried",
                                   ELF_PHNUM_ELSEWHERE);
}

static enum stasis_status find_segments(struct elf *elf, struct stasis_error *err)
{
        const struct elf_class *class = elf->class;
        elf->phoff = get(elf->file.at, class->phoff);
        elf->phentsize = get(elf->file.at, class->phentsize);
        elf->phnum = get(elf->file.at, class->phnum);
        if (elf->phnum == ELF_PHNUM_ELSEWHERE && real_phnum(elf) != STASIS_OK)
                return STASIS_NOMEM;
        if (elf->phnum == 0)
                return stasis_fail(err, STASIS_CORRUPT, "an ELF core without segments");
        if (elf->phentsize < class->phdr_size)
                return stasis_fail(err, STASIS_CORRUPT, "program headers of %" PRIu64 " bytes; they have %u at least",
                                   elf->phentsize, class->phdr_size);
        uint64_t left = elf->phoff < elf->file.len ? elf->file.len - elf->phoff : 0;
        uint64_t whole = left < class->phdr_size ? 0 : (left - class->phdr_size) / elf->phentsize + 1;
        if (whole == 0)
                return stasis_fail(err, STASIS_CORRUPT, "cut off: the program headers should be at 0x%" PRIx64,
                                   elf->phoff);
        if (whole >= elf->phnum)
                return STASIS_OK;
        uint64_t announced = elf->phnum;
        elf->phnum = whole;
        return stasis_image_remark(elf->image,
                                   "cut off inside the program headers: %" PRIu64 " of %" PRIu64 " are there", whole,
                                   announced);
}

/* Linux' vmcore and kcore mark segments without a physical address (vmalloc ...) with all ones. */
static bool has_no_address(const struct elf *elf, uint64_t pa)
{
        return pa == (elf->class->bits == 64 ? UINT64_MAX : UINT32_MAX);
}

static enum stasis_status read_load(struct elf *elf, const uint8_t *phdr, struct stasis_error *err)
{
        const struct elf_class *class = elf->class;
        uint64_t pa = get(phdr, class->paddr), va = get(phdr, class->vaddr), end;
        uint64_t filesz = get(phdr, class->filesz), memsz = get(phdr, class->memsz);
        if (elf->loads++ == 0)
                elf->first_va = va;
        elf->distinct_va += va != elf->first_va;
        elf->at_zero += pa == 0;
        if (has_no_address(elf, pa)) {
                elf->no_address++;
                return STASIS_OK;
        }
        if (add_overflows(pa, memsz > filesz ? memsz : filesz, &end)) {
                elf->wrapping++;
                return STASIS_OK;
        }
        enum stasis_status status = stasis_image_add_run(elf->image, pa, filesz, get(phdr, class->offset), err);
        if (status == STASIS_OK && memsz > filesz)
                status = stasis_image_add_gap(elf->image, pa + filesz, memsz - filesz,
                                              "not in the file (p_filesz is smaller than p_memsz)");
        return status;
}

static enum stasis_status read_note(struct elf *elf, const uint8_t *phdr)
{
        uint64_t off = get(phdr, elf->class->offset), len = get(phdr, elf->class->filesz);
        if (off >= elf->file.len)
                return stasis_image_remark(elf->image, "cut off: the notes should be at 0x%" PRIx64, off);
        if (len > elf->file.len - off)
                len = elf->file.len - off;
        return elf_read_notes(elf->image, &elf->notes, bytes_slice(elf->file, off, len));
}

static enum stasis_status read_segments(struct elf *elf, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        for (uint64_t i = 0; i < elf->phnum && status == STASIS_OK; i++) {
                const uint8_t *phdr = elf->file.at + elf->phoff + i * elf->phentsize;
                switch (get(phdr, elf->class->type)) {
                case ELF_LOAD: status = read_load(elf, phdr, err); break;
                case ELF_NOTE: status = read_note(elf, phdr); break;
                default: break;
                }
        }
        return status;
}

static enum stasis_status say(struct elf *elf)
{
        enum stasis_status status = STASIS_OK;
        if (elf->no_address)
                status = stasis_image_remark(
                        elf->image, "%" PRIu64 " segments have no physical address, and were skipped", elf->no_address);
        if (status == STASIS_OK && elf->wrapping)
                status = stasis_image_remark(elf->image,
                                             "%" PRIu64 " segments wrap around the address space, and were "
                                             "skipped",
                                             elf->wrapping);
        if (status == STASIS_OK && elf->loads > 1 && elf->at_zero == elf->loads && elf->distinct_va)
                status = stasis_image_remark(elf->image,
                                             "every segment has physical address 0: this looks like the core "
                                             "of one user process, not of a machine");
        return status;
}

static enum stasis_status elf_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        (void)priv;
        struct elf elf = { .image = image, .class = &class64, .file = image->map.bytes };
        image->trim_overlap = true;
        enum stasis_status status = check_ident(&elf, err);
        if (status == STASIS_OK)
                status = read_machine(&elf);
        if (status == STASIS_OK)
                status = find_segments(&elf, err);
        if (status == STASIS_OK)
                status = read_segments(&elf, err);
        if (status == STASIS_OK)
                status = say(&elf);
        elf_hint_from_cpus(&image->hints);
        return status == STASIS_NOMEM ? stasis_fail(err, STASIS_NOMEM, "out of memory") : status;
}

const struct stasis_format stasis_format_elf = {
        .name = "elf",
        .title = "ELF core of a machine",
        .probe = probe,
        .open = elf_open,
};
