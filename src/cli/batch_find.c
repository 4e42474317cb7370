/* SPDX-License-Identifier: MIT */
/* Files by name: what each of them is, a worker finds out by its content. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"

#define DEPTH_MAX 64 /* of folders; each holds a descriptor while it is gone through */
#define LIST_MAX (UINT64_C(1) << 30)

struct finder {
        struct cli *cli;
        struct stat out;
        struct batch_items *items;
        batch_odd *odd;
        void *ctx;
};

static char *copy_of(const char *text)
{
        char *copy = text ? strdup(text) : NULL;

        if (text && !copy) {
                fputs("stasis: out of memory\n", stderr);
                exit(CLI_UNREADABLE);
        }
        return copy;
}

void items_add(struct batch_items *items, const char *path, const char *member, const char *inner)
{
        if (items->count == items->capacity) {
                size_t capacity = items->capacity ? 2 * items->capacity : 256;
                struct batch_item *at = reallocarray(items->at, capacity, sizeof(*at));
                if (!at) {
                        fputs("stasis: out of memory\n", stderr);
                        exit(CLI_UNREADABLE);
                }
                items->at = at;
                items->capacity = capacity;
        }
        items->at[items->count++] =
                (struct batch_item){ .path = copy_of(path), .member = copy_of(member), .inner = copy_of(inner) };
}

void items_free(struct batch_items *items)
{
        for (size_t i = 0; i < items->count; i++) {
                free(items->at[i].path);
                free(items->at[i].member);
                free(items->at[i].inner);
        }
        free(items->at);
        *items = (struct batch_items){ 0 };
}

static bool is_same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- folders: without recursion, names of each in order of their bytes */

struct level {
        char **name;
        size_t count, next;
        size_t len; /* of the path up to here */
};

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void level_free(struct level *level)
{
        for (size_t i = 0; i < level->count; i++)
                free(level->name[i]);
        free(level->name);
        *level = (struct level){ 0 };
}

/* All names, sorted; false: errno tells why. */
static bool list_folder(const char *path, struct level *ret_level)
{
        struct level level = { 0 };
        size_t capacity = 0;
        DIR *dir = opendir(path);

        if (!dir)
                return false;
        for (struct dirent *e; (e = readdir(dir));) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                if (level.count == capacity) {
                        capacity = capacity ? 2 * capacity : 64;
                        char **name = reallocarray(level.name, capacity, sizeof(*name));
                        if (!name)
                                break;
                        level.name = name;
                }
                level.name[level.count++] = copy_of(e->d_name);
        }
        closedir(dir);
        if (level.count)
                qsort(level.name, level.count, sizeof(*level.name), compare_names);
        *ret_level = level;
        return true;
}

/* Is it a folder to go into? Everything else is added, or told why not. */
static bool take(struct finder *f, const char *path)
{
        struct stat link, st;

        if (lstat(path, &link) != 0 || stat(path, &st) != 0) {
                f->odd(f->ctx, path, VERDICT_UNREADABLE, strerror(errno));
                return false;
        }
        if (S_ISDIR(st.st_mode)) {
                if (S_ISLNK(link.st_mode))
                        f->odd(f->ctx, path, VERDICT_SKIPPED, "a symbolic link to a folder");
                else if (is_same(&st, &f->out))
                        return false; /* our own answer is no input */
                return !S_ISLNK(link.st_mode);
        }
        if (S_ISREG(st.st_mode))
                items_add(f->items, path, NULL, NULL);
        else
                f->odd(f->ctx, path, VERDICT_SKIPPED, "neither a file nor a folder");
        return false;
}

static void enter(struct finder *f, struct level *level, size_t *depth, const struct text *path)
{
        if (*depth == DEPTH_MAX)
                f->odd(f->ctx, text_get(path), VERDICT_SKIPPED, "more folders in each other than are gone into");
        else if (!list_folder(text_get(path), &level[*depth]))
                f->odd(f->ctx, text_get(path), VERDICT_UNREADABLE, strerror(errno));
        else
                level[(*depth)++].len = path->len;
}

