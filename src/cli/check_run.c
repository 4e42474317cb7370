/* SPDX-License-Identifier: MIT */
/*
 * Cases, each in a process of its own: what one of them does to its process does nothing to the others, and one that
 * takes too long is ended.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define JOBS_MAX 64

struct job {
        pid_t pid;     /* 0: free */
        int ended;     /* a descriptor that says when it has */
        int64_t until; /* milliseconds; 0: no limit */
        bool late;     /* ended by us for that */
        size_t index;
        FILE *answer; /* without a name; the child writes, we read */
};

static int64_t milliseconds(void)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t seconds_of(const struct cli *cli) { return cli->timeout.known ? cli->timeout.value : CHECK_TIMEOUT; }

static unsigned jobs_of(const struct cli *cli)
{
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t jobs = cli->jobs.known && cli->jobs.value ? cli->jobs.value
                        : processors > 0                   ? (uint64_t)processors
                                                           : 1;

        return jobs < JOBS_MAX ? (unsigned)jobs : JOBS_MAX;
}

/* In the child: nothing that the parent has buffered may be written twice, so that it leaves by _exit. */
static _Noreturn void work(const struct cli *cli, const struct check_case *one, FILE *answer)
{
        struct json_object *told = check_one(cli, one);
        const char *text = told ? json_object_to_json_string_ext(told, JSON_C_TO_STRING_PLAIN) : NULL;

        if (!text || fputs(text, answer) < 0 || fflush(answer) != 0)
                _exit(1);
        _exit(0);
}

/* Its process: false where there is none that could be watched. */
static bool start(struct job *job, const struct cli *cli, const struct check_case *one)
{
        job->pid = fork();
        if (job->pid == 0)
                work(cli, one, job->answer);
        job->ended = job->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, job->pid, 0);
        if (job->ended >= 0)
                return true;
        if (job->pid > 0) {
                (void)kill(job->pid, SIGKILL);
                (void)waitpid(job->pid, NULL, 0);
        }
        job->pid = 0;
        return false;
}

static bool begin(struct job *job, const struct cli *cli, const struct check_cases *cases, size_t index)
{
        uint64_t seconds = seconds_of(cli);

        *job = (struct job){ .index = index, .answer = tmpfile() };
        if (!job->answer)
                return false;
        if (seconds)
                job->until = milliseconds() + (int64_t)(seconds < INT32_MAX ? seconds : INT32_MAX) * 1000;
        if (start(job, cli, &cases->at[index]))
                return true;
        fclose(job->answer);
        return false;
}

static struct json_object *read_answer(FILE *answer)
{
        struct text bytes = { 0 };
        char piece[65536];
        size_t len;

        rewind(answer);
        while ((len = fread(piece, 1, sizeof(piece), answer)) > 0)
                text_add(&bytes, piece, len);
        struct json_object *told = bytes.len ? json_tokener_parse(text_get(&bytes)) : NULL;
        text_free(&bytes);
        return told;
}

static struct json_object *end(struct job *job, const struct cli *cli, const struct check_case *one, int status)
{
        char why[128] = "its process did not answer: out of memory";
        struct json_object *told = NULL;

        if (job->late && WIFSIGNALED(status))
                snprintf(why, sizeof(why), "it took longer than %" PRIu64 " s (--timeout)", seconds_of(cli));
        else if (WIFSIGNALED(status))
                snprintf(why, sizeof(why), "its process was ended by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == 0)
                told = read_answer(job->answer);
        fclose(job->answer);
        close(job->ended);
        job->pid = 0;
        return told ? told : check_failed(one, why);
}

/* Until the next limit, in milliseconds; -1: there is none. */
static int time_left(const struct job *jobs, unsigned count)
{
        int64_t now = milliseconds(), least = -1;

        for (unsigned i = 0; i < count; i++) {
                int64_t left = jobs[i].until > now ? jobs[i].until - now + 1 : 0;
                if (jobs[i].pid && jobs[i].until && !jobs[i].late && (least < 0 || left < least))
                        least = left;
        }
        return least < INT32_MAX ? (int)least : INT32_MAX;
}

/* Takes what has ended, and ends what takes too long; false: something could not be told. */
static bool look(struct job *jobs, unsigned count, const struct cli *cli, const struct check_cases *cases,
                 const struct pollfd *ended, struct json_object **told)
{
        bool good = true;

        for (unsigned i = 0; i < count; i++) {
                struct job *job = &jobs[i];
                int status = 0;
                if (job->pid && ended[i].revents && waitpid(job->pid, &status, 0) == job->pid) {
                        told[job->index] = end(job, cli, &cases->at[job->index], status);
                        good &= told[job->index] != NULL;
                } else if (job->pid && job->until && !job->late && milliseconds() > job->until) {
                        job->late = true;
                        (void)kill(job->pid, SIGKILL);
                }
        }
        return good;
}

static bool wait_some(struct job *jobs, unsigned count, const struct cli *cli, const struct check_cases *cases,
                      struct json_object **told)
{
        struct pollfd ended[JOBS_MAX];

        for (unsigned i = 0; i < count; i++)
                ended[i] = (struct pollfd){ jobs[i].pid ? jobs[i].ended : -1, POLLIN, 0 };
        if (poll(ended, count, time_left(jobs, count)) < 0)
                return errno == EINTR;
        return look(jobs, count, cli, cases, ended, told);
}

static unsigned count_running(const struct job *jobs, unsigned count)
{
        unsigned running = 0;

        for (unsigned i = 0; i < count; i++)
                running += jobs[i].pid != 0;
        return running;
}

bool check_run(struct cli *cli, const struct check_cases *cases, struct json_object **told)
{
        struct job jobs[JOBS_MAX] = { 0 };
        unsigned count = jobs_of(cli), running = 0;
        bool good = true;

        for (size_t next = 0; good && (next < cases->count || running);) {
                unsigned slot = 0;
                while (slot < count && jobs[slot].pid)
                        slot++;
                if (next < cases->count && slot < count && begin(&jobs[slot], cli, cases, next)) {
                        next++;
                        running++;
                } else if (running) {
                        good = wait_some(jobs, count, cli, cases, told);
                        running = count_running(jobs, count);
                } else {
                        good = false;
                }
        }
        for (unsigned i = 0; i < count; i++) /* after a failure nobody asks what the others find */
                if (jobs[i].pid)
                        (void)kill(jobs[i].pid, SIGKILL);
        while (count_running(jobs, count) && wait_some(jobs, count, cli, cases, told))
                ;
        return good;
}
