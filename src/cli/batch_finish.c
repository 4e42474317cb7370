/* SPDX-License-Identifier: MIT */
/*
 * From the journal to the summary. Lines stand in the order of names, and say nothing of when and in which order things
 * were done: a run that was killed and went on ends with the same bytes as one that was not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch.h"
#include "sqlite.h"

struct line {
        struct entry entry;
        size_t journal;            /* which one it is of */
        size_t order;              /* of all lines of the journals */
        struct line *told, *first; /* of the same content: which tells what became of it; which has the first name */
};

struct lines {
        struct line *at;
        size_t count, capacity;
};

/* ---- all lines, then the last of each name */

static void read_lines(struct lines *lines, const char *journal, size_t number)
{
        FILE *file = fopen(journal, "re");
        char *text = NULL;
        size_t capacity = 0;
        ssize_t len;

        while (file && (len = getline(&text, &capacity, file)) > 0 && text[len - 1] == '\n') {
                if (lines->count == lines->capacity) {
                        lines->capacity = lines->capacity ? 2 * lines->capacity : 256;
                        lines->at = reallocarray(lines->at, lines->capacity, sizeof(*lines->at));
                        if (!lines->at)
                                _exit(CLI_UNREADABLE);
                }
                struct line *line = &lines->at[lines->count];
                memset(line, 0, sizeof(*line));
                line->journal = number;
                line->order = lines->count;
                lines->count += entry_parse(text, (size_t)len - 1, &line->entry);
        }
        free(text);
        if (file)
                fclose(file);
}

