/* SPDX-License-Identifier: MIT */
/* Pieces of text output: headings, pairs, notes, sizes, colours. */
#include <inttypes.h>
#include <string.h>

#include "hints.h"
#include "out.h"

const char *paint(const struct cli *cli, enum paint color)
{
        static const char *const sequence[] = {
                [PAINT_BOLD] = "\033[1m",
                [PAINT_DIM] = "\033[2m",
                [PAINT_RED] = "\033[31m",
                [PAINT_YELLOW] = "\033[33m",
        };

        return cli->colored ? sequence[color] : "";
}

const char *paint_off(const struct cli *cli) { return cli->colored ? "\033[0m" : ""; }

void size_text(struct text *text, uint64_t len)
{
        static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
        size_t i = 0;

        while (i + 1 < sizeof(unit) / sizeof(unit[0]) && len && len % 1024 == 0) {
                len /= 1024;
                i++;
        }
        text_printf(text, "%" PRIu64 " %s", len, i == 0 && len == 1 ? "byte" : unit[i]);
}

/* Prints a safe form of text, wrapped, behind `first` columns that are already there. */
static void put_safe(struct cli *cli, const char *text, size_t first, size_t indent)
{
        struct text safe = { 0 }, lines = { 0 };

        text_safe(&safe, text);
        text_wrap(&lines, text_get(&safe), first, indent, CLI_WIDTH);
        fputs(text_get(&lines), cli->out);
        text_free(&safe);
        text_free(&lines);
}

#define PAIR_COLUMN 28

void put_pair(struct cli *cli, const char *title, const char *value)
{
        fprintf(cli->out, "  %-*s", PAIR_COLUMN - 2, title);
        size_t first = strlen(title) + 2 > PAIR_COLUMN ? strlen(title) + 2 : PAIR_COLUMN;
        if (first != PAIR_COLUMN) {
                putc(' ', cli->out);
                first++;
        }
        put_safe(cli, value, first, PAIR_COLUMN);
        putc('\n', cli->out);
}

void put_title(struct cli *cli, const char *title)
{
        fputs(paint(cli, PAINT_BOLD), cli->out);
        put_safe(cli, title, 0, 2);
        fprintf(cli->out, "%s\n", paint_off(cli));
}

/* "Windows XP 5.1.2600.5512 Service Pack 3, x86": the facts that name a system; those that are absent are left out. */
void put_system_title(const struct stasis_record *record, struct text *title)
{
        static const struct {
                const char *key, *before;
        } parts[] = { { "name", "" }, { "version", " " }, { "service_pack", " " }, { "machine", ", " } };

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
                const struct stasis_fact *fact = stasis_record_fact(record, parts[i].key);
                if (fact && fact->absence == STASIS_PRESENT && fact->text && *fact->text)
                        text_printf(title, "%s%s", title->len ? parts[i].before : "", fact->text);
        }
}

void put_heading(struct cli *cli)
{
        struct text line = { 0 };

        if (cli->quiet)
                return;
        text_printf(&line, "%s: %s, ", stasis_image_path(cli->image), stasis_image_format_title(cli->image));
        size_text(&line, image_held(cli->image));
        put_title(cli, text_get(&line));
        if (cli->understood) {
                text_reset(&line);
                put_system_title(stasis_system_facts(cli->system), &line);
                if (line.len)
                        put_title(cli, text_get(&line));
        }
        text_free(&line);
}

/* ---- notes: what is missing first */

#define NOTES_A_CODE 12 /* of one kind; then a count. The other formats give all. */

/* Whom the note speaks of, unless its text says so. */
static void note_subject(const struct stasis_note *note, struct text *line)
{
        char pid[32], tid[32], object[32];

        snprintf(pid, sizeof(pid), "pid %" PRId64, note->pid);
        snprintf(tid, sizeof(tid), "tid %" PRId64, note->tid);
        snprintf(object, sizeof(object), "0x%" PRIx64, note->object);
        bool say_pid = note->pid >= 0 && !strstr(note->text, pid), say_tid = note->tid >= 0 && !strstr(note->text, tid);
        if (say_pid || say_tid)
                text_printf(line, " (%s%s%s)", say_pid ? pid : "", say_pid && say_tid ? ", " : "", say_tid ? tid : "");
        if (note->object && !strstr(note->text, object))
                text_printf(line, " [%s]", object);
}

static void put_note(struct cli *cli, const struct stasis_note *note)
{
        static const char *const word[] = { "note", "warning", "missing" };
        static const enum paint color[] = { PAINT_DIM, PAINT_YELLOW, PAINT_RED };
        struct text line = { 0 };

        text_str(&line, note->text);
        note_subject(note, &line);
        fprintf(cli->out, "  %s%s%s: ", paint(cli, color[note->severity]), word[note->severity], paint_off(cli));
        put_safe(cli, text_get(&line), 4 + strlen(word[note->severity]), 4);
        putc('\n', cli->out);
        text_free(&line);
}

/* How many notes of the same kind stand before this one. */
static size_t notes_before(const struct stasis_note *note, size_t index)
{
        size_t count = 0;

        for (size_t i = 0; i < index && count <= NOTES_A_CODE; i++)
                count += note[i].severity == note[index].severity && strcmp(note[i].code, note[index].code) == 0;
        return count;
}

/* What is merely worth knowing of one thread stands with the thread, not below a table of all. */
static bool of_one_thread(const struct stasis_note *note)
{
        return note->severity == STASIS_NOTE_INFO && note->tid >= 0;
}

static size_t put_notes_of(struct cli *cli, const struct stasis_note *note, size_t count, enum stasis_severity severity,
                           bool table)
{
        size_t left_out = 0;

        for (size_t i = 0; i < count; i++) {
                if (note[i].severity != severity || (table && of_one_thread(&note[i])))
                        continue;
                if (notes_before(note, i) >= NOTES_A_CODE)
                        left_out++;
                else
                        put_note(cli, &note[i]);
        }
        return left_out;
}

static void put_gaps(struct cli *cli)
{
        struct text line = { 0 };
        struct image_gaps gaps = image_missing(cli->image);

        if (gaps.count) {
                text_printf(&line, "%zu %s of physical memory, ", gaps.count, gaps.count == 1 ? "range" : "ranges");
                size_text(&line, gaps.bytes);
                text_str(&line, ", that the file declares and does not hold ('stasis info' lists them)");
                put_note(cli, &(struct stasis_note){ STASIS_NOTE_MISSING, "", text_get(&line), 0, -1, -1 });
        }
        text_free(&line);
}

void put_notes(struct cli *cli) { put_notes_below(cli, false); }

void put_notes_below(struct cli *cli, bool table)
{
        size_t count = 0, gaps = image_missing(cli->image).count, missing = 0, shown = 0, left_out;
        const struct stasis_note *note = cli->system ? stasis_system_notes(cli->system, &count) : NULL;

        for (size_t i = 0; i < count; i++) {
                missing += note[i].severity == STASIS_NOTE_MISSING;
                shown += !table || !of_one_thread(&note[i]);
        }
        if (gaps + (cli->quiet ? missing : shown) == 0)
                return;
        putc('\n', cli->out);
        put_title(cli, "Notes");
        put_gaps(cli);
        left_out = put_notes_of(cli, note, count, STASIS_NOTE_MISSING, table);
        if (!cli->quiet) {
                left_out += put_notes_of(cli, note, count, STASIS_NOTE_WARNING, table);
                left_out += put_notes_of(cli, note, count, STASIS_NOTE_INFO, table);
        }
        if (left_out)
                fprintf(cli->out, "  and %zu more of these kinds; '--format json' gives all\n", left_out);
}
