/* SPDX-License-Identifier: MIT */
#include "batch_slot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_LIMIT (UINT64_C(4) << 30) /* of a document, where --output-limit does not say */

static int64_t milliseconds(void)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_one(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* ---- beginning */

const char *batch_tmp(const struct cli *cli)
{
        const char *set = getenv("TMPDIR");

        return cli->tmp ? cli->tmp : set && *set ? set : "/var/tmp";
}

/* Without a name; where the file system has no such files (a network's mostly), one whose name is taken away at once.
 */
static int open_nameless(const char *folder)
{
        char path[PATH_MAX];
        int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) ||
            snprintf(path, sizeof(path), "%s/stasis-XXXXXX", folder) >= (int)sizeof(path))
                return fd;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
                (void)unlink(path);
        return fd;
}

static void open_scratch(const struct cli *cli, int scratch[static WORKER_SCRATCH])
{
        for (int i = 0; i < WORKER_SCRATCH; i++)
                scratch[i] = open_nameless(batch_tmp(cli));
}

static struct sandbox_limits limits_of(const struct cli *cli)
{
        uint64_t seconds = cli->timeout.known ? cli->timeout.value : BATCH_TIMEOUT;

        return (struct sandbox_limits){
                .memory = cli->memory.known ? cli->memory.value : BATCH_MEMORY,
                .file = cli->tmp_limit.known ? cli->tmp_limit.value : BATCH_TMP_LIMIT,
                .seconds = seconds ? seconds + 5 : 0, /* the clock on the wall is first */
        };
}

static void child(const struct batch *batch, const struct batch_item *item, int image, const int out[2],
                  const int messages[2], pid_t parent)
{
        struct worker_job job = { .cli = batch->cli,
                                  .member = item->member,
                                  .inner = item->inner,
                                  .sandboxed = !batch->cli->no_sandbox,
                                  .limits = limits_of(batch->cli),
                                  .image = image,
                                  .out = out[1],
                                  .messages = messages[1] };

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody is left to read what it finds */
        if (getppid() != parent)
                _exit(CLI_UNREADABLE);
        job.tmp_limit = job.limits.file;
        open_scratch(batch->cli, job.scratch);
        worker_run(&job);
}