static int by_name(const void *a, const void *b)
{
        const struct line *x = a, *y = b;
        int order = entry_compare(&x->entry, &y->entry);

        return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Of one content: what tells first, the latest line before all: with --retry more may have come of it than before. */
static int by_content(const void *a, const void *b)
{
        const struct line *x = *(const struct line *const *)a, *y = *(const struct line *const *)b;
        int order = strcmp(x->entry.sha256, y->entry.sha256);

        if (order == 0)
                order = (x->entry.verdict >= VERDICT_SAME) - (y->entry.verdict >= VERDICT_SAME);
        return order ? order : (x->order < y->order) - (x->order > y->order);
}

/* Lines of each content lie side by side then. */
static void join_contents(struct lines *lines)
{
        struct line **line = calloc(lines->count + 1, sizeof(*line));
        size_t count = 0;

        if (!line)
                _exit(CLI_UNREADABLE);
        for (size_t i = 0; i < lines->count; i++)
                if (lines->at[i].entry.sha256)
                        line[count++] = &lines->at[i];
        if (count)
                qsort(line, count, sizeof(*line), by_content);
        struct line *told = NULL;
        for (size_t i = 0; i < count; i++) {
                if (!told || strcmp(told->entry.sha256, line[i]->entry.sha256) != 0)
                        told = line[i];
                line[i]->told = told->entry.verdict < VERDICT_SAME ? told : NULL;
        }
        free(line);
}

/*
 * The last line of a name in each journal is what holds there. One that nothing tells of is not there; nor is one that
 * says that the name is another shard's, whose own journal has it.
 */
static void keep_last(struct lines *lines)
{
        struct line *before = NULL;

        for (size_t i = 0; lines->at && i < lines->count; i++) {
                struct line *line = &lines->at[i];
                const struct line *next = i + 1 < lines->count ? line + 1 : NULL;
                bool last = !next || next->journal != line->journal || entry_compare(&line->entry, &next->entry) != 0;
                bool told = line->entry.verdict < VERDICT_SAME || (line->entry.verdict == VERDICT_SAME && line->told);
                if (!last || !told) {
                        line->order = SIZE_MAX;
                        continue;
                }
                if (before && entry_compare(&before->entry, &line->entry) == 0)
                        before->order = SIZE_MAX;
                before = line;
        }
}

static bool is_kept(const struct line *line) { return line->order != SIZE_MAX; }

/* A folder that could not be read, and of which a later run found files: they stand behind it, by name. */
static bool could_be_read_later(const struct lines *lines, size_t at)
{
        const struct line *folder = &lines->at[at];
        size_t len = strlen(folder->entry.path);

        if (folder->entry.verdict != VERDICT_UNREADABLE || folder->entry.size != STASIS_NOWHERE || folder->entry.member)
                return false;
        for (size_t i = at + 1; i < lines->count; i++) {
                const struct line *line = &lines->at[i];
                if (strncmp(line->entry.path, folder->entry.path, len) != 0)
                        break;
                if (is_kept(line) && line->entry.path[len] == '/' && line->journal == folder->journal &&
                    line->order > folder->order)
                        return true;
        }
        return false;
}

static void drop_readable(struct lines *lines)
{
        for (size_t i = 0; i < lines->count; i++)
                if (is_kept(&lines->at[i]) && could_be_read_later(lines, i))
                        lines->at[i].order = SIZE_MAX;
}

/* The first name of each content: `first` of the line that tells. */
static void name_first(struct lines *lines)
{
        for (size_t i = 0; i < lines->count; i++) {
                struct line *line = &lines->at[i];
                if (is_kept(line) && line->told && !line->told->first)
                        line->told->first = line;
        }
}

/* ---- a line of the summary: its own name, and what is told of its content */

static struct entry seen(const struct line *line)
{
        struct entry entry = line->told ? line->told->entry : line->entry;

        entry.path = line->entry.path;
        entry.member = line->entry.member;
        entry.inner = line->entry.inner;
        entry.size = line->entry.size;
        return entry;
}

static const struct entry *same_as(const struct line *line)
{
        const struct line *first = line->told ? line->told->first : NULL;

        return first && first != line ? &first->entry : NULL;
}

static bool write_lines(const struct lines *lines, int dir, const char *name, bool workers)
{
        FILE *file = batch_out_file(dir, name);

        for (size_t i = 0; file && i < lines->count; i++) {
                const struct line *line = &lines->at[i];
                struct entry entry = is_kept(line) ? seen(line) : line->entry;
                if (!is_kept(line))
                        continue;
                if (!workers)
                        entry_summary(&entry, same_as(line), file);
                else if (!same_as(line) && entry.milliseconds != STASIS_NOWHERE)
                        entry_worker(&entry, file);
        }
        return file && batch_out_file_end(dir, name, file);
}

static void count_lines(const struct lines *lines, struct batch_totals *totals)
{
        for (size_t i = 0; i < lines->count; i++) {
                const struct line *line = &lines->at[i];
                if (!is_kept(line))
                        continue;
                struct entry entry = seen(line);
                totals->entries++;
                totals->counts[entry.verdict]++;
                totals->inputs += !entry.member;
                if (!entry.member)
                        names_add(totals->names, entry.path);
                totals->contents += verdict_is_of_image((enum verdict)entry.verdict) && !same_as(line);
        }
}

/* Members stand behind their archive; those of an archive in it behind that one. */
static uint64_t members_behind(const struct lines *lines, size_t at)
{
        const struct entry *archive = &lines->at[at].entry;
        uint64_t count = 0;

        for (size_t i = at + 1; i < lines->count; i++) {
                const struct entry *entry = &lines->at[i].entry;
                if (!is_kept(&lines->at[i]))
                        continue;
                if (strcmp(entry->path, archive->path) != 0 ||
                    (archive->member && (!entry->inner || strcmp(entry->member, archive->member) != 0)))
                        break;
                count += archive->member || !entry->inner;
        }
        return count;
}

static void count_lost(const struct lines *lines, struct batch_totals *totals)
{
        for (size_t i = 0; i < lines->count; i++) {
                const struct entry *entry = &lines->at[i].entry;
                if (!is_kept(&lines->at[i]) || entry->members == STASIS_NOWHERE)
                        continue;
                uint64_t found = members_behind(lines, i);
                totals->lost_members += found < entry->members ? entry->members - found : 0;
        }
}

/* ---- the tables of --sqlite: in the order of names too */

static enum stasis_status add_first(struct sqlite_db *db, const struct batch_out *out, const struct entry *entry,
                                    struct stasis_error *err)
{
        struct text name = { 0 };
        char result[DIGEST_HEX + 8];
        FILE *document = NULL;

        entry_name(entry, &name);
        const struct sqlite_facts facts = { .sha256 = entry->sha256,
                                            .path = text_get(&name),
                                            .verdict = verdict_names[entry->verdict],
                                            .error = entry->error,
                                            .exit_status = entry->exit_status == STASIS_NOWHERE
                                                                   ? CLI_UNREADABLE
                                                                   : (int)entry->exit_status };
        snprintf(result, sizeof(result), "%s.json", entry->sha256);
        if (verdict_has_result((enum verdict)entry->verdict)) {
                int fd = openat(out->results, result, O_RDONLY | O_CLOEXEC);
                document = fd < 0 ? NULL : fdopen(fd, "r");
        }
        enum stasis_status status = sqlite_add_result(db, &facts, document, err);
        if (document)
                fclose(document);
        text_free(&name);
        return status;
}

static enum stasis_status add_line(struct sqlite_db *db, const struct batch_out *out, const struct line *line,
                                   struct stasis_error *err)
{
        struct entry entry = seen(line);
        struct text name = { 0 };

        if (!entry.sha256 || !verdict_is_of_image((enum verdict)entry.verdict))
                return STASIS_OK;
        if (!same_as(line))
                return add_first(db, out, &entry, err);
        entry_name(&entry, &name);
        enum stasis_status status = sqlite_add_path(db, entry.sha256, text_get(&name), err);
        text_free(&name);
        return status;
}

static enum stasis_status fill_tables(const struct cli *cli, const struct lines *lines, const struct batch_out *out,
                                      struct stasis_error *err)
{
        struct sqlite_db *db = NULL;

        enum stasis_status status = sqlite_open(cli->sqlite, &db, err);
        for (size_t i = 0; status == STASIS_OK && i < lines->count; i++)
                if (is_kept(&lines->at[i]))
                        status = add_line(db, out, &lines->at[i], err);
        sqlite_close(db);
        return status;
}

/* ---- the process */

static void lines_free(struct lines *lines)
{
        for (size_t i = 0; i < lines->count; i++)
                entry_free(&lines->at[i].entry);
        free(lines->at);
        *lines = (struct lines){ 0 };
}

void batch_finish_here(struct cli *cli, const char *const *journals, size_t count, const struct batch_out *out,
                       struct batch_answer *ret_answer)
{
        struct batch_answer *answer = ret_answer;
        struct lines lines = { 0 };

        *answer = (struct batch_answer){ 0 };
        for (size_t i = 0; i < count; i++)
                read_lines(&lines, journals[i], i);
        if (lines.count)
                qsort(lines.at, lines.count, sizeof(*lines.at), by_name);
        join_contents(&lines);
        keep_last(&lines);
        drop_readable(&lines);
        name_first(&lines);
        count_lines(&lines, &answer->totals);
        count_lost(&lines, &answer->totals);
        if (!write_lines(&lines, out->dir, "summary.jsonl", false) ||
            !write_lines(&lines, out->dir, "workers.jsonl", true))
                answer->error = errno ? errno : EIO;
        else if (cli->sqlite)
                answer->tables.status = fill_tables(cli, &lines, out, &answer->tables);
        lines_free(&lines);
}

enum cli_exit batch_finish(struct cli *cli, const char *const *journals, size_t count, const struct batch_out *out,
                           struct batch_totals *ret_totals)
{
        struct batch_answer answer = { .error = EIO };
        int pipes[2], status = 0;

        fflush(NULL);
        if (pipe2(pipes, O_CLOEXEC) != 0)
                return cli_fail(cli, "%s: the summary: %s", out->path, strerror(errno));
        pid_t pid = fork();
        if (pid == 0) {
                batch_finish_here(cli, journals, count, out, &answer);
                _exit(write(pipes[1], &answer, sizeof(answer)) == sizeof(answer) ? 0 : CLI_UNREADABLE);
        }
        close(pipes[1]);
        if (pid < 0 || read(pipes[0], &answer, sizeof(answer)) != sizeof(answer))
                answer.error = EIO;
        close(pipes[0]);
        if (pid > 0)
                (void)waitpid(pid, &status, 0);
        if (answer.error > 0)
                return cli_fail(cli, "%s: the summary cannot be written: %s", out->path, strerror(answer.error));
        if (answer.tables.status != STASIS_OK)
                return cli_fail(cli, "%s: %s", cli->sqlite, answer.tables.text);
        *ret_totals = answer.totals;
        return CLI_COMPLETE;
}
