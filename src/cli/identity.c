/* SPDX-License-Identifier: MIT */
/* What tells the records of a list apart, and which belong together: by sorting, so that no document makes it slow. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"

#define KEYS_MAX 4

/* The usual identities, best first: of each record of the reference the first one that it names whole. */
static const struct usual {
        const char *list;
        const char *keys[KEYS_MAX];
        bool life; /* an object that was freed and used again is another one */
} usual[] = {
        { "threads", { "object", "create_time" }, true },
        { "threads", { "object", "start_time" }, true },
        { "threads", { "object" }, false },
        { "threads", { "pid", "tid" }, false },
        { "threads", { "tid" }, false },
        { "threads", { "process", "thread_name" }, false },
        { "threads", { "comm" }, false },
        { "processes", { "object", "create_time" }, true },
        { "processes", { "object", "start_time" }, true },
        { "processes", { "object" }, false },
        { "processes", { "pid" }, false },
        { "processes", { "name" }, false },
        { "modules", { "base", "name" }, true },
        { "modules", { "base" }, false },
        { "modules", { "name" }, false },
};
#define USUAL (sizeof(usual) / sizeof(usual[0]))

struct tagged {
        char *identity;
        size_t index;
};

static int by_identity(const void *a, const void *b)
{
        const struct tagged *x = a, *y = b;
        int order = strcmp(x->identity, y->identity);

        return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Hexadecimal digits may be written in several ways: what they are worth counts. */
static void add_key(struct text *identity, struct json_object *value)
{
        bool negative, time;
        uint64_t magnitude;

        if (value_number(value, &negative, &magnitude, &time) && !time)
                text_printf(identity, "%s%llu", negative ? "-" : "", (unsigned long long)magnitude);
        else
                text_str(identity, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        text_add(identity, "\x1f", 1);
}

/* False where a key is not there, or null. */
static bool identity_of(struct json_object *record, const char *const *keys, size_t count, struct text *identity)
{
        struct json_object *value;

        text_reset(identity);
        for (size_t i = 0; i < count; i++) {
                if (!json_object_object_get_ex(record, keys[i], &value) || !value)
                        return false;
                add_key(identity, value);
        }
        return true;
}

/* ---- one identity */

struct match {
        struct json_object *want, *found;
        const char *const *keys;
        size_t key_count;
        const struct pairing_how *how;
        struct pairing *pairing;
};

static void tags_free(struct tagged *tags, size_t count)
{
        for (size_t i = 0; i < count; i++)
                free(tags[i].identity);
        free(tags);
}

/* Those of the records that are wanted[i] or, without that, all; NULL where memory is exhausted. */
static struct tagged *tag(const struct match *match, struct json_object *list, const bool *wanted, size_t *ret_count)
{
        size_t len = json_object_array_length(list), count = 0;
        struct tagged *tags = calloc(len + 1, sizeof(*tags));
        struct text identity = { 0 };

        for (size_t i = 0; tags && i < len; i++) {
                if ((wanted && !wanted[i]) ||
                    !identity_of(json_object_array_get_idx(list, i), match->keys, match->key_count, &identity))
                        continue;
                tags[count] = (struct tagged){ strdup(text_get(&identity)), i };
                if (!tags[count].identity) {
                        tags_free(tags, count);
                        tags = NULL;
                        break;
                }
                count++;
        }
        text_free(&identity);
        if (tags)
                qsort(tags, count, sizeof(*tags), by_identity);
        *ret_count = count;
        return tags;
}

static size_t run_length(const struct tagged *tags, size_t count, size_t at, const char *identity)
{
        size_t len = 0;

        while (at + len < count && strcmp(tags[at + len].identity, identity) == 0)
                len++;
        return len;
}

/* Of one identity, so many of the reference and so many found: in their order. */
static void pair_run(const struct match *match, const struct tagged *want, size_t want_len, const struct tagged *found,
                     size_t found_len)
{
        bool ambiguous = match->how->single && found_len > want_len;

        for (size_t i = 0; i < want_len; i++) {
                match->pairing->of[want[i].index] = ambiguous       ? PAIR_AMBIGUOUS
                                                    : i < found_len ? found[i].index
                                                                    : PAIR_NONE;
                if (!ambiguous && i < found_len)
                        match->pairing->taken[found[i].index] = true;
        }
}

static bool pair_by(const struct match *match, const bool *wanted)
{
        size_t want_count = 0, found_count = 0, f = 0;
        struct tagged *want = tag(match, match->want, wanted, &want_count);
        struct tagged *found = want ? tag(match, match->found, NULL, &found_count) : NULL;
        bool good = want && found;

        for (size_t w = 0; good && w < want_count;) {
                size_t want_len = run_length(want, want_count, w, want[w].identity);
                while (f < found_count && strcmp(found[f].identity, want[w].identity) < 0)
                        f++;
                size_t found_len = run_length(found, found_count, f, want[w].identity);
                pair_run(match, want + w, want_len, found + f, found_len);
                w += want_len;
                f += found_len;
        }
        if (want)
                tags_free(want, want_count);
        if (found)
                tags_free(found, found_count);
        return good;
}

/* ---- all of them */

static bool has_keys(struct json_object *record, const char *const *keys, size_t count)
{
        struct json_object *value;

        for (size_t i = 0; i < count; i++)
                if (!json_object_object_get_ex(record, keys[i], &value) || !value)
                        return false;
        return true;
}

static size_t key_count(const struct usual *row)
{
        size_t count = 0;

        while (count < KEYS_MAX && row->keys[count])
                count++;
        return count;
}

static bool has_identity(const struct match *match, struct json_object *record)
{
        for (size_t u = 0; u < USUAL; u++)
                if (strcmp(usual[u].list, match->how->list) == 0 &&
                    has_keys(record, usual[u].keys, key_count(&usual[u])))
                        return true;
        return false;
}

/* A record that nothing tells apart: with its like, in their order. */
static void pair_nameless(const struct match *match, const bool *done)
{
        size_t f = 0;

        for (size_t i = 0; i < match->pairing->count; i++) {
                if (done[i])
                        continue;
                while (f < match->pairing->found_count &&
                       (match->pairing->taken[f] || has_identity(match, json_object_array_get_idx(match->found, f))))
                        f++;
                if (f == match->pairing->found_count)
                        return;
                match->pairing->of[i] = f;
                match->pairing->taken[f++] = true;
        }
}

/* Each record of the reference goes by the first of the usual identities that it names whole. */
static bool pair_usual(struct match *match)
{
        size_t count = match->pairing->count;
        bool *wanted = calloc(count + 1, sizeof(*wanted)), *done = calloc(count + 1, sizeof(*done));
        bool good = wanted && done;

        for (size_t u = 0; good && u < USUAL; u++) {
                if (strcmp(usual[u].list, match->how->list) != 0 || (usual[u].life && !match->how->lives))
                        continue;
                size_t some = 0;
                match->keys = usual[u].keys;
                match->key_count = key_count(&usual[u]);
                for (size_t i = 0; i < count; i++) {
                        wanted[i] = !done[i] &&
                                    has_keys(json_object_array_get_idx(match->want, i), match->keys, match->key_count);
                        done[i] |= wanted[i];
                        some += wanted[i];
                }
                good = !some || pair_by(match, wanted);
        }
        if (good && !match->how->single)
                pair_nameless(match, done);
        free(wanted);
        free(done);
        return good;
}

static bool pair_chosen(struct match *match, struct json_object *keys)
{
        size_t count = json_object_array_length(keys);
        const char **names = calloc(count + 1, sizeof(*names));

        if (!names)
                return false;
        for (size_t i = 0; i < count; i++)
                names[i] = json_object_get_string(json_object_array_get_idx(keys, i));
        match->keys = names;
        match->key_count = count;
        bool good = pair_by(match, NULL);
        free(names);
        return good;
}

static bool is_usual(const char *list)
{
        for (size_t u = 0; list && u < USUAL; u++)
                if (strcmp(usual[u].list, list) == 0)
                        return true;
        return false;
}

bool pairing_make(const struct pairing_how *how, struct json_object *want, struct json_object *found,
                  struct pairing *ret_pairing, bool *ret_bad)
{
        struct match match = { .want = want, .found = found, .how = how, .pairing = ret_pairing };

        if (!how->keys && !is_usual(how->list))
                return false;
        *ret_pairing = (struct pairing){ .count = json_object_array_length(want),
                                         .found_count = json_object_array_length(found) };
        ret_pairing->of = calloc(ret_pairing->count + 1, sizeof(*ret_pairing->of));
        ret_pairing->taken = calloc(ret_pairing->found_count + 1, sizeof(*ret_pairing->taken));
        bool good = ret_pairing->of && ret_pairing->taken;
        for (size_t i = 0; good && i < ret_pairing->count; i++)
                ret_pairing->of[i] = PAIR_NONE;
        good = good && (how->keys ? pair_chosen(&match, how->keys) : pair_usual(&match));
        *ret_bad |= !good;
        return true;
}

void pairing_free(struct pairing *pairing)
{
        free(pairing->of);
        free(pairing->taken);
        *pairing = (struct pairing){ 0 };
}
