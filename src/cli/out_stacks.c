/* SPDX-License-Identifier: MIT */
/* Groups of threads with the same stack, in each format. */
#include <inttypes.h>
#include <string.h>

#include "stacks.h"
#include "value.h"

#define NAMED_MAX 24 /* threads that text names of one group; JSON and CSV have all */

static const struct stack_thread *thread_at(const struct stacks *s, const struct stack_group *group, size_t i)
{
        return &s->thread[group->first + i];
}

static const struct stasis_column *part_column(const struct stasis_record *record, size_t part)
{
        for (size_t i = 0; i < record->count; i++)
                if (strcmp(record->column[i].key, stack_parts[part].key) == 0)
                        return &record->column[i];
        return NULL;
}

/* ---- text */

static void text_begin(struct stacks *s) { put_heading(s->cli); }

/* "System 4.8, 4.12, smss.exe 264.268": a process is named once, where its threads begin. */
static void thread_words(const struct stacks *s, const struct stack_group *group, struct text *words)
{
        const struct stack_thread *before = NULL;

        for (size_t i = 0; i < group->count && i < NAMED_MAX; i++) {
                const struct stack_thread *t = thread_at(s, group, i);
                text_str(words, i ? ", " : "");
                if (!before || strcmp(before->name, t->name) != 0 || before->pid != t->pid) {
                        text_safe(words, t->name);
                        text_str(words, " ");
                }
                if (t->pid == STASIS_NOWHERE || t->tid == STASIS_NOWHERE)
                        text_printf(words, "0x%" PRIx64, t->object);
                else if (t->pid == t->tid)
                        text_printf(words, "%" PRIu64, t->pid);
                else
                        text_printf(words, "%" PRIu64 ".%" PRIu64, t->pid, t->tid);
                before = t;
        }
        if (group->count > NAMED_MAX)
                text_printf(words, " and %zu more", group->count - NAMED_MAX);
}

static void put_lines(struct stacks *s, const char *lines)
{
        while (*lines) {
                size_t len = strcspn(lines, "\n");
                struct text line = { 0 }, safe = { 0 };
                text_add(&line, lines, len);
                text_safe(&safe, text_get(&line));
                fprintf(s->cli->out, "    %s\n", text_get(&safe));
                text_free(&line);
                text_free(&safe);
                lines += len + (lines[len] == '\n');
        }
}

static void put_part(struct stacks *s, size_t part, const struct stasis_record *record)
{
        const struct stasis_fact *fact = stasis_record_fact(record, stack_parts[part].key);
        const char *title = stack_parts[part].title;

        if (fact && fact->absence == STASIS_PRESENT) {
                if (*title)
                        fprintf(s->cli->out, "  %s\n", title);
                put_lines(s, fact->text);
        } else if (!fact || fact->absence != STASIS_NOT_APPLICABLE) {
                fprintf(s->cli->out, "  %s%sno frames: %s\n", title, *title ? ": " : "",
                        stasis_absence_name(fact ? (enum stasis_absence)fact->absence : STASIS_NOT_KNOWN));
        }
}

static void text_group(struct stacks *s, const struct stack_group *group, const struct stasis_record *first)
{
        struct text title = { 0 }, words = { 0 }, wrapped = { 0 };

        fputs(s->cli->quiet && group == s->group ? "" : "\n", s->cli->out);
        text_printf(&title, "%zu %s%s", group->count, list_noun(STASIS_THREADS, group->count),
                    group->known ? "" : " without a stack");
        put_title(s->cli, text_get(&title));
        thread_words(s, group, &words);
        text_wrap(&wrapped, text_get(&words), 2, 2, CLI_WIDTH);
        fprintf(s->cli->out, "  %s\n", text_get(&wrapped));
        for (size_t i = 0; i < STACK_PARTS; i++)
                if (stack_part_wanted(s->cli, i))
                        put_part(s, i, first);
        text_free(&title);
        text_free(&words);
        text_free(&wrapped);
}

static void text_end(struct stacks *s)
{
        size_t known = 0;

        for (size_t i = 0; i < s->group_count; i++)
                known += s->group[i].known;
        if (!s->cli->quiet || !s->thread_count)
                fprintf(s->cli->out, "\n%zu of %zu %s, %zu %s\n", s->thread_count, s->total,
                        list_noun(STASIS_THREADS, s->total), known, known == 1 ? "stack" : "different stacks");
        put_notes(s->cli);
}

static const struct stacks_writer stacks_text = { text_begin, text_group, text_end };

/* ---- JSON */

