/* SPDX-License-Identifier: MIT */
/*
 * Our reading of .eh_frame against libdw's, on ELF files that this machine runs: for every function of them, at one
 * address in so many, the CFA and the rule of each register must be the same. STASIS_CFI_FILES="FILE ..." asks about
 * others. Defaults of the ABI, which libdw puts in where tables say nothing, are left out.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../os/linux/cfi.h"
#include "world.h"

#define STRIDE 5 /* addresses within a function */
#define TOO_LONG 0xb0000u

static struct world world;
static unsigned long entries, rows, expressions, bad;

struct part {
        uint64_t va, len;
};

static bool mapped(uint64_t va)
{
        for (size_t i = 0; i < world.count; i++)
                if (world.page[i].va == va)
                        return true;
        return false;
}

static struct part load(Elf *elf, const char *name)
{
        size_t names;
        Elf_Scn *section = NULL;
        GElf_Shdr header;
        struct part part = { 0, 0 };
        if (elf_getshdrstrndx(elf, &names) != 0)
                return part;
        while ((section = elf_nextscn(elf, section)) != NULL) {
                const char *is = gelf_getshdr(section, &header) ? elf_strptr(elf, names, header.sh_name) : NULL;
                Elf_Data *data = is && strcmp(is, name) == 0 ? elf_rawdata(section, NULL) : NULL;
                if (!data || data->d_size > TOO_LONG)
                        continue;
                part = (struct part){ header.sh_addr, data->d_size };
                for (uint64_t at = part.va & ~UINT64_C(0xfff); at < part.va + part.len; at += 0x1000)
                        if (!mapped(at))
                                world_map(&world, at, 0x1000);
                world_put(&world, part.va, data->d_buf, part.len);
        }
        return part;
}

static void wrong(const char *path, uint64_t pc, const char *what)
{
        if (bad++ < 20)
                printf("%s: 0x%lx: %s\n", path, (unsigned long)pc, what);
}

/* libdw's answer as one of our rules; false: it says nothing that we keep. */
static bool as_rule(const Dwarf_Op *ops, size_t count, const Dwarf_Op *none, struct cfi_rule *ret_rule)
{
        *ret_rule = (struct cfi_rule){ .kind = CFI_SAME };
        if (count == 0) {
                ret_rule->kind = ops == none ? CFI_UNDEFINED : CFI_SAME;
                return true;
        }
        bool value = ops[count - 1].atom == DW_OP_stack_value;
        count -= value;
        if (count == 0 || ops[0].atom != DW_OP_call_frame_cfa) {
                ret_rule->kind = CFI_VAL_EXPRESSION;
                if (count == 1 && ops[0].atom == DW_OP_regx) {
                        ret_rule->kind = CFI_REGISTER;
                        ret_rule->reg = (uint8_t)ops[0].number;
                }
                return true;
        }
        ret_rule->kind = value ? CFI_VAL_OFFSET : CFI_OFFSET;
        bool one_step = count == 2 && ops[1].atom == DW_OP_plus_uconst;
        if (one_step || (count == 3 && ops[1].atom == DW_OP_consts && ops[2].atom == DW_OP_plus))
                ret_rule->offset = (int64_t)ops[1].number;
        else if (count != 1)
                ret_rule->kind = CFI_EXPRESSION;
        return true;
}

static bool is_expression(const struct cfi_rule *rule)
{
        return rule->kind == CFI_EXPRESSION || rule->kind == CFI_VAL_EXPRESSION;
}

static bool same(const struct cfi_rule *ours, const struct cfi_rule *theirs)
{
        if (is_expression(ours) || is_expression(theirs)) {
                expressions++;
                return is_expression(ours) && is_expression(theirs);
        }
        return ours->kind == theirs->kind && ours->offset == theirs->offset && ours->reg == theirs->reg;
}

