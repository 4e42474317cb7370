/* SPDX-License-Identifier: MIT */
/*
 * Numbers of Landlock: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of Linux 6.12. They
 * are spelled out here because the headers of a distribution are older than the kernels that it meets.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

/* ---- limits */

/* Bytes of private writable memory (VmData), which RLIMIT_DATA counts; 0 where it cannot be told. */
static uint64_t data_in_use(void)
{
        char line[256];
        unsigned long long kib = 0;
        FILE *status = fopen("/proc/self/status", "re");

        while (status && fgets(line, sizeof(line), status))
                if (sscanf(line, "VmData: %llu kB", &kib) == 1)
                        break;
        if (status)
                fclose(status);
        return (uint64_t)kib << 10;
}

static bool limit_to(int resource, uint64_t value)
{
        struct rlimit now, limit = { value, value };

        if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
                return false;
        if (limit.rlim_cur > now.rlim_max)
                limit.rlim_cur = limit.rlim_max = now.rlim_max;
        return setrlimit((__rlimit_resource_t)resource, &limit) == 0;
}

/*
 * Memory is limited by RLIMIT_DATA and not by RLIMIT_AS: an image is mapped whole, and may be larger than what its
 * analysis needs. Counted from what is in use now, so that a sanitizer's shadow does not count.
 */
bool sandbox_limit(const struct sandbox_limits *limits)
{
        signal(SIGXFSZ, SIG_IGN); /* the write fails then, and is told like any other */
        if (limits->memory && !limit_to(RLIMIT_DATA, data_in_use() + limits->memory))
                return false;
        if (limits->seconds && !limit_to(RLIMIT_CPU, limits->seconds))
                return false;
        return limit_to(RLIMIT_FSIZE, limits->file) && limit_to(RLIMIT_CORE, 0);
}

/* ---- Landlock */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

enum { LANDLOCK_VERSION_ONLY = 1 << 0 };

struct landlock_ruleset {
        uint64_t fs, net, scoped;
};

static long landlock_abi(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_ONLY); }

bool sandbox_has_landlock(void) { return landlock_abi() >= 1; }

/* Everything that this ABI can forbid, and no rule that allows any of it. */
static bool enter_landlock(void)
{
        static const struct {
                long abi;
                uint64_t fs, net, scoped;
                size_t size;
        } abis[] = {
                { 1, 0x1fff, 0, 0, 8 },  /* execute, write, read, list, remove, make */
                { 2, 0x3fff, 0, 0, 8 },  /* refer */
                { 3, 0x7fff, 0, 0, 8 },  /* truncate */
                { 4, 0x7fff, 3, 0, 16 }, /* TCP: bind, connect */
                { 5, 0xffff, 3, 0, 16 }, /* ioctl of devices */
                { 6, 0xffff, 3, 3, 24 }, /* abstract sockets and signals of others */
        };
        long abi = landlock_abi();
        size_t at = 0;

        if (abi < 1)
                return false;
        while (at + 1 < sizeof(abis) / sizeof(abis[0]) && abis[at + 1].abi <= abi)
                at++;
        struct landlock_ruleset rules = { abis[at].fs, abis[at].net, abis[at].scoped };
        int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, abis[at].size, 0);
        if (fd < 0)
                return false;
        bool entered = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
        close(fd);
        return entered;
}

/* ---- seccomp */

#ifdef HAVE_SECCOMP

bool sandbox_built(void) { return true; }

/* What the C library, threads, json-c, libarchive and the sanitizers need once all files are open. */
static const int allowed[] = {
        SCMP_SYS(read),
        SCMP_SYS(write),
        SCMP_SYS(readv),
        SCMP_SYS(writev),
        SCMP_SYS(pread64),
        SCMP_SYS(pwrite64),
        SCMP_SYS(lseek),
        SCMP_SYS(close),
        SCMP_SYS(fstat),
        SCMP_SYS(fstatfs),
        SCMP_SYS(ftruncate),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(brk),
        SCMP_SYS(futex),
        SCMP_SYS(set_robust_list),
        SCMP_SYS(rseq),
        SCMP_SYS(gettid),
        SCMP_SYS(getpid),
        SCMP_SYS(sched_yield),
        SCMP_SYS(nanosleep),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(getrandom),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(sched_getaffinity),
        SCMP_SYS(membarrier),
        SCMP_SYS(fadvise64),
};

/* Calls that are harmless with these arguments only. */
static bool allow_some(scmp_filter_ctx filter)
{
        const struct {
                int call;
                struct scmp_arg_cmp when; /* number of the argument, how it is compared, with what */
        } some[] = {
                /* memory, but none that could be executed */
                { SCMP_SYS(mmap), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
                { SCMP_SYS(mprotect), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
                /* threads of this process, but no other process */
                { SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD } },
                /* fstat(), as newer C libraries call it. An absolute path would be taken too: its stat can be had */
                { SCMP_SYS(newfstatat), { 3, SCMP_CMP_EQ, AT_EMPTY_PATH, 0 } },
                { SCMP_SYS(ioctl), { 1, SCMP_CMP_EQ, BLKGETSIZE64, 0 } },
                { SCMP_SYS(fcntl), { 1, SCMP_CMP_EQ, F_GETFL, 0 } },
                /* abort() */
                { SCMP_SYS(tgkill), { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } },
                { SCMP_SYS(prctl), { 0, SCMP_CMP_EQ, PR_SET_NAME, 0 } },
        };

        for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
                if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, some[i].call, 1, &some[i].when) != 0)
                        return false;
        /* The C library falls back to clone, whose flags a filter can see. */
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

static bool enter_seccomp(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        bool ok = filter != NULL;

        for (size_t i = 0; ok && i < sizeof(allowed) / sizeof(allowed[0]); i++)
                ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
        ok = ok && allow_some(filter);
        int failed = ok ? seccomp_load(filter) : -EINVAL;
        if (filter)
                seccomp_release(filter);
        errno = failed < 0 ? -failed : 0;
        return failed == 0;
}

#else

bool sandbox_built(void) { return false; }

static bool enter_seccomp(void)
{
        errno = ENOSYS;
        return false;
}

#endif

bool sandbox_enter(const char *ret_parts[static SANDBOX_PARTS])
{
        size_t count = 0;

        memset(ret_parts, 0, SANDBOX_PARTS * sizeof(*ret_parts));
        (void)prctl(PR_SET_DUMPABLE, 0); /* nobody else of this user may look into it */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
                return false;
        if (enter_landlock())
                ret_parts[count++] = "landlock";
        if (!enter_seccomp())
                return false;
        ret_parts[count++] = "seccomp";
        return true;
}
