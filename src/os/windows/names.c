/* SPDX-License-Identifier: MIT */
#include "names.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define VALUE(v, n) \
        { \
                .name = (n), .value = (v) \
        }
#define BIT(b, n) \
        { \
                .name = (n), .bit = (b), .len = 1 \
        }

uint32_t windows_build(const struct windows *w)
{
        uint32_t version[4];
        if (w->version.build || !w->layout)
                return w->version.build;
        stasis_layout_version(w->layout, version);
        return version[2];
}

#define NAMES(function, ...) \
        const struct stasis_name *function(const void *os, size_t *ret_count) \
        { \
                static const struct stasis_name table[] = { __VA_ARGS__ }; \
                (void)os; \
                *ret_count = COUNT(table); \
                return table; \
        }

/* KTHREAD_STATE for layouts whose PDB had no such enumeration (XP and before): the numbers that no version changed. */
NAMES(names_thread_state, VALUE(0, "Initialized"), VALUE(1, "Ready"), VALUE(2, "Running"), VALUE(3, "Standby"),
      VALUE(4, "Terminated"), VALUE(5, "Waiting"), VALUE(6, "Transition"), VALUE(7, "DeferredReady"))
/* KOBJECTS for XP and before, whose PDB lacks it: the numbers that no version changed. */
NAMES(names_kobjects, VALUE(0, "EventNotificationObject"), VALUE(1, "EventSynchronizationObject"),
      VALUE(2, "MutantObject"), VALUE(3, "ProcessObject"), VALUE(4, "QueueObject"), VALUE(5, "SemaphoreObject"),
      VALUE(6, "ThreadObject"), VALUE(7, "GateObject"), VALUE(8, "TimerNotificationObject"),
      VALUE(9, "TimerSynchronizationObject"))
/* WAIT_TYPE (wdm.h). */
NAMES(names_wait_type, VALUE(0, "WaitAll"), VALUE(1, "WaitAny"), VALUE(2, "WaitNotification"), VALUE(3, "WaitDequeue"),
      VALUE(4, "WaitDpc"))
NAMES(names_mode, VALUE(0, "KernelMode"), VALUE(1, "UserMode"))
NAMES(names_impersonation, VALUE(0, "Anonymous"), VALUE(1, "Identification"), VALUE(2, "Impersonation"),
      VALUE(3, "Delegation"))
NAMES(names_product, VALUE(1, "WinNt"), VALUE(2, "LanManNt"), VALUE(3, "Server"))
NAMES(names_apc_state, VALUE(0, "OriginalApcEnvironment"), VALUE(1, "AttachedApcEnvironment"))
/* THREAD_*, the standard rights, and what GENERIC rights became (Windows SDK, "Thread Security and Access Rights"). */
NAMES(names_thread_access, BIT(0, "THREAD_TERMINATE"), BIT(1, "THREAD_SUSPEND_RESUME"), BIT(2, "THREAD_ALERT"),
      BIT(3, "THREAD_GET_CONTEXT"), BIT(4, "THREAD_SET_CONTEXT"), BIT(5, "THREAD_SET_INFORMATION"),
      BIT(6, "THREAD_QUERY_INFORMATION"), BIT(7, "THREAD_SET_THREAD_TOKEN"), BIT(8, "THREAD_IMPERSONATE"),
      BIT(9, "THREAD_DIRECT_IMPERSONATION"), BIT(10, "THREAD_SET_LIMITED_INFORMATION"),
      BIT(11, "THREAD_QUERY_LIMITED_INFORMATION"), BIT(12, "THREAD_RESUME"), BIT(16, "DELETE"), BIT(17, "READ_CONTROL"),
      BIT(18, "WRITE_DAC"), BIT(19, "WRITE_OWNER"), BIT(20, "SYNCHRONIZE"))
/* ntifs.h: values of IoSetTopLevelIrp that are no IRP. */
NAMES(names_top_level_irp, VALUE(1, "FSRTL_FSP_TOP_LEVEL_IRP"), VALUE(2, "FSRTL_CACHE_TOP_LEVEL_IRP"),
      VALUE(3, "FSRTL_MOD_WRITE_TOP_LEVEL_IRP"), VALUE(4, "FSRTL_FAST_IO_TOP_LEVEL_IRP"),
      VALUE(5, "FSRTL_NETWORK1_TOP_LEVEL_IRP"), VALUE(6, "FSRTL_NETWORK2_TOP_LEVEL_IRP"),
      VALUE(0xffff, "FSRTL_MAX_TOP_LEVEL_IRP_FLAG"))
