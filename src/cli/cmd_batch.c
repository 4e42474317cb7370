/* SPDX-License-Identifier: MIT */
/* stasis batch: from what is asked for to what is told at the end. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "json.h"
#include "sandbox.h"

static int64_t milliseconds(void)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what is asked for */

/* A folder that was named must do; by itself one is needed for what must be unpacked only. */
static enum cli_exit check_tmp(struct cli *cli)
{
        static const char fmt[] = "%s: nothing can be unpacked there: %s; '--tmp' names another folder";
        const char *tmp = batch_tmp(cli);

        if (access(tmp, W_OK | X_OK) == 0)
                return CLI_COMPLETE;
        if (cli->tmp)
                return cli_fail(cli, fmt, tmp, strerror(errno));
        cli_warn(cli, fmt, tmp, strerror(errno));
        return CLI_COMPLETE;
}

static enum cli_exit check(struct batch *batch)
{
        struct cli *cli = batch->cli;
        char why[160];

        if (!cli->output)
                return cli_usage(cli, "batch: no folder for the answer is given: --output DIR");
        if (!digest_available())
                return cli_fail(cli, "this stasis was built without nettle (nettle-dev), by which batch knows images");
        if (!cli->no_sandbox && !sandbox_built())
                return cli_fail(cli, "this stasis was built without libseccomp (libseccomp-dev), so that workers have "
                                     "no sandbox; '--no-sandbox' goes without");
        batch->shard.by = cli->shard_by ? SHARD_BY_CONTENT : SHARD_BY_NAME;
        if (cli->shard && !shard_parse(cli->shard, &batch->shard, why))
                return cli_usage(cli, "--shard %s: %s", cli->shard, why);
        if (!cli->no_sandbox && !sandbox_has_landlock())
                cli_warn(cli, "this kernel has no Landlock: seccomp alone holds the workers");
        return check_tmp(cli);
}

/* What changes an answer, or which answers there are. */
static void put_settings(const struct batch *batch, bool sharded, struct text *ret_settings)
{
        char *bytes = NULL;
        size_t len = 0;
        struct json json = { .out = open_memstream(&bytes, &len) };

        if (!json.out)
                return;
        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/batch/1");
        json_put_text(&json, "stasis", STASIS_VERSION);
        json_put_text(&json, "reader", batch->cli->reader);
        json_put_bool(&json, "scan", batch->cli->scan);
        json_put_bool(&json, "sandbox", !batch->cli->no_sandbox);
        if (batch->shard.of && sharded) {
                json_begin(&json, "shard", '{');
                json_put_number(&json, "number", batch->shard.number);
                json_put_number(&json, "of", batch->shard.of);
                json_put_text(&json, "by", batch->shard.by == SHARD_BY_CONTENT ? "content" : "name");
                json_end(&json);
        } else {
                json_put_null(&json, "shard");
        }
        json_end(&json);
        json_line(&json);
        fclose(json.out);
        text_add(ret_settings, bytes, len);
        free(bytes);
}

/* ---- files */

bool batch_is_mine(const struct batch *batch, const struct entry *entry)
{
        struct text key = { 0 };

        if (batch->shard.of == 0)
                return true;
        entry_key(entry, false, &key);
        bool mine = shard_has_key(&batch->shard, text_get(&key), key.len);
        text_free(&key);
        return mine;
}

static void see_odd(void *ctx, const char *path, enum verdict verdict, const char *why)
{
        struct batch *batch = ctx;
        struct entry entry;

        entry_init(&entry);
        entry_set(&entry.path, path, strlen(path));
        entry_set(&entry.error, why, strlen(why));
        entry.verdict = verdict;
        batch->inputs++;
        names_add(batch->input_names, path);
        if (batch_is_mine(batch, &entry)) {
                batch->total++;
                batch_told(batch, &entry);
        }
        entry_free(&entry);
}

/* By content every shard must see all of it. */
static void keep_mine(struct batch *batch)
{
        struct batch_items *items = &batch->items;
        size_t kept = 0;

        for (size_t i = 0; i < items->count; i++) {
                const struct entry named = { .path = items->at[i].path };
                batch->inputs++;
                names_add(batch->input_names, named.path);
                if (batch->shard.by == SHARD_BY_CONTENT || batch_is_mine(batch, &named))
                        items->at[kept++] = items->at[i];
                else
                        free(items->at[i].path);
        }
        items->count = kept;
        batch->total += kept;
}

/* ---- the end */

static void put_totals(struct json *json, const struct batch_totals *totals)
{
        json_put_number(json, "entries", totals->entries);
        json_put_number(json, "images", totals->contents);
        json_begin(json, "status", '{');
        for (int i = 0; i < VERDICT_SAME; i++)
                json_put_number(json, verdict_names[i], totals->counts[i]);
        json_end(json);
}

