/* SPDX-License-Identifier: MIT */
/* The parts that every document has: the image, the system, the notes. */
#include "hints.h"
#include "json.h"
#include "value.h"

static void put_hints(struct json *json, const struct stasis_image *image)
{
        const struct stasis_hints *hints = stasis_image_hints(image);
        struct text text = { 0 };

        json_begin(json, "hints", '{');
        for (const struct hint_row *row = hint_rows; row->key; row++) {
                text_reset(&text);
                if (!hint_text(row, hints, &text))
                        json_put_null(json, row->key);
                else if (row->kind == HINT_NUMBER)
                        json_put_number(json, row->key, hint_value(row, hints));
                else if (row->kind == HINT_BOOL)
                        json_put_bool(json, row->key, hint_value(row, hints) != 0);
                else
                        json_put_text(json, row->key, text_get(&text));
        }
        json_put_number(json, "cpu_count", hints->cpu_count);
        json_end(json);
        text_free(&text);
}

static void put_xmm(struct json *json, const struct stasis_image *image, const struct stasis_cpu *cpu)
{
        size_t count = cpu_xmm_count(image, cpu);
        struct text text = { 0 };

        if (!count) {
                json_put_null(json, "xmm");
                return;
        }
        json_begin(json, "xmm", '[');
        for (size_t i = 0; i < count; i++) {
                text_reset(&text);
                xmm_text(&text, cpu->xmm[i]);
                json_put_text(json, NULL, text_get(&text));
        }
        json_end(json);
        text_free(&text);
}

static void put_cpus(struct json *json, const struct stasis_image *image)
{
        const struct stasis_hints *hints = stasis_image_hints(image);

        json_begin(json, "cpus", '[');
        for (size_t i = 0; i < hints->cpu_count; i++) {
                const struct stasis_cpu *cpu = &hints->cpu[i];
                json_begin(json, NULL, '{');
                if (cpu->number == UINT32_MAX)
                        json_put_null(json, "number");
                else
                        json_put_number(json, "number", cpu->number);
                json_put_text(json, "origin", cpu->origin);
                if (cpu->off)
                        json_put_hex(json, "off", cpu->off);
                else
                        json_put_null(json, "off");
                for (const struct cpu_row *row = cpu_rows; row->key; row++) {
                        if (cpu->known & row->known)
                                json_put_hex(json, row->key, cpu_value(row, cpu));
                        else
                                json_put_null(json, row->key);
                }
                put_xmm(json, image, cpu);
                json_end(json);
        }
        json_end(json);
}

static void put_exception(struct json *json, const struct stasis_hints *hints)
{
        const struct stasis_exception *e = &hints->exception;

        if (!(hints->known & STASIS_HINT_EXCEPTION)) {
                json_put_null(json, "exception");
                return;
        }
        json_begin(json, "exception", '{');
        json_put_hex(json, "code", e->code);
        json_put_hex(json, "flags", e->flags);
        json_put_hex(json, "address", e->address);
        json_put_hex(json, "record", e->record);
        json_begin(json, "parameters", '[');
        for (uint32_t i = 0; i < e->parameter_count; i++)
                json_put_hex(json, NULL, e->parameter[i]);
        json_end(json);
        json_put_hex(json, "off", e->off);
        json_end(json);
}

static void put_files(struct json *json, const struct stasis_image *image)
{
        const char *path;

        json_begin(json, "files", '[');
        for (size_t i = 0; (path = stasis_image_file_at(image, i)); i++)
                json_put_text(json, NULL, path);
        json_end(json);
}

static void put_containers(struct json *json, const struct stasis_image *image)
{
        const struct stasis_container *c;

        json_begin(json, "containers", '[');
        for (size_t i = 0; (c = stasis_image_container_at(image, i)); i++) {
                json_begin(json, NULL, '{');
                json_put_text(json, "kind", c->kind);
                if (c->member)
                        json_put_text(json, "member", c->member);
                else
                        json_put_null(json, "member");
                json_put_number(json, "size", c->size);
                if (c->off == STASIS_NOWHERE)
                        json_put_null(json, "off");
                else
                        json_put_hex(json, "off", c->off);
                json_put_number(json, "blocks", c->blocks);
                json_end(json);
        }
        json_end(json);
}

static void put_ranges(struct json *json, const struct stasis_image *image)
{
        size_t runs, gaps;
        const struct stasis_run *run = stasis_image_runs(image, &runs);
        const struct stasis_gap *gap = stasis_image_gaps(image, &gaps);

        json_begin(json, "ranges", '[');
        for (size_t i = 0; i < runs; i++) {
                json_begin(json, NULL, '{');
                json_put_hex(json, "pa", run[i].pa);
                json_put_hex(json, "len", run[i].len);
                if (stasis_image_is_packed(image))
                        json_put_null(json, "off");
                else
                        json_put_hex(json, "off", run[i].off);
                json_end(json);
        }
        json_end(json);
        json_begin(json, "gaps", '[');
        for (size_t i = 0; i < gaps; i++) {
                json_begin(json, NULL, '{');
                json_put_hex(json, "pa", gap[i].pa);
                json_put_hex(json, "len", gap[i].len);
                json_put_text(json, "why", gap[i].why);
                json_put_bool(json, "filtered", gap[i].filtered);
                json_end(json);
        }
        json_end(json);
}