/* EX_RUNDOWN_REF: bit 0 says that rundown is active (the rest is then a pointer), else the count of references is above
 * it. */
NAMES(names_rundown, BIT(0, "RundownActive"), { .name = "References", .bit = 1, .len = 63 })
NAMES(names_ntstatus, VALUE(0, "STATUS_SUCCESS"), VALUE(0x102, "STATUS_TIMEOUT"), VALUE(0x103, "STATUS_PENDING"),
      VALUE(0x40010004, "DBG_TERMINATE_PROCESS"), VALUE(0x40010005, "DBG_CONTROL_C"),
      VALUE(0x80000003, "STATUS_BREAKPOINT"), VALUE(0x80000001, "STATUS_GUARD_PAGE_VIOLATION"),
      VALUE(0xc0000001, "STATUS_UNSUCCESSFUL"), VALUE(0xc0000005, "STATUS_ACCESS_VIOLATION"),
      VALUE(0xc0000006, "STATUS_IN_PAGE_ERROR"), VALUE(0xc0000008, "STATUS_INVALID_HANDLE"),
      VALUE(0xc000000d, "STATUS_INVALID_PARAMETER"), VALUE(0xc0000017, "STATUS_NO_MEMORY"),
      VALUE(0xc000001d, "STATUS_ILLEGAL_INSTRUCTION"), VALUE(0xc0000022, "STATUS_ACCESS_DENIED"),
      VALUE(0xc0000025, "STATUS_NONCONTINUABLE_EXCEPTION"), VALUE(0xc000004b, "STATUS_THREAD_IS_TERMINATING"),
      VALUE(0xc000008c, "STATUS_ARRAY_BOUNDS_EXCEEDED"), VALUE(0xc0000094, "STATUS_INTEGER_DIVIDE_BY_ZERO"),
      VALUE(0xc0000096, "STATUS_PRIVILEGED_INSTRUCTION"), VALUE(0xc00000fd, "STATUS_STACK_OVERFLOW"),
      VALUE(0xc000010a, "STATUS_PROCESS_IS_TERMINATING"), VALUE(0xc0000120, "STATUS_CANCELLED"),
      VALUE(0xc0000135, "STATUS_DLL_NOT_FOUND"), VALUE(0xc000013a, "STATUS_CONTROL_C_EXIT"),
      VALUE(0xc0000142, "STATUS_DLL_INIT_FAILED"), VALUE(0xc000026b, "STATUS_DLL_INIT_FAILED_LOGOFF"),
      VALUE(0xc0000374, "STATUS_HEAP_CORRUPTION"), VALUE(0xc0000409, "STATUS_STACK_BUFFER_OVERRUN"),
      VALUE(0xc000041d, "STATUS_FATAL_USER_CALLBACK_EXCEPTION"), VALUE(0xc0000602, "STATUS_FAIL_FAST_EXCEPTION"),
      VALUE(0xe06d7363, "C++ exception (0xe06d7363)"))

/* PS_PROTECTION: Type 1 is a light one, 2 a full one; Signer by PS_PROTECTED_SIGNER. */
NAMES(names_protection, { .name = "Type", .bit = 0, .len = 3 }, BIT(3, "Audit"),
      { .name = "Signer", .bit = 4, .len = 4 })
NAMES(names_apc_environment, VALUE(0, "OriginalApcEnvironment"), VALUE(1, "AttachedApcEnvironment"),
      VALUE(2, "CurrentApcEnvironment"), VALUE(3, "InsertApcEnvironment"))
