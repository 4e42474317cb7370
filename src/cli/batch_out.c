/* SPDX-License-Identifier: MIT */
/*
 * The folder of an answer. What is in it is whole at any moment: a result appears by rename after it is on the disk,
 * and only then its line in the journal; a line that was cut is taken away by the next run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "json.h"

#define JOURNAL "journal"
#define TEMPORARY ".tmp-" /* how names of what is not whole begin */

static enum cli_exit fail(struct cli *cli, const struct batch_out *out, const char *what)
{
        return cli_fail(cli, "%s: %s: %s", out->path, what, strerror(errno));
}

/* ---- the journal */

static void key_of(const struct entry *entry, uint8_t ret_key[static DIGEST_LEN])
{
        struct digest digest;
        struct text key = { 0 };

        entry_key(entry, true, &key);
        digest_begin(&digest);
        digest_add(&digest, text_get(&key), key.len);
        digest_end(&digest, ret_key);
        text_free(&key);
}

static void remember(struct batch_out *out, const struct entry *entry)
{
        uint8_t digest[DIGEST_LEN];

        key_of(entry, digest);
        digest_set_add(&out->done, digest);
        if (entry->members != STASIS_NOWHERE)
                digest_set_add(&out->archives, digest);
        if (entry->sha256 && entry->verdict < VERDICT_SAME && digest_parse(entry->sha256, digest))
                digest_set_add(&out->known, digest);
}

bool batch_out_is_done(const struct batch_out *out, const struct entry *entry)
{
        uint8_t digest[DIGEST_LEN];

        key_of(entry, digest);
        return digest_set_has(&out->done, digest);
}

bool batch_out_is_archive(const struct batch_out *out, const struct entry *entry)
{
        uint8_t digest[DIGEST_LEN];

        key_of(entry, digest);
        return digest_set_has(&out->archives, digest);
}

/* A result that somebody took away is made again. */
static bool still_holds(const struct batch_out *out, const struct entry *entry)
{
        char name[DIGEST_HEX + 8];

        if (!verdict_has_result((enum verdict)entry->verdict))
                return true;
        snprintf(name, sizeof(name), "%s.json", entry->sha256 ? entry->sha256 : "");
        return faccessat(out->results, name, F_OK, 0) == 0;
}

typedef void each_line(struct batch_out *out, const struct entry *entry);

static void see_told(struct batch_out *out, const struct entry *entry)
{
        if (out->retry && verdict_may_change((enum verdict)entry->verdict))
                return;
        if (entry->verdict != VERDICT_SAME && still_holds(out, entry))
                remember(out, entry);
}

/* Only as good as what tells of the same content: that may have been cut off, or changed since. */
static void see_same(struct batch_out *out, const struct entry *entry)
{
        uint8_t digest[DIGEST_LEN];

        if (entry->verdict == VERDICT_SAME && entry->sha256 && digest_parse(entry->sha256, digest) &&
            digest_set_has(&out->known, digest))
                remember(out, entry);
}

/* *ret_end: where the last whole line ends. */
static bool read_journal(struct batch_out *out, each_line *each, off_t *ret_end)
{
        int fd = openat(out->dir, JOURNAL, O_RDONLY | O_CLOEXEC);
        FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        char *line = NULL;
        size_t capacity = 0;
        ssize_t len;
        struct entry entry;

        if (!file)
                return false;
        *ret_end = 0;
        while ((len = getline(&line, &capacity, file)) > 0 && line[len - 1] == '\n') {
                *ret_end += len;
                if (!entry_parse(line, (size_t)len - 1, &entry))
                        continue;
                each(out, &entry);
                entry_free(&entry);
        }
        free(line);
        return fclose(file) == 0;
}

static enum cli_exit open_journal(struct cli *cli, struct batch_out *out)
{
        off_t end = 0;

        out->journal = openat(out->dir, JOURNAL, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (out->journal < 0 || !read_journal(out, see_told, &end) || !read_journal(out, see_same, &end))
                return fail(cli, out, "journal");
        if (ftruncate(out->journal, end) != 0) /* a line that was cut */
                return fail(cli, out, "journal");
        return CLI_COMPLETE;
}

static bool write_all(int fd, const char *at, size_t len)
{
        for (size_t done = 0; done < len;) {
                ssize_t now = write(fd, at + done, len - done);
                if (now < 0 && errno == EINTR)
                        continue;
                if (now <= 0)
                        return false;
                done += (size_t)now;
        }
        return true;
}

enum cli_exit batch_out_add(struct cli *cli, struct batch_out *out, const struct entry *entry)
{
        struct text line = { 0 };

