/* SPDX-License-Identifier: MIT */
/*
 * One thread as a page, in the order in which a debugger's user asks: who it is, what it does, what it waits for, where
 * it stands, for whom it acts, what is queued on it, what was noticed about it. Then every fact that was not told yet,
 * by group. Which facts stand in which part is a table of keys; what a system does not have is left out of a part.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

#define PART_KEYS 17
#define SHORT_ROW 72 /* rows of a list up to this width share lines, where there are many */
#define MANY_ROWS 4

enum part_mark { PART_PLAIN, PART_TOKEN };

/* The parts of the page after the heading; a key that this system has not is passed over. */
static const struct {
        const char *title;
        enum part_mark mark;
        const char *key[PART_KEYS];
} parts[] = {
        { "Identity",
          PART_PLAIN,
          { "object", "process_object", "thread_name", "path", "command_line", "parent", "session", "create_time",
            "start_time", "exit_time", "exit_status", "start_address", "win32_start_address", "teb" } },
        { "Waits", PART_PLAIN, { "wait_objects", "lpc_reply_message", "alpc_message", "keyed_wait_value" } },
        { "Stacks",
          PART_PLAIN,
          { "wchan", "stack", "stack_end", "user_stack", "user_stack_end", "wow64_stack", "wow64_stack_end" } },
        { "Registers", PART_PLAIN, { "user_registers", "kernel_registers", "wow64_registers" } },
        { "Acts for",
          PART_TOKEN,
          { "user", "user_name", "integrity", "administrator", "token_type", "token_level", "authentication_id",
            "token_session", "effective_token", "groups", "restricted_sids", "privileges", "uid", "gid", "euid", "egid",
            "cap_effective" } },
        { "Queued on it", PART_PLAIN, { "irps", "apcs", "timers" } },
};

/* ---- facts by key */

static size_t index_of(const struct stasis_record *record, const char *key)
{
        size_t i = 0;
        while (i < record->count && strcmp(record->column[i].key, key) != 0)
                i++;
        return i;
}

static const struct stasis_fact *present(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);
        return fact && fact->absence == STASIS_PRESENT ? fact : NULL;
}

static const char *text_of(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = present(record, key);
        return fact && fact->text && *fact->text ? fact->text : NULL;
}

/* ---- lists: values alone where they speak for themselves */

static bool speaks(const struct stasis_column *column, size_t i)
{
        return i == 0 || column->kind == STASIS_KIND_TEXT || column->kind == STASIS_KIND_ENUM ||
               column->kind == STASIS_KIND_FLAGS;
}

static void row_cell(const struct stasis_list *list, size_t row, size_t i, struct text *ret_text)
{
        const struct stasis_column *column = &list->column[i];
        const struct stasis_fact *fact = &list->fact[row * list->columns + i];

        if (fact->absence != STASIS_PRESENT || (column->kind == STASIS_KIND_BOOL && !fact->value))
                return;
        if (column->kind == STASIS_KIND_BOOL) {
                text_str(ret_text, column->key); /* what is not so is not said */
                return;
        }
        struct text words = { 0 };
        cell_words(column, fact, &words);
        if (words.len)
                text_printf(ret_text, "%s%s%s", speaks(column, i) ? "" : column->key, speaks(column, i) ? "" : " ",
                            text_get(&words));
        text_free(&words);
}

/* "0x81230000, Mutant, owner_tid 8"; of rows that share lines "SeDebugPrivilege (enabled)". */
static void row_words(const struct stasis_list *list, size_t row, bool together, struct text *ret_text)
{
        bool open = false;

        for (size_t i = 0; i < list->columns; i++) {
                struct text cell = { 0 };
                row_cell(list, row, i, &cell);
                if (cell.len) {
                        const char *before = !ret_text->len ? "" : together && !open ? " (" : ", ";
                        open = ret_text->len != 0;
                        text_printf(ret_text, "%s%s", before, text_get(&cell));
                }
                text_free(&cell);
        }
        if (together && open)
                text_str(ret_text, ")");
        if (!ret_text->len)
                text_str(ret_text, "?");
}

static bool rows_are_short(const struct stasis_list *list)
{
        bool fit = list->rows > MANY_ROWS;
        for (size_t i = 0; fit && i < list->rows; i++) {
                struct text words = { 0 };
                row_words(list, i, true, &words);
                fit = words.len <= SHORT_ROW;
                text_free(&words);
        }
        return fit;
}

