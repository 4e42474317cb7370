/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "batch.h"
#include "digest.h"
#include "entry.h"
#include "out_result.h"

/* Where descriptors are while it works; standard input and output are closed. */
enum {
        FD_MESSAGES = 2,
        FD_OUT = 3,
        FD_IMAGE = 4,
        IMAGES = 3, /* the library closes the descriptor that it is given: to list, to open, to open once more */
        FD_SCRATCH = FD_IMAGE + IMAGES,
        FD_END = FD_SCRATCH + WORKER_SCRATCH
};

#define RAW_IMAGE_MIN (UINT64_C(1) << 20) /* what no reader knows is an image from this size on, and in whole pages */
#define PAGE 4096

struct worker {
        const struct worker_job *job;
        struct cli cli;
        const char *sandbox[SANDBOX_PARTS];
        unsigned images_used, scratch_used;
        struct digest digest; /* of what the first opening shows */
        bool digested;        /* all of it was seen: what fails from then on is the content's fault */
        char sha256[DIGEST_HEX];
};

/* ---- frames */

static void put_bytes(const void *at, size_t len)
{
        for (size_t done = 0; done < len;) {
                ssize_t now = write(FD_OUT, (const char *)at + done, len - done);
                if (now < 0 && errno == EINTR)
                        continue;
                if (now <= 0)
                        _exit(CLI_UNREADABLE); /* nobody listens any more */
                done += (size_t)now;
        }
}

static void put_frame(enum worker_frame frame, const void *at, size_t len)
{
        uint8_t header[FRAME_HEADER] = { (uint8_t)frame };

        len = len < FRAME_MAX ? len : FRAME_MAX;
        for (int i = 0; i < 4; i++)
                header[1 + i] = (uint8_t)(len >> 8 * i);
        put_bytes(header, sizeof(header));
        put_bytes(at, len);
}

static void put_fact(const char *key, const char *value)
{
        struct text fact = { 0 };

        text_printf(&fact, "%s=%s", key, value);
        put_frame(FRAME_FACT, text_get(&fact), fact.len);
        text_free(&fact);
}

static void put_count(const char *key, uint64_t value)
{
        char number[24];

        snprintf(number, sizeof(number), "%" PRIu64, value);
        put_fact(key, number);
}

static void put_phase(void *ctx, const char *name)
{
        (void)ctx;
        put_frame(FRAME_PHASE, name, strlen(name));
}

static ssize_t put_document(void *cookie, const char *at, size_t len)
{
        (void)cookie;
        for (size_t done = 0; done < len; done += FRAME_MAX)
                put_frame(FRAME_DOCUMENT, at + done, len - done < FRAME_MAX ? len - done : FRAME_MAX);
        return (ssize_t)len;
}

/* Not exit(): what the parent had buffered is the parent's, and a leak is nobody's business here. */
static _Noreturn void end_with(enum verdict verdict)
{
        uint8_t letter = (uint8_t)('A' + verdict);

        put_frame(FRAME_END, &letter, 1);
        _exit(CLI_COMPLETE);
}

static _Noreturn void end_because(enum verdict verdict, const struct stasis_error *err)
{
        if (err->status == STASIS_NOMEM)
                verdict = VERDICT_MEMORY;
        put_fact("error", err->text);
        end_with(verdict);
}

/* ---- descriptors and the sandbox */

/* To where `to` is, and nowhere else. */
static void put_descriptor(int from, int to)
{
        if (from < 0)
                close(to);
        else if (dup2(from, to) < 0)
                _exit(CLI_UNREADABLE);
}

/* All of them far up first, as one's place may be another's. */
static void move_descriptors(const struct worker_job *job)
{
        int image = fcntl(job->image, F_DUPFD, FD_END), out = fcntl(job->out, F_DUPFD, FD_END);
        int messages = fcntl(job->messages, F_DUPFD, FD_END), scratch[WORKER_SCRATCH];

        for (int i = 0; i < WORKER_SCRATCH; i++)
                scratch[i] = job->scratch[i] < 0 ? -1 : fcntl(job->scratch[i], F_DUPFD, FD_END);
        put_descriptor(messages, FD_MESSAGES);
        put_descriptor(out, FD_OUT);
        for (int i = 0; i < IMAGES; i++)
                put_descriptor(image, FD_IMAGE + i);
        for (int i = 0; i < WORKER_SCRATCH; i++)
                put_descriptor(scratch[i], FD_SCRATCH + i);
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        if (close_range(FD_END, ~0U, 0) != 0)
                _exit(CLI_UNREADABLE);
}