static void walk(struct finder *f, const char *folder)
{
        struct level level[DEPTH_MAX] = { 0 };
        struct text path = { 0 };
        size_t depth = 0;

        text_str(&path, folder);
        enter(f, level, &depth, &path);
        while (depth) {
                struct level *top = &level[depth - 1];
                if (top->next == top->count) {
                        level_free(top);
                        depth--;
                        continue;
                }
                path.len = top->len;
                path.at[path.len] = '\0';
                if (path.len && path.at[path.len - 1] != '/')
                        text_str(&path, "/");
                text_str(&path, top->name[top->next++]);
                if (take(f, text_get(&path)))
                        enter(f, level, &depth, &path);
        }
        text_free(&path);
}

/* ---- what is named by somebody: a folder also through a symbolic link, a block device too */

static void add_named(struct finder *f, const char *path)
{
        struct stat st;

        if (stat(path, &st) != 0)
                f->odd(f->ctx, path, VERDICT_UNREADABLE, strerror(errno));
        else if (is_same(&st, &f->out))
                f->odd(f->ctx, path, VERDICT_SKIPPED, "the folder of the answer");
        else if (S_ISDIR(st.st_mode))
                walk(f, path);
        else if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
                items_add(f->items, path, NULL, NULL);
        else
                f->odd(f->ctx, path, VERDICT_SKIPPED, "neither a file nor a folder");
}

/* ---- lists: a path a line, relative to the list's own folder; '#' begins a comment; NUL-separated where it holds one
 */

static void add_listed(struct finder *f, const char *list, char *word, bool lines)
{
        struct text path = { 0 };
        const char *slash = strrchr(list, '/');

        if (lines && *word && word[strlen(word) - 1] == '\r')
                word[strlen(word) - 1] = '\0';
        if (!*word || (lines && *word == '#'))
                return;
        if (*word != '/' && slash)
                text_add(&path, list, (size_t)(slash - list) + 1);
        text_str(&path, word);
        add_named(f, text_get(&path));
        text_free(&path);
}

static enum cli_exit add_list(struct finder *f, const char *list)
{
        FILE *file = strcmp(list, "-") == 0 ? f->cli->in : fopen(list, "re");
        struct text all = { 0 };
        char piece[4096];
        size_t len;

        if (!file)
                return cli_fail(f->cli, "%s: %s", list, strerror(errno));
        while (all.len < LIST_MAX && (len = fread(piece, 1, sizeof(piece), file)) > 0)
                text_add(&all, piece, len);
        bool bad = ferror(file);
        if (file != f->cli->in)
                fclose(file);
        bool lines = !all.at || !memchr(all.at, '\0', all.len);
        for (size_t at = 0; at < all.len && !bad;) {
                char *end = memchr(all.at + at, lines ? '\n' : '\0', all.len - at);
                size_t stop = end ? (size_t)(end - all.at) : all.len;
                all.at[stop] = '\0'; /* of the last word its terminator */
                add_listed(f, list, all.at + at, lines);
                at = stop + 1;
        }
        text_free(&all);
        return bad ? cli_fail(f->cli, "%s: cannot be read", list) : CLI_COMPLETE;
}

/* ---- in order, each once */

static int compare_items(const void *a, const void *b)
{
        return strcmp(((const struct batch_item *)a)->path, ((const struct batch_item *)b)->path);
}

static void sort_items(struct batch_items *items)
{
        size_t kept = 0;

        if (items->count)
                qsort(items->at, items->count, sizeof(*items->at), compare_items);
        for (size_t i = 0; i < items->count; i++) {
                if (kept && strcmp(items->at[kept - 1].path, items->at[i].path) == 0)
                        free(items->at[i].path);
                else
                        items->at[kept++] = items->at[i];
        }
        items->count = kept;
}

enum cli_exit batch_find(struct cli *cli, int out, struct batch_items *ret_items, batch_odd *odd, void *ctx)
{
        struct finder f = { .cli = cli, .items = ret_items, .odd = odd, .ctx = ctx };
        enum cli_exit failed = CLI_COMPLETE;

        if (fstat(out, &f.out) != 0)
                return cli_fail(cli, "%s: %s", cli->output, strerror(errno));
        for (size_t i = 0; i < cli->arg_count && !failed; i++) {
                if (*cli->arg[i] == '@')
                        failed = add_list(&f, cli->arg[i] + 1);
                else
                        add_named(&f, cli->arg[i]);
        }
        sort_items(ret_items);
        return failed;
}
