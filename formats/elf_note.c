/* SPDX-License-Identifier: MIT */
/* Notes of an ELF core or a kdump: the registers of each CPU, and VMCOREINFO. Tables say where each register lies. */
#include <string.h>

#include "../src/base/bytes.h"
#include "elf.h"
#include "elf_wire.h"
#include "register_places.h"

static const struct register_place prstatus_x64[] = {
        P(prstatus_x64, rax, gpr[RAX]), P(prstatus_x64, rbx, gpr[RBX]), P(prstatus_x64, rcx, gpr[RCX]),
        P(prstatus_x64, rdx, gpr[RDX]), P(prstatus_x64, rsi, gpr[RSI]), P(prstatus_x64, rdi, gpr[RDI]),
        P(prstatus_x64, rbp, gpr[RBP]), P(prstatus_x64, rsp, gpr[RSP]), P(prstatus_x64, r8, gpr[8]),
        P(prstatus_x64, r9, gpr[9]),    P(prstatus_x64, r10, gpr[10]),  P(prstatus_x64, r11, gpr[11]),
        P(prstatus_x64, r12, gpr[12]),  P(prstatus_x64, r13, gpr[13]),  P(prstatus_x64, r14, gpr[14]),
        P(prstatus_x64, r15, gpr[15]),  P(prstatus_x64, rip, rip),      P(prstatus_x64, rflags, rflags),
        P(prstatus_x64, cs, cs),        P(prstatus_x64, ds, ds),        P(prstatus_x64, es, es),
        P(prstatus_x64, fs, fs),        P(prstatus_x64, gs, gs),        P(prstatus_x64, ss, ss),
};

static const struct register_place prstatus_x86[] = {
        P(prstatus_x86, eax, gpr[RAX]),  P(prstatus_x86, ebx, gpr[RBX]), P(prstatus_x86, ecx, gpr[RCX]),
        P(prstatus_x86, edx, gpr[RDX]),  P(prstatus_x86, esi, gpr[RSI]), P(prstatus_x86, edi, gpr[RDI]),
        P(prstatus_x86, ebp, gpr[RBP]),  P(prstatus_x86, esp, gpr[RSP]), P(prstatus_x86, eip, rip),
        P(prstatus_x86, eflags, rflags), P(prstatus_x86, cs, cs),        P(prstatus_x86, ds, ds),
        P(prstatus_x86, es, es),         P(prstatus_x86, fs, fs),        P(prstatus_x86, gs, gs),
        P(prstatus_x86, ss, ss),
};

static const struct register_place qemu_cpu[] = {
        P(qemu_cpu, rax, gpr[RAX]),      P(qemu_cpu, rbx, gpr[RBX]),    P(qemu_cpu, rcx, gpr[RCX]),
        P(qemu_cpu, rdx, gpr[RDX]),      P(qemu_cpu, rsi, gpr[RSI]),    P(qemu_cpu, rdi, gpr[RDI]),
        P(qemu_cpu, rbp, gpr[RBP]),      P(qemu_cpu, rsp, gpr[RSP]),    P(qemu_cpu, r8, gpr[8]),
        P(qemu_cpu, r9, gpr[9]),         P(qemu_cpu, r10, gpr[10]),     P(qemu_cpu, r11, gpr[11]),
        P(qemu_cpu, r12, gpr[12]),       P(qemu_cpu, r13, gpr[13]),     P(qemu_cpu, r14, gpr[14]),
        P(qemu_cpu, r15, gpr[15]),       P(qemu_cpu, rip, rip),         P(qemu_cpu, rflags, rflags),
        P(qemu_cpu, cs.selector, cs),    P(qemu_cpu, ds.selector, ds),  P(qemu_cpu, es.selector, es),
        P(qemu_cpu, fs.selector, fs),    P(qemu_cpu, gs.selector, gs),  P(qemu_cpu, ss.selector, ss),
        P(qemu_cpu, fs.base, fs_base),   P(qemu_cpu, gs.base, gs_base), P(qemu_cpu, gdt.base, gdt_base),
        P(qemu_cpu, idt.base, idt_base), P(qemu_cpu, cr0, cr[0]),       P(qemu_cpu, cr2, cr[2]),
        P(qemu_cpu, cr3, cr[3]),         P(qemu_cpu, cr4, cr[4]),
};

