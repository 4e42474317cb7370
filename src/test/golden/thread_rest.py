# SPDX-License-Identifier: MIT
"""The second half of a thread: start, security, LPC and ALPC, I/O, TEB and the flag words."""
import software_pte
import stacks
import tokens
from synth import PAGE
from executive import FREED
from thread_io import ThreadIo

POOL_WAYS = {"used": ["pool-scan"], "freed": ["freed-pool"], "unmapped": ["unmapped-pool"], "wiped": [],
             "large": ["big-pool"], "large-freed": ["freed-big-pool"]}
LEVELS = ["Anonymous", "Identification", "Impersonation", "Delegation"]
TOP_LEVEL = {"FSRTL_FSP_TOP_LEVEL_IRP": 1, "FSRTL_CACHE_TOP_LEVEL_IRP": 2, "FSRTL_MOD_WRITE_TOP_LEVEL_IRP": 3,
             "FSRTL_FAST_IO_TOP_LEVEL_IRP": 4}


class Rest(ThreadIo):
    def _start(self):
        o, system, process = self.object, self.system, self.process
        kernel_start = system.base + 0x1200 + 0x10 * (self.tid // 4 % 16)
        start = kernel_start
        if self.user:
            ntdll = process.code["ntdll.dll"]
            start = ntdll.base + ntdll.code.functions["RtlUserThreadStart"].rva
        if self.recipe.get("idle"):
            return  # zero: whether that is an address or none is the reader's taste
        self.put("StartAddress", start, "start_address", hex(start))
        win32 = process.user["exe"] + 0x1020 + 0x10 * (self.tid // 4 % 64) if self.user else start
        if "start" in self.recipe:
            win32 = self._odd_start()
        received = self.recipe.get("lpc_received")
        if received and o.has("LpcReceivedMsgIdValid"):
            o.put("LpcReceivedMessageId", received)
            o.put("LpcReceivedMsgIdValid", 1)
            self.truth["lpc_received_message_id"] = received
            self.tell("win32_start_address", None)
            return
        self.put("Win32StartAddress", win32, "win32_start_address", hex(win32))
        if o.has("LpcReceivedMsgIdValid"):
            self.tell("lpc_received_message_id", None)

    def _security(self):
        o, system = self.object, self.system
        who = self.recipe.get("impersonating")
        self.truth["impersonating"] = bool(who)
        access = 0x1F03FF if self.user else 0x12345
        self.put("GrantedAccess", access, "granted_access", {"value": hex(access), "names": []})
        if not who:
            for key in ("token", "impersonation_level", "effective_only"):
                self.tell(key, None)
            if self.process.token:  # its lists are told with its process
                told = {k: v for k, v in self.process.token.told.items() if k not in ("groups", "privileges")}
                self.truth.update(told)
        if self.process.token and self.process.token.told:
            self.truth["process_token"] = hex(self.process.token.va)
            self.truth.setdefault("effective_token", hex(self.process.token.va))
        if not who and not self.recipe.get("reverted"):
            return
        level = who.get("level", 2) if who else 2
        effective = bool(who and who.get("effective_only"))
        own = tokens.Token(system, (who or {}).get("token", "network service"), 0x20000 + self.tid, level)
        token = own.va
        if o.has("ClientSecurity"):
            o.put("ClientSecurity", token | level | int(effective) << 2 if who else 0)
        elif o.has("ImpersonationInfo"):
            info = system.object(system.take("paged", system.struct_size("_PS_IMPERSONATION_INFORMATION"), "Psim"),
                                 "_PS_IMPERSONATION_INFORMATION")
            info.put("Token", token)
            info.put("CopyOnOpen", 1)
            info.put("EffectiveOnly", int(effective))
            info.put("ImpersonationLevel", level)
            o.put("ImpersonationInfo", info.va)
        if who:
            o.put("ActiveImpersonationInfo", 1)
            if "_PS_IMPERSONATION_INFORMATION" not in system.places["lent"]:
                self.truth.update(token=hex(token), impersonation_level=LEVELS[level], effective_only=effective,
                                  effective_token=hex(token), **own.told)

    def _messages(self):
        o, r, system = self.object, self.recipe, self.system
        lpc = r.get("lpc")
        if lpc and o.has("LpcReplyMessage"):
            told = {}
            client, message = system.waits.ports.lpc(self, told) if system.waits.ports.has_lpc() else \
                [system.take("paged", 0x40, "LpcM")] * 2
            port = bool(lpc.get("port")) and o.has("LpcWaitingOnPort")
            o.put("LpcReplyMessage", client | 1 if port else message)
            self.tell("lpc_reply_message", None if port else hex(message))
            self.tell("lpc_waiting_on_port", hex(client) if port else None)
            if told:
                self.truth["lpc_server"] = told
            o.put("LpcReplyMessageId", lpc["id"])
            self.truth["lpc_reply_message_id"] = lpc["id"]
        alpc = r.get("alpc")
        if alpc and o.has("AlpcMessage"):
            spec, told = alpc if isinstance(alpc, dict) else {"id": alpc}, {}
            body = system.waits.ports.alpc(self, spec, told) if system.waits.ports.has_alpc() else \
                system.take("paged", 0x100, "AlMs")
            o.put("AlpcMessage", body)
            o.put("AlpcMessageId", spec["id"])
            self.truth.update(alpc_message=hex(body), alpc_message_id=spec["id"])
            if told:
                self.truth["alpc_server"] = told
        for member, key in (("AlpcMessage", "alpc_message"), ("AlpcMessageId", "alpc_message_id"),
                            ("LpcReplyMessage", "lpc_reply_message"), ("LpcReplyMessageId", "lpc_reply_message_id"),
                            ("LpcReplyMessage", "lpc_waiting_on_port")):
            if not o.has(member):
                self.tell(key, None, ["not in this version", "not known"])
            elif key not in self.truth:
                self.tell(key, None)
        self._links()

    def _links(self):
        """One word, three meanings: a termination port, the reaper's list, the value of a keyed wait."""
        o, r, system = self.object, self.recipe, self.system
        told = {"keyed_wait_value": None, "termination_port": None, "reaper_link": None}
        key = r.get("keyed_wait", system.waits.keyed_section(self))
        if key and o.has("KeyedWaitValue"):
            o.put("KeyedWaitValue", key)
            self._set_flag("KeyedEventInUse", 1)
            told["keyed_wait_value"] = hex(key)
        elif "terminated" in r and o.has("ReaperLink"):
            o.put("ReaperLink", self.process.object.va)
            told["reaper_link"] = hex(self.process.object.va)
        elif self.user and o.has("TerminationPort"):
            port = system.take("paged", 2 * system.pointer, "PsTp")
            o.put("TerminationPort", port)
            told["termination_port"] = hex(port)
        for key, value in told.items():
            self.tell(key, value)

    def _io(self):
        o, r, system = self.object, self.recipe, self.system
        irps = self._make_irps()
        system.link(o.at("IrpList"), [irp.at("ThreadListEntry") for irp in irps])
        if o.known("IrpList") and "_IRP" not in system.places["lent"]:
            self.truth["irp_list"] = [hex(irp.va) for irp in irps]
        top = r.get("top_level_irp")
        if top == "irp":
            o.put("TopLevelIrp", irps[0].va)
            self.truth["top_level_irp"] = hex(irps[0].va)
        elif top:
            o.put("TopLevelIrp", TOP_LEVEL[top])
            self.truth["top_level_irp"] = top
        else:
            self.tell("top_level_irp", None)
        device = system.take("pool", 0x40, "Devi") if r.get("device_to_verify") else 0
        o.put("DeviceToVerify", device)
        self.tell("device_to_verify", hex(device) if device else None)
        self.put("ReadClusterSize", 7 + self.index % 5, "read_cluster_size")
        self.put("ActiveFaultCount", self.index % 3, "active_fault_count")
        references = 2 * (self.index % 4)
        self.put("RundownProtect", references, "rundown_protect", {"value": hex(references), "names": []})
        lock = 0x10 if self.index % 2 else 0
        self.put("ThreadLock", lock, "thread_lock", {"value": hex(lock), "names": []})
        self._lists()

    def _lists(self):
        """Lists, the first entry told. From Vista on PostBlockList shares its second half with StartAddress."""
        o, system = self.object, self.system
        for member, name, key in (("PostBlockList", "post_blocks", "post_block_list"),
                                  ("ActiveTimerListHead", "timers", "active_timers")):
            entries = self._make_timers() if name == "timers" else [
                system.take("pool", 0x60, "CM44") + 0x20 for _ in range(self.recipe.get(name, 0))]
            if member == "PostBlockList" and o.has("ForwardLinkShadow"):
                entries = []
            elif o.has(member):
                system.link(o.at(member), entries)
            self.tell(key, hex(entries[0]) if entries else None)

    # ------------------------------------------------------------ TEB

    def _user_stack(self):
        base = self.process.user["stack"] + self.index * 0x100000
        return base - 0x8000 + 0x1000, base

    def _teb(self):
        system, process = self.system, self.process
        if not self.user or self.recipe.get("teb") == "none":
            self.object.put("Teb", 0)
            self.tell("teb", None)
            return
        va = process.user["teb"] + self.index * process.user["teb_step"]
        self.put("Teb", va, "teb", hex(va))
        if process.wow64:
            self.truth["teb32"] = hex(va + 0x2000)
        how = self.recipe.get("teb", "present")
        if how == "paged_out":
            for i in range(2 if system.pointer == 8 else 1):
                process.space.set_entry(va + i * PAGE, system.pages.paged(0, 0x1234 + self.tid + i))
            for key in ("teb_tid", "teb_pid", "teb_stack_base", "teb_stack_limit", "last_error"):
                self.tell(key, None, ["paged out", "not in this image"])
            return
        process.space.map(va, length=0x1000 if system.pointer == 4 else 0x2000)
        self._write_teb(system.object(va, "_TEB", space=process.space), process.peb)
        if how in software_pte.HOWS:
            self._take_away(va, how)
        if process.wow64:
            area = stacks.wow64(self)
            slots = system.object(va, "_TEB", space=process.space).at("TlsSlots")
            system.labels.put(process.space, slots + 8, 8, area)
            process.space.map(va + 0x2000, length=-(-system.struct_size("_TEB32") // PAGE) * PAGE)
            self._write_teb32(va)

    def _write_teb(self, teb, peb):
        limit, base = self._user_stack()
        error, status = 2 + self.tid % 120, 0xC0000000 + 0x22 + self.tid % 64
        handler = base - 0x24 if self.system.pointer == 4 else 0
        if self.process.wow64 and self.system.build < 10240:
            handler = teb.va + 0x2000
        values = {"NtTib.ExceptionList": handler, "NtTib.StackBase": base, "NtTib.StackLimit": limit,
                  "NtTib.Self": teb.va, "ClientId.UniqueProcess": self.recipe.get("teb_pid", self.process.pid),
                  "ClientId.UniqueThread": self.tid, "ProcessEnvironmentBlock": peb, "LastErrorValue": error,
                  "LastStatusValue": status}
        for name, value in values.items():
            teb.put(name, value)
        if self.process.wow64:
            teb.put("WowTebOffset", 0x2000)
        if not teb.known("ClientId.UniqueThread"):
            return
        self.truth.update(teb_stack_base=hex(base), teb_stack_limit=hex(limit),
                          teb_pid=values["ClientId.UniqueProcess"],
                          teb_tid=self.tid, last_error=hex(error), last_status=hex(status), peb=hex(peb))
        if handler:
            self.truth["teb_exception_list"] = hex(handler)

    def _take_away(self, va, how):
        """The TEB's pages, and what of it can then be told: all, nothing, or all with the page file only."""
        for page in range(va, va + (0x1000 if self.system.pointer == 4 else 0x2000), PAGE):
            self.system.pages.out(self.process, page, how)
        verdict, served = software_pte.VERDICTS[how]
        for key in ("teb_stack_base", "teb_stack_limit", "teb_pid", "teb_tid", "last_error", "last_status", "peb"):
            if served is False:
                self.tell(key, None, software_pte.REASONS[verdict])
            elif served is None:
                self.behind[key] = software_pte.REASONS[verdict]
        if served is False:
            self.truth.pop("teb_exception_list", None)
        elif served is None and "teb_exception_list" in self.truth:
            self.behind["teb_exception_list"] = software_pte.REASONS[verdict]

    def _write_teb32(self, teb64):
        teb = self.system.object(teb64 + 0x2000, "_TEB32", space=self.process.space)
        base = 0x480000 + self.index * 0x100000
        values = {"NtTib.ExceptionList": base - 0x24, "NtTib.StackBase": base, "NtTib.StackLimit": base - 0x3000,
                  "NtTib.Self": teb.va, "ClientId.UniqueProcess": self.process.pid, "ClientId.UniqueThread": self.tid,
                  "ProcessEnvironmentBlock": self.process.user["peb32"], "LastErrorValue": 3 + self.tid % 120,
                  "LastStatusValue": 0xC0000034, "WowTebOffset": -0x2000}
        for name, value in values.items():
            teb.put(name, value)
        self.truth.update(teb32_stack_base=hex(base), teb32_stack_limit=hex(base - 0x3000),
                          teb32_exception_list=hex(base - 0x24),
                          teb32_pid=self.process.pid, teb32_tid=self.tid, peb32=hex(self.process.user["peb32"]),
                          teb32_last_error=hex(3 + self.tid % 120), teb32_last_status="0xc0000034")

    # ------------------------------------------------------------ what is odd about it

    def _odd_start(self):
        """start = "private": private memory that may be executed; "stray": nothing is there."""
        if self.recipe["start"] == "stray":
            return 0x6F000000 + 0x10 * self.tid
        va = self.process.take_user(2 * PAGE, PAGE)
        self.system.pages._add_vad(self.process, va, True, True)
        return va + 0x40

    def odd(self):
        """What a recipe wants odd once all is written, and which of its oddities a check must speak of."""
        r, o, system = self.recipe, self.object, self.system
        if "breakpoint" in r:  # KTHREAD's header has DebugActive in its last byte (public PDBs, 2003 and later)
            frame = system.object(o.get("TrapFrame"), "_KTRAP_FRAME")
            for name, value in (("Dr0", r["breakpoint"]), ("Dr1", 0), ("Dr2", 0), ("Dr3", 0), ("Dr6", 0), ("Dr7", 1)):
                frame.put(name, value)
            system.labels.put(system.kernel, o.va + 3, 1, 1)
        if r.get("stack_pointer") == "outside":
            self.put("KernelStack", o.get("StackBase") + 0x40, "kernel_stack", hex(o.get("StackBase") + 0x40))
            for key in ("stack", "user_stack", "kernel_registers"):
                self.truth.pop(key, None)
        self.truth["noticed"] = r.get("noticed", []) + self._noticed()

    def _noticed(self):
        """Of its own accord: ended and listed, hidden from a debugger, SYSTEM and its process somebody else's."""
        r, o = self.recipe, self.object
        who, token, out = r.get("impersonating"), self.process.token, []
        if "terminated" in r and self.truth.get("sources"):
            out.append("terminated-listed")
        has = any("HideFromDebugger" in bits and o.has(word) for word, bits in self.system.places["flags"].items())
        if "HideFromDebugger" in r.get("flags", []) and has and "terminated" not in r:
            out.append("hidden-from-debugger")
        if who and who.get("token") == "system" and who.get("level", 2) >= 2 and token and \
                "impersonation_level" in self.truth and token.told.get("user") not in (None, "S-1-5-18"):
            out.append("impersonates-system")
        return out

    # ------------------------------------------------------------ who names it

    def _sources(self):
        """Lists that hold it, and processor blocks that name it; what a partial version's table lacks is no source.

        Those of a process that is on no list are ways all the same: whoever finds the process goes through them."""
        r, o, system = self.recipe, self.object, self.system
        process, lists = self.process.object, []
        if system.object(process.va, "_EPROCESS").has("ThreadListHead") and \
                system.object(o.va, "_ETHREAD").has("ThreadListEntry") and not r.get("idle") and \
                self.process.lists(self, "_EPROCESS"):
            lists.append("process-list")
        if self.process.lists(self, "_KPROCESS"):
            lists.append("kprocess-list")
        named = r.get("idle") or self.truth["state"] in ("Running", "Standby")
        blocks = ["prcb"] if named and system.prcb[0].known("CurrentThread") else []
        self.truth["sources"] = ([] if self.process.recipe.get("unlinked") else lists) + blocks
        self.ways = sorted(lists + blocks + self._more_ways())

    def _more_ways(self):
        """Where else it can be found: CID table, pool; handles come later (open_handles)."""
        r, out = self.recipe, []
        if r.get("idle"):
            return out
        # Half a thread ends where its page does; where that is no multiple of 16 no entry of 8 and later can name it.
        if not r.get("no_cid") and not (self.system.pointer == 8 and self.object.va % 16):
            out.append("cid-table")
            self.system.cid.add(self.object.va, handle=self.tid)
        if not self.system.cid.known:
            return out
        kept = not r.get("object") and r.get("pool", "used") not in FREED
        if self.system.recipe.get("type_list") and kept:
            out.append("type-list")
        if not r.get("object"):
            out += POOL_WAYS[r.get("pool", "used")]
        return out

    # ------------------------------------------------------------ flag words

    def _flags(self):
        """Single bits by name, in whatever word this version has them; then the words are told as they are."""
        r, o, places = self.recipe, self.object, self.system.places
        for name in ["ThreadInserted", "ApcQueueable", "EnableStackSwap"] + r.get("flags", []) + (
                ["Terminated"] if "terminated" in r else []) + (["SystemThread"] if not self.user else ["GuiThread"]):
            self._set_flag(name, 1)
        for name, value in (("ThreadIoPriority", 2), ("ThreadPagePriority", 5)):
            self._set_flag(name, value)
        for word, key in (("MiscFlags", "misc_flags"), ("ThreadFlags", "thread_flags"),
                          ("CrossThreadFlags", "cross_thread_flags"),
                          ("SameThreadPassiveFlags", "same_thread_passive_flags"),
                          ("SameThreadApcFlags", "same_thread_apc_flags")):
            if not o.has(word):
                self.tell(key, None, ["not in this version", "not known"])
                continue
            value = o.get(word) & 0xFFFFFFFF
            names = [n for n, (bit, length) in places["flags"].get(word, {}).items()
                     if length == 1 and value >> bit & 1]
            self.truth[key] = {"value": hex(value), "names": names}

    def _set_flag(self, name, value):
        o = self.object
        for word, bits in self.system.places["flags"].items():
            if name in bits and o.has(word):
                bit, length = bits[name]
                old = o.get(word) & 0xFFFFFFFF & ~(((1 << length) - 1) << bit)
                o.put(word, old | value << bit)
