#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Distils the places of the members that the golden images write, from the fact tables.

    places.py FACTS_DIR OUT_DIR VERSION[+VERSION32] ...

FACTS_DIR holds the unpacked layouts (one JSON file a version). Only what WANTED names is kept, so that the result is
small, reviewable, and has nothing in common with the tables that the decoder uses. A member that a version lacks is
left out. VERSION32 lends the 32-bit loader structures that a 64-bit file does not have (WoW64).
"""
import json
import os
import sys

FLAG_WORDS = {
    "_KTHREAD": ["MiscFlags", "ThreadFlags"],
    "_ETHREAD": ["CrossThreadFlags", "SameThreadPassiveFlags", "SameThreadApcFlags"],
}

WANTED = {
    "_LIST_ENTRY": "Flink Blink",
    "_UNICODE_STRING": "Length MaximumLength Buffer",
    "_DISPATCHER_HEADER": "Type Absolute Size Hand Index Inserted SignalState WaitListHead",
    "_CLIENT_ID": "UniqueProcess UniqueThread",
    "_KTHREAD": """
        Header.Type Header.Size Header.ThreadControlFlags Header.SignalState Header.WaitListHead
        MutantListHead InitialStack StackLimit StackBase KernelStack Teb State Alerted Priority BasePriority
        PriorityDecrement DecrementCount Quantum ApcState.ApcListHead ApcState.Process
        ApcState.KernelApcInProgress ApcState.UserApcPending SavedApcState.ApcListHead SavedApcState.Process
        ApcStatePointer ApcStateIndex ApcQueueable ContextSwitches WaitStatus WaitIrql WaitMode WaitNext
        WaitReason WaitBlockList WaitBlock WaitListEntry GateObject Timer WaitTime WaitPrcb WaitBlockCount
        KernelApcDisable UserAffinity Affinity NextProcessor SharedReadyQueue DeferredProcessor
        NextProcessorNumber IdealProcessor UserIdealProcessor SoftAffinity Preempted ProcessReadyQueue
        KernelStackResident EnableStackSwap LargeStack CallbackStack Win32Thread TrapFrame PreviousMode
        KernelTime UserTime Alertable AutoAlignment Process ThreadListEntry FreezeCount SuspendCount
        DisableBoost Queue QueueListEntry SuspendSemaphore SuspendEvent ServiceTable MiscFlags ThreadFlags
        Running SystemThread GuiThread CycleTime SystemCallNumber FirstArgument ReadyTime LockEntries QueuedScb
        ScbReadyQueue""",
    "_ETHREAD": """
        CreateTime NestedFaultCount ApcNeeded ExitTime KeyedWaitChain LpcReplyChain ExitStatus OfsChain
        PostBlockList ForwardLinkShadow KeyedWaitValue ReaperLink TerminationPort TerminationPortList
        ActiveTimerListHead Cid.UniqueProcess Cid.UniqueThread LpcReplySemaphore KeyedWaitSemaphore
        AlpcWaitSemaphore AlpcWaitListEntry LpcReplyMessage LpcWaitingOnPort LpcReplyMessageId
        LpcReceivedMessageId LpcReceivedMsgIdValid ImpersonationInfo ClientSecurity IrpList TopLevelIrp
        DeviceToVerify ThreadsProcess StartAddress Win32StartAddress ThreadListEntry RundownProtect ThreadLock
        ReadClusterSize GrantedAccess CrossThreadFlags SameThreadPassiveFlags SameThreadApcFlags
        ForwardClusterOnly DisablePageFaultClustering ActiveFaultCount AlpcMessageId AlpcMessage
        AlpcReceiveAttributeSet ThreadName KernelStackReference ActiveImpersonationInfo DeadThread
        HasTerminated LpcExitThreadCalled HardErrorsAreDisabled CacheManagerActive MmLockOrdering BoostList
        IoBoostCount LockEntries""",
    "_KPROCESS": """
        Header.Type Header.Size Header.SignalState Header.WaitListHead ProfileListHead DirectoryTableBase
        UserDirectoryTableBase ThreadListHead ReadyListHead Affinity BasePriority KernelTime UserTime StackCount
        State ActiveProcessors QuantumReset ThreadQuantum""",
    "_EPROCESS": """
        CreateTime ExitTime UniqueProcessId ActiveProcessLinks InheritedFromUniqueProcessId ImageFileName
        ThreadListHead ActiveThreads Peb SectionBaseAddress Token ObjectTable ExitStatus Wow64Process WoW64Process
        Flags PriorityClass GrantedAccess Session ActiveThreadsHighWatermark""",
    "_PS_IMPERSONATION_INFORMATION": "Token CopyOnOpen EffectiveOnly ImpersonationLevel",
    "_PS_CLIENT_SECURITY_CONTEXT": "ImpersonationData ImpersonationToken ImpersonationLevel EffectiveOnly",
    "_KAPC_STATE": "ApcListHead Process",
    "_KEVENT": "",
    "_KMUTANT": "MutantListEntry OwnerThread Abandoned ApcDisable",
    "_KSEMAPHORE": "Limit",
    "_KTIMER": "DueTime TimerListEntry Dpc Period",
    "_KQUEUE": "EntryListHead CurrentCount MaximumCount ThreadListHead",
    "_KPRIQUEUE": "EntryListHead CurrentCount MaximumCount ThreadListHead",
    "_KGATE": "",
    "_ERESOURCE": """
        SystemResourcesList OwnerTable ActiveCount Flag SharedWaiters ExclusiveWaiters OwnerThreads OwnerEntry
        ActiveEntries ContentionCount NumberOfSharedWaiters NumberOfExclusiveWaiters""",
    "_OWNER_ENTRY": "OwnerThread OwnerCount TableSize",
    "_KLOCK_ENTRY": "LockUnsafe EntryFlags AcquiredByte WaitingBit WaitingByte ThreadUnsafe",
    "_LPCP_PORT_OBJECT": """
        ConnectionPort ConnectedPort MsgQueue Creator.UniqueProcess Creator.UniqueThread ClientThread
        LpcReplyChainHead MappingProcess ServerProcess MaxMessageLength Flags""",
    "_LPCP_MESSAGE": """
        Entry SenderPort RepliedToThread Request.u2.s2.Type Request.ClientId.UniqueProcess
        Request.ClientId.UniqueThread Request.MessageId""",
    "_ALPC_PORT": """
        PortListEntry CommunicationInfo OwnerProcess CompletionPort MainQueue PendingQueue LargeMessageQueue WaitQueue
        CanceledQueue u1.State PendingQueueLength Semaphore""",
    "_ALPC_COMMUNICATION_INFO": "ConnectionPort ServerCommunicationPort ClientCommunicationPort CommunicationList",
    "_KALPC_MESSAGE": """
        Entry PortQueue OwnerPort WaitingThread u1.State QuotaProcess ConnectionPort ServerThread CommunicationInfo
        SequenceNo PortMessage.u2.s2.Type PortMessage.ClientId.UniqueProcess PortMessage.ClientId.UniqueThread
        PortMessage.MessageId""",
    "_KWAIT_BLOCK": "WaitListEntry Thread Object NextWaitBlock WaitKey WaitType BlockState",
    "_KPCR": "NtTib SelfPcr Self Prcb CurrentPrcb PrcbData KdVersionBlock Number MajorVersion MinorVersion Irql",
    "_KPRCB": """
        MajorVersion MinorVersion CurrentThread NextThread IdleThread Number SetMember ProcessorState
        ProcessorState.ContextFrame ProcessorState.SpecialRegisters Context MHz VendorString DpcRoutineActive
        CpuType WaitListHead DispatcherReadyListHead ReadySummary DeferredReadyListHead SharedReadyQueue
        LocalSharedReadyQueue ScbList""",
    "_KAFFINITY_EX": "Count Size Bitmap",
    "_GROUP_AFFINITY": "Mask Group",
    "_TEB": """
        NtTib.ExceptionList NtTib.StackBase NtTib.StackLimit NtTib.Self ClientId.UniqueProcess ClientId.UniqueThread
        ProcessEnvironmentBlock LastErrorValue LastStatusValue WowTebOffset RealClientId.UniqueProcess TlsSlots
        WOW32Reserved DeallocationStack""",
    "_TEB32": """
        NtTib.ExceptionList NtTib.StackBase NtTib.StackLimit NtTib.Self ClientId.UniqueProcess ClientId.UniqueThread
        ProcessEnvironmentBlock LastErrorValue LastStatusValue WowTebOffset""",
    "_PEB": """
        ImageBaseAddress Ldr BeingDebugged OSMajorVersion OSMinorVersion OSBuildNumber ProcessParameters LoaderLock
        FastPebLock SessionId""",
    "_RTL_USER_PROCESS_PARAMETERS": """
        MaximumLength Length Flags CurrentDirectory.DosPath ImagePathName CommandLine WindowTitle DesktopInfo""",
    "_PEB32": "ImageBaseAddress Ldr BeingDebugged OSMajorVersion OSMinorVersion OSBuildNumber",
    "_PEB_LDR_DATA": """
        Length Initialized InLoadOrderModuleList InMemoryOrderModuleList InInitializationOrderModuleList""",
    "_LDR_DATA_TABLE_ENTRY": """
        InLoadOrderLinks InMemoryOrderLinks InInitializationOrderLinks DllBase EntryPoint SizeOfImage FullDllName
        BaseDllName LoadCount Flags TimeDateStamp CheckSum""",
    "_KLDR_DATA_TABLE_ENTRY": """
        InLoadOrderLinks DllBase EntryPoint SizeOfImage FullDllName BaseDllName LoadCount Flags TimeDateStamp
        CheckSum""",
    "_EWOW64PROCESS": "Peb Machine",
    "_WOW64_PROCESS": "Wow64",
    "_IRP": """
        Type Size ThreadListEntry Tail.Overlay.Thread StackCount CurrentLocation RequestorMode PendingReturned Cancel
        Flags UserIosb UserEvent Tail.Overlay.CurrentStackLocation Tail.Overlay.OriginalFileObject""",
    "_IO_STACK_LOCATION": """
        MajorFunction MinorFunction Flags Control DeviceObject FileObject CompletionRoutine Context
        Parameters.Others.Argument1 Parameters.DeviceIoControl.IoControlCode""",
    "_DEVICE_OBJECT": "Type Size DriverObject NextDevice AttachedDevice CurrentIrp DeviceType StackSize Flags",
    "_DRIVER_OBJECT": "Type Size DeviceObject DriverStart DriverSize DriverSection DriverName MajorFunction",
    "_FILE_OBJECT": "Type Size DeviceObject FileName RelatedFileObject Event Lock",
    "_KAPC": """
        Type Size Thread ApcListEntry KernelRoutine RundownRoutine NormalRoutine NormalContext SystemArgument1
        SystemArgument2 ApcStateIndex ApcMode Inserted""",
    "_KDPC": "DeferredRoutine DeferredContext",
    "_TOKEN": """
        TokenSource TokenId AuthenticationId ParentTokenId ModifiedId OriginatingLogonSession SessionId
        UserAndGroupCount RestrictedSidCount PrivilegeCount Privileges Privileges.Present Privileges.Enabled
        Privileges.EnabledByDefault UserAndGroups RestrictedSids PrimaryGroup DefaultOwnerIndex TokenType
        ImpersonationLevel TokenFlags TokenInUse IntegrityLevelIndex MandatoryPolicy VariablePart""",
    "_SID_AND_ATTRIBUTES": "Sid Attributes",
    "_KTRAP_FRAME": """
        Dr0 Dr1 Dr2 Dr3 Dr6 Dr7 SegGs SegEs SegDs SegFs SegCs HardwareSegSs SegSs Eax Ecx Edx Ebx Esi Edi Ebp Eip
        EFlags HardwareEsp ErrCode ErrorCode ExceptionList PreviousPreviousMode Rax Rcx Rdx Rbx Rsi Rdi Rbp Rsp Rip R8
        R9 R10 R11 MxCsr PreviousMode PreviousIrql ExceptionActive TrapFrame GsBase DbgEbp DbgEip DbgArgMark
        DbgArgPointer TempSegCs TempEsp""",
    "_KEXCEPTION_FRAME": "InitialStack TrapFrame MxCsr Rbp Rbx Rdi Rsi R12 R13 R14 R15 Return",
    "_CONTEXT": """
        ContextFlags Dr0 Dr1 Dr2 Dr3 Dr6 Dr7 SegGs SegFs SegEs SegDs SegCs SegSs Eax Ecx Edx Ebx Esi Edi Ebp Eip Esp
        EFlags Rax Rcx Rdx Rbx Rsp Rbp Rsi Rdi R8 R9 R10 R11 R12 R13 R14 R15 Rip MxCsr""",
    "_KPROCESSOR_STATE": "ContextFrame SpecialRegisters",
    "_KSPECIAL_REGISTERS": "Cr0 Cr2 Cr3 Cr4 KernelDr0 KernelDr1 KernelDr2 KernelDr3 KernelDr6 KernelDr7",
    "_OBJECT_HEADER": """
        PointerCount HandleCount Type TypeIndex NameInfoOffset QuotaInfoOffset InfoMask Flags QuotaBlockCharged
        SecurityDescriptor""",
    "_OBJECT_HEADER_NAME_INFO": "Directory Name",
    "_OBJECT_TYPE": "TypeList Name Index TotalNumberOfObjects TotalNumberOfHandles Key",
    "_HANDLE_TABLE": "TableCode QuotaProcess UniqueProcessId HandleTableList NextHandleNeedingPool HandleCount",
    "_HANDLE_TABLE_ENTRY": """
        Object GrantedAccess NextFreeTableEntry LowValue Unlocked RefCnt Attributes ObjectPointerBits GrantedAccessBits
        NextFreeHandleEntry""",
    "_KUSER_SHARED_DATA": """
        TickCountLowDeprecated TickCountLow TickCountMultiplier InterruptTime SystemTime TimeZoneBias NtSystemRoot
        NtBuildNumber NtProductType NtMajorVersion NtMinorVersion SuiteMask NumberOfPhysicalPages TickCount
        ActiveProcessorCount KdDebuggerEnabled""",
    "_DBGKD_GET_VERSION64": """
        MajorVersion MinorVersion ProtocolVersion Flags MachineType KernBase PsLoadedModuleList DebuggerDataList""",
}
# Lent to the 64-bit files under a name of their own.
LENT_32 = {"_PEB_LDR_DATA": "_PEB_LDR_DATA32", "_LDR_DATA_TABLE_ENTRY": "_LDR_DATA_TABLE_ENTRY32",
           "_CONTEXT": "_CONTEXT32"}
# Lent by XP to the two partial versions, so that their systems have processors, user parts and a shared page at all.
# What stands on a lent place is never part of a truth, but for the head of the processor block, which every x86 version
# from XP to 10 has alike.
LENT_SURE = ["_KPCR", "_KPRCB"]
LENT_PARTIAL = ["_TEB", "_PEB", "_PEB_LDR_DATA", "_LDR_DATA_TABLE_ENTRY", "_IRP", "_KUSER_SHARED_DATA",
                "_DBGKD_GET_VERSION64", "_PS_IMPERSONATION_INFORMATION"]
# Members of unions that a few 64-bit tables lost; wdm.h has them, and they never moved.
WDM_64 = {"_IRP": {"Tail.Overlay.Thread": [0x98, "ptr"], "Tail.Overlay.CurrentStackLocation": [0xB8, "ptr"],
                   "Tail.Overlay.OriginalFileObject": [0xC0, "ptr"]},
          "_KAPC": {"KernelRoutine": [0x20, "ptr"], "RundownRoutine": [0x28, "ptr"], "NormalRoutine": [0x30, "ptr"]},
          "_IO_STACK_LOCATION": {"Parameters.DeviceIoControl.IoControlCode": [0x18, "u32"]}}
# What the facts lack: G. Chappell, EPROCESS ("3.50 to 4.0").
ADDED = {"4.0.1381.0-x86-partial": {"_EPROCESS": {"ObjectTable": [0x104, "ptr"]}}}
ENUMS = ["_KWAIT_REASON", "_KTHREAD_STATE", "_KWAIT_BLOCK_STATE"]
SIMPLE = {"_LARGE_INTEGER": "u64", "_ULARGE_INTEGER": "u64", "_LIST_ENTRY": "list", "_UNICODE_STRING": "ustr",
          "_KSYSTEM_TIME": "ksystime", "_KSEMAPHORE": "raw", "_LIST_ENTRY32": "list"}
POINTER_LIKE = {"_KWAIT_CHAIN", "_EX_PUSH_LOCK", "_EX_RUNDOWN_REF", "_EX_FAST_REF", "_SINGLE_LIST_ENTRY",
                "_PS_CLIENT_SECURITY_CONTEXT"}
INTEGERS = {"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "ptr", "wchar"}


def find(structs, struct, path):
    """(offset, field) of a dotted path, crossing struct-typed members."""
    fields = structs.get(struct, {}).get("fields", {})
    if path in fields:
        return fields[path]["offset"], fields[path]
    head, _, rest = path.partition(".")
    if not rest or head not in fields:
        return None
    field = fields[head]
    inner = find(structs, field.get("struct", ""), rest)
    return (field["offset"] + inner[0], inner[1]) if inner else None


def kind(structs, field):
    if field["type"] in INTEGERS:
        return field["type"]
    if field["type"] == "enum":
        return "i32"
    name = field.get("struct") or field.get("opaque") or ""
    if name in POINTER_LIKE:
        return "ptr"
    if name in SIMPLE:
        return SIMPLE[name]
    if name == "_GROUP_AFFINITY":
        return "group_affinity"
    return "raw"


def place(structs, struct, path):
    found = find(structs, struct, path)
    if not found:
        return None
    offset, field = found
    out = [offset, kind(structs, field)]
    if "bit_position" in field:
        out += [field["bit_position"], field["bit_length"]]
    return out


def distil_struct(structs, struct, members):
    got = {path: p for path in members for p in [place(structs, struct, path)] if p}
    return {"size": structs[struct]["size"], "members": got}


def flag_bits(structs, struct, word):
    fields = structs[struct]["fields"]
    if word not in fields:
        return None
    at, size = fields[word]["offset"], 4
    return {name: [f["bit_position"] + 8 * (f["offset"] - at), f["bit_length"]] for name, f in fields.items()
            if "bit_position" in f and at <= f["offset"] < at + size}


def distil(facts, version, version32):
    data = json.load(open(os.path.join(facts, version + ".json")))
    structs = data["structs"]
    out = {"name": version, "pointer_size": data["metadata"]["pointer_size"], "structs": {}, "flags": {}, "enums": {},
           "lent": []}
    for struct, members in WANTED.items():
        if struct in structs:
            out["structs"][struct] = distil_struct(structs, struct, members.split())
    for struct, members in WDM_64.items() if out["pointer_size"] == 8 else ():
        out["structs"][struct]["members"] = {**members, **out["structs"][struct]["members"]}
    for struct, members in ADDED.get(version, {}).items():
        out["structs"][struct]["members"].update(members)
    for struct, words in FLAG_WORDS.items():
        for word in words:
            bits = flag_bits(structs, struct, word)
            if bits:
                out["flags"][word] = bits
    for enum in ENUMS:
        if enum in data["enums"]:
            values = data["enums"][enum]
            out["enums"][enum] = values["values"]
    if version32:
        other = json.load(open(os.path.join(facts, version32 + ".json")))["structs"]
        if out["pointer_size"] == 8:
            for struct, name in LENT_32.items():
                out["structs"][name] = distil_struct(other, struct, WANTED[struct].split())
        else:
            for struct in LENT_SURE + LENT_PARTIAL:
                out["structs"][struct] = distil_struct(other, struct, WANTED[struct].split())
            out["lent"] += LENT_PARTIAL
    symbols = data.get("symbols") or {}
    for guid_age in sorted(symbols)[:1]:
        out["pdb"] = guid_age
        out["pdb_version"] = symbols[guid_age]["version"]
        out["rva"] = symbols[guid_age]["rva"]
    return out


def write(path, data):
    """One line a struct's member group: small, and a diff shows what moved."""
    with open(path, "w") as f:
        f.write("{\n")
        keys = list(data)
        for i, key in enumerate(keys):
            value = data[key]
            comma = "," if i + 1 < len(keys) else ""
            if key in ("structs", "flags", "enums") and value:
                f.write(f' "{key}": {{\n')
                names = list(value)
                for j, name in enumerate(names):
                    text = json.dumps(value[name], separators=(",", ":"))
                    f.write(f'  "{name}": {text}{"," if j + 1 < len(names) else ""}\n')
                f.write(f" }}{comma}\n")
            else:
                f.write(f' "{key}": {json.dumps(value, separators=(",", ":"))}{comma}\n')
        f.write("}\n")


def main(argv):
    if len(argv) < 4:
        print(__doc__, file=sys.stderr)
        return 1
    for version in argv[3:]:
        version, _, version32 = version.partition("+")
        write(os.path.join(argv[2], version + ".json"), distil(argv[1], version, version32))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