/* wdm.h */
NAMES(names_major_function, VALUE(0x00, "IRP_MJ_CREATE"), VALUE(0x01, "IRP_MJ_CREATE_NAMED_PIPE"),
      VALUE(0x02, "IRP_MJ_CLOSE"), VALUE(0x03, "IRP_MJ_READ"), VALUE(0x04, "IRP_MJ_WRITE"),
      VALUE(0x05, "IRP_MJ_QUERY_INFORMATION"), VALUE(0x06, "IRP_MJ_SET_INFORMATION"), VALUE(0x07, "IRP_MJ_QUERY_EA"),
      VALUE(0x08, "IRP_MJ_SET_EA"), VALUE(0x09, "IRP_MJ_FLUSH_BUFFERS"), VALUE(0x0a, "IRP_MJ_QUERY_VOLUME_INFORMATION"),
      VALUE(0x0b, "IRP_MJ_SET_VOLUME_INFORMATION"), VALUE(0x0c, "IRP_MJ_DIRECTORY_CONTROL"),
      VALUE(0x0d, "IRP_MJ_FILE_SYSTEM_CONTROL"), VALUE(0x0e, "IRP_MJ_DEVICE_CONTROL"),
      VALUE(0x0f, "IRP_MJ_INTERNAL_DEVICE_CONTROL"), VALUE(0x10, "IRP_MJ_SHUTDOWN"), VALUE(0x11, "IRP_MJ_LOCK_CONTROL"),
      VALUE(0x12, "IRP_MJ_CLEANUP"), VALUE(0x13, "IRP_MJ_CREATE_MAILSLOT"), VALUE(0x14, "IRP_MJ_QUERY_SECURITY"),
      VALUE(0x15, "IRP_MJ_SET_SECURITY"), VALUE(0x16, "IRP_MJ_POWER"), VALUE(0x17, "IRP_MJ_SYSTEM_CONTROL"),
      VALUE(0x18, "IRP_MJ_DEVICE_CHANGE"), VALUE(0x19, "IRP_MJ_QUERY_QUOTA"), VALUE(0x1a, "IRP_MJ_SET_QUOTA"),
      VALUE(0x1b, "IRP_MJ_PNP"))
/* Mandatory labels by their last part ([MS-DTYP] 2.4.2.4, winnt.h SECURITY_MANDATORY_..._RID). */
NAMES(names_integrity, VALUE(0, "Untrusted"), VALUE(0x1000, "Low"), VALUE(0x2000, "Medium"),
      VALUE(0x2100, "Medium Plus"), VALUE(0x3000, "High"), VALUE(0x4000, "System"), VALUE(0x5000, "Protected Process"),
      VALUE(0x7000, "Secure Process"))
NAMES(names_token_type, VALUE(1, "Primary"), VALUE(2, "Impersonation"))
/* ntifs.h, TOKEN_... and SE_BACKUP_PRIVILEGES_CHECKED. */
NAMES(names_token_flags, BIT(0, "HasTraversePrivilege"), BIT(1, "HasBackupPrivilege"), BIT(2, "HasRestorePrivilege"),
      BIT(3, "WriteRestricted"), BIT(4, "IsRestricted"), BIT(5, "SessionNotReferenced"), BIT(6, "SandboxInert"),
      BIT(7, "HasImpersonatePrivilege"), BIT(8, "BackupPrivilegesChecked"), BIT(9, "VirtualizeAllowed"),
      BIT(10, "VirtualizeEnabled"), BIT(11, "IsFiltered"), BIT(12, "UIAccess"), BIT(13, "NotLow"), BIT(14, "LowBox"),
      BIT(15, "HasOwnClaimAttributes"), BIT(16, "PrivateNamespace"), BIT(17, "DoNotUseGlobalAttribsForQuery"),
      BIT(18, "SpecialEncryptedOpen"), BIT(19, "NoChildProcess"), BIT(20, "NoChildProcessUnlessSecure"),
      BIT(21, "AuditNoChildProcess"))
/* winnt.h: TOKEN_MANDATORY_POLICY_..., SE_GROUP_..., and the numbers of privileges (ntifs.h, SE_..._PRIVILEGE). */
NAMES(names_mandatory_policy, BIT(0, "NoWriteUp"), BIT(1, "NewProcessMin"))
NAMES(names_sid_attributes, BIT(0, "Mandatory"), BIT(1, "EnabledByDefault"), BIT(2, "Enabled"), BIT(3, "Owner"),
      BIT(4, "UseForDenyOnly"), BIT(5, "Integrity"), BIT(6, "IntegrityEnabled"), BIT(29, "Resource"),
      { .name = "LogonId", .bit = 30, .len = 2 })