static void json_head(struct stacks *s)
{
        struct json *json = &s->json;

        *json = (struct json){ .out = s->cli->out, .pretty = s->cli->format == CLI_JSON };
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", "stasis/stacks/1");
        json_image(json, s->cli->image, false);
        json_system(json, s->cli);
        json_put_number(json, "total", s->total);
        json_put_number(json, "thread_count", s->thread_count);
        json_put_number(json, "stack_count", s->group_count);
        if (s->cli->format == CLI_JSON) {
                json_begin(json, "stacks", '[');
        } else {
                json_end(json);
                json_line(json);
        }
}

static void json_id(struct json *json, const char *key, uint64_t id)
{
        if (id == STASIS_NOWHERE)
                json_put_null(json, key);
        else
                json_put_number(json, key, id);
}

static void json_threads(struct stacks *s, const struct stack_group *group)
{
        struct json *json = &s->json;

        json_begin(json, "threads", '[');
        for (size_t i = 0; i < group->count; i++) {
                const struct stack_thread *t = thread_at(s, group, i);
                json_begin(json, NULL, '{');
                json_id(json, "pid", t->pid);
                json_id(json, "tid", t->tid);
                json_put_text(json, "name", t->name);
                json_put_hex(json, "object", t->object);
                json_end(json);
        }
        json_end(json);
}

static void json_group(struct stacks *s, const struct stack_group *group, const struct stasis_record *first)
{
        struct json *json = &s->json;

        json_begin(json, NULL, '{');
        json_put_number(json, "count", group->count);
        for (size_t i = 0; i < STACK_PARTS; i++) {
                const struct stasis_fact *fact = stasis_record_fact(first, stack_parts[i].key);
                if (!stack_part_wanted(s->cli, i))
                        continue;
                if (fact && fact->absence == STASIS_PRESENT)
                        json_put(json, stack_parts[i].frames, json_frames(fact));
                else
                        json_put_null(json, stack_parts[i].frames);
        }
        json_begin(json, "absent", '{');
        for (size_t i = 0; i < STACK_PARTS; i++) {
                const struct stasis_fact *fact = stasis_record_fact(first, stack_parts[i].key);
                if (stack_part_wanted(s->cli, i) && fact && fact->absence != STASIS_PRESENT)
                        json_put_text(json, stack_parts[i].frames,
                                      stasis_absence_name((enum stasis_absence)fact->absence));
        }
        json_end(json);
        json_threads(s, group);
        json_end(json);
        if (s->cli->format == CLI_JSONL)
                json_line(json);
}

static void json_tail(struct stacks *s)
{
        struct json *json = &s->json;

        if (s->cli->format == CLI_JSON)
                json_end(json);
        else
                json_begin(json, NULL, '{');
        json_notes(json, s->cli);
        json_end(json);
        json_line(json);
}

static const struct stacks_writer stacks_json = { json_head, json_group, json_tail };

/* ---- CSV: a row a group */

static void csv_begin(struct stacks *s)
{
        fputs("count", s->cli->out);
        for (size_t i = 0; i < STACK_PARTS; i++)
                if (stack_part_wanted(s->cli, i))
                        fprintf(s->cli->out, ",%s", stack_parts[i].frames);
        fputs(",threads\r\n", s->cli->out);
}

static void csv_group(struct stacks *s, const struct stack_group *group, const struct stasis_record *first)
{
        struct text value = { 0 };

        fprintf(s->cli->out, "%zu,", group->count);
        for (size_t i = 0; i < STACK_PARTS; i++) {
                const struct stasis_fact *fact = stasis_record_fact(first, stack_parts[i].key);
                const struct stasis_column *column = part_column(first, i);
                if (!stack_part_wanted(s->cli, i))
                        continue;
                text_reset(&value);
                if (fact && column)
                        value_text(column, fact, &value);
                csv_field(s->cli->out, text_get(&value));
                putc(',', s->cli->out);
        }
        text_reset(&value);
        for (size_t i = 0; i < group->count; i++) {
                const struct stack_thread *t = thread_at(s, group, i);
                text_str(&value, i ? "|" : "");
                if (t->pid == STASIS_NOWHERE || t->tid == STASIS_NOWHERE)
                        text_printf(&value, "0x%" PRIx64, t->object);
                else
                        text_printf(&value, "%" PRIu64 ".%" PRIu64, t->pid, t->tid);
        }
        csv_field(s->cli->out, text_get(&value));
        fputs("\r\n", s->cli->out);
        text_free(&value);
}

static void csv_end(struct stacks *s) { csv_warn_partial(s->cli); }

static const struct stacks_writer stacks_csv = { csv_begin, csv_group, csv_end };

const struct stacks_writer *stacks_writer_of(enum cli_format format)
{
        switch (format) {
        case CLI_JSON:
        case CLI_JSONL: return &stacks_json;
        case CLI_CSV: return &stacks_csv;
        default: return &stacks_text;
        }
}
