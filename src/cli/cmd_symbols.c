/* SPDX-License-Identifier: MIT */
/* stasis symbols: the PDB that each module's image names, the place of each in a symbol store, and whether it is here.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "out.h"

struct row {
        char *module;
        uint64_t base, pid; /* pid STASIS_NOWHERE: of the kernel */
        struct stasis_debug debug;
        char path[256]; /* "ntkrnlmp.pdb/GUIDAGE/ntkrnlmp.pdb"; "": not told */
};

struct symbols {
        struct cli *cli;
        struct row *row;
        size_t count, capacity, known, found;
        struct json json;
};

/* ---- gathering */

/* As Microsoft's symbol stores and servers have it: GUID and age in one word, without leading zeros of the age. */
static void store_path(struct row *row)
{
        const uint8_t *g = row->debug.guid;

        if (row->debug.known)
                snprintf(row->path, sizeof(row->path),
                         "%s/%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%X/%s", row->debug.pdb,
                         g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14],
                         g[15], row->debug.age, row->debug.pdb);
}

/* A library of many processes is one row; one that is not told stays for itself. */
static bool is_there(const struct symbols *s, const struct row *row)
{
        for (size_t i = 0; i < s->count; i++)
                if (row->debug.known && strcmp(s->row[i].path, row->path) == 0 &&
                    strcmp(s->row[i].module, row->module) == 0)
                        return true;
        return false;
}

static bool add(struct symbols *s, struct row *row)
{
        if (s->count == s->capacity) {
                size_t capacity = s->capacity ? 2 * s->capacity : 64;
                struct row *grown = reallocarray(s->row, capacity, sizeof(*grown));
                if (!grown)
                        return false;
                s->row = grown;
                s->capacity = capacity;
        }
        s->row[s->count++] = *row;
        s->known += row->debug.known;
        s->found += row->debug.found != NULL;
        return true;
}

static enum cli_exit add_modules(struct symbols *s, uint64_t pid)
{
        struct cli *cli = s->cli;
        const struct stasis_record *record;
        struct stasis_error err = { 0 };
        size_t count;

