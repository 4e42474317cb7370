/* SPDX-License-Identifier: MIT */
/* Documents out of files, held against what their schema promises. */
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result_image.h"

static const struct schema {
        enum result_kind kind;
        const char *name;
        const char *must; /* the member that it cannot be without, or NULL */
} schemas[] = {
        { RESULT_THREADS, "stasis/threads/1", "threads" },
        { RESULT_PROCESSES, "stasis/processes/1", "processes" },
        { RESULT_WHOLE, "stasis/result/1", "threads" },
        { RESULT_REFERENCE, "stasis/reference/1", NULL },
        { RESULT_CASE, "stasis/case/1", NULL },
};
#define SCHEMAS (sizeof(schemas) / sizeof(schemas[0]))

/* What others rely on without asking. */
static const struct shape {
        const char *member;
        bool records; /* an array of objects; else an object */
} shapes[] = {
        { "threads", true }, { "processes", true }, { "modules", true },   { "notes", true },
        { "system", false }, { "image", false },    { "analysis", false },
};

const char *result_kind_name(enum result_kind kind)
{
        for (size_t i = 0; i < SCHEMAS; i++)
                if (schemas[i].kind == kind)
                        return schemas[i].name;
        return "";
}

/* ---- what a text would cost as a tree, before it is one */

/* json-c makes a table of 16 places for each object and 32 places for each array, however empty they are. */
#define COST_OBJECT 1024
#define COST_ARRAY 384
#define COST_VALUE 128

struct cost {
        bool in_string, escaped;
        uint64_t bytes, len; /* of memory; of text */
};

static void cost_add(struct cost *cost, const char *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                char c = bytes[i];
                if (cost->escaped)
                        cost->escaped = false;
                else if (cost->in_string && c == '\\')
                        cost->escaped = true;
                else if (c == '"')
                        cost->in_string = !cost->in_string;
                else if (!cost->in_string)
                        cost->bytes += c == '{' ? COST_OBJECT : c == '[' ? COST_ARRAY : c == ',' ? COST_VALUE : 0;
        }
}

/* ---- parsing, piece by piece */

static const char jsonl_is_not_read[] = "something follows the document (one of --format jsonl is not read)";

struct reading {
        struct json_tokener *tokener;
        struct json_object *root; /* once it is whole */
        struct cost cost;
        uint64_t len, lines; /* whole ones, so far */
};

static uint64_t lines_in(const char *bytes, size_t len)
{
        uint64_t count = 0;

        for (size_t i = 0; i < len; i++)
                count += bytes[i] == '\n';
        return count;
}

static bool reading_begin(struct reading *reading)
{
        *reading = (struct reading){ .tokener = json_tokener_new_ex(RESULT_DEPTH_MAX) };
        if (!reading->tokener)
                return false;
        json_tokener_set_flags(reading->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
                                                         JSON_TOKENER_ALLOW_TRAILING_CHARS); /* we say that better */
        return true;
}

static void reading_end(struct reading *reading)
{
        if (reading->tokener)
                json_tokener_free(reading->tokener);
        json_object_put(reading->root);
}

static bool is_blank(const char *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++)
                if (!strchr(" \t\r\n", bytes[i]) || !bytes[i])
                        return false;
        return true;
}

/* The first of two passes: a text that would cost too much is refused before any of it is paid. */
static bool reading_weigh(struct reading *reading, const char *bytes, size_t len, struct text *ret_why)
{
        cost_add(&reading->cost, bytes, len);
        reading->cost.len += len;
        if (reading->cost.len > RESULT_SIZE_MAX)
                text_printf(ret_why, "it is larger than %" PRIu64 " MiB", RESULT_SIZE_MAX >> 20);
        else if (reading->cost.bytes > RESULT_COST_MAX)
                text_printf(ret_why, "it would take more than %" PRIu64 " GiB of memory", RESULT_COST_MAX >> 30);
        else if (memchr(bytes, '\0', len))
                text_str(ret_why, "a byte of zero in it");
        return ret_why->len == 0;
}