static const struct register_place vbox_cpu[] = {
        P(vbox_cpu, rax, gpr[RAX]),      P(vbox_cpu, rbx, gpr[RBX]),    P(vbox_cpu, rcx, gpr[RCX]),
        P(vbox_cpu, rdx, gpr[RDX]),      P(vbox_cpu, rsi, gpr[RSI]),    P(vbox_cpu, rdi, gpr[RDI]),
        P(vbox_cpu, rbp, gpr[RBP]),      P(vbox_cpu, rsp, gpr[RSP]),    P(vbox_cpu, r8, gpr[8]),
        P(vbox_cpu, r9, gpr[9]),         P(vbox_cpu, r10, gpr[10]),     P(vbox_cpu, r11, gpr[11]),
        P(vbox_cpu, r12, gpr[12]),       P(vbox_cpu, r13, gpr[13]),     P(vbox_cpu, r14, gpr[14]),
        P(vbox_cpu, r15, gpr[15]),       P(vbox_cpu, rip, rip),         P(vbox_cpu, rflags, rflags),
        P(vbox_cpu, cs.selector, cs),    P(vbox_cpu, ds.selector, ds),  P(vbox_cpu, es.selector, es),
        P(vbox_cpu, fs.selector, fs),    P(vbox_cpu, gs.selector, gs),  P(vbox_cpu, ss.selector, ss),
        P(vbox_cpu, fs.base, fs_base),   P(vbox_cpu, gs.base, gs_base), P(vbox_cpu, gdt.base, gdt_base),
        P(vbox_cpu, idt.base, idt_base), P(vbox_cpu, cr0, cr[0]),       P(vbox_cpu, cr2, cr[2]),
        P(vbox_cpu, cr3, cr[3]),         P(vbox_cpu, cr4, cr[4]),       P(vbox_cpu, kernel_gs_base, kernel_gs_base),
};

#define REGISTERS (STASIS_CPU_GPR | STASIS_CPU_SEGMENT)
#define ALL_REGISTERS (REGISTERS | STASIS_CPU_CONTROL | STASIS_CPU_BASES)
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct registers {
        const struct register_place *place;
        size_t count, size; /* size: the least that such a note has */
        uint32_t known;
        const char *origin;
} registers_prstatus_x64 = { prstatus_x64, COUNT(prstatus_x64), sizeof(struct prstatus_x64), REGISTERS, "NT_PRSTATUS" },
  registers_prstatus_x86 = { prstatus_x86, COUNT(prstatus_x86), sizeof(struct prstatus_x86), REGISTERS, "NT_PRSTATUS" },
  registers_qemu = { qemu_cpu, COUNT(qemu_cpu), offsetof(struct qemu_cpu, kernel_gs_base), ALL_REGISTERS, "QEMU note" },
  registers_vbox = { vbox_cpu, COUNT(vbox_cpu), sizeof(struct vbox_cpu), ALL_REGISTERS | STASIS_CPU_KERNEL_GS,
                     "VirtualBox note" };

/* CPU number index, made where it is not there yet (each note brings at most one more than there were). */
static struct stasis_cpu *cpu_at(struct stasis_image *image, size_t index)
{
        while (image->hints.cpu_count <= index)
                if (!stasis_image_add_cpu(image))
                        return NULL;
        return &image->cpu[index];
}

/* The richer note overrides: QEMU writes PRSTATUS of all CPUs first, then its own of all CPUs. */
static struct stasis_cpu *read_registers(struct stasis_image *image, size_t index, const struct registers *registers,
                                         struct stasis_bytes desc)
{
        struct stasis_cpu *cpu = cpu_at(image, index);
        if (!cpu || (cpu->known & ~registers->known))
                return cpu;
        registers_load(cpu, registers->place, registers->count, desc.at);
        cpu->known |= registers->known;
        cpu->origin = registers->origin;
        return cpu;
}

struct note {
        struct stasis_bytes name, desc;
        uint32_t type;
};

static enum stasis_status short_note(struct stasis_image *image, const char *what, size_t len)
{
        return stasis_image_remark(image, "a %s note of %zu bytes is of no known shape, and was passed over", what,
                                   len);
}

static enum stasis_status note_prstatus(struct stasis_image *image, struct elf_notes *notes, const struct note *note)
{
        if (note->type != NOTE_PRSTATUS)
                return STASIS_OK;
        /* The size decides, as an EM_386 core may come in either class; other machines have other sizes. */
        const struct registers *registers = note->desc.len == sizeof(struct prstatus_x64)   ? &registers_prstatus_x64
                                            : note->desc.len == sizeof(struct prstatus_x86) ? &registers_prstatus_x86
                                                                                            : NULL;
        if (!registers || image->hints.machine == STASIS_MACHINE_ARM64)
                return short_note(image, "NT_PRSTATUS", note->desc.len);
        notes->machine = registers == &registers_prstatus_x64 ? STASIS_MACHINE_X64 : STASIS_MACHINE_X86;
        return read_registers(image, notes->prstatus++, registers, note->desc) ? STASIS_OK : STASIS_NOMEM;
}

static enum stasis_status note_qemu(struct stasis_image *image, struct elf_notes *notes, const struct note *note)
{
        if (note->type != NOTE_QEMU)
                return STASIS_OK;
        if (note->desc.len < registers_qemu.size || load_le32(note->desc.at) != 1)
                return short_note(image, "QEMU", note->desc.len);
        struct stasis_cpu *cpu = read_registers(image, notes->qemu++, &registers_qemu, note->desc);
        if (!cpu)
                return STASIS_NOMEM;
        if (note->desc.len < sizeof(struct qemu_cpu))
                return STASIS_OK;
        cpu->kernel_gs_base = load_le64(note->desc.at + offsetof(struct qemu_cpu, kernel_gs_base));
        cpu->known |= STASIS_CPU_KERNEL_GS;
        return STASIS_OK;
}