        entry_line(entry, &line);
        bool ok = write_all(out->journal, text_get(&line), line.len);
        text_free(&line);
        if (!ok)
                return fail(cli, out, "journal");
        remember(out, entry);
        return CLI_COMPLETE;
}

/* ---- results */

static void temporary_name(char name[static 32], unsigned slot) { snprintf(name, 32, TEMPORARY "%u", slot); }

int batch_out_begin(const struct batch_out *out, unsigned slot)
{
        char name[32];

        temporary_name(name, slot);
        return openat(out->results, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

bool batch_out_keep(const struct batch_out *out, unsigned slot, int fd, const char *sha256)
{
        char from[32], to[DIGEST_HEX + 8];

        temporary_name(from, slot);
        snprintf(to, sizeof(to), "%s.json", sha256);
        bool ok = fsync(fd) == 0;
        ok &= close(fd) == 0;
        return ok && renameat(out->results, from, out->results, to) == 0;
}

void batch_out_drop(const struct batch_out *out, unsigned slot, int fd)
{
        char name[32];

        if (fd >= 0)
                close(fd);
        temporary_name(name, slot);
        (void)unlinkat(out->results, name, 0);
}

/* What a killed run left. */
static void sweep(int folder)
{
        int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        for (struct dirent *e; dir && (e = readdir(dir));)
                if (strncmp(e->d_name, TEMPORARY, strlen(TEMPORARY)) == 0)
                        (void)unlinkat(folder, e->d_name, 0);
        if (dir)
                closedir(dir);
}

/* ---- files of the folder */

FILE *batch_out_file(int dir, const char *name)
{
        char temporary[64];

        snprintf(temporary, sizeof(temporary), TEMPORARY "%s", name);
        int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        return fd < 0 ? NULL : fdopen(fd, "w");
}

bool batch_out_file_end(int dir, const char *name, FILE *file)
{
        char temporary[64];

        snprintf(temporary, sizeof(temporary), TEMPORARY "%s", name);
        bool ok = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
        ok &= fclose(file) == 0;
        return ok && renameat(dir, temporary, dir, name) == 0;
}

/* ---- opening */

static int make_folder(int at, const char *path)
{
        if (mkdirat(at, path, 0777) != 0 && errno != EEXIST)
                return -1;
        return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The kernel lets go of it when we end, however that is. */
static enum cli_exit lock(struct cli *cli, struct batch_out *out)
{
        out->lock = openat(out->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (out->lock < 0)
                return fail(cli, out, "lock");
        if (flock(out->lock, LOCK_EX | LOCK_NB) == 0)
                return CLI_COMPLETE;
        if (errno == EWOULDBLOCK)
                return cli_fail(cli, "%s: another batch is at work there", out->path);
        return fail(cli, out, "lock");
}

/* One line, whole or not there. */
static bool read_settings(const struct batch_out *out, struct text *ret_settings)
{
        int fd = openat(out->dir, "settings.json", O_RDONLY | O_CLOEXEC);
        char piece[4096];
        ssize_t len = fd < 0 ? -1 : read(fd, piece, sizeof(piece));

        if (fd >= 0)
                close(fd);
        if (len > 0)
                text_add(ret_settings, piece, (size_t)len);
        return len > 0;
}

static enum cli_exit compare_settings(struct cli *cli, const struct batch_out *out, const char *settings)
{
        struct text before = { 0 };
        enum cli_exit failed = CLI_COMPLETE;

        if (read_settings(out, &before)) {
                if (strcmp(text_get(&before), settings) != 0)
                        failed = cli_usage(cli, "%s was begun with other settings (settings.json): take another folder",
                                           out->path);
        } else {
                FILE *file = batch_out_file(out->dir, "settings.json");
                if (file)
                        fputs(settings, file);
                if (!file || !batch_out_file_end(out->dir, "settings.json", file))
                        failed = fail(cli, out, "settings.json");
        }
        text_free(&before);
        return failed;
}

enum cli_exit batch_out_open(struct cli *cli, const char *path, const char *settings, struct batch_out *ret_out)
{
        struct batch_out *out = ret_out;

        *out = (struct batch_out){
                .path = path, .retry = cli->retry, .dir = -1, .results = -1, .journal = -1, .lock = -1
        };
        out->dir = make_folder(AT_FDCWD, path);
        if (out->dir < 0)
                return fail(cli, out, "cannot be made or opened");
        enum cli_exit failed = lock(cli, out);
        if (failed)
                return failed;
        out->results = make_folder(out->dir, "results");
        if (out->results < 0)
                return fail(cli, out, "results");
        sweep(out->dir);
        sweep(out->results);
        failed = compare_settings(cli, out, settings);
        return failed ? failed : open_journal(cli, out);
}

void batch_out_close(struct batch_out *out)
{
        const int fds[] = { out->journal, out->results, out->dir, out->lock };

        for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        digest_set_free(&out->done);
        digest_set_free(&out->archives);
        digest_set_free(&out->known);
        *out = (struct batch_out){ .dir = -1, .results = -1, .journal = -1, .lock = -1 };
}