/* The second one; never more than was weighed, though the file may grow meanwhile. */
static bool reading_add(struct reading *reading, const char *bytes, size_t len, struct text *ret_why)
{
        uint64_t before = reading->len;

        reading->len += len;
        if (reading->len > reading->cost.len)
                text_str(ret_why, "it changes while it is read");
        else if (reading->root && !is_blank(bytes, len))
                text_str(ret_why, jsonl_is_not_read);
        if (reading->root || ret_why->len)
                return ret_why->len == 0;
        reading->root = json_tokener_parse_ex(reading->tokener, bytes, (int)len);
        enum json_tokener_error error = json_tokener_get_error(reading->tokener);
        size_t end = json_tokener_get_parse_end(reading->tokener);
        if (reading->root && !is_blank(bytes + end, len - end))
                text_str(ret_why, jsonl_is_not_read);
        else if (!reading->root && error != json_tokener_continue)
                text_printf(ret_why, "no JSON document: %s at byte %" PRIu64 ", in line %" PRIu64,
                            error == json_tokener_success ? "null" : json_tokener_error_desc(error), before + end,
                            reading->lines + lines_in(bytes, end) + 1);
        reading->lines += lines_in(bytes, len);
        return ret_why->len == 0;
}

/* ---- what a schema promises */

static bool is_array_of_objects(struct json_object *value)
{
        if (!json_object_is_type(value, json_type_array))
                return false;
        for (size_t i = 0; i < json_object_array_length(value); i++)
                if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_object))
                        return false;
        return true;
}

static bool shape_holds(const struct shape *shape, struct json_object *value)
{
        if (shape->records)
                return is_array_of_objects(value);
        return !value || json_object_is_type(value, json_type_object);
}

static const struct schema *schema_of(struct json_object *document)
{
        struct json_object *name = NULL;

        if (!json_object_is_type(document, json_type_object) || !json_object_object_get_ex(document, "schema", &name) ||
            !json_object_is_type(name, json_type_string))
                return NULL;
        for (size_t i = 0; i < SCHEMAS; i++)
                if (strcmp(schemas[i].name, json_object_get_string(name)) == 0)
                        return &schemas[i];
        return NULL;
}

static void list_kinds(uint32_t kinds, struct text *text)
{
        for (size_t i = 0; i < SCHEMAS; i++)
                if (schemas[i].kind & kinds) {
                        text_printf(text, "%s%s", kinds & (schemas[i].kind - 1U) ? ", " : "", schemas[i].name);
                }
}

static bool check_schema(struct json_object *document, uint32_t kinds, enum result_kind *ret_kind, struct text *ret_why)
{
        const struct schema *schema = schema_of(document);
        struct json_object *value;

        if (!schema || !(schema->kind & kinds)) {
                text_printf(ret_why, "\"schema\" %s; it must be one of ",
                            schema ? schema->name : "is none of those that are known");
                list_kinds(kinds, ret_why);
                return false;
        }
        if (schema->must && !json_object_object_get_ex(document, schema->must, NULL)) {
                text_printf(ret_why, "%s has no member \"%s\"", schema->name, schema->must);
                return false;
        }
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && schema->kind != RESULT_CASE; i++)
                if (json_object_object_get_ex(document, shapes[i].member, &value) && !shape_holds(&shapes[i], value)) {
                        text_printf(ret_why, "\"%s\" is no %s", shapes[i].member,
                                    shapes[i].records ? "array of objects" : "object");
                        return false;
                }
        *ret_kind = schema->kind;
        return true;
}

/* ---- how whole a former answer was */

static bool says_missing(struct json_object *document)
{
        struct json_object *notes = NULL, *severity, *image = NULL, *gaps;

        json_object_object_get_ex(document, "notes", &notes);
        if (!json_object_is_type(notes, json_type_array)) /* of a case, whose shape is not looked at here */
                notes = NULL;
        for (size_t i = 0; notes && i < json_object_array_length(notes); i++)
                if (json_object_object_get_ex(json_object_array_get_idx(notes, i), "severity", &severity) &&
                    json_object_is_type(severity, json_type_string) &&
                    strcmp(json_object_get_string(severity), "missing") == 0)
                        return true;
        return json_object_object_get_ex(document, "image", &image) &&
               json_object_object_get_ex(image, "gap_count", &gaps) && json_object_is_type(gaps, json_type_int) &&
               json_object_get_int64(gaps) > 0;
}

static enum cli_exit status_of(struct json_object *document)
{
        struct json_object *analysis = NULL, *status;

        if (json_object_object_get_ex(document, "analysis", &analysis) &&
            json_object_object_get_ex(analysis, "exit_status", &status) && json_object_is_type(status, json_type_int)) {
                int64_t value = json_object_get_int64(status);
                return value == CLI_COMPLETE || value == CLI_PARTIAL ? (enum cli_exit)value : CLI_UNREADABLE;
        }
        return says_missing(document) ? CLI_PARTIAL : CLI_COMPLETE;
}