static bool make_pipes(int out[2], int messages[2])
{
        if (pipe2(out, O_CLOEXEC) != 0)
                return false;
        if (pipe2(messages, O_CLOEXEC) != 0) {
                close(out[0]);
                close(out[1]);
                return false;
        }
        (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
        (void)fcntl(messages[0], F_SETFL, O_NONBLOCK);
        (void)fcntl(out[0], F_SETPIPE_SZ, 1 << 20); /* where it may: fewer changes between the two */
        return true;
}

static void reset(struct slot *slot, const struct cli *cli)
{
        uint64_t seconds = cli->timeout.known ? cli->timeout.value : BATCH_TIMEOUT;

        slot->out = slot->messages = slot->ended = slot->result = -1;
        slot->written = 0;
        slot->begun = milliseconds();
        slot->until = seconds ? slot->begun + (int64_t)(seconds < INT32_MAX ? seconds : INT32_MAX) * 1000 : 0;
        slot->told = false;
        slot->names = 0;
        slot->stopped = VERDICTS;
        slot->error = 0;
        slot->header_len = slot->frame_len = slot->frame_have = slot->tail_len = 0;
}

enum cli_exit slot_start(struct batch *batch, struct slot *slot, const struct batch_item *item, int image)
{
        struct cli *cli = batch->cli;
        int out[2], messages[2];
        pid_t parent = getpid();

        reset(slot, cli);
        if (!slot->frame)
                slot->frame = malloc(FRAME_MAX + 1);
        if (!slot->frame || !make_pipes(out, messages))
                return cli_fail(cli, "no worker can be made: %s", strerror(errno));
        fflush(NULL);
        slot->pid = fork();
        if (slot->pid == 0)
                child(batch, item, image, out, messages, parent);
        close(out[1]);
        close(messages[1]);
        slot->out = out[0];
        slot->messages = messages[0];
        if (slot->pid < 0) {
                slot->pid = 0;
                close_one(&slot->out);
                close_one(&slot->messages);
                return cli_fail(cli, "no worker can be made: %s", strerror(errno));
        }
        slot->ended = (int)syscall(SYS_pidfd_open, slot->pid, 0);
        if (slot->ended < 0)
                return cli_fail(cli, "a worker cannot be watched: %s", strerror(errno));
        (void)fcntl(slot->ended, F_SETFD, FD_CLOEXEC);
        return CLI_COMPLETE;
}

/* ---- what it tells */

void slot_kill(struct slot *slot, enum verdict why)
{
        if (slot->stopped == VERDICTS)
                slot->stopped = why;
        (void)kill(slot->pid, SIGKILL);
}

/* Facts are texts and numbers for people; those that batch itself goes by are not among them. */
static void take_fact(struct slot *slot, const char *fact, size_t len)
{
        static const struct {
                const char *key;
                size_t at;
                bool number;
        } facts[] = {
                { "format", offsetof(struct entry, format), false },
                { "system", offsetof(struct entry, system), false },
                { "error", offsetof(struct entry, error), false },
                { "sandbox", offsetof(struct entry, sandbox), false },
                { "content", offsetof(struct entry, content), true },
                { "exit", offsetof(struct entry, exit_status), true },
                { "processes", offsetof(struct entry, processes), true },
                { "threads", offsetof(struct entry, threads), true },
                { "deadlocks", offsetof(struct entry, deadlocks), true },
                { "infos", offsetof(struct entry, infos), true },
                { "warnings", offsetof(struct entry, warnings), true },
                { "missing", offsetof(struct entry, missing), true },
        };
        size_t key = strcspn(fact, "=");

        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]) && key < len; i++) {
                if (strlen(facts[i].key) != key || strncmp(facts[i].key, fact, key) != 0)
                        continue;
                char *at = (char *)&slot->entry + facts[i].at;
                uint64_t value;
                if (!facts[i].number)
                        entry_set((char **)(void *)at, fact + key + 1, strlen(fact + key + 1));
                else if (cli_parse_number(fact + key + 1, &value))
                        *(uint64_t *)(void *)at = value;
        }
}

/* A content that is known, or another shard's, is not gone into; what is in flight is known too. */
static void take_digest(struct batch *batch, struct slot *slot, const char *hex)
{
        uint8_t digest[DIGEST_LEN];

        if (slot->entry.sha256 || !digest_parse(hex, digest)) {
                slot_kill(slot, VERDICT_FAILED);
                return;
        }
        entry_set(&slot->entry.sha256, hex, strlen(hex));
        if (batch->shard.by == SHARD_BY_CONTENT && !shard_has_digest(&batch->shard, digest))
                slot_kill(slot, VERDICT_ELSEWHERE);
        else if (digest_set_has(&batch->out.known, digest) || batch_is_begun(batch, slot, hex))
                slot_kill(slot, VERDICT_SAME);
}

static const char members_error[] = "the archive that it is in holds more files than are looked at";

static void take_member(struct batch *batch, struct slot *slot, const char *name)
{
        struct entry *entry = &slot->entry;
        uint64_t known = entry->members == STASIS_NOWHERE ? 0 : entry->members;

        if (entry->inner || known == WORKER_MEMBERS_MAX || slot->names >= WORKER_NAMES_MAX) {
                slot_kill(slot, VERDICT_FAILED);
                return;
        }
        if (++batch->items.at[slot->root].members > FILE_MEMBERS_MAX) { /* each of them is little, all are a bomb */
                entry_set(&entry->error, members_error, strlen(members_error));
                slot_kill(slot, VERDICT_UNREADABLE);
                return;
        }
        slot->names += strlen(name);
        entry->members = known + 1;
        if (entry->member)
                items_add(&batch->items, entry->path, entry->member, name);
        else
                items_add(&batch->items, entry->path, name, NULL);
        batch->items.at[batch->items.count - 1].root = slot->root;
        batch->total++;
}

