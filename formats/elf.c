/* SPDX-License-Identifier: MIT */
/* ELF cores of whole machines (QEMU dump-guest-memory, VirtualBox, Linux vmcore): docs/formats/elf.md. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "elf.h"
#include "elf_wire.h"
#include "flat.h"
#include "format.h"

enum { NOTES_MAX = 16 << 20 /* those of a machine with 8,192 CPUs have 6 MiB */ };

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
        struct flat flat; /* the file, arranged where it is flattened (makedumpfile -F -E) */
        uint8_t header[sizeof(struct elf64_ehdr)];
        const struct elf_class *class;
        struct elf_notes notes;
        uint64_t phoff, phentsize, phnum;
        /* What was met while the segments were read; said once, in the remarks. */
        uint64_t loads, no_address, wrapping, at_zero, distinct_va;
        uint64_t first_va;
        uint64_t pieces;     /* runs out of a flattened file so far */
        uint64_t note_bytes; /* read so far, in all segments of notes */
};

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        if (head.len >= 4 && memcmp(head.at, ELF_MAGIC, 4) == 0)
                return 90;
        return flat_begins(head, ELF_MAGIC, 4) ? 100 : 0;
}

/* Of the arranged file; buf where pieces tear it. */
static bool header_at(struct elf *elf, uint64_t len)
{
        uint8_t buf[sizeof elf->header];
        struct stasis_bytes bytes = flat_bytes(&elf->flat, 0, (size_t)len, buf);
        if (bytes.at)
                memcpy(elf->header, bytes.at, (size_t)len);
        return bytes.at;
}

static enum stasis_status check_ident(struct elf *elf, struct stasis_error *err)
{
        const uint8_t *at = elf->header;
        if (!header_at(elf, ELF_IDENT_END) || memcmp(at, ELF_MAGIC, 4) != 0)
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
        if (!header_at(elf, elf->class->ehdr_size))
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the ELF header");
        return STASIS_OK;
}

static enum stasis_status read_machine(struct elf *elf)
{
        const char *flattened = elf->flat.flattened ? "flattened " : "";
        uint16_t e_machine = load_le16(elf->header + E_MACHINE);
        for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
                if (machines[i].elf != e_machine)
                        continue;
                elf->image->hints.machine = machines[i].machine;
                elf->image->hints.known |= STASIS_HINT_MACHINE;
                stasis_image_set_title(elf->image, "%sELF core, %d-bit, %s", flattened, elf->class->bits,
                                       machines[i].name);
                return STASIS_OK;
        }
        stasis_image_set_title(elf->image, "%sELF core, %d-bit, machine %u", flattened, elf->class->bits, e_machine);
        return stasis_image_remark(elf->image, "machine %u of the ELF header is none that is known here", e_machine);
}

