/* SPDX-License-Identifier: MIT */
/* stasis merge: the shards of one batch, all of them, as one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "batch.h"

#define SHARD_MARK "\"shard\":" /* settings before it are those that shards have in common */

struct part {
        const char *path;
        char *settings, *end; /* settings.json and finished.json */
        uint64_t number, of;
};

struct merge {
        struct cli *cli;
        struct part *part;
        size_t count;
        struct batch_out out;
};

/* ---- what the folders say of themselves */

/* NULL where it is not there. */
static char *read_file(const char *folder, const char *name)
{
        struct text path = { 0 }, all = { 0 };
        char piece[4096];
        size_t len;

        text_printf(&path, "%s/%s", folder, name);
        FILE *file = fopen(text_get(&path), "re");
        text_free(&path);
        while (file && all.len < sizeof(piece) * 16 && (len = fread(piece, 1, sizeof(piece), file)) > 0)
                text_add(&all, piece, len);
        if (file)
                fclose(file);
        return all.at;
}

static uint64_t number_in(struct json_object *object, const char *key)
{
        struct json_object *value;

        return json_object_object_get_ex(object, key, &value) ? (uint64_t)json_object_get_int64(value) : 0;
}

static enum cli_exit read_part(struct cli *cli, const char *path, struct part *ret_part)
{
        struct part *part = ret_part;
        struct json_object *settings, *shard = NULL;

        part->path = path;
        part->settings = read_file(path, "settings.json");
        part->end = read_file(path, "finished.json");
        if (!part->settings || !strstr(part->settings, SHARD_MARK))
                return cli_fail(cli, "%s: is no answer of a batch", path);
        if (!part->end)
                return cli_fail(cli, "%s: is not finished: run its batch again", path);
        settings = json_tokener_parse(part->settings);
        if (settings && json_object_object_get_ex(settings, "shard", &shard) && shard) {
                part->number = number_in(shard, "number");
                part->of = number_in(shard, "of");
        }
        json_object_put(settings);
        if (part->number == 0 || part->number > part->of)
                return cli_fail(cli, "%s: is no shard, but a batch by itself", path);
        return CLI_COMPLETE;
}

static size_t common_len(const struct part *part)
{
        return (size_t)(strstr(part->settings, SHARD_MARK) - part->settings);
}

/* "inputs": and the digest behind it, which every shard has seen alike. */
static bool saw_the_same(const struct part *a, const struct part *b)
{
        struct json_object *x = json_tokener_parse(a->end), *y = json_tokener_parse(b->end), *p = NULL, *q = NULL;
        bool same = x && y && number_in(x, "inputs") == number_in(y, "inputs") &&
                    json_object_object_get_ex(x, "inputs_xor", &p) && json_object_object_get_ex(y, "inputs_xor", &q) &&
                    json_object_equal(p, q);

        json_object_put(x);
        json_object_put(y);
        return same;
}

static bool has_same_way(const struct part *a, const struct part *b)
{
        const char *x = strstr(a->settings, "\"by\":"), *y = strstr(b->settings, "\"by\":");

        return x && y && strcmp(x, y) == 0;
}