enum cli_exit batch_write_end(struct cli *cli, const struct batch_out *out, const struct batch_totals *totals)
{
        FILE *file = batch_out_file(out->dir, "finished.json");
        struct json json = { .out = file };
        char hex[DIGEST_HEX];

        digest_hex(totals->names, hex);
        if (file) {
                json_begin(&json, NULL, '{');
                json_put_text(&json, "schema", "stasis/batch-end/1");
                json_put_number(&json, "inputs", totals->inputs);
                json_put_text(&json, "inputs_xor", hex);
                put_totals(&json, totals);
                json_end(&json);
                json_line(&json);
        }
        if (file && batch_out_file_end(out->dir, "finished.json", file))
                return CLI_COMPLETE;
        return cli_fail(cli, "%s: finished.json: %s", out->path, strerror(errno));
}

void batch_say_totals(struct cli *cli, const char *path, const struct batch_totals *totals)
{
        struct text line = { 0 };

        text_printf(&line, "%" PRIu64 " %s, ", totals->entries, totals->entries == 1 ? "file" : "files");
        if (totals->contents)
                text_printf(&line, "%" PRIu64 " different %s%s", totals->contents,
                            totals->contents == 1 ? "image" : "images", totals->entries ? ":" : "");
        else
                text_printf(&line, "no image%s", totals->entries ? ":" : "");
        for (int i = 0, some = 0; i < VERDICT_SAME; i++)
                if (totals->counts[i])
                        text_printf(&line, "%s %" PRIu64 " %s", some++ ? "," : "", totals->counts[i],
                                    verdict_titles[i]);
        text_put_wrapped(cli->out, text_get(&line), 0, 2, CLI_WIDTH);
        text_reset(&line);
        text_safe(&line, path);
        fprintf(cli->out, "%s/summary.jsonl has a line for each\n", text_get(&line));
        text_free(&line);
}

/* An archive without any image is a wrong path more often than not: never silently empty. */
enum cli_exit batch_status(const struct batch_totals *totals)
{
        if (totals->contents == 0 && !totals->part)
                return CLI_PARTIAL;
        for (int i = 0; i < VERDICTS; i++)
                if (totals->counts[i] && verdict_is_trouble((enum verdict)i))
                        return CLI_PARTIAL;
        return CLI_COMPLETE;
}

static enum cli_exit finish(struct batch *batch)
{
        struct batch_totals totals = { 0 };
        struct text journal = { 0 };

        text_printf(&journal, "%s/journal", batch->out.path);
        const char *const journals[] = { text_get(&journal) };
        enum cli_exit failed = batch_finish(batch->cli, journals, 1, &batch->out, &totals);
        text_free(&journal);
        totals.inputs = batch->inputs; /* all of them, of which a shard's own entries are a part */
        memcpy(totals.names, batch->input_names, sizeof(totals.names));
        if (!failed && !batch->stopped)
                failed = batch_write_end(batch->cli, &batch->out, &totals);
        totals.part = batch->shard.of > 0 && batch->inputs > 0;
        if (failed)
                return failed;
        if (batch->stopped) {
                cli_fail(batch->cli, "stopped: %zu of %zu are done; the same command goes on", batch->finished,
                         batch->total);
                return CLI_PARTIAL;
        }
        batch_say_totals(batch->cli, batch->out.path, &totals);
        return batch_status(&totals);
}

static enum cli_exit run(struct batch *batch)
{
        enum cli_exit failed = batch_find(batch->cli, batch->out.dir, &batch->items, see_odd, batch);

        if (failed)
                return failed;
        keep_mine(batch);
        (void)unlinkat(batch->out.dir, "finished.json", 0);
        batch->begun = batch->said = milliseconds();
        batch_run(batch);
        if (!batch->terminal)
                batch_say(batch, true);
        cli_progress_end(batch->cli);
        return batch->failed ? batch->failed : finish(batch);
}

enum cli_exit cmd_batch(struct cli *cli)
{
        struct batch batch = { .cli = cli, .terminal = cli->err == stderr && isatty(STDERR_FILENO) };
        struct text settings = { 0 };

        signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write error like any other */
        enum cli_exit failed = check(&batch);
        if (failed)
                return failed;
        put_settings(&batch, true, &settings);
        failed = batch_out_open(cli, cli->output, text_get(&settings), &batch.out);
        if (!failed)
                failed = run(&batch);
        text_free(&settings);
        items_free(&batch.items);
        batch_out_close(&batch.out);
        return failed;
}
