# SPDX-License-Identifier: MIT
"""Processes: EPROCESS, their tables, PEB, loader lists and user modules, the WoW64 half included."""
import handles
import modules
import paging
import pe
import threads
import tokens
from objects import filetime
from synth import PAGE
from thread_rest import POOL_WAYS

# User addresses: 32-bit processes, 64-bit ones until 7, from 8 on, and WoW64 ones.
USER = {
    "x86": {"peb": 0x7FFD9000, "teb": 0x7FFDF000, "teb_step": -0x1000, "stack": 0x130000, "heap": 0x241000,
            "exe": 0x400000, "ntdll": 0x7C900000, "second": 0x7C800000},
    "x64": {"peb": 0x7FFFFFDF000, "teb": 0x7FFFFFDD000, "teb_step": -0x2000, "stack": 0x130000, "heap": 0x241000,
            "exe": 0x13F5E0000, "ntdll": 0x77A40000, "second": 0x77820000},
    "x64-8": {"peb": 0x7E5D1F8000, "teb": 0x7E5D1FA000, "teb_step": 0x2000, "stack": 0x7E5D100000,
              "heap": 0x1D2A3B40000,
              "exe": 0x7FF65D340000, "ntdll": 0x7FFB1E2C0000, "second": 0x7FFB1D110000},
    "wow": {"peb": 0x7EFDF000, "teb": 0x7EFDB000, "teb_step": -0x3000, "stack": 0x8E000, "heap": 0x241000,
            "exe": 0x400000, "ntdll": 0x77A40000, "second": 0x74FA0000, "peb32": 0x7EFDE000, "ntdll32": 0x77C20000},
}
UNKNOWN_HEAD = 0x270