static void take_document(struct batch *batch, struct slot *slot)
{
        uint64_t limit = batch->cli->output_limit.known ? batch->cli->output_limit.value : OUTPUT_LIMIT;
        const uint8_t *at = slot->frame;

        slot->written += slot->frame_len;
        if (slot->written > limit) {
                slot_kill(slot, VERDICT_OUTPUT);
                return;
        }
        if (slot->result < 0 && !slot->error)
                slot->result = batch_out_begin(&batch->out, slot->number);
        for (size_t left = slot->frame_len; left && !slot->error;) {
                ssize_t now = slot->result < 0 ? -1 : write(slot->result, at, left);
                if (now < 0 && errno == EINTR)
                        continue;
                if (now <= 0) {
                        slot->error = now < 0 ? errno : ENOSPC;
                        slot_kill(slot, VERDICT_FAILED);
                        return;
                }
                at += now;
                left -= (size_t)now;
        }
}

static void take_end(struct slot *slot)
{
        unsigned verdict = (unsigned)slot->frame[0] - 'A';

        if (slot->frame_len != 1 || verdict >= VERDICT_SAME || slot->told) {
                slot_kill(slot, VERDICT_FAILED);
                return;
        }
        slot->told = true;
        slot->entry.verdict = verdict;
}

static void take_frame(struct batch *batch, struct slot *slot)
{
        char *text = (char *)slot->frame;

        text[slot->frame_len] = '\0';
        if (slot->stopped != VERDICTS || slot->told) /* nothing of that counts any more */
                return;
        switch ((enum worker_frame)slot->header[0]) {
        case FRAME_PHASE: entry_set(&slot->entry.phase, text, strnlen(text, 32)); return;
        case FRAME_DIGEST: take_digest(batch, slot, text); return;
        case FRAME_MEMBER: take_member(batch, slot, text); return;
        case FRAME_DOCUMENT: take_document(batch, slot); return;
        case FRAME_FACT: take_fact(slot, text, slot->frame_len); return;
        case FRAME_END: take_end(slot); return;
        }
        slot_kill(slot, VERDICT_FAILED);
}

/* false: nothing there now, or the end. */
static bool read_some(int *fd, void *to, size_t len, size_t *have)
{
        ssize_t now = read(*fd, (char *)to + *have, len - *have);

        if (now > 0)
                *have += (size_t)now;
        else if (now == 0 || (errno != EAGAIN && errno != EINTR))
                close_one(fd);
        return now > 0;
}

#define FRAMES_AT_ONCE 64 /* then the others have their turn */

void slot_read(struct batch *batch, struct slot *slot)
{
        for (int frames = 0; frames < FRAMES_AT_ONCE && slot->out >= 0;) {
                if (slot->header_len < FRAME_HEADER) {
                        if (!read_some(&slot->out, slot->header, FRAME_HEADER, &slot->header_len))
                                return;
                        if (slot->header_len < FRAME_HEADER)
                                continue;
                        slot->frame_len = (size_t)slot->header[1] | (size_t)slot->header[2] << 8 |
                                          (size_t)slot->header[3] << 16 | (size_t)slot->header[4] << 24;
                        slot->frame_have = 0;
                        if (slot->frame_len > FRAME_MAX) {
                                slot_kill(slot, VERDICT_FAILED);
                                close_one(&slot->out);
                                return;
                        }
                }
                if (slot->frame_have < slot->frame_len &&
                    !read_some(&slot->out, slot->frame, slot->frame_len, &slot->frame_have))
                        return;
                if (slot->frame_have < slot->frame_len)
                        continue;
                take_frame(batch, slot);
                slot->header_len = 0;
                frames++;
        }
}

