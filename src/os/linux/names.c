/* SPDX-License-Identifier: MIT */
#include "names.h"

#include "linux.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define VALUE(v, n) \
        { \
                .name = (n), .value = (v) \
        }
#define BIT(b, n) \
        { \
                .name = (n), .bit = (b), .len = 1 \
        }
#define NAMES(function, ...) \
        const struct stasis_name *function(const void *os, size_t *ret_count) \
        { \
                static const struct stasis_name table[] = { __VA_ARGS__ }; \
                (void)os; \
                *ret_count = COUNT(table); \
                return table; \
        }

/* In the order of the letters that ps prints, RSDTtXZPI; the words of /proc/PID/status (fs/proc/array.c). */
NAMES(linux_names_state, VALUE(0, "running"), VALUE(1, "sleeping"), VALUE(2, "disk sleep"), VALUE(3, "stopped"),
      VALUE(4, "tracing stop"), VALUE(5, "dead"), VALUE(6, "zombie"), VALUE(7, "parked"), VALUE(8, "idle"))
/* include/uapi/linux/sched.h */
NAMES(linux_names_policy, VALUE(0, "SCHED_NORMAL"), VALUE(1, "SCHED_FIFO"), VALUE(2, "SCHED_RR"),
      VALUE(3, "SCHED_BATCH"), VALUE(5, "SCHED_IDLE"), VALUE(6, "SCHED_DEADLINE"), VALUE(7, "SCHED_EXT"))
/* include/uapi/linux/seccomp.h */
NAMES(linux_names_seccomp, VALUE(0, "disabled"), VALUE(1, "strict"), VALUE(2, "filter"))
/* include/uapi/linux/capability.h */
NAMES(linux_names_capability, BIT(0, "CAP_CHOWN"), BIT(1, "CAP_DAC_OVERRIDE"), BIT(2, "CAP_DAC_READ_SEARCH"),
      BIT(3, "CAP_FOWNER"), BIT(4, "CAP_FSETID"), BIT(5, "CAP_KILL"), BIT(6, "CAP_SETGID"), BIT(7, "CAP_SETUID"),
      BIT(8, "CAP_SETPCAP"), BIT(9, "CAP_LINUX_IMMUTABLE"), BIT(10, "CAP_NET_BIND_SERVICE"),
      BIT(11, "CAP_NET_BROADCAST"), BIT(12, "CAP_NET_ADMIN"), BIT(13, "CAP_NET_RAW"), BIT(14, "CAP_IPC_LOCK"),
      BIT(15, "CAP_IPC_OWNER"), BIT(16, "CAP_SYS_MODULE"), BIT(17, "CAP_SYS_RAWIO"), BIT(18, "CAP_SYS_CHROOT"),
      BIT(19, "CAP_SYS_PTRACE"), BIT(20, "CAP_SYS_PACCT"), BIT(21, "CAP_SYS_ADMIN"), BIT(22, "CAP_SYS_BOOT"),
      BIT(23, "CAP_SYS_NICE"), BIT(24, "CAP_SYS_RESOURCE"), BIT(25, "CAP_SYS_TIME"), BIT(26, "CAP_SYS_TTY_CONFIG"),
      BIT(27, "CAP_MKNOD"), BIT(28, "CAP_LEASE"), BIT(29, "CAP_AUDIT_WRITE"), BIT(30, "CAP_AUDIT_CONTROL"),
      BIT(31, "CAP_SETFCAP"), BIT(32, "CAP_MAC_OVERRIDE"), BIT(33, "CAP_MAC_ADMIN"), BIT(34, "CAP_SYSLOG"),
      BIT(35, "CAP_WAKE_ALARM"), BIT(36, "CAP_BLOCK_SUSPEND"), BIT(37, "CAP_AUDIT_READ"), BIT(38, "CAP_PERFMON"),
      BIT(39, "CAP_BPF"), BIT(40, "CAP_CHECKPOINT_RESTORE"))

/* The names of a span of versions, which ends where the next one begins; the first holds where none is known. */
struct era {
        uint32_t since;
        const struct stasis_name *name;
        size_t count;
};
#define ERA(version, table) \
        { \
                (version), (table), COUNT(table) \
        }

static const struct stasis_name *of_era(const void *os, const struct era *era, size_t count, size_t *ret_count)
{
        uint32_t version = os ? ((const struct linux_system *)os)->version : 0;
        size_t i = count - 1;
        while (i && era[i].since > version)
                i--;
        *ret_count = era[i].count;
        return era[i].name;
}

