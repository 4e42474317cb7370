/* SPDX-License-Identifier: MIT */
/* The whole answer about an image, as a tree. */
#include "result_image.h"

#include <stdlib.h>
#include <string.h>

#include "out_result.h"

/* What is said on opening is the error of the document. */
static void open_image(struct cli *cli, struct text *ret_error)
{
        char *said = NULL;
        size_t len = 0;
        FILE *caller = cli->err, *own = open_memstream(&said, &len);

        cli->err = own ? own : caller;
        enum cli_exit failed = cli_open_image(cli);
        cli->err = caller;
        if (own)
                fclose(own);
        const char *text = said && strncmp(said, "stasis: ", 8) == 0 ? said + 8 : "it cannot be opened";
        if (failed)
                text_add(ret_error, text, strcspn(text, "\n"));
        free(said);
}

/* What was written is read back: one way in which a document looks, whether it was a file or not. */
static enum cli_exit analyse(struct cli *cli, struct result *ret_result)
{
        char *bytes = NULL;
        size_t len = 0;
        struct text why = { 0 }, error = { 0 };
        struct result_outcome outcome;
        FILE *out = open_memstream(&bytes, &len);

        if (!out)
                return cli_fail(cli, "out of memory");
        open_image(cli, &error);
        result_write(cli, &(struct result_about){ .error = error.at }, out, &outcome);
        cli_progress_end(cli);
        bool bad = ferror(out) != 0 || outcome.no_memory;
        bad |= fclose(out) != 0;
        enum cli_exit failed = bad ? cli_fail(cli, "%s: out of memory", cli->image_path) : CLI_COMPLETE;
        if (!failed && !result_parse(bytes, len, RESULT_WHOLE, ret_result, &why))
                failed = cli_fail(cli, "%s: the answer cannot be read back: %s", cli->image_path, text_get(&why));
        ret_result->from_image = true;
        free(bytes);
        text_free(&why);
        text_free(&error);
        return failed;
}

enum cli_exit result_of_image(struct cli *cli, const char *path, struct result *ret_result)
{
        struct cli own = *cli; /* another image than the caller's, if that has one at all */

        own.image_path = path;
        own.image = NULL;
        own.system = NULL;
        own.understood = own.partial = false;
        enum cli_exit failed = analyse(&own, ret_result);
        stasis_system_close(own.system);
        stasis_image_close(own.image);
        return failed;
}

const char *result_error(const struct result *result)
{
        struct json_object *analysis = NULL, *error = NULL;

        if (json_object_object_get_ex(result->document, "analysis", &analysis))
                json_object_object_get_ex(analysis, "error", &error);
        return json_object_is_type(error, json_type_string) ? json_object_get_string(error) : "";
}
