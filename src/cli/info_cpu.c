/* SPDX-License-Identifier: MIT */
/* stasis info: registers, the exception, and processor blocks. */
#include <inttypes.h>
#include <string.h>

#include "hints.h"
#include "info.h"
#include "out.h"

#define PROCESSORS_SHOWN 64 /* in text; JSON gives all */

/* ---- registers */

static void add_register(struct text *text, const struct cpu_row *row, const struct stasis_cpu *cpu)
{
        text_printf(text, "%s%s 0x%" PRIx64, text->len ? "  " : "", row->key, cpu_value(row, cpu));
}

/* Where a CPU was, in one line; JSON has all registers. */
static void put_cpu_line(struct cli *cli, const struct stasis_cpu *cpu)
{
        static const char *const keys[] = { "rip", "rsp", "cr3", "cr4", "gs_base" };
        struct text text = { 0 };
        char title[32];

        for (const struct cpu_row *row = cpu_rows; row->key; row++)
                for (size_t j = 0; j < sizeof(keys) / sizeof(keys[0]); j++)
                        if ((cpu->known & row->known) && strcmp(row->key, keys[j]) == 0)
                                add_register(&text, row, cpu);
        if (cpu->origin)
                text_printf(&text, "  (%s)", cpu->origin);
        snprintf(title, sizeof(title), "CPU %" PRIu32, cpu->number);
        put_pair(cli, title, text_get(&text));
        text_free(&text);
}

/* 32-bit machines have no r8 and up. */
static bool has_register(const struct stasis_hints *hints, const struct cpu_row *row)
{
        return hints->machine != STASIS_MACHINE_X86 || row->key[0] != 'r' || row->key[1] > '9';
}

/* Three to a line, and a new line with each kind of register. */
static void put_registers(struct cli *cli, const struct stasis_cpu *cpu)
{
        const struct stasis_hints *hints = stasis_image_hints(cli->image);
        struct text text = { 0 };
        unsigned count = 0;
        uint32_t kind = 0;

        for (const struct cpu_row *row = cpu_rows; row->key; row++) {
                if (!(cpu->known & row->known) || !has_register(hints, row))
                        continue;
                if (text.len && (count % 3 == 0 || row->known != kind)) {
                        put_pair(cli, "", text_get(&text));
                        text_reset(&text);
                        count = 0;
                }
                add_register(&text, row, cpu);
                kind = row->known;
                count++;
        }
        if (text.len)
                put_pair(cli, "", text_get(&text));
        text_free(&text);
}

static void put_xmm(struct cli *cli, const struct stasis_cpu *cpu)
{
        size_t count = cpu_xmm_count(cli->image, cpu);
        struct text text = { 0 };

        for (size_t i = 0; i < count; i++) {
                text_printf(&text, "%sxmm%zu ", i % 2 ? "  " : "", i);
                xmm_text(&text, cpu->xmm[i]);
                if (i % 2 == 0 && i + 1 < count)
                        continue;
                put_pair(cli, "", text_get(&text));
                text_reset(&text);
        }
        text_free(&text);
}

/* Of the CPU that stopped, whichever it is: every register. */
static void put_stopped(struct cli *cli, const struct stasis_cpu *cpu)
{
        struct text text = { 0 };

        put_section(cli, "Registers");
        text_printf(&text, "%s, at 0x%" PRIx64 " in the file", cpu->origin ? cpu->origin : "", cpu->off);
        put_pair(cli, "From", text_get(&text));
        put_registers(cli, cpu);
        put_xmm(cli, cpu);
        text_free(&text);
}

void put_cpus(struct cli *cli)
{
        const struct stasis_hints *hints = stasis_image_hints(cli->image);
        bool titled = false;

        for (size_t i = 0; i < hints->cpu_count; i++) {
                if (hints->cpu[i].number == UINT32_MAX)
                        continue;
                if (!titled)
                        put_section(cli, "Processors");
                titled = true;
                put_cpu_line(cli, &hints->cpu[i]);
        }
        for (size_t i = 0; i < hints->cpu_count; i++)
                if (hints->cpu[i].number == UINT32_MAX)
                        put_stopped(cli, &hints->cpu[i]);
}

/* ---- the exception */

void put_exception(struct cli *cli)
{
        const struct stasis_hints *hints = stasis_image_hints(cli->image);
        const struct stasis_exception *e = &hints->exception;
        struct text text = { 0 };

        if (!(hints->known & STASIS_HINT_EXCEPTION))
                return;
        put_section(cli, "Exception");
        text_printf(&text, "0x%" PRIx32 "  flags 0x%" PRIx32 "  (EXCEPTION_RECORD at 0x%" PRIx64 " in the file)",
                    e->code, e->flags, e->off);
        put_pair(cli, "Code", text_get(&text));
        text_reset(&text);
        text_printf(&text, "0x%" PRIx64, e->address);
        put_pair(cli, "Raised at", text_get(&text));
        for (uint32_t i = 0; i < e->parameter_count; i++) {
                text_reset(&text);
                text_printf(&text, "0x%" PRIx64, e->parameter[i]);
                put_pair(cli, i ? "" : "Parameters", text_get(&text));
        }
        text_free(&text);
}

/* ---- processor blocks */

void put_processors(struct cli *cli)
{
        size_t count;
        const struct stasis_processor *p = stasis_system_processors(cli->system, &count);
        struct text text = { 0 };
        char title[32];

        if (count)
                put_section(cli, "Processor blocks");
        for (size_t i = 0; i < count && i < PROCESSORS_SHOWN; i++) {
                text_reset(&text);
                text_printf(&text, "0x%" PRIx64 "  current 0x%" PRIx64, p[i].block, p[i].current);
                if (p[i].next)
                        text_printf(&text, "  next 0x%" PRIx64, p[i].next);
                text_printf(&text, "  idle 0x%" PRIx64, p[i].idle);
                snprintf(title, sizeof(title), "Processor %" PRIu32, p[i].number);
                put_pair(cli, title, text_get(&text));
        }
        if (count > PROCESSORS_SHOWN) {
                text_reset(&text);
                text_printf(&text, "and %zu more ('--format json' gives all)", count - PROCESSORS_SHOWN);
                put_pair(cli, "", text_get(&text));
        }
        text_free(&text);
}