static void put_rows(struct cli *cli, const char *title, const struct stasis_list *list)
{
        struct text words = { 0 };
        bool together = rows_are_short(list);

        for (size_t i = 0; i < list->rows; i++) {
                struct text row = { 0 };
                row_words(list, i, together, &row);
                text_printf(&words, "%s%s", words.len ? "; " : "", text_get(&row));
                text_free(&row);
                if (together)
                        continue;
                put_pair(cli, i ? "" : title, text_get(&words));
                text_reset(&words);
        }
        if (together)
                put_pair(cli, title, text_get(&words));
        text_free(&words);
}

/* ---- registers: as many on a line as fit */

#define PAGE_WIDTH 90 /* of a value */

static void put_registers(struct cli *cli, const char *title, const char *lines)
{
        struct text line = { 0 };

        for (const char *end; *lines; lines = *end ? end + 1 : end) {
                end = lines + strcspn(lines, "\n");
                size_t len = (size_t)(end - lines);
                if (line.len && line.len + 2 + len > PAGE_WIDTH) {
                        put_pair(cli, title, text_get(&line));
                        title = "";
                        text_reset(&line);
                }
                if (line.len)
                        text_str(&line, "  ");
                text_add(&line, lines, len);
        }
        if (line.len)
                put_pair(cli, title, text_get(&line));
        text_free(&line);
}

/* ---- the heading */

static void add_wait(const struct stasis_record *record, struct text *line)
{
        const char *reason = text_of(record, "wait_reason"), *mode = text_of(record, "wait_mode");
        const struct stasis_fact *alertable = present(record, "alertable"), *age = present(record, "wait_age");
        const char *in = text_of(record, "wchan");

        if (reason)
                text_printf(line, ": %s", reason);
        if (reason && mode)
                text_printf(line, ", %s", mode);
        if (reason && alertable)
                text_printf(line, ", %s", alertable->value ? "alertable" : "not alertable");
        if (in)
                text_printf(line, " in %s", in);
        if (age)
                text_printf(line, ", for %" PRIu64 ".%03" PRIu64 " s", age->value / 1000, age->value % 1000);
}

static void add_number(const struct stasis_record *record, const char *key, const char *words, struct text *line)
{
        const struct stasis_fact *fact = present(record, key);
        if (fact)
                text_printf(line, "%s%" PRId64, words, (int64_t)fact->value);
}

/* "Waiting: UserRequest, UserMode, not alertable, for 24.262 s; priority 8, base 8; processor 0" */
static void put_state(struct cli *cli, const struct stasis_record *record)
{
        struct text line = { 0 };
        const struct stasis_fact *on = present(record, "running_on"), *suspended = present(record, "suspend_count");
        const char *state = text_of(record, "state");

        text_str(&line, state ? state : "State not known");
        if (on)
                text_printf(&line, " on processor %" PRIu64, on->value);
        else if (state && (strstr(state, "aiting") || text_of(record, "wchan")))
                add_wait(record, &line);
        if (suspended && suspended->value)
                text_printf(&line, "; suspend count %" PRIu64, suspended->value);
        add_number(record, "priority", "; priority ", &line);
        add_number(record, "base_priority", ", base ", &line);
        if (!on)
                add_number(record, present(record, "cpu") ? "cpu" : "next_processor", "; processor ", &line);
        put_title(cli, text_get(&line));
        text_free(&line);
}

/* "Thread 1024.1088  thrgt13.exe  0xff538020" */
static void put_head(struct cli *cli, const struct stasis_record *record)
{
        struct text line = { 0 };
        const struct stasis_fact *pid = present(record, "pid"), *tid = present(record, "tid");
        const char *name = text_of(record, "process");

        text_str(&line, "Thread ");
        if (pid)
                text_printf(&line, "%" PRIu64, pid->value);
        text_str(&line, pid ? "." : "?.");
        if (tid)
                text_printf(&line, "%" PRIu64, tid->value);
        else
                text_str(&line, "?");
        if (!name)
                name = text_of(record, "name");
        if (!name)
                name = text_of(record, "comm");
        if (name)
                text_printf(&line, "  %s", name);
        text_printf(&line, "  0x%" PRIx64, record->object);
        put_title(cli, text_get(&line));
        text_free(&line);
        put_state(cli, record);
}

/* ---- parts */

/* The record of the process that the thread belongs to; NULL where there is none. It stays while the thread's does. */
static const struct stasis_record *process_of(const struct cli *cli, const struct stasis_record *record)
{
        const struct stasis_fact *object = present(record, "process_object");
        const struct stasis_record *process;
        size_t count;

        if (!object || stasis_system_count(cli->system, STASIS_PROCESSES, &count, NULL) != STASIS_OK)
                return NULL;
        for (size_t i = 0; i < count; i++)
                if (stasis_system_record(cli->system, STASIS_PROCESSES, i, &process, NULL) == STASIS_OK &&
                    process->object == object->value)
                        return process;
        return NULL;
}

