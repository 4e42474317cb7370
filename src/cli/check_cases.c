/* SPDX-License-Identifier: MIT */
/* The cases of a folder. Whatever lies there and is no case is an error: nothing is passed over in silence. */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "result.h"

#define MANIFEST "case.json"
#define REFERENCE ".ref.json"
#define FOLDER_DEPTH_MAX 16
#define CASES_MAX 100000

/* ---- lists of cases */

static void case_free(struct check_case *one)
{
        free(one->name);
        free(one->image);
        free(one->against);
        free(one->manifest);
        free(one->error);
}

void check_cases_free(struct check_cases *cases)
{
        for (size_t i = 0; i < cases->count; i++)
                case_free(&cases->at[i]);
        free(cases->at);
        *cases = (struct check_cases){ 0 };
}

/* Takes the texts over; a case without a name is exhausted memory. */
static bool add_case(struct check_cases *cases, struct check_case one)
{
        bool full = cases->count == cases->capacity;
        size_t capacity = full ? 2 * cases->capacity + 64 : cases->capacity;
        struct check_case *grown = full ? reallocarray(cases->at, capacity, sizeof(*grown)) : cases->at;

        if (grown)
                cases->at = grown;
        if (!grown || !one.name || cases->count == CASES_MAX) {
                case_free(&one);
                return false;
        }
        cases->capacity = capacity;
        cases->at[cases->count++] = one;
        return true;
}

static int by_name(const void *a, const void *b)
{
        const struct check_case *x = a, *y = b;

        return strcmp(x->name, y->name);
}

/* ---- what lies in a folder */

struct finder {
        const struct cli *cli;
        struct check_cases *cases;
        size_t folder_len; /* of the path, with its '/' */
        bool bad;
};