/* include/linux/sched.h of 2.6.32 to 6.12. What never moved, and what did. */
#define PF_ALWAYS \
        BIT(2, "PF_EXITING"), BIT(6, "PF_FORKNOEXEC"), BIT(7, "PF_MCE_PROCESS"), BIT(8, "PF_SUPERPRIV"), \
                BIT(9, "PF_DUMPCORE"), BIT(10, "PF_SIGNALED"), BIT(11, "PF_MEMALLOC"), BIT(13, "PF_USED_MATH"), \
                BIT(15, "PF_NOFREEZE"), BIT(21, "PF_KTHREAD"), BIT(22, "PF_RANDOMIZE"), BIT(27, "PF_MCE_EARLY")
#define PF_SINCE_3_12 \
        BIT(5, "PF_WQ_WORKER"), BIT(12, "PF_NPROC_EXCEEDED"), BIT(19, "PF_MEMALLOC_NOIO"), \
                BIT(26, "PF_NO_SETAFFINITY"), BIT(31, "PF_SUSPEND_TASK")
#define PF_SINCE_4_12 BIT(1, "PF_IDLE"), BIT(17, "PF_KSWAPD"), BIT(18, "PF_MEMALLOC_NOFS")
#define PF_SINCE_5_14 \
        BIT(0, "PF_VCPU"), BIT(4, "PF_IO_WORKER"), BIT(20, "PF_LOCAL_THROTTLE"), BIT(28, "PF_MEMALLOC_PIN")
#define PF_UNTIL_6_0 BIT(16, "PF_FROZEN"), BIT(30, "PF_FREEZER_SKIP")
#define PF_UNTIL_5_11 BIT(4, "PF_VCPU"), BIT(23, "PF_SWAPWRITE")
#define PF_UNTIL_4_11 BIT(17, "PF_FSTRANS"), BIT(18, "PF_KSWAPD"), BIT(20, "PF_LESS_THROTTLE")

const struct stasis_name *linux_names_flags(const void *os, size_t *ret_count)
{
        static const struct stasis_name unknown[] = { PF_ALWAYS };
        static const struct stasis_name v2_6_32[] = { PF_ALWAYS, PF_UNTIL_4_11, PF_UNTIL_5_11, PF_UNTIL_6_0 };
        static const struct stasis_name v3_12[] = { PF_ALWAYS, PF_SINCE_3_12, PF_UNTIL_4_11, PF_UNTIL_5_11,
                                                    PF_UNTIL_6_0 };
        static const struct stasis_name v4_12[] = { PF_ALWAYS, PF_SINCE_3_12, PF_SINCE_4_12, PF_UNTIL_5_11,
                                                    PF_UNTIL_6_0 };
        static const struct stasis_name v5_12[] = { PF_ALWAYS, PF_SINCE_3_12, PF_SINCE_4_12, PF_UNTIL_6_0 };
        static const struct stasis_name v5_14[] = { PF_ALWAYS, PF_SINCE_3_12, PF_SINCE_4_12, PF_SINCE_5_14,
                                                    PF_UNTIL_6_0 };
        static const struct stasis_name v5_17[] = { PF_ALWAYS,     PF_SINCE_3_12, PF_SINCE_4_12,
                                                    PF_SINCE_5_14, PF_UNTIL_6_0,  BIT(3, "PF_POSTCOREDUMP") };
        static const struct stasis_name v6_1[] = { PF_ALWAYS, PF_SINCE_3_12, PF_SINCE_4_12, PF_SINCE_5_14,
                                                   BIT(3, "PF_POSTCOREDUMP") };
        static const struct stasis_name v6_4[] = { PF_ALWAYS,
                                                   PF_SINCE_3_12,
                                                   PF_SINCE_4_12,
                                                   PF_SINCE_5_14,
                                                   BIT(3, "PF_POSTCOREDUMP"),
                                                   BIT(14, "PF_USER_WORKER") };
        static const struct era eras[] = { ERA(0, unknown),
                                           ERA(LINUX_VERSION(2, 6), v2_6_32),
                                           ERA(LINUX_VERSION(3, 12), v3_12),
                                           ERA(LINUX_VERSION(4, 12), v4_12),
                                           ERA(LINUX_VERSION(5, 12), v5_12),
                                           ERA(LINUX_VERSION(5, 14), v5_14),
                                           ERA(LINUX_VERSION(5, 17), v5_17),
                                           ERA(LINUX_VERSION(6, 1), v6_1),
                                           ERA(LINUX_VERSION(6, 4), v6_4) };
        return of_era(os, eras, COUNT(eras), ret_count);
}

/*
 * arch/x86/include/asm/thread_info.h. 5.11 moved the work of system calls to a word of its own (syscall_work), 6.13 put
 * TIF_NEED_RESCHED_LAZY in between; since 6.18 the lower half is generic (asm-generic/thread_info_tif.h), and only what
 * stayed is named.
 */