NAMES(names_privilege, VALUE(2, "SeCreateTokenPrivilege"), VALUE(3, "SeAssignPrimaryTokenPrivilege"),
      VALUE(4, "SeLockMemoryPrivilege"), VALUE(5, "SeIncreaseQuotaPrivilege"), VALUE(6, "SeMachineAccountPrivilege"),
      VALUE(7, "SeTcbPrivilege"), VALUE(8, "SeSecurityPrivilege"), VALUE(9, "SeTakeOwnershipPrivilege"),
      VALUE(10, "SeLoadDriverPrivilege"), VALUE(11, "SeSystemProfilePrivilege"), VALUE(12, "SeSystemtimePrivilege"),
      VALUE(13, "SeProfileSingleProcessPrivilege"), VALUE(14, "SeIncreaseBasePriorityPrivilege"),
      VALUE(15, "SeCreatePagefilePrivilege"), VALUE(16, "SeCreatePermanentPrivilege"), VALUE(17, "SeBackupPrivilege"),
      VALUE(18, "SeRestorePrivilege"), VALUE(19, "SeShutdownPrivilege"), VALUE(20, "SeDebugPrivilege"),
      VALUE(21, "SeAuditPrivilege"), VALUE(22, "SeSystemEnvironmentPrivilege"), VALUE(23, "SeChangeNotifyPrivilege"),
      VALUE(24, "SeRemoteShutdownPrivilege"), VALUE(25, "SeUndockPrivilege"), VALUE(26, "SeSyncAgentPrivilege"),
      VALUE(27, "SeEnableDelegationPrivilege"), VALUE(28, "SeManageVolumePrivilege"),
      VALUE(29, "SeImpersonatePrivilege"), VALUE(30, "SeCreateGlobalPrivilege"),
      VALUE(31, "SeTrustedCredManAccessPrivilege"), VALUE(32, "SeRelabelPrivilege"),
      VALUE(33, "SeIncreaseWorkingSetPrivilege"), VALUE(34, "SeTimeZonePrivilege"),
      VALUE(35, "SeCreateSymbolicLinkPrivilege"), VALUE(36, "SeDelegateSessionUserImpersonatePrivilege"))

static const struct {
        uint32_t build;
        const char *client, *server;
} builds[] = {
        { 1381, "Windows NT 4.0", "Windows NT 4.0 Server" },
        { 2195, "Windows 2000", "Windows 2000 Server" },
        { 2600, "Windows XP", "Windows XP" },
        { 3790, "Windows XP x64 or Server 2003", "Windows Server 2003" },
        { 6000, "Windows Vista", "Windows Server 2008 (beta)" },
        { 6001, "Windows Vista SP1", "Windows Server 2008" },
        { 6002, "Windows Vista SP2", "Windows Server 2008 SP2" },
        { 6003, "Windows Vista SP2", "Windows Server 2008 SP2" },
        { 7600, "Windows 7", "Windows Server 2008 R2" },
        { 7601, "Windows 7 SP1", "Windows Server 2008 R2 SP1" },
        { 9200, "Windows 8", "Windows Server 2012" },
        { 9600, "Windows 8.1", "Windows Server 2012 R2" },
        { 10240, "Windows 10 1507", "Windows Server (10240)" },
        { 10586, "Windows 10 1511", "Windows Server (10586)" },
        { 14393, "Windows 10 1607", "Windows Server 2016" },
        { 15063, "Windows 10 1703", "Windows Server (15063)" },
        { 16299, "Windows 10 1709", "Windows Server 1709" },
        { 17134, "Windows 10 1803", "Windows Server 1803" },
        { 17763, "Windows 10 1809", "Windows Server 2019" },
        { 18362, "Windows 10 1903", "Windows Server 1903" },
        { 18363, "Windows 10 1909", "Windows Server 1909" },
        { 19041, "Windows 10 2004..22H2", "Windows Server 2004..20H2" },
        { 19042, "Windows 10 20H2", "Windows Server 20H2" },
        { 19043, "Windows 10 21H1", "Windows Server (19043)" },
        { 19044, "Windows 10 21H2", "Windows Server (19044)" },
        { 19045, "Windows 10 22H2", "Windows Server (19045)" },
        { 20348, "Windows (20348)", "Windows Server 2022" },
        { 22000, "Windows 11 21H2", "Windows Server (22000)" },
        { 22621, "Windows 11 22H2", "Windows Server (22621)" },
        { 22631, "Windows 11 23H2", "Windows Server (22631)" },
        { 25398, "Windows (25398)", "Windows Server 23H2" },
        { 26100, "Windows 11 24H2", "Windows Server 2025" },
        { 26200, "Windows 11 25H2", "Windows Server (26200)" },
};

const char *name_of_build(uint32_t build, bool server)
{
        for (size_t i = 0; i < COUNT(builds); i++)
                if (builds[i].build == build)
                        return server ? builds[i].server : builds[i].client;
        return NULL;
}