static char *joined(const char *a, const char *b)
{
        char *text = NULL;

        return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

static const char *name_in(const struct finder *finder, const char *path)
{
        return strlen(path) > finder->folder_len ? path + finder->folder_len : path;
}

static void add_error(struct finder *finder, const char *path, const char *error)
{
        finder->bad |= !add_case(finder->cases, (struct check_case){ .name = strdup(name_in(finder, path)),
                                                                     .image = strdup(path),
                                                                     .error = strdup(error) });
}

static bool ends_in(const char *name, const char *end)
{
        size_t len = strlen(name), end_len = strlen(end);

        return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* A reference alone, an image alone, or, by the image, both of them. */
static void take_file(struct finder *finder, const char *path)
{
        if (ends_in(path, REFERENCE)) {
                char *image = strndup(path, strlen(path) - strlen(REFERENCE));
                finder->bad |= !image;
                if (image && access(image, F_OK) != 0)
                        add_error(finder, path, "there is no image of this name without " REFERENCE " beside it");
                free(image);
                return;
        }
        char *against = joined(path, REFERENCE);
        finder->bad |= !against;
        if (against && (finder->cli->update || access(against, F_OK) == 0)) {
                finder->bad |= !add_case(finder->cases, (struct check_case){ .name = strdup(name_in(finder, path)),
                                                                             .image = strdup(path),
                                                                             .against = against });
                return;
        }
        free(against);
        add_error(finder, path, "it has no reference: there is no file of this name with " REFERENCE " behind it");
}

/* A folder with a case.json is one case, whatever else lies in it. */
static bool take_manifest(struct finder *finder, const char *path)
{
        char *manifest = joined(path, "/" MANIFEST);

        finder->bad |= !manifest;
        if (!manifest || access(manifest, F_OK) != 0) {
                free(manifest);
                return false;
        }
        finder->bad |= !add_case(finder->cases, (struct check_case){ .name = strdup(name_in(finder, path)),
                                                                     .image = strdup(path),
                                                                     .manifest = manifest });
        return true;
}

/* Names that begin with a dot, and what tells people about the cases. */
static bool is_passed_over(const FTSENT *entry)
{
        return entry->fts_level > 0 &&
               (entry->fts_name[0] == '.' ||
                (entry->fts_info == FTS_F && (ends_in(entry->fts_name, ".md") || ends_in(entry->fts_name, ".txt"))));
}

static void take_entry(struct finder *finder, FTS *fts, FTSENT *entry)
{
        bool folder = entry->fts_info == FTS_D;

        if (folder && (is_passed_over(entry) || take_manifest(finder, entry->fts_path)))
                fts_set(fts, entry, FTS_SKIP);
        else if (folder && entry->fts_level > FOLDER_DEPTH_MAX) {
                add_error(finder, entry->fts_path, "folders are too deep in each other");
                fts_set(fts, entry, FTS_SKIP);
        } else if (folder || entry->fts_info == FTS_DP || is_passed_over(entry))
                return;
        else if (entry->fts_info == FTS_F)
                take_file(finder, entry->fts_path);
        else if (entry->fts_info == FTS_DC)
                add_error(finder, entry->fts_path, "a link to a folder that it is in");
        else if (entry->fts_info == FTS_SLNONE)
                add_error(finder, entry->fts_path, "a link to nothing");
        else
                add_error(finder, entry->fts_path, entry->fts_errno ? strerror(entry->fts_errno) : "not a file");
}

bool check_find(struct cli *cli, const char *folder, struct check_cases *ret_cases)
{
        struct finder finder = { .cli = cli, .cases = ret_cases, .folder_len = strlen(folder) };
        char *path = strdup(folder);

        while (path && finder.folder_len > 1 && path[finder.folder_len - 1] == '/')
                path[--finder.folder_len] = '\0';
        finder.folder_len += finder.folder_len > 0 && path && path[finder.folder_len - 1] != '/';
        char *const roots[] = { path, NULL };
        FTS *fts = path ? fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL) : NULL;
        FTSENT *entry;

        finder.bad = !fts;
        while (fts && !finder.bad && (errno = 0, entry = fts_read(fts)))
                take_entry(&finder, fts, entry);
        finder.bad |= errno != 0;
        if (finder.bad)
                cli_fail(cli, "%s: its cases cannot be found: %s", folder,
                         ret_cases->count == CASES_MAX ? "there are too many" : strerror(errno ? errno : ENOMEM));
        if (fts)
                fts_close(fts);
        free(path);
        if (!finder.bad && ret_cases->count)
                qsort(ret_cases->at, ret_cases->count, sizeof(*ret_cases->at), by_name);
        return !finder.bad;
}

/* ---- case.json */

struct manifest {
        struct cli *own;
        const char *folder; /* with its '/' */
        struct text *image, *against, *why;
};

/* Relative to the folder of case.json; "N=FILE" of a page file keeps its number. */
static void resolve(const struct manifest *m, const char *word, struct text *path)
{
        const char *file = cli_pagefile(word, NULL);

        text_add(path, word, (size_t)(file - word));
        text_printf(path, "%s%s", *file == '/' ? "" : m->folder, file);
}

static bool take_path(const struct manifest *m, struct json_object *value, struct text *ret_path)
{
        if (!json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
                return false;
        text_printf(ret_path, "%s%s", *json_object_get_string(value) == '/' ? "" : m->folder,
                    json_object_get_string(value));
        return true;
}

static bool take_image(struct manifest *m, struct json_object *value) { return take_path(m, value, m->image); }
static bool take_against(struct manifest *m, struct json_object *value) { return take_path(m, value, m->against); }

/* Paths are put in place of the words, so that they live as long as the manifest. */
static bool take_paths(struct manifest *m, struct json_object *value, struct cli_texts *ret_texts)
{
        if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) > CLI_TEXTS_MAX)
                return false;
        *ret_texts = (struct cli_texts){ .count = json_object_array_length(value) };
        for (size_t i = 0; i < ret_texts->count; i++) {
                struct json_object *word = json_object_array_get_idx(value, i);
                struct text path = { 0 };
                if (!json_object_is_type(word, json_type_string))
                        return false;
                resolve(m, json_object_get_string(word), &path);
                word = json_object_new_string(text_get(&path));
                text_free(&path);
                if (!word || json_object_array_put_idx(value, i, word) != 0)
                        return false;
                ret_texts->at[i] = json_object_get_string(word);
        }
        return true;
}

