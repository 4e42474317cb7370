# SPDX-License-Identifier: MIT
"""The kernel of a Windows system as it lies in memory: image, symbols, debugger block, processors, shared page,
modules.

A System owns physical memory, the kernel's address space, the labels and the truth. Processes and threads are made by
processes.py and threads.py. Every place of a member comes from testdata/golden/places.
"""
import struct

import big_pool
import executive
import handles
import kdbg
import modules
import paging
import pe
import pool
import scheduler
import software_pte
import thread_io
import waits
from objects import Object, filetime, size_of
from synth import PAGE, Labels, Physical, Ref

# Where things lie when the recipe does not say. 32-bit addresses as XP has them, 64-bit ones as 7 has them.
DEFAULT_PLACES = {
    4: {"kernel": 0x804D7000, "hal": 0x806EC000, "driver": 0xF7B00000, "pool": 0x81F00000, "paged": 0xE1000000,
        "stacks": 0xF8A00000, "pcr": 0xFFDFF000, "pcr_step": -0x86D8000, "shared": 0xFFDF0000},
    8: {"kernel": 0xFFFFF80002800000, "hal": 0xFFFFF80002600000, "driver": 0xFFFFF88000E00000,
        "pool": 0xFFFFFA8001800000,
        "paged": 0xFFFFF8A000001000, "stacks": 0xFFFFF88002000000, "pcr": 0xFFFFF880009E0000, "pcr_step": 0x20000,
        "shared": 0xFFFFF78000000000},
}
# Where the kernel's page-table root lies, by mode: (first build, address), the newest first.
ROOTS = {
    "x86": [(6000, 0x122000), (2600, 0x39000), (0, 0x30000)],
    "pae": [(7600, 0x185000), (6000, 0x122000), (0, 0x319000)],
    "x64": [(9200, 0x1AD000), (0, 0x187000)],
    "la57": [(0, 0x1AD000)],
}
# Where the kernel's code lies in its image, and in .edata the tables of it.
KERNEL_TEXT, KERNEL_PDATA, KERNEL_XDATA = 0x3000, 0x3000, 0x4000


