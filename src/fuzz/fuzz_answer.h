/* SPDX-License-Identifier: MIT */
/* For targets that read what lies in the folder of an answer: such a folder, in memory where there is a place for it.
 */
#ifndef STASIS_FUZZ_ANSWER_H
#define STASIS_FUZZ_ANSWER_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../cli/batch.h"
#include "../test/folder.h"

static char answer_home[64];

static inline void answer_remove(void) { (void)folder_remove(answer_home); }

static inline void promise(bool kept)
{
        if (!kept)
                abort();
}

/* The folder of this process, which goes with it. */
static inline void answer_enter(void)
{
        if (*answer_home)
                return;
        snprintf(answer_home, sizeof(answer_home), "/dev/shm/stasis-fuzz-XXXXXX");
        if (!mkdtemp(answer_home)) {
                snprintf(answer_home, sizeof(answer_home), "/tmp/stasis-fuzz-XXXXXX");
                promise(mkdtemp(answer_home) != NULL);
        }
        atexit(answer_remove);
}

/* "in/journal" of the folder. */
static inline const char *answer_path(const char *name, char path[static 128])
{
        snprintf(path, 128, "%.60s/%.60s", answer_home, name);
        return path;
}

static inline void answer_write(const char *name, const void *bytes, size_t len)
{
        char path[128];
        FILE *file = fopen(answer_path(name, path), "w");

        promise(file && fwrite(bytes, 1, len, file) == len);
        fclose(file);
}

/* The next piece of an input whose pieces are separated by bytes of zero. */
static inline size_t answer_piece(const uint8_t **data, size_t *size, const char **ret_at)
{
        const uint8_t *zero = *size ? memchr(*data, 0, *size) : NULL;
        size_t len = zero ? (size_t)(zero - *data) : *size;

        *ret_at = (const char *)*data;
        *data += zero ? len + 1 : len;
        *size -= zero ? len + 1 : len;
        return len;
}

/* Lines, each a JSON object by itself; how many. */
static inline size_t answer_lines(const char *bytes, size_t len)
{
        struct json_tokener *tokener = json_tokener_new();
        size_t count = 0;

        promise(tokener && (len == 0 || bytes[len - 1] == '\n'));
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        for (const char *at = bytes, *end; at < bytes + len; at = end + 1, count++) {
                end = memchr(at, '\n', (size_t)(bytes + len - at));
                json_tokener_reset(tokener);
                struct json_object *line = json_tokener_parse_ex(tokener, at, (int)(end - at) + 1);
                promise(json_object_is_type(line, json_type_object));
                json_object_put(line);
        }
        json_tokener_free(tokener);
        return count;
}

static inline size_t answer_file_lines(const char *name)
{
        char path[128];
        FILE *file = fopen(answer_path(name, path), "r");
        struct text all = { 0 };
        char piece[4096];
        size_t len;

        promise(file != NULL);
        while ((len = fread(piece, 1, sizeof(piece), file)) > 0)
                text_add(&all, piece, len);
        fclose(file);
        size_t count = answer_lines(text_get(&all), all.len);
        text_free(&all);
        return count;
}

#endif
