/* SPDX-License-Identifier: MIT */
#include "hints.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "value.h"

#define HINT(bit, key, title, kind, member) \
        { \
                bit, key, title, kind, offsetof(struct stasis_hints, member), \
                        sizeof(((struct stasis_hints *)0)->member) \
        }

const struct hint_row hint_rows[] = {
        HINT(STASIS_HINT_MACHINE, "machine", "Machine", HINT_MACHINE_NAME, machine),
        HINT(STASIS_HINT_PAE, "pae", "PAE", HINT_BOOL, pae),
        HINT(STASIS_HINT_ROOT, "root", "Page-table root", HINT_HEX, root),
        HINT(STASIS_HINT_BUILD, "build", "Build", HINT_NUMBER, build),
        HINT(STASIS_HINT_BUILD, "major", "Major version", HINT_NUMBER, major),
        HINT(STASIS_HINT_PRODUCT_TYPE, "product_type", "Product type", HINT_NUMBER, product_type),
        HINT(STASIS_HINT_SUITE_MASK, "suite_mask", "Suite mask", HINT_HEX, suite_mask),
        HINT(STASIS_HINT_PROCESSORS, "processors", "Processors", HINT_NUMBER, processors),
        HINT(STASIS_HINT_DUMP_TYPE, "dump_type", "Dump type", HINT_NUMBER, dump_type),
        HINT(STASIS_HINT_DUMP_LEVEL, "dump_level", "Dump level", HINT_NUMBER, dump_level),
        HINT(STASIS_HINT_KDBG, "kdbg", "Debugger block", HINT_HEX, kdbg),
        HINT(STASIS_HINT_PROCESS_HEAD, "process_head", "Process list", HINT_HEX, process_head),
        HINT(STASIS_HINT_MODULE_HEAD, "module_head", "Module list", HINT_HEX, module_head),
        HINT(STASIS_HINT_PFN_DATABASE, "pfn_database", "PFN database", HINT_HEX, pfn_database),
        HINT(STASIS_HINT_THREAD, "thread", "Thread in the dump", HINT_HEX, thread),
        HINT(STASIS_HINT_PROCESS, "process", "Process in the dump", HINT_HEX, process),
        HINT(STASIS_HINT_PRCB, "prcb", "Its processor block", HINT_HEX, prcb),
        HINT(STASIS_HINT_STACK, "stack", "Stack in the dump", HINT_HEX, stack),
        HINT(STASIS_HINT_STACK, "stack_len", "  bytes of it", HINT_HEX, stack_len),
        HINT(STASIS_HINT_STACK, "stack_off", "  in the file at", HINT_HEX, stack_off),
        HINT(STASIS_HINT_DRIVERS, "drivers", "Drivers listed", HINT_NUMBER, driver_count),
        HINT(STASIS_HINT_UNLOADED, "unloaded", "  unloaded ones", HINT_NUMBER, unloaded_count),
        HINT(STASIS_HINT_BROKEN_DRIVER, "broken_driver", "  the blamed one", HINT_TEXT, broken_driver),
        HINT(STASIS_HINT_SYSTEM_TIME, "system_time", "System time", HINT_FILETIME, system_time),
        HINT(STASIS_HINT_UP_TIME, "up_time", "Up time (100 ns)", HINT_NUMBER, up_time),
        HINT(STASIS_HINT_BUGCHECK, "bugcheck", "Bug check", HINT_HEX, bugcheck),
        HINT(STASIS_HINT_BUGCHECK, "bugcheck_parameter_1", "  parameter 1", HINT_HEX, bugcheck_parameter[0]),
        HINT(STASIS_HINT_BUGCHECK, "bugcheck_parameter_2", "  parameter 2", HINT_HEX, bugcheck_parameter[1]),
        HINT(STASIS_HINT_BUGCHECK, "bugcheck_parameter_3", "  parameter 3", HINT_HEX, bugcheck_parameter[2]),
        HINT(STASIS_HINT_BUGCHECK, "bugcheck_parameter_4", "  parameter 4", HINT_HEX, bugcheck_parameter[3]),
        HINT(STASIS_HINT_COMMENT, "comment", "Comment", HINT_TEXT, comment),
        { 0 },
};

#define CPU(bit, key, member) \
        { \
                bit, key, offsetof(struct stasis_cpu, member), sizeof(((struct stasis_cpu *)0)->member) \
        }

