/* SPDX-License-Identifier: MIT */
#include "merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare_walk.h"

static struct json_object *merge_pair(struct compare *c, struct pair pair);

/* Takes value over; NULL is JSON's null. */
static void put_member(struct compare *c, struct json_object *object, const char *key, struct json_object *value)
{
        if (json_object_object_add(object, key, value) == 0)
                return;
        json_object_put(value);
        c->bad = true;
}

static void put_element(struct compare *c, struct json_object *array, struct json_object *value)
{
        if (json_object_array_add(array, value) == 0)
                return;
        json_object_put(value);
        c->bad = true;
}

/* ---- objects */

/* Of the reasons, those that the reference has asked for and that still are some. */
static struct json_object *merge_reasons(struct compare *c, const struct pair *pair, struct json_object *want)
{
        struct json_object *merged = json_object_new_object(), *found = NULL, *reason;

        c->bad |= !merged;
        if (!c->subset && json_object_object_get_ex(pair->found, "absent", &found)) {
                json_object_put(merged);
                return json_object_get(found);
        }
        json_object_object_get_ex(pair->found, "absent", &found);
        json_object_object_foreach(want, key, ignored)
        {
                (void)ignored;
                if (merged && json_object_is_type(found, json_type_object) &&
                    json_object_object_get_ex(found, key, &reason))
                        put_member(c, merged, key, json_object_get(reason));
        }
        return merged;
}

/* What makes a reference of it, whatever its rules say: another schema would have other members. */
static bool is_kept(const struct compare *c, const char *key)
{
        static const char *const kept[] = { "schema", "comment", "rules", "keys" };

        for (size_t i = 0; c->depth == 0 && i < sizeof(kept) / sizeof(kept[0]); i++)
                if (strcmp(kept[i], key) == 0)
                        return true;
        return false;
}

static void merge_member(struct compare *c, const struct pair *parent, const char *key, struct json_object *want,
                         struct json_object *merged)
{
        struct pair pair = { .want = want, .want_parent = parent->want, .found_parent = parent->found, .key = key };
        bool there = json_object_object_get_ex(parent->found, key, &pair.found);

        if (is_kept(c, key)) {
                put_member(c, merged, key, json_object_get(want));
                return;
        }
        if (walk_is_reasons(key, want)) {
                put_member(c, merged, key, merge_reasons(c, parent, want));
                return;
        }
        walk_member(c, key);
        pair.rule = rules_at(&c->rules, c->depth, false);
        if (there)
                put_member(c, merged, key, merge_pair(c, pair));
        else if (c->depth == 1 || (pair.rule && pair.rule->kind == RULE_IGNORE))
                put_member(c, merged, key, json_object_get(want));
        walk_leave(c);
}

static struct json_object *merge_objects(struct compare *c, const struct pair *pair)
{
        struct json_object *merged = json_object_new_object();

        c->bad |= !merged;
        if (!merged)
                return NULL;
        json_object_object_foreach(pair->want, key, want) merge_member(c, pair, key, want, merged);
        if (!walk_is_strict(c, pair))
                return merged;
        json_object_object_foreach(pair->found, further, found)
        {
                if (!json_object_object_get_ex(pair->want, further, NULL))
                        put_member(c, merged, further, json_object_get(found));
        }
        return merged;
}

/* ---- arrays */

/* Of an element that no one of the reference stands for: the members that its first one names. */
static struct json_object *reduced(struct compare *c, struct json_object *found, struct json_object *model)
{
        if (!c->subset || !json_object_is_type(found, json_type_object) ||
            !json_object_is_type(model, json_type_object))
                return json_object_get(found);
        struct json_object *merged = json_object_new_object(), *value;
        c->bad |= !merged;
        json_object_object_foreach(model, key, ignored)
        {
                (void)ignored;
                if (merged && json_object_object_get_ex(found, key, &value))
                        put_member(c, merged, key, json_object_get(value));
        }
        return merged;
}

static struct json_object *merge_element(struct compare *c, size_t index, struct json_object *want,
                                         struct json_object *found)
{
        struct pair inner = { .want = want, .found = found };

        walk_element(c, index, want);
        inner.rule = rules_at(&c->rules, c->depth, false);
        struct json_object *merged = merge_pair(c, inner);
        walk_leave(c);
        return merged;
}

static void merge_in_order(struct compare *c, const struct pair *pair, struct json_object *merged)
{
        size_t want = json_object_array_length(pair->want), found = json_object_array_length(pair->found);

        for (size_t i = 0; i < found; i++) {
                struct json_object *element = json_object_array_get_idx(pair->found, i);
                if (want == found)
                        put_element(c, merged, merge_element(c, i, json_object_array_get_idx(pair->want, i), element));
                else
                        put_element(c, merged, reduced(c, element, json_object_array_get_idx(pair->want, 0)));
        }
}