class Process:
    def __init__(self, system, recipe, idle=False):
        self.system, self.recipe, self.idle = system, recipe, idle
        self.name, self.pid = recipe["name"], recipe["pid"]
        self.kind = "kernel" if idle or recipe.get("system") else "user"
        self.wow64 = bool(recipe.get("wow64"))
        self.size = system.struct_size("_EPROCESS", 0x288)
        self.space = system.kernel if self.kind == "kernel" else paging.Space(
            system.phys, system.mode, system.kernel.self_index, system.kernel)
        va = (system.symbol("KiInitialProcess", self.size) if idle else
              system.executive.make("Process", self.size, pool=recipe.get("pool", "used"), handles=1))
        self.object = system.object(va, "_EPROCESS", "_KPROCESS")
        if not idle:
            system.labels.define(f"process {self.pid}", va)
        self.threads = []
        self.code = {}  # user modules by name, the 32-bit ones of WoW64 with "32" behind it
        self.user = USER["x86" if system.pointer == 4 else "wow" if self.wow64 else
                         "x64" if system.build < 9200 else "x64-8"]
        self.heap = self.user["heap"]

    # ------------------------------------------------------------ the process object

    def fill(self):
        system, o = self.system, self.object
        o.put("Header.Type", 3)
        o.put("Header.Size", system.struct_size("_KPROCESS") // 4)
        o.empty_list("Header.WaitListHead")
        o.empty_list("ProfileListHead")
        o.empty_list("ReadyListHead")
        self.dtb = self.space.root | (2 if system.recipe.get("pcid") else 0)
        o.put("DirectoryTableBase", self.dtb)
        if system.recipe.get("pcid"):
            o.put("UserDirectoryTableBase", 1)
        o.put("BasePriority", 8)
        if o.place("Affinity") and o.place("Affinity")[1] in ("u32", "u64"):
            o.put("Affinity", (1 << system.cpus) - 1)
        o.put("UniqueProcessId", self.pid)
        o.put("InheritedFromUniqueProcessId", self.recipe.get("ppid", 0))
        o.put("CreateTime", filetime(self.recipe["create_time"]) if "create_time" in self.recipe else 0)
        system.kernel.write(o.at("ImageFileName"), self.name.encode()[:15].ljust(15, b"\0"))
        o.put("Flags", 0xD000 | (4 if "exit_time" in self.recipe else 0))
        o.put("PriorityClass", 2)
        o.put("ExitStatus", self.recipe.get("exit_status", 0x103))
        if "exit_time" in self.recipe:
            o.put("ExitTime", filetime(self.recipe["exit_time"]))
        self.token = None
        if not self.idle:
            system_made = self.kind == "kernel" or self.name in ("smss.exe", "csrss.exe", "services.exe")
            self.token = tokens.Token(system, self.recipe.get("token", "system" if system_made else "user"),
                                      0x10000 + self.pid)
            o.put("Token", self.token.va | (7 if system.pointer == 4 else 15))
            self._make_handle_table()
        if self.kind == "user" and not self.recipe.get("minimal") and "exit_time" not in self.recipe:
            self._make_user_part()
        self._make_threads()
        self._tell_truth()

    def _make_handle_table(self):
        """Its own, but an ended process has none any more; and its own id in the table of ids."""
        system = self.system
        if not self.recipe.get("no_cid"):
            system.cid.add(self.object.va, handle=self.pid)
        self.handles = None
        if "exit_time" not in self.recipe:
            self.handles = handles.of_process(system, self.pid, self.object.va)
        self.object.put("ObjectTable", self.handles.va if self.handles else 0)

    def open_handles(self):
        """What a process always has open: a directory, an event, its first thread, those that ended or that its recipe
        says are held; csrss.exe every process."""
        system = self.system
        if not self.handles or not self.handles.known:
            return
        if self.kind == "user":
            self._open("Directory", system.known_dlls, 3, "KnownDlls", inherit=True)
        self._open("Event", system.executive.make("Event", 0x18, handles=1), 0x1F0003)
        for thread in self.threads:
            if (thread is self.threads[0] or thread.recipe.get("held", "terminated" in thread.recipe)) and \
                    not thread.recipe.get("object"):
                self._open("Thread", thread.object.va, 0x1FFFFF)
                thread.ways.append("handle-table")
        if self.name == "csrss.exe":
            for process in system.processes[1:]:
                if process.kind == "user" and "exit_time" not in process.recipe and process is not self:
                    self._open("Process", process.object.va, 0x1FFFFF)
                    process.ways.append("handle-table")

    def _open(self, kind, body, access, name="", inherit=False):
        handle = self.handles.add(body - self.system.executive.header_size, access, handles.INHERIT * inherit)
        self.system.truth["handles"].append({"pid": self.pid, "handle": handle, "type": kind, "object": hex(body),
                                             "access": access, "name": name, "inherit": inherit})
        return handle

    def _make_threads(self):
        for i, recipe in enumerate(self.recipe.get("thread", [])):
            self.threads.append(threads.Thread(self.system, self, recipe, i))
        for thread in self.threads:
            thread.fill()
        for thread in self.threads:
            thread.odd()
        o = self.object
        o.put("ActiveThreads", sum(1 for t in self.threads if "terminated" not in t.recipe))
        o.put("ActiveThreadsHighWatermark", len(self.threads) + 1)
        self.link_threads()

    def link_threads(self):
        """Both lists; KPROCESS's knows every thread, EPROCESS's does not know the idle ones."""
        for names, member in ((("_KPROCESS",), "_KTHREAD"), (("_EPROCESS",), "_ETHREAD")):
            head = self.system.object(self.object.va, *names)
            entries = [self.system.object(t.object.va, member) for t in self.threads if self.lists(t, names[0])]
            if any(not e.has("ThreadListEntry") for e in entries) or self.idle and names == ("_EPROCESS",):
                continue
            places = [e.at("ThreadListEntry") for e in entries]
            # 2000's tables do not know where its head is; it has one.
            self.system.link(head.at("ThreadListHead") if head.has("ThreadListHead") else
                             self.object.va + UNKNOWN_HEAD, places)
            for entry, thread in zip(entries, [t for t in self.threads if self.lists(t, names[0])]):
                self._tear(entry.at("ThreadListEntry"), thread.recipe.get("torn"))

    @staticmethod
    def lists(thread, head):
        """unlinked: true (both lists), or the one that does not have it: "kprocess", "eprocess"."""
        unlinked = thread.recipe.get("unlinked")
        return not (unlinked is True or unlinked == head[1:].lower())

    def _tear(self, entry, how):
        """forward: the next link leads nowhere; back: the one before does; loop: the next link comes back to itself."""
        pointer = self.system.pointer
        nowhere = 0x42424242 if pointer == 4 else 0x4242424242424242
        if how:
            self.system.labels.put(self.system.kernel, entry + (pointer if how == "back" else 0), pointer,
                                   entry if how == "loop" else nowhere)

    # ------------------------------------------------------------ user part

    def take_user(self, length, align=8):
        va = -(-self.heap // align) * align
        self.heap = va + length
        self.space.map(va & -PAGE, length=(va + length - 1 & -PAGE) + PAGE - (va & -PAGE))
        return va

    def user_string(self, va, text, pointer):
        self.system.unicode_string(self.space, va, text, self.take_user(2 * len(text) + 2), pointer)

    def _make_user_part(self):
        system, user = self.system, self.user
        self.space.map(0x7FFE0000, system.shared_pfn)
        self.peb = user["peb"]
        self.space.map(self.peb)
        if "peb" in self.recipe:
            system.pages.out(self, self.peb, self.recipe["peb"])
        peb = system.object(self.peb, "_PEB", space=self.space)
        self.object.put("Peb", self.peb)
        self.object.put("SectionBaseAddress", user["exe"])
        peb.put("ImageBaseAddress", user["exe"])
        for name, value in zip(("OSMajorVersion", "OSMinorVersion", "OSBuildNumber"), system.version):
            peb.put(name, value)
        pointer = system.pointer
        self._parameters(peb)
        loaded = [self._module(self.name, user["exe"], 4 if self.wow64 else pointer),
                   self._module("ntdll.dll", user["ntdll"], pointer)]
        loaded += [self._module("wow64.dll" if self.wow64 else "kernel32.dll", user["second"], pointer)]
        peb.put("Ldr", self._loader("_PEB_LDR_DATA", "_LDR_DATA_TABLE_ENTRY", loaded, pointer))
        self.modules = loaded
        if self.wow64:
            self._make_wow64_part(loaded[0])

    def _parameters(self, peb):
        """RTL_USER_PROCESS_PARAMETERS: what the process was started with."""
        system, kind = self.system, "_RTL_USER_PROCESS_PARAMETERS"
        if kind not in system.places["structs"]:
            return
        folder = "C:\\WINDOWS\\system32\\"
        line = self.recipe.get("command_line", f"{folder}{self.name} -golden {self.pid}")
        o = system.object(self.take_user(system.struct_size(kind), 16), kind, space=self.space)
        o.put("Length", system.struct_size(kind))
        o.put("MaximumLength", system.struct_size(kind))
        o.put("Flags", 1)  # its strings are addresses
        for member, text in (("ImagePathName", folder + self.name), ("CommandLine", line),
                             ("CurrentDirectory.DosPath", "C:\\")):
            self.user_string(o.at(member), text, system.pointer)
        peb.put("ProcessParameters", o.va)
        session = tokens.KINDS[self.token.kind][5]
        peb.put("SessionId", session)
        if peb.known("SessionId") and "peb" not in self.recipe:
            self.command_line, self.session = line, session

    def _make_wow64_part(self, exe):
        """PEB32, its loader lists, and how the process object names it in this version."""
        system, user = self.system, self.user
        self.space.map(user["peb32"])
        peb = system.object(user["peb32"], "_PEB32", space=self.space)
        peb.put("ImageBaseAddress", user["exe"])
        loaded = [exe, self._module("ntdll.dll", user["ntdll32"], 4, "C:\\Windows\\SysWOW64\\")]
        peb.put("Ldr", self._loader("_PEB_LDR_DATA32", "_LDR_DATA_TABLE_ENTRY32", loaded, 4))
        o = self.object
        if o.has("WoW64Process"):
            wow = system.object(system.take("paged", system.struct_size("_EWOW64PROCESS"), "Ps  "),
                                "_EWOW64PROCESS")
            wow.put("Peb", user["peb32"])
            wow.put("Machine", 0x14C)
            o.put("WoW64Process", wow.va)
        elif "_WOW64_PROCESS" in system.places["structs"]:
            wow = system.object(system.take("paged", 8, "Ps  "), "_WOW64_PROCESS")
            wow.put("Wow64", user["peb32"])
            o.put("Wow64Process", wow.va)
        else:
            o.put("Wow64Process", user["peb32"])
        self.modules32 = loaded

    def _module(self, name, base, pointer, folder="C:\\WINDOWS\\system32\\"):
        """A user module, one set of frames for all processes that have it at this address."""
        system = self.system
        code = modules.of_small(pointer, name)
        self.code[name if pointer == system.pointer else name + "32"] = modules.Module(name, base, code)
        frames = system.__dict__.setdefault("user_frames", {})
        key = (name, base)
        if key not in frames:
            chunks = pe.small(pointer, 0x5000, 0x4802A12C + len(frames), name, base, system.version,
                              ("0123456789ABCDEF0123456789ABC%03X" % len(frames), 2, name.rpartition(".")[0] + ".pdb"),
                              None, tuple(system.version[:2]), code)
            frames[key] = [system.phys.alloc() for _ in range(5)]
            for rva, data in chunks.items():
                system.phys.write(frames[key][rva // PAGE] * PAGE + rva % PAGE, data)
        for i, pfn in enumerate(frames[key]):
            self.space.map(base + i * PAGE, pfn, execute=True)
        return {"name": name, "base": base, "size": 0x5000, "path": folder + name}

    def _loader(self, kind, entry_kind, loaded, pointer):
        system = self.system
        ldr = system.object(self.take_user(system.struct_size(kind)), kind, space=self.space)
        ldr.put("Length", system.struct_size(kind))
        ldr.put("Initialized", 1)
        entries = []
        for module in loaded:
            entry = system.object(self.take_user(system.struct_size(entry_kind), 16), entry_kind, space=self.space)
            for name, value, size in (("DllBase", module["base"], pointer),
                                      ("EntryPoint", module["base"] + 0x1000, pointer),
                                      ("SizeOfImage", module["size"], 4)):
                system.labels.put(self.space, entry.at(name), size, value)
            self.user_string(entry.at("FullDllName"), module["path"], pointer)
            self.user_string(entry.at("BaseDllName"), module["name"], pointer)
            entries.append(entry)
        for head, link in (("InLoadOrderModuleList", "InLoadOrderLinks"),
                           ("InMemoryOrderModuleList", "InMemoryOrderLinks"),
                           ("InInitializationOrderModuleList", "InInitializationOrderLinks")):
            # The executable is not in the initialisation order.
            listed = entries[1:] if head.startswith("InInit") else entries
            if entries[0].has(link):
                system.link(ldr.at(head), [e.at(link) for e in listed], self.space, pointer)
        return ldr.va

    # ------------------------------------------------------------ truth

    def _ways(self):
        """Where it can be found: the list of processes, the table of ids, pool."""
        r = self.recipe
        if self.idle:
            return []
        out = [] if r.get("unlinked") else ["active-list"]
        out += [] if r.get("no_cid") else ["cid-table"]
        if self.system.cid.known:
            out += POOL_WAYS[r.get("pool", "used")]
        return out

    def _tell_truth(self):
        o, r = self.object, self.recipe
        truth = {"pid": self.pid, "name": self.name, "object": hex(o.va), "directory_table_base": hex(self.dtb)}
        if o.known("InheritedFromUniqueProcessId"):
            truth["ppid"] = r.get("ppid", 0)
        if o.known("CreateTime"):
            truth["create_time"] = threads.iso(o.get("CreateTime"))
        if o.known("ExitTime"):
            truth["exit_time"] = threads.iso(o.get("ExitTime")) if "exit_time" in r else None
        if o.known("Peb"):
            truth["peb"] = hex(o.get("Peb")) if o.get("Peb") else None
        if self.system.pointer == 8:
            truth["wow64"] = self.wow64
        if self.token and self.token.told:
            truth.update(self.token.told, token=hex(self.token.va))
        if hasattr(self, "command_line"):
            truth.update(command_line=self.command_line, session=self.session)
        truth["threads"] = sum(1 for t in self.threads if t.recipe.get("object") != "missing" and
                               (t.truth.get("sources") or t.recipe.get("object")))
        truth["ways"] = self.ways = self._ways()
        (self.system.truth["hidden"] if r.get("unlinked") else self.system.truth)["processes"].append(truth)