const struct cpu_row cpu_rows[] = {
        CPU(STASIS_CPU_GPR, "rip", rip),
        CPU(STASIS_CPU_GPR, "rflags", rflags),
        CPU(STASIS_CPU_GPR, "rax", gpr[0]),
        CPU(STASIS_CPU_GPR, "rbx", gpr[1]),
        CPU(STASIS_CPU_GPR, "rcx", gpr[2]),
        CPU(STASIS_CPU_GPR, "rdx", gpr[3]),
        CPU(STASIS_CPU_GPR, "rsi", gpr[4]),
        CPU(STASIS_CPU_GPR, "rdi", gpr[5]),
        CPU(STASIS_CPU_GPR, "rbp", gpr[6]),
        CPU(STASIS_CPU_GPR, "rsp", gpr[7]),
        CPU(STASIS_CPU_GPR, "r8", gpr[8]),
        CPU(STASIS_CPU_GPR, "r9", gpr[9]),
        CPU(STASIS_CPU_GPR, "r10", gpr[10]),
        CPU(STASIS_CPU_GPR, "r11", gpr[11]),
        CPU(STASIS_CPU_GPR, "r12", gpr[12]),
        CPU(STASIS_CPU_GPR, "r13", gpr[13]),
        CPU(STASIS_CPU_GPR, "r14", gpr[14]),
        CPU(STASIS_CPU_GPR, "r15", gpr[15]),
        CPU(STASIS_CPU_SEGMENT, "cs", cs),
        CPU(STASIS_CPU_SEGMENT, "ds", ds),
        CPU(STASIS_CPU_SEGMENT, "es", es),
        CPU(STASIS_CPU_SEGMENT, "fs", fs),
        CPU(STASIS_CPU_SEGMENT, "gs", gs),
        CPU(STASIS_CPU_SEGMENT, "ss", ss),
        CPU(STASIS_CPU_CONTROL, "cr0", cr[0]),
        CPU(STASIS_CPU_CONTROL, "cr2", cr[2]),
        CPU(STASIS_CPU_CONTROL, "cr3", cr[3]),
        CPU(STASIS_CPU_CONTROL, "cr4", cr[4]),
        CPU(STASIS_CPU_BASES, "fs_base", fs_base),
        CPU(STASIS_CPU_BASES, "gs_base", gs_base),
        CPU(STASIS_CPU_BASES, "gdt_base", gdt_base),
        CPU(STASIS_CPU_BASES, "idt_base", idt_base),
        CPU(STASIS_CPU_KERNEL_GS, "kernel_gs_base", kernel_gs_base),
        CPU(STASIS_CPU_DEBUG, "dr0", dr[0]),
        CPU(STASIS_CPU_DEBUG, "dr1", dr[1]),
        CPU(STASIS_CPU_DEBUG, "dr2", dr[2]),
        CPU(STASIS_CPU_DEBUG, "dr3", dr[3]),
        CPU(STASIS_CPU_DEBUG, "dr6", dr[6]),
        CPU(STASIS_CPU_DEBUG, "dr7", dr[7]),
        CPU(STASIS_CPU_VECTOR, "mxcsr", mxcsr),
        { 0 },
};

static uint64_t member_value(const void *object, size_t at, size_t size)
{
        const char *member = (const char *)object + at;
        uint64_t u64 = 0;
        uint32_t u32 = 0;
        uint16_t u16 = 0;

        switch (size) {
        case sizeof(u64): memcpy(&u64, member, sizeof(u64)); return u64;
        case sizeof(u32): memcpy(&u32, member, sizeof(u32)); return u32;
        case sizeof(u16): memcpy(&u16, member, sizeof(u16)); return u16;
        default: return *(const uint8_t *)member;
        }
}

uint64_t hint_value(const struct hint_row *row, const struct stasis_hints *hints)
{
        return member_value(hints, row->at, row->size);
}

uint64_t cpu_value(const struct cpu_row *row, const struct stasis_cpu *cpu)
{
        return member_value(cpu, row->at, row->size);
}

const char *machine_name(enum stasis_machine machine)
{
        switch (machine) {
        case STASIS_MACHINE_X86: return "x86";
        case STASIS_MACHINE_X64: return "x64";
        case STASIS_MACHINE_ARM64: return "arm64";
        case STASIS_MACHINE_UNKNOWN: break;
        }
        return "unknown";
}

