/* SPDX-License-Identifier: MIT */
/* The whole answer about an image, as a tree. */
#include "result_image.h"

#include <stdlib.h>

#include "json.h"
#include "out.h"

static enum cli_exit put_records(struct cli *cli, struct json *json, enum stasis_what what)
{
        const struct stasis_record *record;
        struct stasis_error err = { 0 };
        size_t count = 0;

        if (stasis_system_count(cli->system, what, &count, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, NULL);
        json_begin(json, list_noun(what, 0), '[');
        for (size_t i = 0; i < count; i++) {
                if (stasis_system_record(cli->system, what, i, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                json_put(json, NULL, json_record(record, NULL));
        }
        json_end(json);
        return CLI_COMPLETE;
}

/* In the order of the document: notes come of reading, so that they stand last. */
static enum cli_exit put_answer(struct cli *cli, FILE *out)
{
        static const enum stasis_what lists[] = { STASIS_PROCESSES, STASIS_THREADS, STASIS_MODULES };
        struct json json = { .out = out };
        enum cli_exit failed = CLI_COMPLETE;

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", result_kind_name(RESULT_WHOLE));
        json_image(&json, cli->image, false);
        json_system(&json, cli);
        for (size_t i = 0; i < 3 && !failed; i++)
                failed = put_records(cli, &json, lists[i]);
        if (failed)
                return failed;
        json_notes(&json, cli);
        json_end(&json);
        cli_progress_end(cli);
        return json.bad ? cli_fail(cli, "out of memory") : CLI_COMPLETE;
}

static enum cli_exit analyse(struct cli *cli, struct result *ret_result)
{
        char *bytes = NULL;
        size_t len = 0;
        struct text why = { 0 };
        FILE *out = open_memstream(&bytes, &len);

        if (!out)
                return cli_fail(cli, "out of memory");
        enum cli_exit failed = put_answer(cli, out);
        bool bad = ferror(out) != 0;
        bad |= fclose(out) != 0;
        if (!failed && bad)
                failed = cli_fail(cli, "out of memory");
        if (!failed && !result_parse(bytes, len, RESULT_WHOLE, ret_result, &why))
                failed = cli_fail(cli, "%s: the answer cannot be read back: %s", cli->image_path, text_get(&why));
        free(bytes);
        text_free(&why);
        if (failed)
                return failed;
        ret_result->from_image = true;
        ret_result->status = cli_outcome(cli);
        return CLI_COMPLETE;
}

enum cli_exit result_of_image(struct cli *cli, const char *path, struct result *ret_result)
{
        struct cli own = *cli; /* another image than the caller's, if that has one at all */

        own.image_path = path;
        own.image = NULL;
        own.system = NULL;
        own.understood = own.partial = false;
        enum cli_exit failed = cli_open_image(&own);
        if (!failed)
                failed = cli_open_system(&own);
        if (!failed)
                failed = analyse(&own, ret_result);
        stasis_system_close(own.system);
        stasis_image_close(own.image);
        return failed == CLI_USAGE ? CLI_UNREADABLE : failed;
}