class System:
    def __init__(self, recipe, places):
        self.recipe, self.places = recipe["system"], places
        self.pointer = places["pointer_size"]
        self.mode = self.recipe["paging"]
        self.version = [int(n) for n in self.recipe["version"].split(".")]
        self.build = self.version[2]
        self.cpus = self.recipe.get("processors", 2)
        self.time = filetime(self.recipe["system_time"])
        self.phys = Physical(self._ranges(), self.recipe.get("scatter", True))
        self.labels = Labels()
        self.at = dict(DEFAULT_PLACES[self.pointer], **{k: v for k, v in self.recipe.get("at", {}).items()})
        self.kernel = paging.Space(self.phys, self.mode, self._self_index(), root_pfn=self._root())
        self.next = {name: self.at[name] for name in ("stacks", "driver")}
        self.big_pages = big_pool.BigPages(self)
        self.pools = {name: pool.Pool(self, self.at[name], name == "paged") for name in ("pool", "paged")}
        self.truth = {"system": {}, "processes": [], "threads": [], "modules": [], "notes": [], "handles": [],
                      "hidden": {"processes": [], "threads": []}}
        self.hidden = {}
        self.stopped = 0  # the processor whose registers a dump's header has
        self.handle_tables = []
        self.unmapped = []
        self.executive = executive.Executive(self)
        self.waits = waits.Waits(self)
        self.devices = thread_io.Devices(self)
        self.scheduler = scheduler.Scheduler(self)
        self.pages = software_pte.Pages(self)
        self._make_kernel_image()

    def _ranges(self):
        ram = size_of(self.recipe["ram"])
        ranges = [(0, 0x9F000), (0x100000, ram - 0x100000)]
        if "ram_above_4g" in self.recipe:
            ranges.append((1 << 32, size_of(self.recipe["ram_above_4g"])))
        return ranges

    def frame_not_held(self):
        """A frame that the page tables name and no image holds: above all RAM, or in the hole below its last part."""
        top = self.phys.ranges[-1] if len(self.phys.ranges) < 3 else self.phys.ranges[1]
        self.not_held = getattr(self, "not_held", sum(top) + 0x400) + 1
        return self.not_held

    def _self_index(self):
        return self.recipe.get("self_index", {"x86": 0x300, "pae": 0, "x64": 0x1ED, "la57": 0x1ED}[self.mode])

    def _root(self):
        """The frame of the kernel's page tables: the boot loader puts them where it always does, low in memory."""
        if "root_at" in self.recipe:
            return self.recipe["root_at"] // PAGE
        return next(at for first, at in ROOTS[self.mode] if self.build >= first) // PAGE

    # ------------------------------------------------------------ kernel memory

    def take(self, region, length, tag="Gold"):
        """A block of pool, mapped, its header before it."""
        return self.pools[region].take(length, tag)

    def take_pages(self, region, length):
        """Kernel addresses of a region, from the next page on, not mapped."""
        if region in self.pools:
            return self.pools[region].take_pages(length)
        va = -(-self.next[region] // PAGE) * PAGE
        self.next[region] = va + length
        return va

    def object(self, va, *structs, space=None):
        return Object(self, space or self.kernel, va, *structs)

    def struct_size(self, name, fallback=0):
        return self.places["structs"].get(name, {}).get("size", 0) or fallback

    def link(self, head, entries, space=None, width=None):
        """A circular doubly linked list through the entries, in this order."""
        ring = [head] + list(entries)
        width = width or self.pointer
        for i, va in enumerate(ring):
            self.labels.put(space or self.kernel, va, width, ring[(i + 1) % len(ring)])
            self.labels.put(space or self.kernel, va + width, width, ring[i - 1])

    def unicode_string(self, space, va, text, buffer=None, pointer=None):
        pointer = pointer or self.pointer
        data = text.encode("utf-16-le")
        if buffer is None:
            buffer = self.take("paged", len(data) + 2, "ObNm")
        space.write(buffer, data)
        space.write(va, struct.pack("<HH", len(data), len(data) + 2))
        self.labels.put(space, va + pointer, pointer, buffer)

    def signed(self, va):
        """A 32-bit kernel address as the debugger's 64-bit members hold it."""
        return va | 0xFFFFFFFF00000000 if self.pointer == 4 and va & 0x80000000 else va

    def hidden_write(self, va, data):
        """What only a crash dump written by the system has: bytes that stand there instead."""
        for i, byte in enumerate(data):
            pfn = self.kernel.frame(va + i)
            page = self.hidden.setdefault(pfn, bytearray(self.phys.page(pfn)))
            page[(va + i) % PAGE] = byte

    # ------------------------------------------------------------ kernel image and symbols

    def _make_kernel_image(self):
        rva = dict(self.places.get("rva", {}), **self.recipe.get("rva", {})) if self.recipe.get("symbols", True) else {}
        size = self.recipe.get("image_size", 0x1046000 if rva else 0x214000)
        if rva:
            self.data = self._data_section(rva)
        else:
            self.data = (0x40000, 0x60000)
        self.spare = self.data[1] - 0x10000 + 0x40 if rva else self.data[0] + 0x100
        self.image_size, self.base = size, self.at["kernel"]
        self.edata, self.rsrc = size - 0x10000, size - 0x8000
        if self.recipe.get("large_kernel"):
            step = 1 << self.kernel.levels[-2][0]
            for va in range(self.base & -step, self.base + size, step):
                self.kernel.map_large(va)
        self.kernel.map(self.base)
        self.kernel.map(self.base + self.data[0], length=self.data[1] - self.data[0])
        for at, length in ((0x1000, 0x4000), (self.edata, 0x5000), (self.rsrc, 0x2000)):
            self.kernel.map(self.base + at, length=length, execute=at == 0x1000)
        for name, at in rva.items():
            self.labels.define(name, self.base + at)
            self.kernel.map(self.base + at & -PAGE, execute=True)

    @staticmethod
    def _data_section(rva):
        """From the debugger's blocks on to the last of the variables; what is taken besides lies behind."""
        low = min(rva["KdDebuggerDataBlock"], rva["KdVersionBlock"])
        last = max(rva[name] for name in ("KiProcessorBlock", "KiInitialThread", "KeServiceDescriptorTable",
                                          "KiKvaShadow", "KdpDataBlockEncoded") if name in rva)
        return low & -0x10000, (last & -0x10000) + 0x20000

    def symbol(self, name, size=8):
        """The address of a kernel variable: where the PDB of this kernel says, else the next free place of .data."""
        if name not in self.labels.at:
            va = self.base + (self.spare + 15 & -16)
            self.spare = va - self.base + size
            if self.spare > self.data[1]:
                raise MemoryError("kernel data is full")
            self.labels.define(name, va)
        return self.labels.at[name]

    def set_symbol(self, name, value, size=None):
        va = self.symbol(name, size or self.pointer)
        self.labels.put(self.kernel, va, size or self.pointer, value)
        return va

    def _pdb(self):
        guid = self.recipe["pdb_guid"] + "1" if "pdb_guid" in self.recipe else self.places["pdb"]
        return guid[:32], int(guid[32:], 16), self.recipe.get("pdb_name", "ntkrnlmp.pdb")

    def finish_kernel_image(self):
        exported = {name: self.symbol(name) - self.base for name in
                    ["PsInitialSystemProcess", "NtBuildNumber", "KdDebuggerEnabled", "KeNumberProcessors",
                     "PsThreadType",
                     "PsProcessType", "MmHighestUserAddress", "MmSystemRangeStart", "InitSafeBootMode"]
                    + (["PsLoadedModuleList"] if self.build >= 6000 else [])}
        exported.update({"KeBugCheckEx": 0x1A00, "IoCompleteRequest": 0x1B40, "ZwClose": 0x1C80})
        code = self.code["nt"].code
        exported.update({f.name: f.rva for f in code.functions.values() if f.name not in exported})
        guid, age, name = self._pdb()
        debug = 0x800
        record = pe.rsds(guid, age, name)
        timestamp, os_version = self.recipe["timestamp"], tuple(self.version[:2])
        edata = pe.exports(self.edata, "ntoskrnl.exe", exported)
        resource = pe.resources(self.rsrc, self.version)
        sections = [(".text", 0x1000, self.data[0] - 0x1000, pe.TEXT_FLAGS),
                    (".data", self.data[0], self.data[1] - self.data[0], pe.DATA_FLAGS),
                    ("PAGE", self.data[1], self.edata - self.data[1], pe.TEXT_FLAGS),
                    (".edata", self.edata, 0x8000, pe.CONST_FLAGS), (".rsrc", self.rsrc, 0x8000, pe.CONST_FLAGS)]
        directories = {0: (self.edata, len(edata)), 2: (self.rsrc, len(resource)), 6: (debug, 28)}
        if code.pdata:
            directories[3] = (self.edata + KERNEL_PDATA, len(code.pdata))
            self.kernel.write(self.base + self.edata + KERNEL_PDATA, code.pdata)
            self.kernel.write(self.base + self.edata + KERNEL_XDATA, code.xdata)
        self.kernel.write(self.base + code.rva, code.text)
        head = pe.build(self.pointer, self.image_size, timestamp, sections, self.recipe.get("checksum", 0x20F1C3),
                        0x1000,
                        os_version, self.base, directories)
        self.kernel.write(self.base, head)
        self.kernel.write(self.base + debug, pe.debug_directory(timestamp, debug, record))
        self.kernel.write(self.base + 0x1000, b"\x90" * 0x200)
        self.kernel.write(self.base + self.edata, edata)
        self.kernel.write(self.base + self.rsrc, resource)
        self.truth["system"].update(kernel_base=hex(self.base), pdb_guid=guid, pdb_age=age, pdb_name=name)

    # ------------------------------------------------------------ what every kernel has

    def make_globals(self):
        free_or_checked = 0xC0000000 if self.recipe.get("checked") else 0xF0000000
        self.set_symbol("NtBuildNumber", free_or_checked | self.build, 4)
        self.set_symbol("KeNumberProcessors", self.cpus, 4)
        self.set_symbol("CmNtCSDVersion", self.recipe.get("csd", 0), 4)
        self.set_symbol("KeTimeIncrement", 156250, 4)
        lab = self.recipe["build_lab"].encode() + b"\0"
        self.kernel.write(self.symbol("NtBuildLab", len(lab) + 1), lab)
        user_top = {4: 0x7FFEFFFF, 8: 0x7FFFFFEFFFF if self.build < 9200 else 0x7FFFFFFEFFFF}[self.pointer]
        self.set_symbol("MmHighestUserAddress", user_top)
        self.set_symbol("MmUserProbeAddress", user_top + 1 - 0x10000 + 0x10000)
        self.set_symbol("MmSystemRangeStart", {4: 0x80000000, 8: 0xFFFF080000000000 if self.build < 9200
                                               else 0xFFFF800000000000}[self.pointer])
        for name in ("PspCidTable", "PsThreadType", "PsProcessType", "KiBugcheckData", "MmPfnDatabase", "PsIdleProcess",
                     "ObpRootDirectoryObject", "MmUnloadedDrivers", "MmPhysicalMemoryBlock", "InitSafeBootMode",
                     "KdDebuggerEnabled"):
            self.symbol(name, 0x20)
        if "MmPteBase" in self.labels.at and self.mode == "x64":
            self.set_symbol("MmPteBase", self.pte_base())
        self.executive.make_types()
        self.set_symbol("ObpRootDirectoryObject", self.executive.directory("\\"))
        self.known_dlls = self.executive.directory("\\KnownDlls")
        self.cid = handles.OldIds(self) if self.build < 2600 else handles.Table(self, 0)
        self.set_symbol("PspCidTable", self.cid.va)
        self._make_shared_data()
        if self.pointer == 8 and self.recipe.get("low_stub", True):
            self._make_low_stub()

    def _make_shared_data(self):
        va = self.at["shared"]
        self.shared_pfn = self.phys.alloc()
        self.kernel.map(va, self.shared_pfn)
        data = self.object(va, "_KUSER_SHARED_DATA")
        self.ticks = self.recipe.get("tick_count", 0x123456)
        for name, value in (("SystemTime", self.time), ("InterruptTime", self.ticks * 156250), ("TimeZoneBias", 0),
                            ("TickCount", self.ticks)):
            low, high = value & 0xFFFFFFFF, value >> 32
            self.kernel.write(data.at(name), struct.pack("<III", low, high, high))
        data.put("TickCountMultiplier", 0x0FA00000)
        self.kernel.write(data.at("NtSystemRoot"), self.recipe.get("system_root", "C:\\WINDOWS").encode("utf-16-le"))
        data.put("NtBuildNumber", self.build)
        self.kernel.write(data.at("NtProductType"), struct.pack("<I", self.recipe.get("product_type", 1)))
        data.put("NtMajorVersion", self.version[0])
        data.put("NtMinorVersion", self.version[1])
        data.put("SuiteMask", 0x110)
        data.put("NumberOfPhysicalPages", self.phys.total)
        data.put("ActiveProcessorCount", self.cpus)

    def _make_low_stub(self):
        """PROCESSOR_START_BLOCK: a far jump, the address that long mode starts at, and CR3."""
        pa = self.recipe.get("low_stub_at", 0x13000)
        self.phys.take(pa // PAGE)
        self.phys.write(pa, struct.pack("<Q", 0x00000001000600E9))
        self.phys.write(pa + 0x70, struct.pack("<Q", self.base + 0x1100))
        self.phys.write(pa + 0xA0, struct.pack("<Q", self.kernel.root))

    # ------------------------------------------------------------ processors

    def make_processors(self):
        self.prcb, self.pcr = [], []
        inside = "Prcb" if self.pointer == 8 else "PrcbData"
        block = self.symbol("KiProcessorBlock", 32 * self.pointer)
        for number in range(self.cpus):
            length = max(self.struct_size("_KPCR"), 0x1000)
            if number == 0 and self.recipe.get("pcr_in_kernel"):
                va = self.symbol("KiInitialPCR", length + 0x80) + 0x7F & -0x80
            else:
                va = self.at["pcr"] + number * self.at["pcr_step"]
                self.kernel.map(va, length=-(-length // PAGE) * PAGE)
            pcr = self.object(va, "_KPCR")
            # 24H2's public KPCR ends before the PRCB, which has been at 0x180 in every 64-bit kernel.
            prcb = self.object(pcr.at(inside) if pcr.has(inside) else va + 0x180, "_KPRCB")
            pcr.put("SelfPcr", va)
            pcr.put("Self", va)
            pcr.put("CurrentPrcb", prcb.va)
            if self.pointer == 4:
                self.labels.put(self.kernel, va + 0x20, 4, prcb.va)
                if self.recipe.get("kdbg", "plain") != "absent":
                    pcr.put("KdVersionBlock", Ref("KdVersionBlock"))
                pcr.put("Number", number)
            pcr.put("MajorVersion", 1)
            pcr.put("MinorVersion", 1)
            prcb.put("MajorVersion", 1)
            prcb.put("MinorVersion", 1)
            prcb.put("Number", number)
            prcb.put("MHz", 2393)
            self.labels.put(self.kernel, block + number * self.pointer, self.pointer, prcb.va)
            self.pcr.append(pcr)
            self.prcb.append(prcb)

    def running(self, number):
        """The thread that the processor's block names, None where the tables do not know that member."""
        va = self.prcb[number].get("CurrentThread")
        return next((t for p in self.processes for t in p.threads if t.object.va == va), None)

    def live(self, number):
        """The registers of a processor, by name: those of its thread."""
        thread = self.running(number)
        return getattr(thread, "live", None)

    def write_contexts(self):
        """Processors that were stopped have their registers in their blocks, as a crash or a debugger leaves them."""
        for number, prcb in enumerate(self.prcb):
            live = self.live(number)
            if not live or not prcb.has("ProcessorState.ContextFrame"):
                continue
            context = self.object(prcb.at("ProcessorState.ContextFrame"), "_CONTEXT")
            names = {"rflags": "EFlags", "eflags": "EFlags", "cs": "SegCs", "ss": "SegSs"}
            for name, value in live.items():
                context.put(names.get(name, name.title()), value)
            context.put("ContextFlags", 0x10001F if self.pointer == 8 else 0x1003F)
            prcb.put("Context", context.va)

    # ------------------------------------------------------------ debugger block

    def pte_base(self):
        """Where the tables map themselves."""
        top = 48 if self.mode == "x64" else 57
        return (1 << 64) - (1 << top) + (self.kernel.self_index << (top - 9))

    def make_kdbg(self):
        how = self.recipe.get("kdbg", "plain")
        if how == "absent":
            return
        va = self.symbol("KdDebuggerDataBlock", 0x380)
        head = self.symbol("KdpDebuggerDataListHead", 2 * self.pointer)
        values = {name: self.symbol(name) for name in kdbg.POINTERS if name != "KernBase"}
        values["KernBase"] = self.base
        if self.mode in ("x64", "la57"):
            values["PteBase"] = self.pte_base()
        plain = kdbg.block(self.places, self.recipe["kdbg_size"], {k: self.signed(v) for k, v in values.items()}, head)
        if how == "encoded":
            never, always = 0x7E5A2D1B90C3F467, 0x19E4A7C05B3D8F21
            self.set_symbol("KiWaitNever", never)
            self.set_symbol("KiWaitAlways", always)
            flag = self.set_symbol("KdpDataBlockEncoded", 1, 1)
            self.kernel.write(va, kdbg.encode(plain, never, always, flag))
            self.hidden_write(va, plain)
        else:
            self.kernel.write(va, plain)
            self.link(head, [va])
        self._make_version_block(head)

    def _make_version_block(self, head):
        va = self.symbol("KdVersionBlock", 0x28)
        block = self.object(va, "_DBGKD_GET_VERSION64")
        for name, value in (("MajorVersion", 15), ("MinorVersion", self.build), ("ProtocolVersion", 6), ("Flags", 2),
                            ("MachineType", pe.MACHINES[self.pointer]), ("KernBase", self.signed(self.base)),
                            ("PsLoadedModuleList", self.signed(self.symbol("PsLoadedModuleList"))),
                            ("DebuggerDataList", self.signed(head))):
            block.put(name, value)

    def finish_objects(self, first):
        """What is counted at the end: handle tables, types, pool. first: the process whose handles are the kernel's."""
        if self.cid.known:
            self.set_symbol("ObpKernelHandleTable", first.handles.va)
            for table in self.handle_tables:
                table.write()
            handles.link_tables(self)
        else:
            for table in [self.cid, *self.handle_tables]:
                table.write()
        self.executive.finish()
        for each in self.pools.values():
            each.close()
        self.big_pages.finish()

    # ------------------------------------------------------------ kernel modules

    def make_modules(self):
        self.code = {"nt": modules.Module("ntoskrnl.exe", self.base,
                                          modules.of_kernel(self, KERNEL_TEXT, self.edata + KERNEL_XDATA))}
        head = self.symbol("PsLoadedModuleList", 2 * self.pointer)
        kind = "_KLDR_DATA_TABLE_ENTRY"
        if kind not in self.places["structs"]:
            kind = "_LDR_DATA_TABLE_ENTRY"
        entries = [self._module_entry(kind, "ntoskrnl.exe", self.base, self.image_size, "\\SystemRoot\\system32\\")]
        entries.append(self._small_module(kind, "hal.dll", self.at["hal"], "\\SystemRoot\\system32\\"))
        for name in self.recipe.get("drivers", ["disk.sys", "tcpip.sys"]):
            va = self.take_pages("driver", 0x10000)
            code = modules.of_small(self.pointer, "driver")
            self.code[name] = modules.Module(name, va, code)
            entries.append(self._small_module(kind, name, va, "\\SystemRoot\\System32\\drivers\\", code))
        self.link(head, entries)

    def _small_module(self, kind, name, base, folder, code=None):
        chunks = pe.small(self.pointer, 0x5000, self.recipe["timestamp"] - 77, name, base, self.version,
                          ("9C2F1E6D4B3A58770112233445566778", 1, name.rpartition(".")[0] + ".pdb"),
                          {"HalReturnToFirmware": 0x1010} if name == "hal.dll" else None, tuple(self.version[:2]),
                          code)
        self.kernel.map(base, length=0x5000, execute=True)
        for rva, data in chunks.items():
            self.kernel.write(base + rva, data)
        return self._module_entry(kind, name, base, 0x5000, folder)

    def _module_entry(self, kind, name, base, size, folder):
        entry = self.object(self.take("pool", self.struct_size(kind), "MmLd"), kind)
        entry.put("DllBase", base)
        entry.put("EntryPoint", base + 0x1000)
        entry.put("SizeOfImage", size)
        entry.string("FullDllName", folder + name)
        entry.string("BaseDllName", name)
        entry.put("LoadCount", 1)
        entry.put("Flags", 0x4000)
        self.truth["modules"].append({"name": name, "base": hex(base), "size": size, "path": folder + name})
        return entry.at("InLoadOrderLinks")