static enum stasis_status note_vbox_core(struct stasis_image *image, struct elf_notes *notes, const struct note *note)
{
        if (note->type != NOTE_VBOX_CORE)
                return STASIS_OK;
        if (note->desc.len < sizeof(struct vbox_core) || load_le32(note->desc.at) != VBOX_CORE_MAGIC)
                return short_note(image, "VBCORE", note->desc.len);
        uint32_t version = load_le32(note->desc.at + offsetof(struct vbox_core, format_version));
        image->hints.processors = load_le32(note->desc.at + offsetof(struct vbox_core, cpus));
        image->hints.known |= STASIS_HINT_PROCESSORS;
        notes->vbox_known = version >= VBOX_FORMAT_FIRST && version <= VBOX_FORMAT_LAST;
        if (notes->vbox_known)
                return STASIS_OK;
        return stasis_image_remark(image, "VirtualBox core of format version 0x%x: its CPU registers are not read",
                                   version);
}

static enum stasis_status note_vbox_cpu(struct stasis_image *image, struct elf_notes *notes, const struct note *note)
{
        if (note->type != NOTE_VBOX_CPU || !notes->vbox_known)
                return STASIS_OK;
        if (note->desc.len < registers_vbox.size)
                return short_note(image, "VBCPU", note->desc.len);
        return read_registers(image, notes->vbox++, &registers_vbox, note->desc) ? STASIS_OK : STASIS_NOMEM;
}

static enum stasis_status note_vmcoreinfo(struct stasis_image *image, struct elf_notes *notes, const struct note *note)
{
        (void)notes;
        if (note->desc.len == 0 || image->hints.known & STASIS_HINT_VMCOREINFO)
                return STASIS_OK;
        image->hints.vmcoreinfo = note->desc;
        image->hints.known |= STASIS_HINT_VMCOREINFO;
        return STASIS_OK;
}

static const struct {
        const char *name;
        enum stasis_status (*read)(struct stasis_image *, struct elf_notes *, const struct note *);
} readers[] = {
        { "CORE", note_prstatus },         { "QEMU", note_qemu },
        { "VBCORE", note_vbox_core },      { "VBCPU", note_vbox_cpu },
        { "VMCOREINFO", note_vmcoreinfo },
};

/* The name counts with its NUL in the file; some writers leave it out. */
static bool is_named(struct stasis_bytes name, const char *want)
{
        size_t len = strlen(want);
        return (name.len == len || (name.len > len && name.at[len] == '\0')) && memcmp(name.at, want, len) == 0;
}

static bool take_padded(struct stasis_cursor *c, uint32_t len, struct stasis_bytes *ret_bytes)
{
        *ret_bytes = (struct stasis_bytes){ c->left.at, len };
        if (!cursor_take(c, len))
                return false;
        size_t padding = -len % 4u;
        (void)cursor_take(c, padding < c->left.len ? padding : c->left.len); /* the last note may end without it */
        return true;
}

enum stasis_status elf_read_notes(struct stasis_image *image, struct elf_notes *notes, struct stasis_bytes segment)
{
        struct stasis_cursor c = { segment, false };
        enum stasis_status status = STASIS_OK;
        while (status == STASIS_OK && c.left.len >= sizeof(struct elf_nhdr)) {
                struct note note;
                uint32_t namesz = (uint32_t)cursor_le(&c, 4), descsz = (uint32_t)cursor_le(&c, 4);
                note.type = (uint32_t)cursor_le(&c, 4);
                if (!take_padded(&c, namesz, &note.name) || !take_padded(&c, descsz, &note.desc))
                        return stasis_image_remark(image,
                                                   "a note runs past the end of its segment; the rest is not read");
                for (size_t i = 0; i < COUNT(readers) && status == STASIS_OK; i++)
                        if (is_named(note.name, readers[i].name))
                                status = readers[i].read(image, notes, &note);
        }
        return status;
}

void elf_hint_from_cpus(struct stasis_hints *hints)
{
        enum { CR0_PG_BIT = 31, CR4_PAE_BIT = 5 };
        if (hints->cpu_count == 0)
                return;
        if (!(hints->known & STASIS_HINT_PROCESSORS)) {
                hints->processors = (uint32_t)hints->cpu_count;
                hints->known |= STASIS_HINT_PROCESSORS;
        }
        const struct stasis_cpu *cpu = &hints->cpu[0];
        if (!(cpu->known & STASIS_CPU_CONTROL) || !(cpu->cr[0] >> CR0_PG_BIT & 1))
                return;
        hints->root = cpu->cr[3];
        hints->pae = cpu->cr[4] >> CR4_PAE_BIT & 1;
        hints->known |= STASIS_HINT_ROOT | STASIS_HINT_PAE;
}