static bool finish(struct reading *reading, uint32_t kinds, struct result *ret_result, struct text *ret_why)
{
        enum result_kind kind;

        if (!reading->root) {
                text_printf(ret_why,
                            "no JSON document: it ends after %" PRIu64 " %s, in line %" PRIu64 ", in the middle",
                            reading->len, reading->len == 1 ? "byte" : "bytes", reading->lines + 1);
                return false;
        }
        if (!check_schema(reading->root, kinds, &kind, ret_why))
                return false;
        *ret_result = (struct result){ .document = reading->root, .kind = kind, .status = status_of(reading->root) };
        reading->root = NULL;
        return true;
}

#define PIECE (1U << 18) /* json-c counts in int */

bool result_parse(const char *bytes, size_t len, uint32_t kinds, struct result *ret_result, struct text *ret_why)
{
        struct reading reading;
        bool good = reading_begin(&reading);

        if (!good)
                text_str(ret_why, "out of memory");
        good = good && reading_weigh(&reading, bytes, len, ret_why);
        for (size_t at = 0; good && at < len; at += PIECE)
                good = reading_add(&reading, bytes + at, len - at < PIECE ? len - at : PIECE, ret_why);
        good = good && finish(&reading, kinds, ret_result, ret_why);
        reading_end(&reading);
        return good;
}

/* ---- files */

static int open_regular(const char *path)
{
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not stop us here */

        if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
                close(fd);
                errno = EINVAL;
                return -1;
        }
        return fd;
}

bool result_is_document(const char *path)
{
        char head[4096];
        int fd = open_regular(path);
        ssize_t len = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);

        if (fd >= 0)
                close(fd);
        if (len <= 0)
                return false;
        head[len] = '\0';
        const char *at = head + strspn(head, " \t\r\n");
        return *at == '{' && strchr("\"}", at[1 + strspn(at + 1, " \t\r\n")]) != NULL;
}

static bool read_pieces(int fd, char piece[static PIECE], struct reading *reading,
                        bool (*take)(struct reading *reading, const char *bytes, size_t len, struct text *ret_why),
                        struct text *ret_why)
{
        ssize_t len;

        if (lseek(fd, 0, SEEK_SET) < 0) {
                text_str(ret_why, strerror(errno));
                return false;
        }
        while ((len = read(fd, piece, PIECE)) > 0 || (len < 0 && errno == EINTR))
                if (len > 0 && !take(reading, piece, (size_t)len, ret_why))
                        return false;
        if (len < 0)
                text_str(ret_why, strerror(errno));
        return len == 0;
}

static bool read_document(int fd, struct reading *reading, struct text *ret_why)
{
        char *piece = malloc(PIECE);

        if (!piece || !reading_begin(reading)) {
                free(piece);
                text_str(ret_why, "out of memory");
                return false;
        }
        bool good = read_pieces(fd, piece, reading, reading_weigh, ret_why) &&
                    read_pieces(fd, piece, reading, reading_add, ret_why);
        free(piece);
        return good;
}

enum cli_exit result_read(struct cli *cli, const char *path, uint32_t kinds, struct result *ret_result)
{
        struct text why = { 0 };
        struct reading reading = { 0 };
        int fd = open_regular(path);
        bool good = false;

        if (fd < 0)
                text_str(&why, errno == EINVAL ? "not a regular file" : strerror(errno));
        else
                good = read_document(fd, &reading, &why) && finish(&reading, kinds, ret_result, &why);
        if (fd >= 0)
                close(fd);
        reading_end(&reading);
        if (!good)
                cli_fail(cli, "%s: %s", path, text_get(&why));
        text_free(&why);
        return good ? CLI_COMPLETE : CLI_UNREADABLE;
}

enum cli_exit result_load(struct cli *cli, const char *path, uint32_t kinds, struct result *ret_result)
{
        if (!cli->reader && result_is_document(path))
                return result_read(cli, path, kinds, ret_result);
        enum cli_exit failed = result_of_image(cli, path, ret_result);
        if (failed || ret_result->status != CLI_UNREADABLE)
                return failed;
        const char *error = result_error(ret_result);
        bool named = strncmp(error, path, strlen(path)) == 0;
        cli_fail(cli, "%s%s%s", named ? "" : path, named ? "" : ": ", error);
        result_free(ret_result);
        return CLI_UNREADABLE;
}

void result_free(struct result *result)
{
        json_object_put(result->document);
        *result = (struct result){ 0 };
}