/* More than 65,534 segments: the number stands in section 0, which may lie anywhere. */
static enum stasis_status real_phnum(struct elf *elf)
{
        uint64_t shoff = get(elf->header, elf->class->shoff), at;
        uint8_t buf[4];
        struct stasis_bytes sh_info = { NULL, 0 };
        if (shoff && !add_overflows(shoff, elf->class->sh_info, &at))
                sh_info = flat_bytes(&elf->flat, at, 4, buf);
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
        elf->phoff = get(elf->header, class->phoff);
        elf->phentsize = get(elf->header, class->phentsize);
        elf->phnum = get(elf->header, class->phnum);
        if (elf->phnum == ELF_PHNUM_ELSEWHERE && real_phnum(elf) != STASIS_OK)
                return STASIS_NOMEM;
        if (elf->phnum == 0)
                return stasis_fail(err, STASIS_CORRUPT, "an ELF core without segments");
        if (elf->phentsize == 0 || elf->phentsize < class->phdr_size)
                return stasis_fail(err, STASIS_CORRUPT, "program headers of %" PRIu64 " bytes; they have %u at least",
                                   elf->phentsize, class->phdr_size);
        uint64_t left = flat_held(&elf->flat, elf->phoff, UINT64_MAX); /* bounds phnum by the bytes that are there */
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

/*
 * A run of a flattened file is in as many pieces as were written of it. Honest segments overlap little; those of an
 * adversary, each of which holds all of the file, must not make more runs than there could be.
 */
static enum stasis_status add_pieces(struct elf *elf, uint64_t pa, uint64_t len, uint64_t at, struct stasis_error *err)
{
        const struct flat_extent *extent = flat_first(&elf->flat, at), *end = elf->flat.extent + elf->flat.count;
        enum stasis_status status = STASIS_OK;
        for (uint64_t done = 0; done < len && status == STASIS_OK; extent++) {
                uint64_t next = extent < end && extent->at < at + len ? extent->at : at + len;
                if (next > at + done && stasis_image_add_gap(elf->image, pa + done, next - at - done,
                                                             "not in the flattened file") != STASIS_OK)
                        return STASIS_NOMEM;
                done = next > at + done ? next - at : done;
                if (done == len)
                        break;
                if (++elf->pieces > 4 * (elf->flat.count + elf->phnum))
                        return stasis_fail(err, STASIS_CORRUPT, "the segments of a flattened file lie in each other");
                uint64_t inside = at + done - extent->at, part = extent->len - inside;
                part = part < len - done ? part : len - done;
                status = stasis_image_add_run(elf->image, pa + done, part, extent->off + inside, err);
                done += part;
        }
        return status;
}

static enum stasis_status add_run(struct elf *elf, uint64_t pa, uint64_t len, uint64_t off, struct stasis_error *err)
{
        uint64_t end;
        if (!elf->flat.flattened)
                return stasis_image_add_run(elf->image, pa, len, off, err);
        if (add_overflows(off, len, &end))
                return stasis_image_add_gap(elf->image, pa, len, "not in the flattened file");
        return add_pieces(elf, pa, len, off, err);
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
        enum stasis_status status = add_run(elf, pa, filesz, get(phdr, class->offset), err);
        if (status == STASIS_OK && memsz > filesz)
                status = stasis_image_add_gap(elf->image, pa + filesz, memsz - filesz,
                                              "not in the file (p_filesz is smaller than p_memsz)");
        return status;
}

static enum stasis_status read_note(struct elf *elf, const uint8_t *phdr)
{
        uint64_t off = get(phdr, elf->class->offset), len = get(phdr, elf->class->filesz);
        struct stasis_bytes notes = { NULL, 0 };
        if (len && flat_held(&elf->flat, off, 1) == 0)
                return stasis_image_remark(elf->image, "cut off: the notes should be at 0x%" PRIx64, off);
        uint64_t left = NOTES_MAX - elf->note_bytes;
        enum stasis_status status = flat_keep(elf->image, &elf->flat, off, len < left ? len : left, &notes);
        elf->note_bytes += notes.len;
        if (status == STASIS_OK && len && left && !notes.at)
                return stasis_image_remark(elf->image, "the notes at 0x%" PRIx64 " cannot be read", off);
        if (status == STASIS_OK && len > left)
                status = stasis_image_remark(elf->image, "more than %d MiB of notes: the rest is not read",
                                             NOTES_MAX >> 20);
        return status == STASIS_OK ? elf_read_notes(elf->image, &elf->notes, notes) : status;
}

static enum stasis_status read_segments(struct elf *elf, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        for (uint64_t i = 0; i < elf->phnum && status == STASIS_OK; i++) {
                uint8_t buf[sizeof(struct elf64_phdr)];
                uint64_t at = elf->phoff + i * elf->phentsize;
                struct stasis_bytes phdr = flat_bytes(&elf->flat, at, elf->class->phdr_size, buf);
                if (!phdr.at) /* they were counted: it does not unpack */
                        return stasis_image_remark(elf->image,
                                                   "program header %" PRIu64 " of %" PRIu64
                                                   " cannot be read: what follows is not in this image",
                                                   i, elf->phnum);
                switch (get(phdr.at, elf->class->type)) {
                case ELF_LOAD: status = read_load(elf, phdr.at, err); break;
                case ELF_NOTE: status = read_note(elf, phdr.at); break;
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
        struct elf *elf = priv;
        elf->image = image;
        elf->class = &class64;
        image->trim_overlap = true;
        enum stasis_status status = flat_open(image, &image->map, &elf->flat, err);
        if (status == STASIS_OK)
                status = check_ident(elf, err);
        if (status == STASIS_OK)
                status = read_machine(elf);
        if (status == STASIS_OK)
                status = find_segments(elf, err);
        if (status == STASIS_OK)
                status = read_segments(elf, err);
        if (status == STASIS_OK)
                status = say(elf);
        elf_hint_from_cpus(&image->hints);
        return status == STASIS_NOMEM ? stasis_fail(err, STASIS_NOMEM, "out of memory") : status;
}

static void elf_close(void *priv) { flat_close(&((struct elf *)priv)->flat); }

const struct stasis_format stasis_format_elf = {
        .name = "elf",
        .title = "ELF core of a machine",
        .priv_size = sizeof(struct elf),
        .by_pieces = true,
        .probe = probe,
        .open = elf_open,
        .close = elf_close,
};