        if (stasis_system_count(cli->system, STASIS_MODULES, &count, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, NULL);
        for (size_t i = 0; i < count; i++) {
                struct row row = { .pid = pid };
                if (stasis_system_record(cli->system, STASIS_MODULES, i, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                const struct stasis_fact *name = stasis_record_fact(record, "name");
                const struct stasis_fact *base = stasis_record_fact(record, "base");
                row.base = base ? base->value : 0;
                row.module = strdup(name && name->absence == STASIS_PRESENT && name->text ? name->text : "?");
                if (stasis_system_module_debug(cli->system, i, &row.debug, &err) != STASIS_OK) {
                        free(row.module);
                        return cli_fail_library(cli, &err, NULL);
                }
                store_path(&row);
                if (row.module && is_there(s, &row))
                        free(row.module);
                else if (!row.module || !add(s, &row)) {
                        free(row.module);
                        return cli_fail(cli, "out of memory");
                }
        }
        return CLI_COMPLETE;
}

static enum cli_exit add_process(struct symbols *s, uint64_t pid)
{
        struct stasis_error err = { 0 };

        if (stasis_system_modules_of(s->cli->system, pid, &err) != STASIS_OK)
                return cli_fail_library(s->cli, &err, "'stasis processes' lists them");
        return add_modules(s, pid);
}

static enum cli_exit add_processes(struct symbols *s)
{
        struct cli *cli = s->cli;
        const struct stasis_record *record;
        struct stasis_error err = { 0 };
        enum cli_exit failed = CLI_COMPLETE;
        size_t count;

        if (stasis_system_count(cli->system, STASIS_PROCESSES, &count, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, NULL);
        for (size_t i = 0; i < count && !failed; i++) {
                if (stasis_system_record(cli->system, STASIS_PROCESSES, i, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                const struct stasis_fact *pid = stasis_record_fact(record, "pid");
                if (pid && pid->absence == STASIS_PRESENT)
                        failed = add_process(s, pid->value);
        }
        return failed;
}

/* ---- text, and the paths alone */

static void put_text(struct symbols *s)
{
        FILE *out = s->cli->out;
        int width = 0;

        put_heading(s->cli);
        for (size_t i = 0; i < s->count; i++)
                if ((int)strlen(s->row[i].module) > width)
                        width = (int)strlen(s->row[i].module);
        if (s->count && !s->cli->quiet)
                putc('\n', out);
        for (size_t i = 0; i < s->count; i++) {
                const struct row *row = &s->row[i];
                struct text line = { 0 }, path = { 0 };
                text_safe(&line, row->module);
                text_pad(&line, ' ',
                         (size_t)(width < 32 ? width : 32) + 2 > line.len
                                 ? (size_t)(width < 32 ? width : 32) + 2 - line.len
                                 : 2);
                text_safe(&path, row->debug.known ? row->path : row->debug.pdb);
                text_printf(&line, "%s%s%s", text_get(&path), row->debug.known || !*row->debug.pdb ? "" : "  ",
                            row->debug.known ? "" : "<");
                if (!row->debug.known)
                        text_printf(&line, "%s>", row->debug.why ? row->debug.why : "not known");
                fprintf(out, "%s%s%s\n", text_get(&line), row->debug.found ? "  is " : "",
                        row->debug.found ? row->debug.found : "");
                text_free(&line);
                text_free(&path);
        }
        if (!s->cli->quiet || !s->count)
                fprintf(out, "\n%zu %s, %zu with a PDB, %zu of them found\n", s->count,
                        list_noun(STASIS_MODULES, s->count), s->known, s->found);
        put_notes(s->cli);
}

static void put_paths(struct symbols *s)
{
        for (size_t i = 0; i < s->count; i++)
                if (s->row[i].debug.known && !s->row[i].debug.found)
                        fprintf(s->cli->out, "%s\n", s->row[i].path);
}

/* ---- JSON and CSV */

static void guid_text(const struct row *row, char buf[static 40])
{
        snprintf(buf, 40, "%.32s", row->debug.known ? strchr(row->path, '/') + 1 : "");
}

static void json_row(struct symbols *s, const struct row *row)
{
        struct json *json = &s->json;
        char guid[40];

        guid_text(row, guid);
        json_begin(json, NULL, '{');
        json_put_text(json, "module", row->module);
        json_put_hex(json, "base", row->base);
        if (row->pid == STASIS_NOWHERE)
                json_put_null(json, "pid");
        else
                json_put_number(json, "pid", row->pid);
        json_put_text(json, "pdb", *row->debug.pdb ? row->debug.pdb : NULL);
        json_put_text(json, "guid", row->debug.known ? guid : NULL);
        if (row->debug.known)
                json_put_number(json, "age", row->debug.age);
        else
                json_put_null(json, "age");
        json_put_text(json, "path", row->debug.known ? row->path : NULL);
        json_put_text(json, "found", row->debug.found);
        json_put_text(json, "why", row->debug.known ? NULL : row->debug.why);
        json_end(json);
        if (s->cli->format == CLI_JSONL)
                json_line(json);
}

static void put_json(struct symbols *s)
{
        struct json *json = &s->json;

        *json = (struct json){ .out = s->cli->out, .pretty = s->cli->format == CLI_JSON };
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", "stasis/symbols/1");
        json_image(json, s->cli->image, false);
        json_system(json, s->cli);
        json_put_number(json, "known", s->known);
        json_put_number(json, "found", s->found);
        if (json->pretty) {
                json_begin(json, "modules", '[');
        } else {
                json_end(json);
                json_line(json);
        }
        for (size_t i = 0; i < s->count; i++)
                json_row(s, &s->row[i]);
        if (json->pretty)
                json_end(json);
        else
                json_begin(json, NULL, '{');
        json_notes(json, s->cli);
        json_end(json);
        json_line(json);
}

static void put_csv(struct symbols *s)
{
        FILE *out = s->cli->out;

        fputs("module,base,pid,pdb,guid,age,path,found,why\r\n", out);
        for (size_t i = 0; i < s->count; i++) {
                const struct row *row = &s->row[i];
                char guid[40], pid[24] = "", age[16] = "";
                guid_text(row, guid);
                if (row->pid != STASIS_NOWHERE)
                        snprintf(pid, sizeof(pid), "%" PRIu64, row->pid);
                if (row->debug.known)
                        snprintf(age, sizeof(age), "%" PRIu32, row->debug.age);
                csv_field(out, row->module);
                fprintf(out, ",0x%" PRIx64 ",%s,", row->base, pid);
                csv_field(out, row->debug.pdb);
                fprintf(out, ",%s,%s,", guid, age);
                csv_field(out, row->path);
                putc(',', out);
                csv_field(out, row->debug.found ? row->debug.found : "");
                putc(',', out);
                csv_field(out, row->debug.known || !row->debug.why ? "" : row->debug.why);
                fputs("\r\n", out);
        }
        csv_warn_partial(s->cli);
}

/* ---- the verb */

static void put_all(struct symbols *s)
{
        cli_progress_end(s->cli);
        switch (s->cli->format) {
        case CLI_JSON:
        case CLI_JSONL: put_json(s); break;
        case CLI_CSV: put_csv(s); break;
        case CLI_RAW: put_paths(s); break;
        default: put_text(s); break;
        }
}

enum cli_exit cmd_symbols(struct cli *cli)
{
        struct symbols s = { .cli = cli };
        enum cli_exit failed = CLI_COMPLETE;

        if (cli->process.known && cli->all)
                return cli_usage(cli, "--process and --all contradict each other");
        failed = cli_open_system(cli);
        if (!failed && cli->process.known)
                failed = add_process(&s, cli->process.value);
        else if (!failed)
                failed = add_modules(&s, STASIS_NOWHERE);
        if (!failed && cli->all)
                failed = add_processes(&s);
        if (!failed)
                put_all(&s);
        if (!failed && s.json.bad)
                failed = cli_fail(cli, "out of memory: the answer is not whole");
        for (size_t i = 0; i < s.count; i++)
                free(s.row[i].module);
        free(s.row);
        return failed ? failed : cli_outcome(cli);
}
