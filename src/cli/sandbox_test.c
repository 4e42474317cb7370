/* SPDX-License-Identifier: MIT */
/* What is tried from inside must fail, and what the work needs must not. Each attempt has a process of its own. */
#include "sandbox.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE, REFUSED, NO_SANDBOX = 77, LIMIT_FAILED };

static int scratch; /* opened outside */
static char folder[] = "/tmp/stasis-sandbox-XXXXXX", name[64];

static void setup(void)
{
        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(name, sizeof(name), "%s/there", folder);
        scratch = open(name, O_RDWR | O_CREAT, 0600);
        ck_assert_int_ge(scratch, 0);
}

static void teardown(void)
{
        close(scratch);
        unlink(name);
        ck_assert_int_eq(rmdir(folder), 0); /* nothing was made there */
        strcpy(folder, "/tmp/stasis-sandbox-XXXXXX");
}

/* Exit status of a process that enters and then does it. */
static int inside(bool (*attempt)(void))
{
        int status = 0;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                const char *parts[SANDBOX_PARTS];
                const struct sandbox_limits limits = { 0, 1 << 20, 0 };
                if (!sandbox_limit(&limits))
                        _exit(LIMIT_FAILED);
                if (!sandbox_enter(parts))
                        _exit(NO_SANDBOX);
                _exit(attempt() ? DONE : REFUSED);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* ---- attempts: true where it worked */

static bool closed(int fd) { return fd >= 0 && close(fd) == 0; }
static bool read_file(void) { return closed(open("/etc/passwd", O_RDONLY)); }
static bool read_own_file(void) { return closed(open(name, O_RDONLY)); }
static bool write_file(void) { return closed(open(name, O_WRONLY)); }
static bool list_folder(void)
{
        DIR *dir = opendir("/");
        return dir && closedir(dir) == 0;
}
static bool make_folder(void) { return mkdir("/tmp/stasis-made", 0700) == 0; }
static bool take_away(void) { return unlink(name) == 0; }
static bool rename_file(void) { return rename(name, "/tmp/stasis-renamed") == 0; }
static bool change_mode(void) { return fchmod(scratch, 0777) == 0; }
static bool open_proc(void) { return closed(open("/proc/self/mem", O_RDWR)); }
static bool tcp_socket(void) { return closed(socket(AF_INET, SOCK_STREAM, 0)); }
static bool udp_socket(void) { return closed(socket(AF_INET, SOCK_DGRAM, 0)); }
static bool unix_socket(void) { return closed(socket(AF_UNIX, SOCK_STREAM, 0)); }
static bool pair_of_sockets(void)
{
        int pair[2];
        return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}
static bool run_program(void)
{
        char *const words[] = { (char[]){ "true" }, NULL };
        execv("/bin/true", words);
        return false; /* one that ran would have ended with 0, too: DONE */
}
static bool make_process(void) { return fork() >= 0; }
static bool trace_parent(void) { return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0; }
static bool ask_for_tracing(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0; }
static bool signal_parent(void) { return kill(getppid(), 0) == 0; }
static bool executable_memory(void)
{
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool make_executable(void)
{
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return at != MAP_FAILED && mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0;
}
static bool dumpable(void) { return prctl(PR_SET_DUMPABLE, 1) == 0; }
static bool raise_limit(void)
{
        struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
        return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static bool (*const forbidden[])(void) = {
        read_file,         read_own_file,   write_file,   list_folder,  make_folder,     take_away,
        rename_file,       change_mode,     open_proc,    tcp_socket,   udp_socket,      unix_socket,
        pair_of_sockets,   run_program,     make_process, trace_parent, ask_for_tracing, signal_parent,
        executable_memory, make_executable, dumpable,     raise_limit,
};

START_TEST(is_refused)
{
        int ended = inside(forbidden[_i]);

        if (ended != NO_SANDBOX || sandbox_built())
                ck_assert_int_eq(ended, REFUSED);
}
END_TEST

/* ... and would have worked: else the test says nothing. */
START_TEST(works_outside)
{
        ck_assert(read_file() && read_own_file() && write_file() && list_folder());
        ck_assert(tcp_socket() && udp_socket() && unix_socket() && pair_of_sockets() && executable_memory());
        ck_assert(signal_parent() && change_mode());
}
END_TEST

/* ---- what the work needs */

static bool use_scratch(void)
{
        char read_back[4];
        void *at;

        if (pwrite(scratch, "abcd", 4, 4096) != 4 || ftruncate(scratch, 8192) != 0 ||
            pread(scratch, read_back, 4, 4096) != 4 || lseek(scratch, 0, SEEK_END) != 8192)
                return false;
        at = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, scratch, 0);
        return at != MAP_FAILED && memcmp((char *)at + 4096, "abcd", 4) == 0 && madvise(at, 8192, MADV_DONTNEED) == 0 &&
               munmap(at, 8192) == 0;
}

static void *thread(void *ctx)
{
        *(bool *)ctx = malloc(1 << 20) != NULL;
        return NULL;
}

static bool use_thread(void)
{
        pthread_t id;
        bool done = false;

        return pthread_create(&id, NULL, thread, &done) == 0 && pthread_join(id, NULL) == 0 && done;
}

static bool use_memory(void)
{
        char *at = malloc(64 << 20);

        if (!at)
                return false;
        memset(at, 1, 64 << 20);
        at = realloc(at, 128 << 20);
        free(at);
        return at != NULL;
}

/* The limit on files is told as an error, not by a signal. */
static bool is_told_of_limit(void) { return pwrite(scratch, "x", 1, 2 << 20) < 0 && errno == EFBIG; }

static bool (*const needed[])(void) = { use_scratch, use_thread, use_memory, is_told_of_limit };

START_TEST(is_allowed)
{
        int ended = inside(needed[_i]);

        if (ended != NO_SANDBOX || sandbox_built())
                ck_assert_int_eq(ended, DONE);
}
END_TEST

/* ---- limits */

static int limited(const struct sandbox_limits *limits, bool (*attempt)(void))
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                if (!sandbox_limit(limits))
                        _exit(LIMIT_FAILED);
                _exit(attempt() ? DONE : REFUSED);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Not malloc: a sanitizer's has its own. */
static bool map_much(void)
{
        return mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool map_file(void)
{
        return ftruncate(scratch, 256 << 20) == 0 &&
               mmap(NULL, 256 << 20, PROT_READ, MAP_PRIVATE, scratch, 0) != MAP_FAILED;
}

static bool work_on(void)
{
        volatile bool on = true;

        while (on)
                ;
        return true;
}

START_TEST(memory)
{
        const struct sandbox_limits some = { 128 << 20, 1 << 30, 0 }, more = { 512 << 20, 1 << 30, 0 };

        ck_assert_int_eq(limited(&some, map_much), REFUSED);
        ck_assert_int_eq(limited(&more, map_much), DONE);
        ck_assert_int_eq(limited(&some, map_file), DONE); /* an image is not memory of its own */
}
END_TEST

START_TEST(seconds)
{
        const struct sandbox_limits limits = { 0, 1 << 20, 1 };
        int ended = limited(&limits, work_on);

        ck_assert(ended == 128 + SIGXCPU || ended == 128 + SIGKILL);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sandbox");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, works_outside);
        tcase_add_loop_test(tc, is_refused, 0, sizeof(forbidden) / sizeof(forbidden[0]));
        tcase_add_loop_test(tc, is_allowed, 0, sizeof(needed) / sizeof(needed[0]));
        tcase_add_test(tc, memory);
        tcase_add_test(tc, seconds);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