/* What nobody has, or what says that there is none, is no line of a part. False: it stays for the rest of the page. */
static bool put_one(struct cli *cli, const struct stasis_record *record, size_t i)
{
        const struct stasis_fact *fact = &record->fact[i];
        const struct stasis_column *column = &record->column[i];

        if (fact->absence == STASIS_NOT_APPLICABLE || fact->absence == STASIS_NOT_IN_VERSION)
                return false;
        if (column->kind == STASIS_KIND_REGISTERS && fact->absence == STASIS_PRESENT && fact->text)
                put_registers(cli, column->title, fact->text);
        else if (column->kind != STASIS_KIND_LIST || fact->absence != STASIS_PRESENT)
                put_detail(cli, record, &i, 1);
        else if (fact->list->rows)
                put_rows(cli, column->title, fact->list);
        else
                return false;
        return true;
}

static void begin_part(struct cli *cli, const char *title, bool *begun)
{
        if (*begun)
                return;
        putc('\n', cli->out);
        put_title(cli, title);
        *begun = true;
}

/* A thread without a token of its own has its process's lists. */
static void put_lists_of_process(struct cli *cli, const struct stasis_record *record, bool *begun)
{
        static const char *const lists[] = { "groups", "restricted_sids", "privileges" };
        const struct stasis_fact *own = stasis_record_fact(record, "groups");
        const struct stasis_record *process =
                own && own->absence == STASIS_NOT_APPLICABLE ? process_of(cli, record) : NULL;

        for (size_t i = 0; process && i < sizeof(lists) / sizeof(lists[0]); i++) {
                const struct stasis_fact *fact = present(process, lists[i]);
                if (!fact || !fact->list->rows)
                        continue;
                begin_part(cli, "Acts for", begun);
                put_rows(cli, process->column[index_of(process, lists[i])].title, fact->list);
        }
}

/* While it acts with a token of its own: with which one its process does. */
static void put_process_token(struct cli *cli, const struct stasis_record *record)
{
        static const char *const keys[] = { "user",          "user_name", "integrity",       "administrator",
                                            "token_session", "groups",    "restricted_sids", "privileges" };
        const struct stasis_fact *impersonating = present(record, "impersonating");
        const struct stasis_record *process = impersonating && impersonating->value ? process_of(cli, record) : NULL;
        bool begun = false;

        for (size_t k = 0; process && k < sizeof(keys) / sizeof(keys[0]); k++) {
                size_t i = index_of(process, keys[k]);
                if (i == process->count || process->fact[i].absence != STASIS_PRESENT)
                        continue;
                begin_part(cli, "Its process acts for", &begun);
                put_one(cli, process, i);
        }
}

static void put_part(struct cli *cli, const struct stasis_record *record, size_t part, bool *told)
{
        bool begun = false;

        for (size_t k = 0; k < PART_KEYS && parts[part].key[k]; k++) {
                size_t i = index_of(record, parts[part].key[k]);
                if (i == record->count)
                        continue;
                bool worth = record->fact[i].absence == STASIS_PRESENT
                                     ? record->column[i].kind != STASIS_KIND_LIST || record->fact[i].list->rows
                                     : record->fact[i].absence != STASIS_NOT_APPLICABLE &&
                                               record->fact[i].absence != STASIS_NOT_IN_VERSION;
                if (worth)
                        begin_part(cli, parts[part].title, &begun);
                told[i] = put_one(cli, record, i);
        }
        if (parts[part].mark == PART_TOKEN) {
                put_lists_of_process(cli, record, &begun);
                put_process_token(cli, record);
        }
}

static void put_its_notes(struct cli *cli, const struct stasis_record *record)
{
        size_t count;
        const struct stasis_note *note = stasis_system_notes(cli->system, &count);
        bool begun = false;

        for (size_t i = 0; i < count; i++) {
                if (note[i].object != record->object)
                        continue;
                begin_part(cli, "Noticed", &begun);
                put_pair(cli, note[i].code, note[i].text);
        }
}

void put_page(struct cli *cli, const struct stasis_record *record)
{
        bool *told = calloc(record->count + 1, sizeof(*told));
        size_t *rest = calloc(record->count + 1, sizeof(*rest)), count = 0;

        put_head(cli, record);
        for (size_t part = 0; told && part < sizeof(parts) / sizeof(parts[0]); part++)
                put_part(cli, record, part, told);
        put_its_notes(cli, record);
        for (size_t i = 0; told && rest && i < record->count; i++)
                if (!told[i])
                        rest[count++] = i;
        if (rest && count) {
                putc('\n', cli->out);
                put_title(cli, "Further facts");
                put_rest(cli, record, rest, count);
        }
        free(told);
        free(rest);
}
