/* SPDX-License-Identifier: MIT */
/* The one way in which processes, threads and modules are listed: found, filtered, and given to a writer one by one. */
#include "list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "out.h"

/* --cross-view is a table of its own; JSON tells it in every thread. */
static const struct list_writer *writer_of(const struct cli *cli)
{
        if (cli->cross_view && cli->format == CLI_TEXT)
                return &list_cross;
        if (cli->cross_view && cli->format == CLI_CSV)
                return &list_cross_csv;
        return list_writer_of((enum cli_format)cli->format);
}

const struct list_writer *list_writer_of(enum cli_format format)
{
        switch (format) {
        case CLI_JSON: return &list_json;
        case CLI_JSONL: return &list_jsonl;
        case CLI_CSV: return &list_csv;
        default: return &list_text;
        }
}

const char *list_noun(enum stasis_what what, size_t count)
{
        static const char *const noun[][2] = {
                [STASIS_PROCESSES] = { "process", "processes" },
                [STASIS_THREADS] = { "thread", "threads" },
                [STASIS_MODULES] = { "module", "modules" },
        };

        return noun[what][count != 1];
}

static enum cli_exit choose_key(struct list *list, const char *key, size_t len)
{
        for (size_t i = 0; i < list->column_count; i++) {
                if (strlen(list->column[i].key) != len || strncmp(list->column[i].key, key, len))
                        continue;
                for (size_t j = 0; j < list->chosen_count; j++)
                        if (list->chosen[j] == i)
                                return cli_usage(list->cli, "--columns: '%.*s' is named twice", (int)len, key);
                list->chosen[list->chosen_count++] = i;
                return CLI_COMPLETE;
        }
        return cli_usage(list->cli, "--columns: there is no '%.*s'; '--columns help' lists them", (int)len, key);
}

static enum cli_exit choose_keys(struct list *list, const char *keys)
{
        for (const char *key = keys; *key;) {
                size_t len = strcspn(key, ",");
                enum cli_exit failed = choose_key(list, key, len);
                if (failed)
                        return failed;
                key += len + (key[len] == ',');
        }
        return CLI_COMPLETE;
}

/* The library need not make what is not shown; where registers are made, a check speaks of them too. */
static enum cli_exit tell_columns(const struct list *list)
{
        const char **key = calloc(list->chosen_count + 1, sizeof(*key));
        size_t count = list->chosen_count;

        if (!key)
                return cli_fail(list->cli, "out of memory");
        for (size_t i = 0; i < list->chosen_count; i++)
                key[i] = list->column[list->chosen[i]].key;
        if (list->cli->noticed)
                key[count++] = "user_registers";
        stasis_system_choose(list->cli->system, list->what, key, count);
        free(key);
        return CLI_COMPLETE;
}

static enum cli_exit choose_columns(struct list *list)
{
        struct cli *cli = list->cli;

        list->column = stasis_system_columns(cli->system, list->what, &list->column_count);
        list->chosen = calloc(list->column_count + 1, sizeof(*list->chosen));
        if (!list->chosen)
                return cli_fail(cli, "out of memory");
        if (cli->hidden && !cli->columns && cli->format == CLI_TEXT && !cli->all_columns && !cli->evidence)
                return choose_keys(list, list_column_of(cli, list->what, "process")
                                                 ? "pid,tid,process,state,hidden,unseen_by,sources"
                                                 : "pid,tid,name,state,hidden,unseen_by,sources");
        if (!cli->columns && cli->format == CLI_TEXT && !cli->all_columns && !cli->evidence) {
                list_default_columns(list);
                return CLI_COMPLETE;
        }
        if (!cli->columns)
                for (size_t i = 0; i < list->column_count; i++)
                        list->chosen[list->chosen_count++] = i;
        enum cli_exit failed = cli->columns ? choose_keys(list, cli->columns) : CLI_COMPLETE;
        if (failed)
                return failed;
        return list->chosen_count ? CLI_COMPLETE : cli_usage(cli, "--columns names none");
}

static enum cli_exit check_options(struct cli *cli)
{
        bool tabular = cli->format == CLI_TEXT || cli->format == CLI_CSV;

        if ((cli->columns || cli->all_columns) && !tabular)
                return cli_usage(cli, "--columns and --all-columns are for text and csv; JSON always has all");
        if (cli->columns && cli->all_columns)
                return cli_usage(cli, "--columns and --all-columns contradict each other");
        if (cli->cross_view && (cli->columns || cli->all_columns || cli->evidence))
                return cli_usage(cli, "--cross-view has its own columns");
        if (cli->evidence && cli->format == CLI_CSV)
                return cli_usage(cli, "--evidence is not for csv");
        return CLI_COMPLETE;
}

const struct stasis_column *list_column_of(const struct cli *cli, enum stasis_what what, const char *key)
{
        size_t count;
        const struct stasis_column *column = stasis_system_columns(cli->system, what, &count);

        for (size_t i = 0; i < count; i++)
                if (strcmp(column[i].key, key) == 0)
                        return &column[i];
        return NULL;
}

