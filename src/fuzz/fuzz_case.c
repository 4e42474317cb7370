/* SPDX-License-Identifier: MIT */
/* A case.json: whatever it is, a reason or texts that stand for something. */
#include "fuzz_answer.h"

#include "../cli/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_texts(const struct cli_texts *texts)
{
        promise(texts->count <= CLI_TEXTS_MAX);
        for (size_t i = 0; i < texts->count; i++)
                promise(strlen(texts->at[i]) < 1 << 17);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[128], *said = NULL;
        size_t len = 0;
        struct cli own = { .err = open_memstream(&said, &len) };
        const struct check_case one = { .name = path, .manifest = path };
        struct text image = { 0 }, against = { 0 }, why = { 0 };
        struct json_object *manifest = NULL;

        promise(own.err != NULL);
        answer_enter();
        answer_write("case.json", data, size);
        answer_path("case.json", path);
        bool good = check_manifest(&own, &one, &manifest, &image, &against, &why);
        fflush(own.err);
        if (good)
                promise(image.len && against.len && !why.len && !len && manifest);
        else
                promise(why.len || len);
        check_texts(&own.also);
        check_texts(&own.symbols);
        check_texts(&own.pagefiles);
        json_object_put(manifest);
        fclose(own.err);
        free(said);
        text_free(&image);
        text_free(&against);
        text_free(&why);
        return 0;
}