/* Names in archives may be of any language; from inside the sandbox the file of the locale cannot be read any more. */
static void load_characters(void)
{
        locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

        if (utf8)
                (void)uselocale(utf8);
}

static void enter(struct worker *w)
{
        struct text parts = { 0 };

        if (!sandbox_limit(&w->job->limits)) {
                put_fact("error", "the limits cannot be set");
                end_with(VERDICT_FAILED);
        }
        if (w->job->sandboxed && !sandbox_enter(w->sandbox)) {
                put_fact("error", "the sandbox cannot be entered");
                end_with(VERDICT_FAILED);
        }
        for (size_t i = 0; w->sandbox[i]; i++)
                text_printf(&parts, "%s%s", i ? "," : "", w->sandbox[i]);
        put_fact("sandbox", w->job->sandboxed ? text_get(&parts) : "none");
        text_free(&parts);
}

/* ---- the file: an archive of several, or an image */

static int give_scratch(void *ctx)
{
        struct worker *w = ctx;
        int fd = w->scratch_used < WORKER_SCRATCH ? FD_SCRATCH + (int)w->scratch_used++ : -1;

        if (fd >= 0 && fcntl(fd, F_GETFL) >= 0)
                return fd;
        errno = ENOENT;
        return -1;
}

/* The first opening tells the digest: from here on a content that kills the worker is known by it. */
static void add_contents(void *ctx, const void *at, size_t len)
{
        struct worker *w = ctx;
        uint8_t digest[DIGEST_LEN];

        if (w->digested)
                return;
        digest_add(&w->digest, at, len);
        if (len)
                return;
        w->digested = true;
        digest_end(&w->digest, digest);
        digest_hex(digest, w->sha256);
        put_count("content", w->digest.len);
        put_frame(FRAME_DIGEST, w->sha256, strlen(w->sha256));
        put_phase(NULL, "open");
}

static struct stasis_image_options image_options(struct worker *w, const char *reader)
{
        return (struct stasis_image_options){ .format = reader,
                                              .tmp = batch_tmp(w->job->cli), /* as it is called; it is open */
                                              .tmp_limit = w->job->tmp_limit,
                                              .tmp_file = give_scratch,
                                              .tmp_file_ctx = w,
                                              .contents = add_contents,
                                              .contents_ctx = w };
}

static struct stasis_file next_file(struct worker *w)
{
        int fd = w->images_used < IMAGES ? FD_IMAGE + (int)w->images_used++ : -1;
        return (struct stasis_file){ .fd = fd, .name = "image", .member = { w->job->member, w->job->inner } };
}

/* cli->open_image */
static enum stasis_status open_image(struct cli *cli, const struct stasis_image_options *options,
                                     struct stasis_image **ret_image, struct stasis_error *err)
{
        struct worker *w = cli->open_ctx;
        struct stasis_image_options own = image_options(w, options->format);
        struct stasis_file file = next_file(w);

        if (w->digested) /* and need not be read from end to end again */
                own.contents = NULL;
        return stasis_image_open_fds(&file, 1, &own, ret_image, err);
}

/* A name is told once it is known that there is another one. */
struct members {
        char first[FRAME_MAX];
        unsigned count;
        size_t names; /* bytes of them */
};

static bool are_too_many(const struct members *members)
{
        return members->count == WORKER_MEMBERS_MAX || members->names >= WORKER_NAMES_MAX;
}

static bool see_member(void *ctx, const char *name, uint64_t len)
{
        struct members *members = ctx;

        (void)len;
        members->names += strlen(name);
        if (members->count++ == 0) {
                snprintf(members->first, sizeof(members->first), "%s", name);
                return true;
        }
        if (members->count == 2)
                put_frame(FRAME_MEMBER, members->first, strlen(members->first));
        put_frame(FRAME_MEMBER, name, strlen(name));
        return !are_too_many(members);
}

/* Ends the process where the file is an archive of several. Damage in one of a single file is for the opening to tell.
 */