/* A name that no state has would give an empty list, and look like an answer. */
enum cli_exit list_check_state(struct cli *cli)
{
        const struct stasis_column *column = list_column_of(cli, STASIS_THREADS, "state");
        struct text names = { 0 };

        if (!column || column->name_count == 0)
                return CLI_COMPLETE;
        for (size_t i = 0; i < column->name_count; i++)
                if (strcasecmp(column->names[i].name, cli->state) == 0)
                        return CLI_COMPLETE;
        for (size_t i = 0; i < column->name_count; i++)
                text_printf(&names, " %s", column->names[i].name);
        enum cli_exit failed = cli_usage(cli, "--state: there is no '%s'; there are%s", cli->state, text_get(&names));
        text_free(&names);
        return failed;
}

static bool number_is(const struct stasis_record *record, const char *key, const struct cli_number *wanted)
{
        if (!wanted->known)
                return true;
        const struct stasis_fact *fact = stasis_record_fact(record, key);
        return fact && fact->absence == STASIS_PRESENT && fact->value == wanted->value;
}

/* Notes about a thread are made when it is decoded. */
static bool is_noticed(const struct cli *cli, const struct stasis_record *record)
{
        size_t count;
        const struct stasis_note *note = stasis_system_notes(cli->system, &count);

        for (size_t i = 0; i < count; i++)
                if (note[i].object == record->object)
                        return true;
        return false;
}

bool list_is_wanted(const struct cli *cli, enum stasis_what what, const struct stasis_record *record)
{
        if (what != STASIS_THREADS)
                return true;
        if (!number_is(record, "pid", &cli->process) || !number_is(record, "tid", &cli->tid))
                return false;
        if (cli->hidden) {
                const struct stasis_fact *hidden = stasis_record_fact(record, "hidden");
                if (!hidden || hidden->absence != STASIS_PRESENT)
                        return false;
        }
        if (cli->noticed && !is_noticed(cli, record))
                return false;
        if (!cli->state)
                return true;
        const struct stasis_fact *state = stasis_record_fact(record, "state");
        return state && state->absence == STASIS_PRESENT && state->text && strcasecmp(state->text, cli->state) == 0;
}

static enum cli_exit each_record(struct list *list, const struct list_writer *writer)
{
        struct cli *cli = list->cli;
        const struct stasis_record *record;
        struct stasis_error err = { 0 };

        for (size_t i = 0; i < list->total && !list->bad && !ferror(cli->out); i++) {
                if (stasis_system_record(cli->system, list->what, i, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                if (!list_is_wanted(cli, list->what, record))
                        continue;
                writer->record(list, record);
                list->shown++;
        }
        return CLI_COMPLETE;
}

static enum cli_exit one_thread(struct list *list, const struct list_writer *writer, const struct stasis_record *record)
{
        list->total = 1;
        writer->begin(list);
        if (!list->bad) {
                writer->record(list, record);
                list->shown = 1;
        }
        return CLI_COMPLETE;
}

/* The thread at --object is asked for before anything is printed: a wrong address leaves no half document. */
static enum cli_exit write_list(struct list *list)
{
        struct cli *cli = list->cli;
        const struct list_writer *writer = writer_of(cli);
        const struct stasis_record *record;
        struct stasis_error err = { 0 };
        enum cli_exit failed;

        if (cli->object.known) {
                if (stasis_system_thread_at(cli->system, cli->object.value, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                failed = one_thread(list, writer, record);
        } else {
                if (stasis_system_count(cli->system, list->what, &list->total, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                cli_progress_end(cli);
                writer->begin(list);
                failed = each_record(list, writer);
        }
        writer->end(list);
        if (list->bad)
                return cli_fail(cli, "out of memory: the answer is not whole");
        return failed;
}

enum cli_exit list_run(struct cli *cli, enum stasis_what what, bool detail)
{
        struct list list = { .cli = cli, .what = what, .detail = detail };
        struct stasis_error err = { 0 };

        enum cli_exit failed = check_options(cli);
        if (!failed)
                failed = cli_open_system(cli);
        if (!failed && cli->state)
                failed = list_check_state(cli);
        if (!failed && what == STASIS_MODULES && cli->process.known &&
            stasis_system_modules_of(cli->system, cli->process.value, &err) != STASIS_OK)
                failed = cli_fail_library(cli, &err, "'stasis processes' lists them");
        if (!failed)
                failed = choose_columns(&list);
        if (!failed && !detail)
                failed = tell_columns(&list);
        if (!failed)
                failed = write_list(&list);
        free(list.chosen);
        if (!failed && detail && list.shown == 0)
                return cli_fail(cli, "%s: none of its %zu threads has tid %llu; 'stasis threads' lists them",
                                cli->image_path, list.total, (unsigned long long)cli->tid.value);
        return failed ? failed : cli_outcome(cli);
}
