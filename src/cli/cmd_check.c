/* SPDX-License-Identifier: MIT */
/* stasis check: an image, or a folder of them, against what is expected of it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

static bool count_all(struct json_object *const *told, size_t count, struct json_object *cases,
                      struct check_totals *ret_totals)
{
        *ret_totals = (struct check_totals){ .count = count };
        for (size_t i = 0; i < count; i++) {
                if (!told[i] || json_object_array_add(cases, json_object_get(told[i])) != 0)
                        return false;
                ret_totals->of[check_outcome_of(told[i])]++;
        }
        return true;
}

/* A difference wins: it is what was asked for. Then what could not be told at all, then what could be in part. */
static enum cli_exit exit_of(const struct check_totals *totals)
{
        static const enum check_outcome order[] = { CHECK_DIFFERENT, CHECK_ERROR, CHECK_PARTIAL };

        for (size_t i = 0; i < 3; i++)
                if (totals->of[order[i]])
                        return check_exit_of(order[i]);
        return CLI_COMPLETE;
}

static void put(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        switch ((enum cli_format)cli->format) {
        case CLI_JSON: check_put_json(cli, cases, totals); break;
        case CLI_JUNIT: check_put_junit(cli, cases, totals); break;
        case CLI_TAP: check_put_tap(cli, cases, totals); break;
        case CLI_GITHUB: check_put_github(cli, cases, totals); break;
        default: check_put_text(cli, cases, totals); break;
        }
}

static enum cli_exit report(struct cli *cli, struct json_object *const *told, size_t count)
{
        struct json_object *cases = json_object_new_array();
        struct check_totals totals;
        enum cli_exit status;

        cli_progress_end(cli);
        if (cases && count_all(told, count, cases, &totals)) {
                put(cli, cases, &totals);
                status = exit_of(&totals);
        } else {
                status = cli_fail(cli, "out of memory");
        }
        json_object_put(cases);
        return status;
}

static enum cli_exit check_folder(struct cli *cli)
{
        struct check_cases cases = { 0 };
        enum cli_exit status = CLI_UNREADABLE;

        if (!check_find(cli, cli->image_path, &cases)) {
                check_cases_free(&cases);
                return status;
        }
        struct json_object **told = calloc(cases.count + 1, sizeof(struct json_object *));
        if (cases.count == 0)
                cli_fail(cli, "%s: there is no case in it: an image and its reference NAME.ref.json, or a case.json",
                         cli->image_path);
        else if (!told || !check_run(cli, &cases, told))
                cli_fail(cli, "%s: not all cases could be run: out of memory or processes", cli->image_path);
        else
                status = report(cli, told, cases.count);
        for (size_t i = 0; told && i < cases.count; i++)
                json_object_put(told[i]);
        free(told);
        check_cases_free(&cases);
        return status;
}

static enum cli_exit check_image(struct cli *cli)
{
        struct check_case one = { .name = strdup(cli->image_path),
                                  .image = strdup(cli->image_path),
                                  .against = strdup(cli->against) };
        const struct check_cases cases = { .at = &one, .count = 1 };
        struct json_object *told = NULL;

        if (one.name && one.image && one.against)
                (void)check_run(cli, &cases, &told);
        enum cli_exit status = report(cli, &told, 1);
        json_object_put(told);
        free(one.name);
        free(one.image);
        free(one.against);
        return status;
}

enum cli_exit cmd_check(struct cli *cli)
{
        struct stat st;

        cli->folder = stat(cli->image_path, &st) == 0 && S_ISDIR(st.st_mode);
        if (cli->folder && cli->against)
                return cli_usage(cli, "--against is for one image; the cases of a folder have their own references");
        if (cli->folder && cli->more_count)
                return cli_usage(cli, "one folder at a time");
        if (!cli->folder && !cli->against)
                return cli_usage(cli, "check: --against is missing: what is the image to be compared with?");
        return cli->folder ? check_folder(cli) : check_image(cli);
}
