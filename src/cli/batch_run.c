/* SPDX-License-Identifier: MIT */
/* One process that holds the workers and does nothing but wait: it never looks into an image. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "batch_slot.h"

#define POLL_MS 200 /* at least as often progress is said and limits are looked at */

struct runner {
        struct batch *batch;
        struct slot *slot;
        unsigned slots;
        struct pollfd *poll; /* three of each slot */
};

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
        (void)number;
        stop_asked = 1;
}

static int64_t milliseconds(void)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what becomes of an entry */

void batch_told(struct batch *batch, const struct entry *entry)
{
        batch->finished++;
        batch->counts[entry->verdict]++;
        if (!batch->failed && !batch_out_is_done(&batch->out, entry))
                batch->failed = batch_out_add(batch->cli, &batch->out, entry);
        if (verdict_is_trouble((enum verdict)entry->verdict))
                batch_say_trouble(batch, entry);
}

/* By content it is another shard's where its name says so, as it has no content that could. */
static bool is_elsewhere(const struct batch *batch, const struct entry *entry)
{
        return batch->shard.by == SHARD_BY_CONTENT && !entry->sha256 && !batch_is_mine(batch, entry);
}

static void told_odd(struct batch *batch, struct entry *entry, enum verdict verdict, const char *why)
{
        entry->verdict = is_elsewhere(batch, entry) ? VERDICT_ELSEWHERE : verdict;
        entry_set(&entry->error, why, why ? strlen(why) : 0);
        batch_told(batch, entry);
        entry_free(entry);
}

/* ---- beginning the next one */

static void name_entry(struct entry *entry, const struct batch_item *item)
{
        entry_init(entry);
        entry_set(&entry->path, item->path, strlen(item->path));
        entry_set(&entry->member, item->member, item->member ? strlen(item->member) : 0);
        entry_set(&entry->inner, item->inner, item->inner ? strlen(item->inner) : 0);
}

/* A descriptor for a worker, or -1 where there is nothing for one to do, and that is told. */
static int open_item(struct batch *batch, struct entry *entry)
{
        struct stat st;
        int fd = open(entry->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0 || fstat(fd, &st) != 0) {
                told_odd(batch, entry, VERDICT_UNREADABLE, strerror(errno));
                if (fd >= 0)
                        close(fd);
                return -1;
        }
        entry->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : STASIS_NOWHERE;
        entry->mtime = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
        if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) {
                if (entry->size)
                        return fd;
                close(fd);
                told_odd(batch, entry, VERDICT_EMPTY, NULL);
                return -1;
        }
        close(fd);
        told_odd(batch, entry, VERDICT_SKIPPED, "neither a file nor a folder");
        return -1;
}

/* An archive is listed again in each run, so that what of it was not done is found. */
static bool is_done(struct batch *batch, struct entry *entry)
{
        if (!batch_out_is_done(&batch->out, entry))
                return false;
        batch->finished++;
        batch->before++;
        return true;
}

static bool is_archive_again(const struct batch *batch, const struct entry *entry)
{
        return !entry->inner && batch_out_is_archive(&batch->out, entry);
}

/* false: there is nothing left to begin. */
static bool begin_next(struct runner *r, struct slot *slot)
{
        struct batch *batch = r->batch;

        while (batch->items.next < batch->items.count && !batch->failed) {
                size_t at = batch->items.next++;
                struct batch_item item = batch->items.at[at];
                slot->root = item.member ? item.root : at;
                name_entry(&slot->entry, &item);
                int fd = open_item(batch, &slot->entry);
                if (fd < 0)
                        continue;
                if (!is_archive_again(batch, &slot->entry) && is_done(batch, &slot->entry)) {
                        entry_free(&slot->entry);
                        close(fd);
                        continue;
                }
                enum cli_exit failed = slot_start(batch, slot, &item, fd);
                close(fd);
                if (!failed)
                        return true;
                batch->failed = failed;
        }
        return false;
}

bool batch_is_begun(const struct batch *batch, const struct slot *own, const char *hex)
{
        const struct runner *r = batch->runner;

        for (unsigned i = 0; r && i < r->slots; i++) {
                const struct slot *slot = &r->slot[i];
                if (slot->pid && slot != own && slot->stopped == VERDICTS && slot->entry.sha256 &&
                    strcmp(slot->entry.sha256, hex) == 0)
                        return true;
        }
        return false;
}

/* ---- waiting */

