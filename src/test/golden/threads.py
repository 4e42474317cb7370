# SPDX-License-Identifier: MIT
"""Threads: ETHREAD and KTHREAD, kernel stacks, TEBs, and what they point at.

A recipe says what kind of thread it is; every other member gets a value of its own, made from the thread id, so that a
decoder that swaps two places is noticed. What was written is told to the truth, fact by fact, under the JSON keys.
"""
import datetime

import stacks
from objects import filetime
from synth import PAGE, Ref
from thread_rest import Rest

STATES = ["Initialized", "Ready", "Running", "Standby", "Terminated", "Waiting", "Transition", "DeferredReady",
          "GateWait",
          "WaitingForProcessInSwap"]
# Wait reasons for the versions whose PDB has no such enumeration (XP's numbers never changed).
WAIT_REASONS = ["Executive", "FreePage", "PageIn", "PoolAllocation", "DelayExecution", "Suspended", "UserRequest",
                "WrExecutive", "WrFreePage", "WrPageIn", "WrPoolAllocation", "WrDelayExecution", "WrSuspended",
                "WrUserRequest", "WrEventPair", "WrQueue", "WrLpcReceive", "WrLpcReply", "WrVirtualMemory", "WrPageOut",
                "WrRendezvous", "Spare2", "Spare3", "Spare4", "Spare5", "Spare6", "WrKernel"]

# How far InitialStack lies below StackBase, by the kernel's width: (first build, distance), the newest first. As
# debuggers show them ("Stack Init ... Base ...").
ABOVE_INITIAL = {4: [(7600, 0x130), (0, 0)],
                 8: [(10240, 0x370), (9200, 0x230), (7600, 0x250), (0, 0x200)]}

# Of the structure that tells the segment left: from which build on, where its own StackBase is, where Previous is.
CONTROL = {8: [(9200, 0, 0x10), (7600, 0, 0x28), (6000, 0x200, 0x228), (0, 0x1B0, 0x1D8)],
           4: [(9200, 0, 0x10), (6000, None, 8)]}

# Keys whose member is ETHREAD's own, not KTHREAD's.
BEHIND_KTHREAD = set("""tid pid create_time exit_time exit_status cross_thread_flags same_thread_passive_flags
    same_thread_apc_flags start_address win32_start_address lpc_received_message_id granted_access impersonating token
    impersonation_level effective_only lpc_reply_message lpc_waiting_on_port lpc_reply_message_id alpc_message
    alpc_message_id keyed_wait_value termination_port reaper_link irp_list top_level_irp device_to_verify
    read_cluster_size active_fault_count rundown_protect thread_lock post_block_list active_timers
    thread_name""".split())