/* Those of the reference that are still there, in its order; a whole reference gains those that it had not. */
static void merge_records(struct compare *c, const struct pair *pair, const struct pairing *pairing,
                          struct json_object *merged)
{
        for (size_t i = 0; i < pairing->count; i++) {
                struct json_object *want = json_object_array_get_idx(pair->want, i);
                size_t at = pairing->of[i];
                if (at == PAIR_AMBIGUOUS)
                        put_element(c, merged, json_object_get(want));
                else if (at != PAIR_NONE)
                        put_element(c, merged, merge_element(c, i, want, json_object_array_get_idx(pair->found, at)));
        }
        for (size_t i = 0; walk_is_strict(c, pair) && i < pairing->found_count; i++)
                if (!pairing->taken[i])
                        put_element(c, merged,
                                    reduced(c, json_object_array_get_idx(pair->found, i),
                                            json_object_array_get_idx(pair->want, 0)));
}

static struct json_object *merge_arrays(struct compare *c, const struct pair *pair)
{
        struct json_object *merged = json_object_new_array();
        struct pairing pairing = { 0 };

        c->bad |= !merged;
        if (!merged)
                return NULL;
        if (walk_identity(c, pair, &pairing))
                merge_records(c, pair, &pairing, merged);
        else
                merge_in_order(c, pair, merged);
        pairing_free(&pairing);
        return merged;
}

/* ---- any two values */

static struct json_object *merge_pair(struct compare *c, struct pair pair)
{
        enum json_type type = json_object_get_type(pair.want);
        bool same_type = type == json_object_get_type(pair.found);

        if (c->bad || !walk_differs(c, pair))
                return json_object_get(pair.want);
        if (type == json_type_object && same_type)
                return merge_objects(c, &pair);
        if (type == json_type_array && same_type)
                return merge_arrays(c, &pair);
        return json_object_get(pair.found);
}

/* How many there were, where the list was whole. */
static void renew_total(struct json_object *reference, struct json_object *merged)
{
        static const char *const lists[] = { "threads", "processes", "modules" };
        struct json_object *total, *before, *now;

        if (!json_object_object_get_ex(reference, "total", &total))
                return;
        for (size_t i = 0; i < 3; i++)
                if (json_object_object_get_ex(reference, lists[i], &before) &&
                    json_object_object_get_ex(merged, lists[i], &now) &&
                    json_object_get_uint64(total) == json_object_array_length(before) &&
                    json_object_object_get_ex(merged, "total", &total))
                        json_object_object_add(merged, "total", json_object_new_uint64(json_object_array_length(now)));
}

struct json_object *merge_documents(struct compare *compare, struct json_object *reference, struct json_object *found)
{
        struct pair pair = { .want = reference, .found = found };

        compare->depth = 0;
        compare->muted++;
        struct json_object *merged = merge_objects(compare, &pair);
        compare->muted--;
        if (!compare->bad) {
                renew_total(reference, merged);
                return merged;
        }
        json_object_put(merged);
        return NULL;
}

/* ---- the file */

#define FLAGS (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static bool fill(int fd, struct json_object *document)
{
        const char *bytes = json_object_to_json_string_ext(document, FLAGS);

        if (!bytes) {
                errno = ENOMEM;
                return false;
        }
        for (size_t len = strlen(bytes); len;) {
                ssize_t written = write(fd, bytes, len);
                if (written < 0 && errno != EINTR)
                        return false;
                bytes += written > 0 ? written : 0;
                len -= written > 0 ? (size_t)written : 0;
        }
        return write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

/* As who may read the old one may read the new one. */
static bool replace(const char *path, const char *beside, int fd, struct json_object *document)
{
        struct stat st;
        mode_t mask = umask(0);

        umask(mask);
        if (fchmod(fd, stat(path, &st) == 0 ? st.st_mode & 07777 : 0666 & ~mask) != 0 || !fill(fd, document))
                return false;
        return rename(beside, path) == 0;
}

/* "DIR/.NAME.XXXXXX": a folder of cases does not take it for one, should it be left behind. */
static void beside_name(const char *path, struct text *name)
{
        const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;

        text_add(name, path, (size_t)(file - path));
        text_printf(name, ".%s.XXXXXX", file);
}

bool write_whole(const char *path, struct json_object *document, struct text *ret_why)
{
        char *real = realpath(path, NULL);
        struct text beside = { 0 };

        beside_name(real ? real : path, &beside);
        int fd = mkostemp(beside.at, O_CLOEXEC);
        bool good = fd >= 0 && replace(real ? real : path, beside.at, fd, document);
        if (!good)
                text_printf(ret_why, "%s: cannot be written: %s", path, strerror(errno));
        if (!good && fd >= 0)
                unlink(beside.at);
        if (fd >= 0)
                close(fd);
        text_free(&beside);
        free(real);
        return good;
}
