/* SPDX-License-Identifier: MIT */
/* What every verb needs around its own work: messages, the image, the system, progress, and the exit status. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hints.h"

static void say(struct cli *cli, const char *message)
{
        struct text line = { 0 };

        cli_progress_end(cli);
        text_safe(&line, message);
        fprintf(cli->err, "stasis: %s\n", text_get(&line));
        text_free(&line);
}

static void say_va(struct cli *cli, const char *fmt, va_list ap, const char *tail)
{
        char *message = NULL, *whole = NULL;

        if (vasprintf(&message, fmt, ap) < 0)
                message = NULL;
        if (message && tail && asprintf(&whole, "%s%s", message, tail) < 0)
                whole = NULL;
        say(cli, whole ? whole : message ? message : "out of memory");
        free(whole);
        free(message);
}

enum cli_exit cli_usage(struct cli *cli, const char *fmt, ...)
{
        char tail[64];
        va_list ap;

        if (cli->verb)
                snprintf(tail, sizeof(tail), "; see 'stasis help %s'", cli->verb->name);
        else
                snprintf(tail, sizeof(tail), "; see 'stasis --help'");
        va_start(ap, fmt);
        say_va(cli, fmt, ap, tail);
        va_end(ap);
        return CLI_USAGE;
}

enum cli_exit cli_fail(struct cli *cli, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        say_va(cli, fmt, ap, NULL);
        va_end(ap);
        return CLI_UNREADABLE;
}

enum cli_exit cli_fail_library(struct cli *cli, const struct stasis_error *err, const char *next)
{
        const char *path = cli->image_path ? cli->image_path : "";
        bool named = *path && strncmp(err->text, path, strlen(path)) == 0;

        cli_fail(cli, "%s%s%s%s%s", named ? "" : path, named || !*path ? "" : ": ", err->text, next ? "; " : "",
                 next ? next : "");
        return err->status == STASIS_USAGE ? CLI_USAGE : CLI_UNREADABLE;
}

void cli_warn(struct cli *cli, const char *fmt, ...)
{
        va_list ap;

        if (cli->quiet)
                return;
        va_start(ap, fmt);
        say_va(cli, fmt, ap, NULL);
        va_end(ap);
}

/* ---- progress: only where a person sees it, and only after half a second */

#define PROGRESS_AFTER_MS 500

static int64_t milliseconds(void)
{
        struct timespec now;

        if (clock_gettime(CLOCK_MONOTONIC, &now))
                return 1;
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
        struct cli *cli = ctx;
        struct text line = { 0 };
        int64_t now = milliseconds();

        if (cli->progress_from == 0)
                cli->progress_from = now;
        if (now - cli->progress_from < PROGRESS_AFTER_MS)
                return;
        text_safe(&line, what);
        if (total)
                text_printf(&line, " %u%%", (unsigned)(done >= total ? 100 : done / (total / 100 + 1)));
        fprintf(cli->err, "\r\033[Kstasis: %s", text_get(&line));
        fflush(cli->err);
        text_free(&line);
        cli->progress_shown = true;
}

static bool is_watched(const struct cli *cli) { return !cli->quiet && cli->err == stderr && isatty(fileno(stderr)); }

void cli_progress_end(struct cli *cli)
{
        if (cli->progress_shown)
                fputs("\r\033[K", cli->err);
        cli->progress_shown = false;
        cli->progress_from = 0;
}

/* ---- the image and the system */

static enum stasis_status open_files(struct cli *cli, const struct stasis_image_options *options,
                                     struct stasis_error *err)
{
        size_t count = 0;
        if (cli->open_image)
                return cli->open_image(cli, options, &cli->image, err);
        const char **paths = calloc(1 + cli->also.count + cli->more_count, sizeof(*paths));

        if (!paths) {
                snprintf(err->text, sizeof(err->text), "out of memory");
                return err->status = STASIS_NOMEM;
        }
        paths[count++] = cli->image_path;
        for (size_t i = 0; i < cli->more_count; i++)
                paths[count++] = cli->more[i];
        for (size_t i = 0; i < cli->also.count; i++)
                paths[count++] = cli->also.at[i];
        enum stasis_status status = stasis_image_open_files(paths, count, options, &cli->image, err);
        free(paths);
        return status;
}

enum cli_exit cli_open_image(struct cli *cli)
{
        bool watched = is_watched(cli);
        struct stasis_image_options options = {
                .format = cli->reader,
                .tmp = cli->tmp,
                .tmp_limit = cli->tmp_limit.value,
                .progress = watched ? progress : NULL,
                .progress_ctx = cli,
        };
        struct stasis_error err = { 0 };
        struct stat st;