def iso(value):
    when = datetime.datetime(1601, 1, 1) + datetime.timedelta(microseconds=value // 10)
    return when.strftime("%Y-%m-%dT%H:%M:%S") + ".%07dZ" % (value % 10_000_000)


class Thread(Rest):
    def __init__(self, system, process, recipe, index):
        self.system, self.process, self.recipe, self.index = system, process, recipe, index
        self.tid = recipe["tid"]
        self.truth, self.absent = {}, {}
        self.behind = {}  # facts that a page file holds: why they are absent without it
        self.object = system.object(self._place(), "_ETHREAD", "_KTHREAD")
        if self.tid:
            system.labels.define(f"tid {self.tid}", self.object.va)
        self.user = process.kind == "user" and not process.recipe.get("minimal") and "exit_time" not in process.recipe

    def _place(self):
        size = self.system.struct_size("_ETHREAD")
        where = self.recipe.get("object")
        if self.recipe.get("idle"):
            return self._idle_place(size)
        if not where:
            return self.system.executive.make("Thread", size, pool=self.recipe.get("pool", "used"), handles=1)
        # Pages of their own; the one that is not held has a frame above all RAM.
        if where == "transition":
            va = self.system.take_pages("pool", 2 * PAGE)
            self.system.kernel.map(va, length=2 * PAGE)
            for page in (va, va + PAGE):
                self.system.pages.out(self.process, page, where, self.system.kernel)
            return va + PAGE - 0x40
        va = self.system.take_pages("pool", 2 * PAGE)
        if where == "missing":
            self.system.kernel.map(va, self.system.frame_not_held())
            return va + 0x60
        self.system.kernel.map(va)
        self.system.kernel.map(va + PAGE, self.system.frame_not_held())
        return va + PAGE - self.system.struct_size("_KTHREAD")

    def _idle_place(self, size):
        """The first processor's is a variable of the kernel, the others' are made with their processors."""
        if self.index == 0:
            return self.system.symbol("KiInitialThread", size)
        va = self.system.take_pages("stacks", size)
        self.system.kernel.map(va, length=-(-size // PAGE) * PAGE)
        return va

    # ------------------------------------------------------------ writing and telling

    def put(self, member, value, key=None, told=None):
        """Writes, and tells under key what a reader must say: null where this version lacks the member."""
        written = self.object.put(member, value)
        if key and written and self.object.known(member):
            self.truth[key] = value if told is None else told
        elif key and not written and key not in self.truth:
            self.truth[key] = None
            self.absent[key] = ["not in this version", "not known"]
        return written

    def tell(self, key, value, why=None):
        self.truth[key] = value
        if value is None:
            self.absent[key] = [why] if isinstance(why, str) else why

    def value(self, salt, span):
        """A number of this thread's own for this member: 1 .. span - 1."""
        return (self.tid * 2654435761 + self.index * 40503 + salt * 97) // 7 % (span - 1) + 1

    def fill(self):
        self._identity()
        self._context()
        self._scheduling()
        self._stacks()
        self._life()
        self._start()
        self._security()
        self._messages()
        self._io()
        self._teb()
        self._flags()
        self._sources()
        if self.recipe.get("object") == "half":
            self._lose_second_half()
        if self.recipe.get("object") == "missing":
            self.system.truth["notes"].append({"object": hex(self.object.va), "pid": self.process.pid,
                                               "why": "page missing"})
            return
        told = {"facts": self.truth, "absent": self.absent, "behind": self.behind, "ways": self.ways}
        (self.system.truth["threads"] if self.truth.get("sources") or self.recipe.get("object") else
         self.system.truth["hidden"]["threads"]).append(told)

    def _lose_second_half(self):
        """What lies behind the KTHREAD is on a page that the image does not hold."""
        whose = set(self.process.token.told) | {"effective_token"}  # whether it impersonates is told there
        for key in sorted((BEHIND_KTHREAD | whose) & set(self.truth)):
            if self.absent.get(key) != ["not in this version", "not known"]:
                self.tell(key, None, ["not in this image", "not known", "paged out"])
        for key in ("sources", "misc_flags", "teb_tid"):
            self.truth.pop(key, None)

    # ------------------------------------------------------------ groups of facts

    def _identity(self):
        o, system = self.object, self.system
        o.put("Header.Type", 6)
        if not o.has("Header.ThreadControlFlags"):
            o.put("Header.Size", system.struct_size("_KTHREAD") // 4)
        o.put("Header.SignalState", 1 if "terminated" in self.recipe else 0)
        for member in ("Header.WaitListHead", "MutantListHead", "ApcState.ApcListHead", "SavedApcState.ApcListHead",
                       "ActiveTimerListHead", "QueueListEntry", "BoostList"):
            o.empty_list(member)
        for member in ("ApcState.ApcListHead", "SavedApcState.ApcListHead"):
            second = o.at(member) + 2 * system.pointer
            system.link(second, [], system.kernel)
        self._queue_apcs()
        cid_pid = self.recipe.get("cid_pid", self.process.pid)
        self.truth["pid"] = cid_pid
        o.put("Cid.UniqueProcess", cid_pid)
        o.put("Cid.UniqueThread", self.tid)
        self.truth.update(object=hex(o.va), tid=self.tid, process=self.process.name,
                          process_object=hex(self.process.object.va))
        if cid_pid != self.process.pid:
            system.truth["notes"].append({"object": hex(o.va), "pid": self.process.pid, "why": "cid"})
        if "name" in self.recipe and o.has("ThreadName"):
            text = system.object(system.take("paged", 16, "ThNm"), "_UNICODE_STRING")
            system.unicode_string(system.kernel, text.va, self.recipe["name"])
            self.put("ThreadName", text.va, "thread_name", self.recipe["name"])
        elif not o.has("ThreadName"):
            self.tell("thread_name", None, ["not in this version", "not known"])

    def _context(self):
        o, own = self.object, self.process.object.va
        attached = self.recipe.get("attached")
        other = Ref(f"process {attached}") if attached is not None else own
        o.put("Process", own)
        o.put("ThreadsProcess", own)
        o.put("ApcStateIndex", 1 if attached is not None else 0)
        o.put("ApcState.Process", other)
        o.put("SavedApcState.Process", own if attached is not None else 0)
        if o.has("ApcStatePointer"):
            saved, now = o.at("SavedApcState.ApcListHead"), o.at("ApcState.ApcListHead")
            first = (saved, now) if attached is not None else (now, saved)
            for i in range(2):
                self.system.labels.put(self.system.kernel, o.at("ApcStatePointer") + i * self.system.pointer,
                                       self.system.pointer, first[i])
        self.truth.update(apc_state_index="AttachedApcEnvironment" if attached is not None
                          else "OriginalApcEnvironment",
                          attached=attached is not None)
        current = self.system.labels.at.get(f"process {attached}", own)
        self.truth["current_process"] = hex(current)
        self.tell("saved_process", hex(own) if attached is not None else None)

    def _scheduling(self):
        r, o, system = self.recipe, self.object, self.system
        state = r.get("state", "Terminated" if "terminated" in r else "Waiting")
        o.put("State", STATES.index(state))
        reason = r.get("wait_reason", "UserRequest" if self.user else "Executive")
        told = state if state != "GateWait" else {True: "GateWait", False: "GateWaitObsolete"}[system.build < 9200]
        self.truth["state"] = told
        number, reason = self._reason(reason)
        waiting = state in ("Waiting", "GateWait", "Transition")
        o.put("WaitReason", number)
        if waiting:
            self.truth["wait_reason"] = reason
        mode = r.get("wait_mode", "User" if self.user else "Kernel")
        o.put("WaitMode", int(mode == "User"))
        o.put("WaitIrql", r.get("wait_irql", 0))
        if waiting:
            self.truth.update(wait_mode=mode + "Mode", wait_irql=r.get("wait_irql", 0))
        self.put("Alertable", int(r.get("alertable", False)), "alertable", bool(r.get("alertable", False)))
        self.put("WaitNext", int(r.get("wait_next", False)), "wait_next", bool(r.get("wait_next", False)))
        self.put("Priority", r.get("priority", 8 + self.value(1, 7)), "priority")
        self.put("BasePriority", r.get("base_priority", 1 + self.value(2, 6)), "base_priority")
        self.put("PriorityDecrement", self.value(3, 4), "priority_decrement")
        self._processors(state)
        self.put("ContextSwitches", 1000 + self.value(4, 100000), "context_switches")
        self.put("KernelTime", 10 + self.value(5, 900), "kernel_time")
        self.put("UserTime", 1000 + self.value(6, 9000), "user_time")
        self.put("WaitTime", system.ticks - 3 - self.value(7, 4000), "wait_time")
        self.put("SuspendCount", r.get("suspend_count", 0), "suspend_count")
        self.put("FreezeCount", r.get("freeze_count", 0), "freeze_count")
        self.put("PreviousMode", int(self.user), "previous_mode",
                 "UserMode" if self.user else "KernelMode")
        if waiting:
            o.put("WaitPrcb", system.prcb[r.get("processor", self.index % system.cpus)].va)
            system.waits.add(self)

    def _reason(self, name):
        values = self.system.places["enums"].get("_KWAIT_REASON") or {n: i for i, n in enumerate(WAIT_REASONS)}
        number = name if isinstance(name, int) else values[name] if name in values else WAIT_REASONS.index(name)
        names = [n for n, v in values.items() if v == number and not n.startswith("Maximum")]
        return number, name if name in names else names[0] if names else WAIT_REASONS[number]

    def _processors(self, state):
        r, o, system = self.recipe, self.object, self.system
        cpu = r.get("processor", self.index % system.cpus)
        if state == "Running" and not r.get("idle"):
            system.prcb[cpu].put("CurrentThread", o.va)
            if system.prcb[cpu].known("CurrentThread"):
                self.truth["running_on"] = cpu
        if state == "Standby":
            system.prcb[cpu].put("NextThread", o.va)
        self._next_processor(r.get("next_processor", cpu))
        ideal = (cpu + 1) % system.cpus
        self.put("IdealProcessor", ideal, "ideal_processor")
        self.put("UserIdealProcessor", self.index // 2 % system.cpus, "user_ideal_processor")
        o.put("SoftAffinity", 1 << cpu)
        mask = r.get("affinity", (1 << system.cpus) - 1)
        self._affinity(mask)

    def _next_processor(self, number):
        """Its width differs; what stands beside it is never zero here, so that reading too much is noticed."""
        o = self.object
        self.put("NextProcessor", number, "next_processor")
        shared = bool(self.recipe.get("shared_ready_queue", self.index % 2 == 0))
        if o.has("SharedReadyQueue"):
            shared = shared and self.recipe.get("state") != "Running"
            o.put("SharedReadyQueue", int(shared))
            self.truth["shared_ready_queue"] = shared
        width = o.width("NextProcessor")
        o.put("DeferredProcessor", 0x5A5A & (1 << 8 * width) - 1)
        o.put("CallbackStack", 0xF8BAD00D & 0xFFFFFFFF)

    def _affinity(self, mask):
        o, system = self.object, self.system
        place = o.place("Affinity")
        if place[1] == "group_affinity":
            va = o.at("Affinity")
            system.labels.put(system.kernel, va, system.pointer, mask)
            system.labels.put(system.kernel, va + system.pointer, 2, 0)
            self.truth["affinity_group"] = 0
        elif system.build >= 20348:
            # KAFFINITY_EX: Count u16, Size u16, Reserved u32, Bitmap[]
            va = system.take("pool", 24, "KAff")
            for at, size, value in ((0, 2, 1), (2, 2, 32), (8, 8, mask)):
                system.labels.put(system.kernel, va + at, size, value)
            o.put("Affinity", va)
        else:
            o.put("Affinity", mask)
        self.truth["affinity"] = hex(mask)

    def _stacks(self):
        o, system = self.object, self.system
        size = 0x3000 if system.pointer == 4 else 0x6000
        limit = system.take_pages("stacks", size + PAGE)
        base = limit + size
        resident = self.recipe.get("stack") != "outswapped"
        pages = system.recipe.get("stack_pages", size // PAGE)
        if resident:
            system.kernel.map(base - pages * PAGE, length=pages * PAGE)
        initial = base - next(n for first, n in ABOVE_INITIAL[system.pointer] if system.build >= first)
        trap = initial - self._float_area() - system.struct_size("_KTRAP_FRAME")
        self.put("StackBase", base, "stack_base", hex(base))
        self.put("StackLimit", limit, "stack_limit", hex(limit))
        self.put("InitialStack", initial, "initial_stack", hex(initial))
        self.put("KernelStackResident", int(resident), "kernel_stack_resident", resident)
        trapped = self.user and "terminated" not in self.recipe
        self.put("TrapFrame", trap if trapped else 0, "trap_frame", hex(trap))
        if not trapped:
            self.tell("trap_frame", None)
        self.maker = (stacks.Stacks64 if system.pointer == 8 else stacks.Stacks32)(self, initial, trap)
        if resident and not self.recipe.get("idle") and "terminated" not in self.recipe:
            back = self.maker.make()
        else:
            back = None
        kernel_stack = back or trap - 0x180 - 16 * (self.index % 8)
        self.put("KernelStack", kernel_stack, "kernel_stack", hex(kernel_stack))
        if resident and "terminated" in self.recipe:
            self._switch_frame(kernel_stack)

    def next_segment(self, sp, trap):
        """The thread leaves this stack, which is used from sp on, for a new one (facts/windows: KSTACK_CONTROL from 8
        on, KERNEL_STACK_CONTROL before, at InitialStack; KERNEL_STACK_SEGMENT). trap: with a trap frame in that."""
        system, word = self.system, self.system.pointer
        left = [self.truth[key] for key in ("stack_base", "stack_limit", "initial_stack")]
        base, limit, initial = (int(value, 16) for value in left)
        size = base - limit
        limit2 = system.take_pages("stacks", size + PAGE)
        base2 = limit2 + size
        initial2 = base2 - (base - initial)
        system.kernel.map(limit2, length=size)
        own, previous = next((o, p) for first, o, p in CONTROL[word] if system.build >= first)
        if own is not None:
            system.labels.put(system.kernel, initial2 + own, word, base2)
        for i, value in enumerate((base, limit, sp, initial)):
            system.labels.put(system.kernel, initial2 + previous + word * i, word, value)
        self.put("StackBase", base2, "stack_base", hex(base2))
        self.put("StackLimit", limit2, "stack_limit", hex(limit2))
        self.put("InitialStack", initial2, "initial_stack", hex(initial2))
        trap2 = initial2 - self._float_area() - system.struct_size("_KTRAP_FRAME")
        if trap:
            self.put("TrapFrame", trap2, "trap_frame", hex(trap2))
        return initial2, trap2

    def _float_area(self):
        """Until the registers of SSE moved away, 32-bit kernels kept them above the trap frame."""
        if self.system.pointer == 8:
            return 0
        return 0x210 if self.system.build < 7600 else 0x110

    def _switch_frame(self, at):
        """What a thread left when it was switched away from: KSWITCH_FRAME, its return address in KiSwapContext's
        caller (facts/windows/REPORT.md section 5)."""
        system, put = self.system, self.system.labels.put
        back = system.labels.at.get("KiSwapContext", system.base + 0x1180) + 0x76
        if system.pointer == 8:
            put(system.kernel, at + 0x28, 4, 0x1F80)
            put(system.kernel, at + 0x30, 8, at + 0x120)
            put(system.kernel, at + 0x38, 8, back)
            return
        for i, value in enumerate((0xFFFFFFFF, 0, back, at + 0x90, 0, 0, 0)):
            put(system.kernel, at + 4 * i, 4, value)

    def _life(self):
        r, o, system = self.recipe, self.object, self.system
        default = filetime(self.process.recipe["create_time"]) + (self.index + 1) * 1234567 if "create_time" in \
            self.process.recipe else 0
        created = filetime(r["create_time"]) if "create_time" in r else default
        shift = system.recipe.get("create_time_shift", 0)
        o.put("CreateTime", created << shift)
        if shift and o.has("ApcNeeded") and created:
            o.put("NestedFaultCount", r.get("nested_faults", self.index % 3))
            o.put("ApcNeeded", self.index % 2)
        self.tell("create_time", iso(created))
        if "terminated" in r:
            end = r["terminated"]
            o.put("ExitTime", filetime(end["exit_time"]))
            self.truth["exit_time"] = iso(filetime(end["exit_time"]))
            self.put("ExitStatus", end.get("exit_status", 0), "exit_status", hex(end.get("exit_status", 0)))
        else:
            # Until a thread ends, this is the head of a list: a decoder that shows it as a time is wrong.
            o.empty_list("KeyedWaitChain" if o.has("KeyedWaitChain") else "LpcReplyChain")
            status = 0x103 if o.has("ClientSecurity") else 0
            self.put("ExitStatus", status, "exit_status", hex(status))
            self.tell("exit_time", None)
