/* SPDX-License-Identifier: MIT */
#include "runner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct ran run_with(const char *words, const char *input)
{
        struct ran ran = { 0 };
        char *line = strdup(words), *argv[32] = { (char[]){ "stasis" } };
        int argc = 1;
        FILE *in = tmpfile();
        FILE *out = open_memstream(&ran.out, &ran.out_len), *err = open_memstream(&ran.err, &ran.err_len);

        ck_assert(line && in && out && err);
        for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        if (input)
                fputs(input, in);
        rewind(in);
        ran.status = cli_main(argc, argv, in, out, err);
        fclose(in);
        fclose(out);
        fclose(err);
        free(line);
        return ran;
}

struct ran run(const char *words) { return run_with(words, NULL); }

void ran_free(struct ran *ran)
{
        free(ran->out);
        free(ran->err);
}

struct json_object *ran_json(const struct ran *ran)
{
        struct json_tokener *tokener = json_tokener_new();

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        struct json_object *document = json_tokener_parse_ex(tokener, ran->out, (int)ran->out_len);
        ck_assert_msg(document != NULL, "no JSON: %s\n%s", json_tokener_error_desc(json_tokener_get_error(tokener)),
                      ran->out);
        json_tokener_free(tokener);
        return document;
}

struct json_object *at(struct json_object *document, const char *path)
{
        while (*path) {
                char key[64] = "";
                size_t len = strcspn(path, ".[");
                ck_assert(len < sizeof(key));
                memcpy(key, path, len);
                if (len) {
                        struct json_object *member = NULL;
                        ck_assert_msg(json_object_object_get_ex(document, key, &member), "no %s", key);
                        document = member;
                }
                path += len;
                if (*path == '[') {
                        size_t index = strtoul(path + 1, NULL, 10);
                        ck_assert_msg(index < json_object_array_length(document), "%s is too short", key);
                        document = json_object_array_get_idx(document, index);
                        path += strcspn(path, "]") + 1;
                }
                path += *path == '.';
        }
        return document;
}

struct json_object *document(const char *words, int status)
{
        struct ran ran = run(words);

        ck_assert_msg(ran.status == status, "%s: %d %s", words, ran.status, ran.err);
        struct json_object *parsed = ran_json(&ran);
        ran_free(&ran);
        return parsed;
}

void expect_all(const char *words, int status, const char *out, const char *err)
{
        struct ran ran = run(words);

        ck_assert_msg(ran.status == status, "%s: status %d\n%s%s", words, ran.status, ran.out, ran.err);
        ck_assert_str_eq(ran.out, out);
        ck_assert_msg(*err ? strstr(ran.err, err) != NULL : !*ran.err, "%s: %s", words, ran.err);
        ran_free(&ran);
}

const char *text_at(struct json_object *document, const char *path)
{
        struct json_object *member = at(document, path);

        ck_assert_msg(json_object_is_type(member, json_type_string), "%s is no string", path);
        return json_object_get_string(member);
}

int64_t number_at(struct json_object *document, const char *path)
{
        struct json_object *member = at(document, path);

        ck_assert_msg(json_object_is_type(member, json_type_int), "%s is no number", path);
        return json_object_get_int64(member);
}