static void put_secondary(struct json *json, const struct stasis_image *image)
{
        size_t count;
        const struct stasis_blob *blob = stasis_image_blobs(image, &count);
        struct text text = { 0 };

        json_begin(json, "secondary", '[');
        for (size_t i = 0; i < count; i++) {
                text_reset(&text);
                guid_text(&text, blob[i].guid);
                json_begin(json, NULL, '{');
                json_put_text(json, "guid", text_get(&text));
                json_put_hex(json, "off", blob[i].off);
                json_put_number(json, "size", blob[i].len);
                json_end(json);
        }
        json_end(json);
        text_free(&text);
}

static void put_image_facts(struct json *json, const struct stasis_image *image)
{
        size_t runs, remarks;
        struct image_gaps missing = image_missing(image), filtered = image_filtered(image);
        const char *const *remark = stasis_image_remarks(image, &remarks);

        stasis_image_runs(image, &runs);
        json_put_text(json, "format", stasis_image_format(image));
        json_put_text(json, "title", stasis_image_format_title(image));
        json_put_number(json, "size", stasis_image_file_size(image));
        json_put_number(json, "range_count", runs);
        json_put_number(json, "range_bytes", image_held(image));
        json_put_number(json, "gap_count", missing.count);
        json_put_number(json, "gap_bytes", missing.bytes);
        json_put_number(json, "filtered_count", filtered.count);
        json_put_number(json, "filtered_bytes", filtered.bytes);
        json_begin(json, "remarks", '[');
        for (size_t i = 0; i < remarks; i++)
                json_put_text(json, NULL, remark[i]);
        json_end(json);
        put_hints(json, image);
}

static void put_image_rest(struct json *json, const struct stasis_image *image)
{
        put_cpus(json, image);
        put_exception(json, stasis_image_hints(image));
        put_ranges(json, image);
        put_secondary(json, image);
}

void json_image(struct json *json, const struct stasis_image *image, bool whole)
{
        json_begin(json, "image", '{');
        json_put_text(json, "path", stasis_image_path(image));
        put_image_facts(json, image);
        if (whole) {
                put_files(json, image);
                put_containers(json, image);
                put_image_rest(json, image);
        }
        json_end(json);
}

void json_image_contents(struct json *json, const struct stasis_image *image)
{
        json_begin(json, "image", '{');
        put_image_facts(json, image);
        put_image_rest(json, image);
        json_end(json);
}

static void put_time(struct json *json, const char *key, uint64_t time)
{
        struct text text = { 0 };

        value_time(&text, time);
        json_put_text(json, key, time ? text_get(&text) : NULL);
        text_free(&text);
}

void json_unloaded(struct json *json, const struct cli *cli)
{
        size_t count = 0;
        const struct stasis_unloaded *gone = cli->understood ? stasis_system_unloaded(cli->system, &count) : NULL;

        json_begin(json, "unloaded", '[');
        for (size_t i = 0; i < count; i++) {
                json_begin(json, NULL, '{');
                json_put_text(json, "name", gone[i].name);
                json_put_hex(json, "start", gone[i].start);
                json_put_hex(json, "end", gone[i].end);
                put_time(json, "time", gone[i].time);
                json_put_place(json, "va", gone[i].va);
                json_put_place(json, "off", gone[i].off);
                json_end(json);
        }
        json_end(json);
}

void json_processors(struct json *json, const struct cli *cli)
{
        size_t count = 0;
        const struct stasis_processor *p = cli->understood ? stasis_system_processors(cli->system, &count) : NULL;

        json_begin(json, "processor_blocks", '[');
        for (size_t i = 0; i < count; i++) {
                json_begin(json, NULL, '{');
                json_put_number(json, "number", p[i].number);
                json_put_hex(json, "block", p[i].block);
                json_put_hex(json, "current_thread", p[i].current);
                json_put_hex(json, "next_thread", p[i].next);
                json_put_hex(json, "idle_thread", p[i].idle);
                json_end(json);
        }
        json_end(json);
}

void json_system(struct json *json, const struct cli *cli)
{
        const struct stasis_record *facts = cli->understood ? stasis_system_facts(cli->system) : NULL;

        if (facts)
                json_put(json, "system", json_record(facts, cli->evidence ? cli->image : NULL));
        else
                json_put_null(json, "system");
}

static void put_id(struct json *json, const char *key, int64_t id)
{
        if (id < 0)
                json_put_null(json, key);
        else
                json_put_number(json, key, (uint64_t)id);
}

void json_notes(struct json *json, const struct cli *cli)
{
        static const char *const severity[] = { "info", "warning", "missing" };
        size_t count = 0;
        const struct stasis_note *note = cli->system ? stasis_system_notes(cli->system, &count) : NULL;

        json_begin(json, "notes", '[');
        for (size_t i = 0; i < count; i++) {
                json_begin(json, NULL, '{');
                json_put_text(json, "severity",
                              severity[note[i].severity <= STASIS_NOTE_MISSING ? note[i].severity : 0]);
                json_put_text(json, "code", note[i].code);
                json_put_text(json, "text", note[i].text);
                if (note[i].object)
                        json_put_hex(json, "object", note[i].object);
                else
                        json_put_null(json, "object");
                put_id(json, "pid", note[i].pid);
                put_id(json, "tid", note[i].tid);
                json_end(json);
        }
        json_end(json);
}