static const char *hint_string(const struct hint_row *row, const struct stasis_hints *hints)
{
        const char *text;

        memcpy(&text, (const char *)hints + row->at, sizeof(text));
        return text ? text : "";
}

bool hint_text(const struct hint_row *row, const struct stasis_hints *hints, struct text *ret_text)
{
        if (!(hints->known & row->known))
                return false;
        uint64_t value = row->kind == HINT_TEXT ? 0 : hint_value(row, hints);
        switch (row->kind) {
        case HINT_NUMBER: text_printf(ret_text, "%" PRIu64, value); break;
        case HINT_HEX: text_printf(ret_text, "0x%" PRIx64, value); break;
        case HINT_BOOL: text_str(ret_text, value ? "yes" : "no"); break;
        case HINT_FILETIME: value_time(ret_text, value); break;
        case HINT_MACHINE_NAME: text_str(ret_text, machine_name((enum stasis_machine)value)); break;
        case HINT_TEXT: text_str(ret_text, hint_string(row, hints)); break;
        }
        return true;
}

size_t cpu_xmm_count(const struct stasis_image *image, const struct stasis_cpu *cpu)
{
        if (!(cpu->known & STASIS_CPU_VECTOR))
                return 0;
        return stasis_image_hints(image)->machine == STASIS_MACHINE_X86 ? 8 : 16;
}

void xmm_text(struct text *text, const uint8_t xmm[16])
{
        text_str(text, "0x");
        for (size_t i = 16; i > 0; i--)
                text_printf(text, "%02x", xmm[i - 1]);
}

uint64_t image_held(const struct stasis_image *image)
{
        size_t count;
        const struct stasis_run *run = stasis_image_runs(image, &count);
        uint64_t sum = 0;

        for (size_t i = 0; i < count; i++)
                sum += run[i].len;
        return sum;
}

static struct image_gaps gaps_of(const struct stasis_image *image, bool filtered)
{
        size_t count;
        const struct stasis_gap *gap = stasis_image_gaps(image, &count);
        struct image_gaps sum = { 0 };

        for (size_t i = 0; i < count; i++) {
                sum.count += gap[i].filtered == filtered;
                sum.bytes += gap[i].filtered == filtered ? gap[i].len : 0;
        }
        return sum;
}

struct image_gaps image_missing(const struct stasis_image *image) { return gaps_of(image, false); }

struct image_gaps image_filtered(const struct stasis_image *image) { return gaps_of(image, true); }

/* The number of the runs that begin at pa or below. */
static size_t runs_until(const struct stasis_run *run, size_t count, uint64_t pa)
{
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (run[middle].pa > pa)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

static size_t gaps_until(const struct stasis_gap *gap, size_t count, uint64_t pa)
{
        size_t low = 0, high = count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (gap[middle].pa > pa)
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

const char *image_why_absent(const struct stasis_image *image, uint64_t pa, uint64_t *ret_end)
{
        size_t runs, gaps;
        const struct stasis_run *run = stasis_image_runs(image, &runs);
        const struct stasis_gap *gap = stasis_image_gaps(image, &gaps);
        size_t next_run = runs_until(run, runs, pa), next_gap = gaps_until(gap, gaps, pa);

        if (next_run && pa - run[next_run - 1].pa < run[next_run - 1].len) {
                *ret_end = (pa | 0xfff) + 1;
                return "damaged: it does not unpack";
        }
        if (next_gap && pa - gap[next_gap - 1].pa < gap[next_gap - 1].len) {
                *ret_end = gap[next_gap - 1].pa + gap[next_gap - 1].len;
                return gap[next_gap - 1].why;
        }
        *ret_end = next_gap < gaps ? gap[next_gap].pa : STASIS_NOWHERE;
        if (next_run < runs && run[next_run].pa < *ret_end)
                *ret_end = run[next_run].pa;
        return "not in the image";
}

void guid_text(struct text *text, const uint8_t guid[16])
{
        static const int8_t order[] = { 3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15 };

        for (size_t i = 0; i < sizeof(order); i++) {
                if (order[i] < 0)
                        text_printf(text, "-");
                else
                        text_printf(text, "%02x", guid[order[i]]);
        }
}