static void list_members(struct worker *w)
{
        struct members members = { .count = 0 };
        struct stasis_error err = { 0 };
        struct stasis_image_options options = image_options(w, NULL);
        struct stasis_file file = next_file(w);

        options.contents = NULL;
        put_phase(NULL, "list");
        enum stasis_status status = stasis_archive_members(&file, &options, see_member, &members, &err);
        if (status == STASIS_OK && members.count == 0)
                end_with(VERDICT_ARCHIVE);
        if (members.count < 2)
                return;
        if (are_too_many(&members))
                put_fact("error", "holds more files than are looked at");
        if (status != STASIS_OK)
                end_because(VERDICT_UNREADABLE, &err);
        end_with(are_too_many(&members) ? VERDICT_UNREADABLE : VERDICT_ARCHIVE);
}

/* ---- the result */

static bool looks_like_memory(const struct worker *w)
{
        return w->cli.reader || strcmp(stasis_image_format(w->cli.image), "raw") != 0 ||
               (w->digest.len >= RAW_IMAGE_MIN && w->digest.len % PAGE == 0);
}

static enum verdict verdict_of(const struct worker *w, const struct result_outcome *outcome)
{
        if (outcome->no_memory)
                return VERDICT_MEMORY;
        if (!w->cli.understood && w->cli.image && !looks_like_memory(w))
                return VERDICT_NO_IMAGE;
        switch (outcome->exit) {
        case CLI_COMPLETE: return VERDICT_COMPLETE;
        case CLI_PARTIAL: return VERDICT_PARTIAL;
        default: return VERDICT_NOT_UNDERSTOOD;
        }
}

static void put_outcome(const struct worker *w, const struct result_outcome *outcome)
{
        static const char *const notes[] = { "infos", "warnings", "missing" };

        if (w->cli.image)
                put_fact("format", stasis_image_format(w->cli.image));
        if (*outcome->system)
                put_fact("system", outcome->system);
        if (*outcome->error)
                put_fact("error", outcome->error);
        put_count("exit", (uint64_t)outcome->exit);
        for (int i = 0; i < 3; i++)
                put_count(notes[i], outcome->notes[i]);
        if (!outcome->counted)
                return;
        put_count("processes", outcome->processes);
        put_count("threads", outcome->threads);
        put_count("deadlocks", outcome->deadlocks);
}

static _Noreturn void write_result(struct worker *w, const char *error)
{
        const struct result_about about = {
                .sha256 = w->sha256, .sandbox = w->sandbox, .error = error, .phase = put_phase
        };
        struct result_outcome outcome;
        cookie_io_functions_t io = { .write = put_document };
        FILE *out = fopencookie(w, "w", io);

        if (!out)
                end_with(VERDICT_MEMORY);
        result_write(&w->cli, &about, out, &outcome);
        if (fflush(out) != 0)
                end_with(VERDICT_MEMORY);
        enum verdict verdict = verdict_of(w, &outcome);
        if (verdict == VERDICT_NO_IMAGE)
                put_fact("error", "no reader knows it, and no system is found in it as plain memory");
        else
                put_outcome(w, &outcome);
        end_with(verdict);
}

static _Noreturn void work(struct worker *w)
{
        struct stasis_image_options none = { .format = w->cli.reader };
        struct stasis_error err = { 0 };

        if (w->job->inner || (w->cli.reader && !w->job->member))
                (void)close(next_file(w).fd);
        else
                list_members(w);
        put_phase(NULL, "read");
        enum stasis_status status = open_image(&w->cli, &none, &w->cli.image, &err);
        if (status == STASIS_OK)
                write_result(w, NULL);
        if (!w->digested || status == STASIS_NOMEM)
                end_because(VERDICT_UNREADABLE, &err);
        if (status == STASIS_UNSUPPORTED)
                end_because(VERDICT_UNSUPPORTED, &err);
        write_result(w, err.text);
}

_Noreturn void worker_run(const struct worker_job *job)
{
        static struct worker w; /* of this process alone: it was forked for this */

        signal(SIGINT, SIG_IGN); /* of a terminal: the parent decides */
        signal(SIGTERM, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);
        w.job = job;
        w.cli = (struct cli){ .verb = job->cli->verb,
                              .err = stderr,
                              .out = stderr,
                              .image_path = "image",
                              .reader = job->cli->reader,
                              .scan = job->cli->scan,
                              .jobs = { .known = true, .value = 1 },
                              .quiet = true,
                              .open_image = open_image,
                              .open_ctx = &w };
        digest_begin(&w.digest);
        load_characters();
        move_descriptors(job);
        enter(&w);
        work(&w);
}