static void watch(struct runner *r)
{
        for (unsigned i = 0; i < r->slots; i++) {
                const struct slot *slot = &r->slot[i];
                bool busy = slot->pid != 0;
                r->poll[3 * i] = (struct pollfd){ busy ? slot->out : -1, POLLIN, 0 };
                r->poll[3 * i + 1] = (struct pollfd){ busy ? slot->messages : -1, POLLIN, 0 };
                r->poll[3 * i + 2] = (struct pollfd){ busy ? slot->ended : -1, POLLIN, 0 };
        }
}

/* What it wrote before it ended is in the pipes still; a process that it left behind is not waited for. */
static void drain(struct batch *batch, struct slot *slot)
{
        for (int64_t until = milliseconds() + 10000; slot->out >= 0 && milliseconds() < until;) {
                struct pollfd left = { slot->out, POLLIN, 0 };
                if (poll(&left, 1, 0) <= 0)
                        break;
                slot_read(batch, slot);
        }
        for (int i = 0; i < 64 && slot->messages >= 0; i++) {
                struct pollfd left = { slot->messages, POLLIN, 0 };
                if (poll(&left, 1, 0) <= 0)
                        break;
                slot_read_messages(slot);
        }
}

static void end_slot(struct runner *r, struct slot *slot)
{
        struct batch *batch = r->batch;

        drain(batch, slot);
        slot_end(batch, slot);
        if (is_elsewhere(batch, &slot->entry))
                slot->entry.verdict = VERDICT_ELSEWHERE;
        if (!batch->stopped && !batch->failed)
                batch_told(batch, &slot->entry);
        entry_free(&slot->entry);
}

static void look(struct runner *r, unsigned i)
{
        struct slot *slot = &r->slot[i];

        if (r->poll[3 * i].revents)
                slot_read(r->batch, slot);
        if (r->poll[3 * i + 1].revents)
                slot_read_messages(slot);
        if (slot->until && slot->stopped == VERDICTS && milliseconds() > slot->until)
                slot_kill(slot, VERDICT_TIMEOUT);
        if (r->poll[3 * i + 2].revents)
                end_slot(r, slot);
}

static void stop_all(struct runner *r)
{
        for (unsigned i = 0; i < r->slots; i++)
                if (r->slot[i].pid)
                        slot_kill(&r->slot[i], VERDICT_FAILED);
}

static unsigned fill(struct runner *r)
{
        unsigned busy = 0;

        for (unsigned i = 0; i < r->slots; i++)
                busy += r->slot[i].pid || (!r->batch->stopped && begin_next(r, &r->slot[i]));
        return busy;
}

static void loop(struct runner *r)
{
        struct batch *batch = r->batch;

        while (fill(r)) {
                watch(r);
                (void)poll(r->poll, 3 * r->slots, POLL_MS);
                for (unsigned i = 0; i < r->slots; i++)
                        if (r->slot[i].pid)
                                look(r, i);
                if ((stop_asked || batch->failed) && !batch->stopped) {
                        batch->stopped = true;
                        stop_all(r);
                }
                batch_say(batch, false);
        }
        batch->stopped |= stop_asked != 0;
}

#define JOBS_MAX 1024

static unsigned jobs_of(const struct cli *cli)
{
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        if (cli->jobs.known && cli->jobs.value)
                return cli->jobs.value < JOBS_MAX ? (unsigned)cli->jobs.value : JOBS_MAX;
        return processors > 0 && processors < JOBS_MAX ? (unsigned)processors : 1;
}

void batch_run(struct batch *batch)
{
        struct sigaction stop = { .sa_handler = ask_to_stop }, before[3];
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        struct runner r = { .batch = batch, .slots = jobs_of(batch->cli) };

        r.slot = calloc(r.slots, sizeof(*r.slot));
        r.poll = calloc(3 * (size_t)r.slots, sizeof(*r.poll));
        if (!r.slot || !r.poll) {
                batch->failed = cli_fail(batch->cli, "out of memory");
        } else {
                batch->runner = &r;
                for (unsigned i = 0; i < r.slots; i++)
                        r.slot[i].number = i;
                stop_asked = 0;
                for (int i = 0; i < 3; i++)
                        sigaction(signals[i], &stop, &before[i]);
                loop(&r);
                for (int i = 0; i < 3; i++)
                        sigaction(signals[i], &before[i], NULL);
                for (unsigned i = 0; i < r.slots; i++)
                        free(r.slot[i].frame);
        }
        batch->runner = NULL;
        free(r.slot);
        free(r.poll);
}