static void compare(const char *path, uint64_t pc, const struct cfi_row *row, Dwarf_Frame *frame)
{
        Dwarf_Op *ops, memory[3];
        size_t count;
        struct cfi_rule theirs;
        rows++;
        if (dwarf_frame_cfa(frame, &ops, &count) != 0)
                return wrong(path, pc, "libdw has no CFA");
        if (count == 1 && ops[0].atom == DW_OP_bregx) {
                theirs = (struct cfi_rule){ .kind = CFI_REGISTER,
                                            .reg = (uint8_t)ops[0].number,
                                            .offset = (int64_t)ops[0].number2 };
                if (!same(&row->cfa, &theirs))
                        wrong(path, pc, "another CFA");
        } else if (row->cfa.kind != CFI_EXPRESSION) {
                wrong(path, pc, "another kind of CFA");
        }
        for (int i = 0; i < CFI_REGISTERS; i++) {
                if (row->reg[i].kind == CFI_UNSPECIFIED)
                        continue;
                if (dwarf_frame_register(frame, i, memory, &ops, &count) != 0 ||
                    !as_rule(ops, count, memory, &theirs) || !same(&row->reg[i], &theirs))
                        wrong(path, pc, "another rule of a register");
        }
}

/* libdw's word for "no information" is also what a bad address gets. */
static void ask(const char *path, Dwarf_CFI *cfi, const struct cfi_machine *machine, const struct cfi_entry *e)
{
        entries++;
        for (uint64_t pc = e->start; pc < e->end; pc += STRIDE) {
                struct cfi_row row;
                Dwarf_Frame *frame = NULL;
                Dwarf_Addr start, end;
                bool is_signal;
                if (cfi_row_at(&world.space, machine, e, pc, &row) != STASIS_OK) {
                        wrong(path, pc, "no row of ours");
                        continue;
                }
                if (dwarf_cfi_addrframe(cfi, pc, &frame) != 0) {
                        wrong(path, pc, "no row of libdw's");
                        continue;
                }
                int ra = dwarf_frame_info(frame, &start, &end, &is_signal);
                if (ra != e->ra || is_signal != e->signal || pc < start || pc >= end)
                        wrong(path, pc, "another return address, or another kind of frame");
                compare(path, pc, &row, frame);
                free(frame);
        }
}

static void examine(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
        Dwarf_CFI *cfi = elf ? dwarf_getcfi_elf(elf) : NULL;
        GElf_Ehdr head;
        unsigned long before = entries;
        world_start(&world, PT_X64);
        struct part frames = cfi ? load(elf, ".eh_frame") : (struct part){ 0, 0 };
        struct part header = cfi ? load(elf, ".eh_frame_hdr") : (struct part){ 0, 0 };
        if (frames.len && gelf_getehdr(elf, &head)) {
                const struct cfi_machine *machine = head.e_machine == EM_386 ? &cfi_x86 : &cfi_x64;
                struct cfi_index index;
                bool whole;
                if (cfi_index_make(&world.space, machine, frames.va, frames.len, 0, &index, &whole) != STASIS_OK ||
                    !whole)
                        wrong(path, frames.va, "its .eh_frame was not read to its end");
                for (size_t i = 0; i < index.count; i++) {
                        struct cfi_entry e;
                        uint64_t found = 0;
                        if (cfi_entry_read(&world.space, machine, index.row[i].fde, &e) != STASIS_OK)
                                abort();
                        if (header.len &&
                            (cfi_find(&world.space, header.va, header.len, e.end - 1, &found) != STASIS_OK ||
                             found != index.row[i].fde))
                                wrong(path, e.start, ".eh_frame_hdr leads elsewhere");
                        ask(path, cfi, machine, &e);
                }
                cfi_index_free(&index);
        }
        printf("%s: %lu functions\n", path, entries - before);
        world_end(&world);
        dwarf_cfi_end(cfi);
        elf_end(elf);
        if (fd >= 0)
                close(fd);
}

int main(int argc, char **argv)
{
        elf_version(EV_CURRENT);
        for (int i = 1; i < argc; i++)
                examine(argv[i]);
        char *files = getenv("STASIS_CFI_FILES") ? strdup(getenv("STASIS_CFI_FILES")) : NULL;
        for (char *save, *file = files ? strtok_r(files, " ", &save) : NULL; file; file = strtok_r(NULL, " ", &save))
                examine(file);
        free(files);
        static const char *const usual[] = { "/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6",
                                             "/lib64/ld-linux-x86-64.so.2", "/bin/sh" };
        for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof *usual; i++)
                examine(usual[i]);
        printf("%lu functions, %lu rows, %lu expressions, %lu differ\n", entries, rows, expressions, bad);
        return bad != 0 || rows < 1000;
}