#define TIF_STAYED BIT(22, "TIF_IO_BITMAP"), BIT(24, "TIF_FORCED_TF"), BIT(27, "TIF_LAZY_MMU_UPDATES")
#define TIF_UNTIL_6_17 \
        BIT(1, "TIF_NOTIFY_RESUME"), BIT(2, "TIF_SIGPENDING"), BIT(3, "TIF_NEED_RESCHED"), BIT(16, "TIF_NOTSC"), \
                BIT(20, "TIF_MEMDIE")
#define TIF_SINCE_4_0 \
        BIT(5, "TIF_SSBD"), BIT(11, "TIF_USER_RETURN_NOTIFY"), BIT(12, "TIF_UPROBE"), BIT(21, "TIF_POLLING_NRFLAG"), \
                BIT(25, "TIF_BLOCKSTEP"), BIT(29, "TIF_ADDR32")
#define TIF_UNTIL_5_10 \
        BIT(0, "TIF_SYSCALL_TRACE"), BIT(4, "TIF_SINGLESTEP"), BIT(6, "TIF_SYSCALL_EMU"), BIT(7, "TIF_SYSCALL_AUDIT"), \
                BIT(8, "TIF_SECCOMP"), BIT(17, "TIF_IA32"), BIT(28, "TIF_SYSCALL_TRACEPOINT")
#define TIF_SINCE_5_11 \
        BIT(9, "TIF_SPEC_IB"), BIT(13, "TIF_PATCH_PENDING"), BIT(14, "TIF_NEED_FPU_LOAD"), BIT(15, "TIF_NOCPUID"), \
                BIT(17, "TIF_NOTIFY_SIGNAL")
#define TIF_SINCE_6_13 \
        BIT(5, "TIF_SINGLESTEP"), BIT(6, "TIF_SSBD"), BIT(11, "TIF_USER_RETURN_NOTIFY"), BIT(12, "TIF_UPROBE"), \
                BIT(21, "TIF_POLLING_NRFLAG"), BIT(25, "TIF_BLOCKSTEP"), BIT(29, "TIF_ADDR32")
#define TIF_SINCE_5_16 BIT(10, "TIF_SPEC_L1D_FLUSH"), BIT(23, "TIF_SPEC_FORCE_UPDATE")

const struct stasis_name *linux_names_thread_info(const void *os, size_t *ret_count)
{
        static const struct stasis_name unknown[] = { BIT(22, "TIF_IO_BITMAP") };
        static const struct stasis_name v2_6_32[] = { TIF_UNTIL_6_17, TIF_UNTIL_5_10, BIT(22, "TIF_IO_BITMAP"),
                                                      BIT(24, "TIF_FORCED_TF") };
        static const struct stasis_name v4_0[] = { TIF_STAYED, TIF_UNTIL_6_17, TIF_SINCE_4_0, TIF_UNTIL_5_10 };
        static const struct stasis_name v5_11[] = { TIF_STAYED, TIF_UNTIL_6_17, TIF_SINCE_4_0, TIF_SINCE_5_11,
                                                    BIT(4, "TIF_SINGLESTEP") };
        static const struct stasis_name v5_16[] = { TIF_STAYED,     TIF_UNTIL_6_17, TIF_SINCE_4_0,
                                                    TIF_SINCE_5_11, TIF_SINCE_5_16, BIT(4, "TIF_SINGLESTEP") };
        static const struct stasis_name v6_13[] = { TIF_STAYED,     TIF_UNTIL_6_17, TIF_SINCE_5_11,
                                                    TIF_SINCE_5_16, TIF_SINCE_6_13, BIT(4, "TIF_NEED_RESCHED_LAZY") };
        static const struct stasis_name v6_18[] = { TIF_STAYED, BIT(23, "TIF_SPEC_FORCE_UPDATE") };
        static const struct era eras[] = { ERA(0, unknown),
                                           ERA(LINUX_VERSION(2, 6), v2_6_32),
                                           ERA(LINUX_VERSION(4, 0), v4_0),
                                           ERA(LINUX_VERSION(5, 11), v5_11),
                                           ERA(LINUX_VERSION(5, 16), v5_16),
                                           ERA(LINUX_VERSION(6, 13), v6_13),
                                           ERA(LINUX_VERSION(6, 18), v6_18) };
        return of_era(os, eras, COUNT(eras), ret_count);
}

/* The two changed places in 3.14. */
const struct stasis_name *linux_names_exit_state(const void *os, size_t *ret_count)
{
        static const struct stasis_name now[] = { VALUE(0, "alive"), VALUE(16, "EXIT_DEAD"), VALUE(32, "EXIT_ZOMBIE"),
                                                  VALUE(48, "EXIT_TRACE") };
        static const struct stasis_name old[] = { VALUE(0, "alive"), VALUE(16, "EXIT_ZOMBIE"), VALUE(32, "EXIT_DEAD") };
        static const struct era eras[] = { ERA(0, old), ERA(LINUX_VERSION(3, 14), now) };
        return of_era(os, eras, COUNT(eras), ret_count);
}
