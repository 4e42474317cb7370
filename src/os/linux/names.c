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

static const struct stasis_name *since(const void *os, uint32_t version, const struct stasis_name *now,
                                       size_t now_count, const struct stasis_name *old, size_t old_count,
                                       size_t *ret_count)
{
        bool is_new = os && ((const struct linux_system *)os)->version >= version;
        *ret_count = is_new ? now_count : old_count;
        return is_new ? now : old;
}

/* include/linux/sched.h: as of 5.14 to 6.12; of older kernels the bits that have kept their meaning since 2.6.32. */
const struct stasis_name *linux_names_flags(const void *os, size_t *ret_count)
{
        static const struct stasis_name now[] = {
                BIT(0, "PF_VCPU"),
                BIT(1, "PF_IDLE"),
                BIT(2, "PF_EXITING"),
                BIT(3, "PF_POSTCOREDUMP"),
                BIT(4, "PF_IO_WORKER"),
                BIT(5, "PF_WQ_WORKER"),
                BIT(6, "PF_FORKNOEXEC"),
                BIT(7, "PF_MCE_PROCESS"),
                BIT(8, "PF_SUPERPRIV"),
                BIT(9, "PF_DUMPCORE"),
                BIT(10, "PF_SIGNALED"),
                BIT(11, "PF_MEMALLOC"),
                BIT(12, "PF_NPROC_EXCEEDED"),
                BIT(13, "PF_USED_MATH"),
                BIT(14, "PF_USER_WORKER"),
                BIT(15, "PF_NOFREEZE"),
                BIT(17, "PF_KSWAPD"),
                BIT(18, "PF_MEMALLOC_NOFS"),
                BIT(19, "PF_MEMALLOC_NOIO"),
                BIT(20, "PF_LOCAL_THROTTLE"),
                BIT(21, "PF_KTHREAD"),
                BIT(22, "PF_RANDOMIZE"),
                BIT(26, "PF_NO_SETAFFINITY"),
                BIT(27, "PF_MCE_EARLY"),
                BIT(28, "PF_MEMALLOC_PIN"),
                BIT(31, "PF_SUSPEND_TASK"),
        };
        static const struct stasis_name old[] = {
                BIT(2, "PF_EXITING"),   BIT(6, "PF_FORKNOEXEC"), BIT(8, "PF_SUPERPRIV"),  BIT(9, "PF_DUMPCORE"),
                BIT(10, "PF_SIGNALED"), BIT(11, "PF_MEMALLOC"),  BIT(13, "PF_USED_MATH"), BIT(15, "PF_NOFREEZE"),
                BIT(21, "PF_KTHREAD"),  BIT(22, "PF_RANDOMIZE"),
        };
        return since(os, LINUX_VERSION(5, 14), now, COUNT(now), old, COUNT(old), ret_count);
}

/* arch/x86/include/asm/thread_info.h: as of 5.11 to 6.12; before, the bits that did not move. */
const struct stasis_name *linux_names_thread_info(const void *os, size_t *ret_count)
{
        static const struct stasis_name now[] = {
                BIT(1, "TIF_NOTIFY_RESUME"),
                BIT(2, "TIF_SIGPENDING"),
                BIT(3, "TIF_NEED_RESCHED"),
                BIT(4, "TIF_SINGLESTEP"),
                BIT(5, "TIF_SSBD"),
                BIT(9, "TIF_SPEC_IB"),
                BIT(10, "TIF_SPEC_L1D_FLUSH"),
                BIT(11, "TIF_USER_RETURN_NOTIFY"),
                BIT(12, "TIF_UPROBE"),
                BIT(13, "TIF_PATCH_PENDING"),
                BIT(14, "TIF_NEED_FPU_LOAD"),
                BIT(15, "TIF_NOCPUID"),
                BIT(16, "TIF_NOTSC"),
                BIT(17, "TIF_NOTIFY_SIGNAL"),
                BIT(20, "TIF_MEMDIE"),
                BIT(21, "TIF_POLLING_NRFLAG"),
                BIT(22, "TIF_IO_BITMAP"),
                BIT(23, "TIF_SPEC_FORCE_UPDATE"),
                BIT(24, "TIF_FORCED_TF"),
                BIT(25, "TIF_BLOCKSTEP"),
                BIT(29, "TIF_ADDR32"),
        };
        static const struct stasis_name old[] = {
                BIT(1, "TIF_NOTIFY_RESUME"),
                BIT(2, "TIF_SIGPENDING"),
                BIT(3, "TIF_NEED_RESCHED"),
                BIT(4, "TIF_SINGLESTEP"),
        };
        return since(os, LINUX_VERSION(5, 11), now, COUNT(now), old, COUNT(old), ret_count);
}

/* The two changed places in 3.14. */
const struct stasis_name *linux_names_exit_state(const void *os, size_t *ret_count)
{
        static const struct stasis_name now[] = { VALUE(0, "alive"), VALUE(16, "EXIT_DEAD"), VALUE(32, "EXIT_ZOMBIE"),
                                                  VALUE(48, "EXIT_TRACE") };
        static const struct stasis_name old[] = { VALUE(0, "alive"), VALUE(16, "EXIT_ZOMBIE"), VALUE(32, "EXIT_DEAD") };
        return since(os, LINUX_VERSION(3, 14), now, COUNT(now), old, COUNT(old), ret_count);
}