static bool take_also(struct manifest *m, struct json_object *value) { return take_paths(m, value, &m->own->also); }
static bool take_symbols(struct manifest *m, struct json_object *value)
{
        return take_paths(m, value, &m->own->symbols);
}
static bool take_pagefiles(struct manifest *m, struct json_object *value)
{
        return take_paths(m, value, &m->own->pagefiles);
}

static bool take_word(struct json_object *value, const char **ret_word)
{
        *ret_word = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
        return *ret_word != NULL;
}

static bool take_reader(struct manifest *m, struct json_object *value) { return take_word(value, &m->own->reader); }
static bool take_mode(struct manifest *m, struct json_object *value)
{
        static const char *const modes[] = { "x86", "pae", "x64", "la57" };

        for (size_t i = 0; take_word(value, &m->own->mode) && i < sizeof(modes) / sizeof(modes[0]); i++)
                if (strcmp(modes[i], m->own->mode) == 0)
                        return true;
        return false;
}
static bool take_root(struct manifest *m, struct json_object *value)
{
        m->own->root.known = json_object_is_type(value, json_type_string) &&
                             cli_parse_address(json_object_get_string(value), &m->own->root.value);
        return m->own->root.known;
}
static bool take_scan(struct manifest *m, struct json_object *value)
{
        m->own->scan = json_object_get_boolean(value);
        return json_object_is_type(value, json_type_boolean);
}
static bool take_nothing(struct manifest *m, struct json_object *value)
{
        (void)m;
        return json_object_is_type(value, json_type_string);
}

static const struct manifest_member {
        const char *name;
        bool (*take)(struct manifest *m, struct json_object *value);
} members[] = {
        { "schema", take_nothing },     { "comment", take_nothing }, { "image", take_image },
        { "against", take_against },    { "also", take_also },       { "symbols", take_symbols },
        { "pagefile", take_pagefiles }, { "reader", take_reader },   { "mode", take_mode },
        { "root", take_root },          { "scan", take_scan },
};

static bool take_member(struct manifest *m, const char *name, struct json_object *value)
{
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                if (strcmp(members[i].name, name) == 0) {
                        if (members[i].take(m, value))
                                return true;
                        text_printf(m->why, "\"%s\" cannot be %s", name, json_object_to_json_string(value));
                        return false;
                }
        text_printf(m->why, "there is no \"%s\" in a case", name);
        return false;
}

static bool take_members(struct manifest *m, struct json_object *document)
{
        json_object_object_foreach(document, name, value)
        {
                if (!take_member(m, name, value))
                        return false;
        }
        if (m->image->len && m->against->len)
                return true;
        text_printf(m->why, "\"%s\" is missing", m->image->len ? "against" : "image");
        return false;
}

bool check_manifest(struct cli *own, const struct check_case *one, struct json_object **ret_manifest,
                    struct text *ret_image, struct text *ret_against, struct text *ret_why)
{
        struct result document = { 0 };
        struct text folder = { 0 }, why = { 0 };

        if (result_read(own, one->manifest, RESULT_CASE, &document))
                return false; /* said */
        text_add(&folder, one->manifest, strlen(one->manifest) - strlen(MANIFEST));
        struct manifest m = { own, text_get(&folder), ret_image, ret_against, &why };
        own->also = own->symbols = own->pagefiles = (struct cli_texts){ 0 };
        bool good = take_members(&m, document.document);
        if (!good)
                text_printf(ret_why, "%s: %s", one->manifest, text_get(&why));
        *ret_manifest = document.document;
        text_free(&folder);
        text_free(&why);
        return good;
}