static int by_number(const void *a, const void *b)
{
        const struct part *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

static enum cli_exit compare_parts(struct merge *m)
{
        const struct part *first = &m->part[0];

        qsort(m->part, m->count, sizeof(*m->part), by_number);
        for (size_t i = 1; i < m->count; i++) {
                const struct part *part = &m->part[i];
                if (part->of != first->of || common_len(part) != common_len(first) ||
                    strncmp(part->settings, first->settings, common_len(first)) != 0 || !has_same_way(part, first))
                        return cli_fail(m->cli, "%s and %s are not shards of one batch: their settings differ",
                                        first->path, part->path);
                if (part->number == m->part[i - 1].number)
                        return cli_fail(m->cli, "%s and %s are the same shard, %" PRIu64 " of %" PRIu64,
                                        m->part[i - 1].path, part->path, part->number, part->of);
                if (!saw_the_same(first, part))
                        return cli_fail(m->cli, "%s and %s were not given the same files", first->path, part->path);
        }
        for (size_t i = 0; i < m->count || i < first->of; i++)
                if (i >= m->count || m->part[i].number != i + 1)
                        return cli_fail(m->cli, "shard %zu of %" PRIu64 " is missing", i + 1, first->of);
        return CLI_COMPLETE;
}

/* ---- results */

static bool copy_bytes(int from, int to)
{
        char piece[1 << 16];
        ssize_t len;

        while ((len = read(from, piece, sizeof(piece))) > 0)
                for (ssize_t done = 0, now; done < len; done += now)
                        if ((now = write(to, piece + done, (size_t)(len - done))) <= 0)
                                return false;
        return len == 0;
}

/* The same file where that can be, else a copy, whole or not there. */
static bool take_result(const struct batch_out *out, int from, const char *name)
{
        char sha256[DIGEST_HEX];

        if (linkat(from, name, out->results, name, 0) == 0 || errno == EEXIST)
                return true;
        int in = openat(from, name, O_RDONLY | O_CLOEXEC), to = in < 0 ? -1 : batch_out_begin(out, 0);
        snprintf(sha256, sizeof(sha256), "%.*s", DIGEST_HEX - 1, name);
        bool ok = to >= 0 && copy_bytes(in, to);
        if (ok)
                ok = batch_out_keep(out, 0, to, sha256);
        else if (to >= 0)
                batch_out_drop(out, 0, to);
        if (in >= 0)
                close(in);
        return ok;
}

static enum cli_exit take_results(struct merge *m, const struct part *part)
{
        struct text path = { 0 };
        bool ok = true;

        text_printf(&path, "%s/results", part->path);
        DIR *dir = opendir(text_get(&path));
        text_free(&path);
        for (struct dirent *e; dir && ok && (e = readdir(dir));)
                if (strlen(e->d_name) == DIGEST_HEX - 1 + strlen(".json"))
                        ok = take_result(&m->out, dirfd(dir), e->d_name);
        int error = errno;
        if (dir)
                closedir(dir);
        return dir && ok ? CLI_COMPLETE
                         : cli_fail(m->cli, "%s: its results cannot be taken over: %s", part->path, strerror(error));
}

/* ---- the verb */

static enum cli_exit accounted(struct merge *m, const struct batch_totals *totals)
{
        struct json_object *end = json_tokener_parse(m->part[0].end), *names = NULL;
        char hex[DIGEST_HEX];

        digest_hex(totals->names, hex);
        bool same = end && number_in(end, "inputs") == totals->inputs &&
                    json_object_object_get_ex(end, "inputs_xor", &names) &&
                    json_object_is_type(names, json_type_string) && strcmp(json_object_get_string(names), hex) == 0;
        json_object_put(end);
        if (!same)
                return cli_fail(m->cli,
                                "the shards hold %" PRIu64 " files, which are not those that were given to them",
                                totals->inputs);
        if (totals->lost_members)
                return cli_fail(m->cli, "%" PRIu64 " files of archives are in no shard", totals->lost_members);
        return CLI_COMPLETE;
}

static enum cli_exit join(struct merge *m)
{
        struct batch_totals totals = { 0 };
        const char **journal = calloc(m->count, sizeof(*journal));
        struct text *path = calloc(m->count, sizeof(*path));
        enum cli_exit failed = CLI_COMPLETE;

        if (!journal || !path) {
                free(path);
                free(journal);
                return cli_fail(m->cli, "out of memory");
        }
        for (size_t i = 0; i < m->count && !failed; i++) {
                text_printf(&path[i], "%s/journal", m->part[i].path);
                journal[i] = text_get(&path[i]);
                failed = take_results(m, &m->part[i]);
        }
        if (!failed)
                failed = batch_finish(m->cli, journal, m->count, &m->out, &totals);
        for (size_t i = 0; i < m->count; i++)
                text_free(&path[i]);
        free(path);
        free(journal);
        if (!failed)
                failed = accounted(m, &totals);
        if (!failed)
                failed = batch_write_end(m->cli, &m->out, &totals);
        if (failed)
                return failed;
        batch_say_totals(m->cli, m->out.path, &totals);
        return batch_status(&totals);
}

static enum cli_exit run(struct merge *m)
{
        enum cli_exit failed = CLI_COMPLETE;
        struct text settings = { 0 };

        for (size_t i = 0; i < m->count && !failed; i++)
                failed = read_part(m->cli, m->cli->arg[i], &m->part[i]);
        if (!failed)
                failed = compare_parts(m);
        if (failed)
                return failed;
        text_printf(&settings, "%.*s" SHARD_MARK "null}\n", (int)common_len(&m->part[0]), m->part[0].settings);
        failed = batch_out_open(m->cli, m->cli->output, text_get(&settings), &m->out);
        text_free(&settings);
        if (!failed)
                failed = join(m);
        batch_out_close(&m->out);
        return failed;
}

enum cli_exit cmd_merge(struct cli *cli)
{
        struct merge m = { .cli = cli, .count = cli->arg_count };

        if (!cli->output)
                return cli_usage(cli, "merge: no folder for the answer is given: --output DIR");
        m.part = calloc(m.count, sizeof(*m.part));
        enum cli_exit failed = m.part ? run(&m) : cli_fail(cli, "out of memory");
        for (size_t i = 0; m.part && i < m.count; i++) {
                free(m.part[i].settings);
                free(m.part[i].end);
        }
        free(m.part);
        return failed;
}