void slot_read_messages(struct slot *slot)
{
        char piece[SLOT_TAIL];
        size_t have = 0;

        if (slot->messages < 0 || !read_some(&slot->messages, piece, sizeof(piece), &have))
                return;
        if (slot->tail_len + have > SLOT_TAIL) { /* what is older goes */
                size_t drop = slot->tail_len + have - SLOT_TAIL;
                memmove(slot->tail, slot->tail + drop, slot->tail_len - drop);
                slot->tail_len -= drop;
        }
        memcpy(slot->tail + slot->tail_len, piece, have);
        slot->tail_len += have;
}

/* ---- its end */

static void set_end(struct entry *entry, const char *fmt, int number)
{
        char text[96];

        snprintf(text, sizeof(text), fmt, number);
        entry_set(&entry->end, text, strlen(text));
}

static void tell_signal(struct entry *entry, int number)
{
        const char *name = sigabbrev_np(number);
        char text[64];

        if (name)
                snprintf(text, sizeof(text), "SIG%s", name);
        else
                snprintf(text, sizeof(text), "signal %d", number);
        entry_set(&entry->end, text, strlen(text));
}

static bool says_no_memory(const struct slot *slot)
{
        return memmem(slot->tail, slot->tail_len, "out of memory", strlen("out of memory")) != NULL;
}

/* How it ended, where it did not say itself. */
static void judge(struct slot *slot, int status)
{
        struct entry *entry = &slot->entry;

        if (slot->stopped != VERDICTS) {
                entry->verdict = slot->stopped;
                set_end(entry, "stopped", 0);
        } else if (slot->told) {
                set_end(entry, "exit", 0);
        } else if (WIFSIGNALED(status)) {
                entry->verdict = WTERMSIG(status) == SIGXCPU ? VERDICT_TIMEOUT : VERDICT_CRASHED;
                tell_signal(entry, WTERMSIG(status));
        } else {
                entry->verdict = says_no_memory(slot) ? VERDICT_MEMORY : VERDICT_FAILED;
                set_end(entry, "exit status %d", WEXITSTATUS(status));
        }
}

static void measure(struct slot *slot, const struct rusage *used)
{
        struct entry *entry = &slot->entry;

        entry->milliseconds = (uint64_t)(milliseconds() - slot->begun);
        entry->cpu_milliseconds = (uint64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000 +
                                  (uint64_t)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1000;
        entry->peak_kib = (uint64_t)used->ru_maxrss;
        if (slot->tail_len)
                entry_set(&entry->messages, slot->tail, strnlen(slot->tail, slot->tail_len));
}

/* What it said of an image that it did not come to the end of is not an answer. */
static void forget_counts(struct entry *entry)
{
        entry->exit_status = entry->processes = entry->threads = entry->deadlocks = STASIS_NOWHERE;
        entry->infos = entry->warnings = entry->missing = STASIS_NOWHERE;
        entry_set(&entry->system, NULL, 0);
}

void slot_end(struct batch *batch, struct slot *slot)
{
        struct rusage used = { 0 };
        int status = 0;

        (void)wait4(slot->pid, &status, 0, &used);
        slot_settle(batch, slot, status, &used);
}

void slot_settle(struct batch *batch, struct slot *slot, int status, const struct rusage *used)
{
        struct entry *entry = &slot->entry;

        slot->pid = 0;
        close_one(&slot->out);
        close_one(&slot->messages);
        close_one(&slot->ended);
        judge(slot, status);
        measure(slot, used);
        bool result = verdict_has_result((enum verdict)entry->verdict);
        if (result && (!entry->sha256 || slot->result < 0)) { /* it says so, and gave none */
                entry->verdict = VERDICT_FAILED;
                result = false;
        }
        if (!result)
                forget_counts(entry);
        if (result && !batch_out_keep(&batch->out, slot->number, slot->result, entry->sha256))
                slot->error = errno;
        else if (!result && slot->result >= 0)
                batch_out_drop(&batch->out, slot->number, slot->result);
        slot->result = -1;
        if (slot->error && !batch->failed)
                batch->failed = cli_fail(batch->cli, "%s: a result cannot be written: %s", batch->out.path,
                                         strerror(slot->error));
}
