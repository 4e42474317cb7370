/* SPDX-License-Identifier: MIT */
/* Lists as one JSON document, or as one object a line: first who speaks, then the records, last the notes. */
#include "out.h"

static const char *const list_schema[] = {
        [STASIS_PROCESSES] = "stasis/processes/1",
        [STASIS_THREADS] = "stasis/threads/1",
        [STASIS_MODULES] = "stasis/modules/1",
};

/* The ways of finding threads that --cross-view and --hidden compare. */
static void put_sources(struct json *json, const struct cli *cli)
{
        size_t count;
        const struct stasis_source *source = stasis_system_sources(cli->system, &count);

        json_begin(json, "sources", '[');
        for (size_t i = 0; i < count; i++) {
                json_begin(json, NULL, '{');
                json_put_text(json, "name", source[i].name);
                json_put_text(json, "title", source[i].title);
                json_put_text(json, "why_not", source[i].why_not);
                json_put_number(json, "threads", source[i].threads);
                json_end(json);
        }
        json_end(json);
}

/* What stands before the records in both forms. */
static void put_head(struct list *list)
{
        json_put_text(&list->json, "schema", list_schema[list->what]);
        json_image(&list->json, list->cli->image, false);
        json_system(&list->json, list->cli);
        if (list->what == STASIS_MODULES && list->cli->process.known)
                json_put_number(&list->json, "process", list->cli->process.value);
        json_put_number(&list->json, "total", list->total);
        if (list->what == STASIS_THREADS && (list->cli->cross_view || list->cli->hidden))
                put_sources(&list->json, list->cli);
}

static void put_record(struct list *list, const struct stasis_record *record)
{
        json_put(&list->json, NULL, json_record(record, list->cli->evidence ? list->cli->image : NULL));
}

static void begin(struct list *list)
{
        list->json = (struct json){ .out = list->cli->out, .pretty = true };
        json_begin(&list->json, NULL, '{');
        put_head(list);
        json_begin(&list->json, list_noun(list->what, 0), '[');
}

static void record(struct list *list, const struct stasis_record *record)
{
        put_record(list, record);
        list->bad |= list->json.bad;
}

/* Modules that are there no more, beside those that are. */
static bool lists_unloaded(const struct list *list) { return list->what == STASIS_MODULES; }

static void end(struct list *list)
{
        json_end(&list->json);
        if (lists_unloaded(list))
                json_unloaded(&list->json, list->cli);
        json_notes(&list->json, list->cli);
        json_end(&list->json);
        json_line(&list->json);
        list->bad |= list->json.bad;
}

const struct list_writer list_json = { begin, record, end };

static void begin_line(struct list *list)
{
        list->json = (struct json){ .out = list->cli->out };
        json_begin(&list->json, NULL, '{');
        put_head(list);
        json_end(&list->json);
        json_line(&list->json);
}

static void record_line(struct list *list, const struct stasis_record *record)
{
        put_record(list, record);
        json_line(&list->json);
        list->bad |= list->json.bad;
}

static void end_line(struct list *list)
{
        json_begin(&list->json, NULL, '{');
        if (lists_unloaded(list))
                json_unloaded(&list->json, list->cli);
        json_notes(&list->json, list->cli);
        json_end(&list->json);
        json_line(&list->json);
        list->bad |= list->json.bad;
}

const struct list_writer list_jsonl = { begin_line, record_line, end_line };
