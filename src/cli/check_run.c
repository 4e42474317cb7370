/* SPDX-License-Identifier: MIT */
/* Cases of a folder, each in a process of its own: what one of them does to its process does nothing to the others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define JOBS_MAX 64

struct job {
        pid_t pid; /* 0: free */
        size_t index;
        FILE *answer; /* without a name; the child writes, we read */
};

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

static bool begin(struct job *job, const struct cli *cli, const struct check_cases *cases, size_t index)
{
        *job = (struct job){ .index = index, .answer = tmpfile() };
        if (!job->answer)
                return false;
        job->pid = fork();
        if (job->pid == 0)
                work(cli, &cases->at[index], job->answer);
        if (job->pid > 0)
                return true;
        job->pid = 0;
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

static struct json_object *end(struct job *job, const struct check_case *one, int status)
{
        char why[96] = "its process did not answer: out of memory";
        struct json_object *told = NULL;

        if (WIFSIGNALED(status))
                snprintf(why, sizeof(why), "its process was ended by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == 0)
                told = read_answer(job->answer);
        fclose(job->answer);
        job->pid = 0;
        return told ? told : check_failed(one, why);
}

static bool wait_one(struct job *jobs, unsigned count, const struct check_cases *cases, struct json_object **told)
{
        int status;
        pid_t pid = waitpid(-1, &status, 0);

        if (pid < 0)
                return errno == EINTR;
        for (unsigned i = 0; i < count; i++)
                if (jobs[i].pid == pid) {
                        told[jobs[i].index] = end(&jobs[i], &cases->at[jobs[i].index], status);
                        return told[jobs[i].index] != NULL;
                }
        return true;
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
                        good = wait_one(jobs, count, cases, told);
                        running = 0;
                        for (unsigned i = 0; i < count; i++)
                                running += jobs[i].pid != 0;
                } else {
                        good = false;
                }
        }
        while (running && wait_one(jobs, count, cases, told))
                for (unsigned i = running = 0; i < count; i++)
                        running += jobs[i].pid != 0;
        return good;
}