        enum stasis_status status = open_files(cli, &options, &err);
        cli_progress_end(cli);
        if (status == STASIS_OK)
                return CLI_COMPLETE;
        if (status == STASIS_LIMIT)
                return cli_fail_library(cli, &err, "'--tmp-limit' allows more");
        bool empty = stat(cli->image_path, &st) == 0 && st.st_size == 0;
        if (status == STASIS_CORRUPT && !cli->reader && !empty)
                return cli_fail_library(cli, &err, "'--reader raw' reads the file as plain memory");
        return cli_fail_library(cli, &err, NULL);
}

const char *cli_pagefile(const char *word, uint32_t *number)
{
        size_t digits = strspn(word, "0123456789");
        if (digits == 0 || digits > 4 || word[digits] != '=')
                return word;
        if (number)
                *number = (uint32_t)strtoul(word, NULL, 10);
        return word + digits + 1;
}

static void name_pagefiles(const struct cli *cli, struct stasis_pagefile file[static CLI_TEXTS_MAX])
{
        uint32_t next = 0;
        for (size_t i = 0; i < cli->pagefiles.count; i++) {
                const char *path = cli_pagefile(cli->pagefiles.at[i], &next);
                file[i] = (struct stasis_pagefile){ .number = next++, .path = path };
        }
}

static enum stasis_status open_system(struct cli *cli, struct stasis_error *err)
{
        bool watched = is_watched(cli);
        bool infer = cli->layout && strcmp(cli->layout, "inferred") == 0; /* a file of this name is ./inferred */
        struct stasis_pagefile pagefile[CLI_TEXTS_MAX];
        name_pagefiles(cli, pagefile);
        struct stasis_system_options options = {
                .layout_path = infer ? NULL : cli->layout,
                .infer_layout = infer,
                .every_source = cli->hidden || cli->cross_view || cli->scan,
                .jobs = cli->jobs.known && cli->jobs.value <= UINT32_MAX ? (unsigned)cli->jobs.value : 0,
                .pagefile = pagefile,
                .pagefile_count = cli->pagefiles.count,
                .symbols = cli->symbols.at,
                .symbol_count = cli->symbols.count,
                .mode = cli->mode,
                .root_known = cli->root.known,
                .root = cli->root.value,
                .progress = watched ? progress : NULL,
                .progress_ctx = cli,
        };

        enum stasis_status status = stasis_system_open(cli->image, &options, &cli->system, err);
        cli_progress_end(cli);
        return status;
}

/* Raw memory in which no system is: its ranges may have been joined. What makes no more sense so is left as it was. */
static bool try_joined(struct cli *cli)
{
        struct stasis_image *image = cli->image;
        struct stasis_system *system = cli->system;
        struct stasis_image_options options = { .format = "lime-raw" };
        struct stasis_error err = { 0 };

        if (cli->reader || cli->root.known || strcmp(stasis_image_format(image), "raw") != 0)
                return false;
        cli->image = NULL;
        cli->system = NULL;
        bool better = open_files(cli, &options, &err) == STASIS_OK && open_system(cli, &err) == STASIS_OK;
        stasis_system_close(better ? system : cli->system);
        stasis_image_close(better ? image : cli->image);
        if (!better) {
                cli->image = image;
                cli->system = system;
        }
        return better;
}

enum stasis_status cli_try_system(struct cli *cli, struct stasis_error *err)
{
        enum stasis_status status = open_system(cli, err);
        if (status == STASIS_ABSENT && try_joined(cli))
                status = STASIS_OK;
        cli->understood = status == STASIS_OK;
        return status;
}

enum cli_exit cli_open_system(struct cli *cli)
{
        struct stasis_error err = { 0 };
        struct text next = { 0 };

        enum stasis_status status = cli_try_system(cli, &err);
        if (status == STASIS_OK)
                return CLI_COMPLETE;
        text_printf(&next, "'stasis info --trace %s' tells what was tried", cli->image_path);
        enum cli_exit exit_status = cli_fail_library(cli, &err, status == STASIS_USAGE ? NULL : text_get(&next));
        text_free(&next);
        return exit_status;
}

enum cli_exit cli_outcome(const struct cli *cli)
{
        size_t notes = 0;
        const struct stasis_note *note = NULL;

        if (cli->partial)
                return CLI_PARTIAL;
        if (cli->image && image_missing(cli->image).count)
                return CLI_PARTIAL;
        if (cli->system)
                note = stasis_system_notes(cli->system, &notes);
        for (size_t i = 0; i < notes; i++)
                if (note[i].severity == STASIS_NOTE_MISSING)
                        return CLI_PARTIAL;
        return CLI_COMPLETE;
}
