# SPDX-License-Identifier: MIT
"""Executive objects: what stands before an object's body, and the types.

    pool header | padding | optional headers | _OBJECT_HEADER | body

Until Vista the header points to its type and tells how far back each optional header is; from 7 on it has the number
of the type in ObTypeIndexTable and a mask of the optional headers, whose places ObpInfoMaskToOffset adds up. From 10 on
the number is XOR-ed with a cookie and a byte of the header's address; from 8 on processes and threads are aligned to a
cache line (Volatility 3, extensions/pool.py and plugins/windows/handles.py; facts/windows/REPORT.md section 6).
"""
from synth import PAGE, Ref

# In the order of their numbers, from 2 on (from 0 on until Vista); what a version does not have yet is not used.
TYPES = ["Type", "Directory", "SymbolicLink", "Token", "Job", "Process", "Thread", "Partition", "UserApcReserve",
         "IoCompletionReserve", "DebugObject", "Event", "Mutant", "Callback", "Semaphore", "Timer", "KeyedEvent",
         "Port", "ALPC Port", "IoCompletion", "Device", "Driver", "File"]
SINCE = {"Job": 2600, "Partition": 14393, "UserApcReserve": 7600, "IoCompletionReserve": 7600, "KeyedEvent": 2600,
         "ALPC Port": 6000}
UNTIL = {"Port": 3790}
TAGS = {"Type": "ObjT", "SymbolicLink": "Symb", "Semaphore": "Sema", "UserApcReserve": "Uapc",
        "IoCompletionReserve": "IoCo", "ALPC Port": "AlPo"}
PAGED = {"Directory", "SymbolicLink", "Token"}
ALIGNED = {"Process", "Thread"}
CACHE_LINE = 64
# What a recipe says of an object's block: those that are free, and those of whole pages.
FREED = ("freed", "unmapped", "large-freed")
LARGE = ("large", "large-freed")
# Bits of InfoMask.
CREATOR, NAME, HANDLES, QUOTA, PROCESS = 1, 2, 4, 8, 16


class Executive:
    def __init__(self, system):
        self.system = system
        self.names = [t for t in TYPES if SINCE.get(t, 0) <= system.build <= UNTIL.get(t, 1 << 30)]
        self.indexed = system.build >= 7600
        self.first = 2 if self.indexed else 0
        self.known = "_OBJECT_HEADER" in system.places["structs"]
        self.header_size = 6 * system.pointer  # up to Body, in every version
        self.padding = 0x40 if system.build < 10240 else 0x80
        wide = system.pointer == 8
        self.sizes = {CREATOR: 0x20, NAME: 0x20, HANDLES: 0x10, QUOTA: 0x20, PROCESS: 0x10, 0x20: 0x10,
                      0x40: 0x10, self.padding: 4} if wide else {
                          CREATOR: 0x10, NAME: 0x10, HANDLES: 8, QUOTA: 0x10, PROCESS: 8, 0x20: 8, 0x40: 8,
                          self.padding: 4}
        self.cookie = 0xB7 if system.build >= 10240 else 0
        self.count = dict.fromkeys(self.names, 0)
        self.directories = {}
        self.listed = {}  # by type, the links in the creator information of its objects

    # ------------------------------------------------------------ objects

    def make(self, kind, size, name=None, pool="used", handles=0, directory=None):
        """The address of a new object's body; directory: the body of that which has its name. pool: "used",
        "freed" (its block is), "wiped" (the block has another tag), "unmapped" (its page was given back), "large",
        "large-freed" (pages of its own, as what is too large for a page with a header has them)."""
        system = self.system
        region = "paged" if kind in PAGED else "pool"
        if not self.known:
            return system.take(region, size + 0x30, self.tag(kind)) + 0x30
        # The kernel was told to keep such lists; an object that was freed is off them.
        listed = system.recipe.get("type_list") and kind == "Thread" and pool not in FREED
        mask = (QUOTA if kind in ALIGNED else 0) | (NAME if name else 0) | (CREATOR if listed else 0)
        aligned = kind in ALIGNED and system.build >= 9200
        mask |= self.padding if aligned else 0
        before = self.header_size + sum(n for bit, n in self.sizes.items() if mask & bit)

        def prefix(at):
            self.start = at
            return -(-(at + before) // CACHE_LINE) * CACHE_LINE - at if aligned else before
        tag = "\0\0\0\0" if pool == "wiped" else self.tag(kind)
        if pool == "unmapped":
            system.pools[region].close()
        if pool in LARGE:
            start = system.pools[region].take_large(PAGE + size, tag, pool == "large-freed")
            va = start + prefix(start)
        else:
            va = system.pools[region].take(size, tag, pool in FREED, prefix)
        if pool == "unmapped":
            system.pools[region].close()
            system.unmapped.append(va)
        self._header(va, kind, mask, handles, pool in FREED)
        if name:
            self._name(va, mask, name, directory)
        if aligned:
            system.labels.put(system.kernel, va - before, 4, va - before + 4 - self.start)
        self.count[kind] += 1
        return va

    def tag(self, kind):
        """Until 7 the last letter's high bit says that the block is protected."""
        tag = TAGS.get(kind, kind[:4]).ljust(4)
        return tag if self.system.build >= 9200 else tag[:3] + chr(ord(tag[3]) | 0x80)

    def header(self, va):
        return self.system.object(va - self.header_size, "_OBJECT_HEADER")

    def _header(self, va, kind, mask, handles, freed):
        h = self.header(va)
        h.put("PointerCount", 0 if freed else 3 + handles)
        h.put("HandleCount", 0 if freed else handles)
        if self.indexed:
            index = self.first + self.names.index(kind)
            h.put("TypeIndex", index ^ self.cookie ^ (h.va >> 8 & 0xFF if self.cookie else 0))
            h.put("InfoMask", mask)
        else:
            h.put("Type", Ref(f"type {kind}"))
            at = self.sizes[CREATOR] if mask & CREATOR else 0
            for bit, member in ((NAME, "NameInfoOffset"), (QUOTA, "QuotaInfoOffset")):
                at += self.sizes[bit] if mask & bit else 0
                h.put(member, at if mask & bit else 0)
        h.put("Flags", 0x24 if mask & CREATOR and not self.indexed else 0x20)
        if mask & CREATOR:
            self.listed.setdefault(kind, []).append(va - self.header_size - self.sizes[CREATOR])
        h.put("QuotaBlockCharged", self.system.symbol("PspDefaultQuotaBlock", 0x40))

    def _name(self, va, mask, name, directory):
        below = sum(n for bit, n in self.sizes.items() if bit <= NAME and mask & bit)
        info = self.system.object(va - self.header_size - below, "_OBJECT_HEADER_NAME_INFO")
        info.string("Name", name)
        if directory:
            info.put("Directory", directory)

    def directory(self, path):
        """The body of a directory, made when it is first named: "\\", "\\RPC Control"."""
        if path not in self.directories:
            size = 0x158 if self.system.pointer == 8 else 0xA0
            above = None if path == "\\" else self.directory("\\")
            name = path if path == "\\" else path[1:]  # none of ours lies deeper
            self.directories[path] = self.make("Directory", size, name, handles=1, directory=above)
        return self.directories[path]

    # ------------------------------------------------------------ types

    def make_types(self):
        system = self.system
        if not self.known:
            return
        table = system.symbol("ObTypeIndexTable" if self.indexed else "ObpObjectTypes", 0x80 * system.pointer)
        if self.indexed:
            system.labels.put(system.kernel, table + system.pointer, system.pointer, 0xBAD0B0B0)
            self._make_offsets()
        if self.cookie:
            system.set_symbol("ObHeaderCookie", self.cookie, 1)
        for number, name in enumerate(self.names):
            va = self.make("Type", system.struct_size("_OBJECT_TYPE"), name)
            system.labels.define(f"type {name}", va)
            kind = system.object(va, "_OBJECT_TYPE")
            kind.string("Name", name)
            kind.put("Index", number + self.first)
            kind.put("Key", int.from_bytes(self.tag(name).encode("latin-1"), "little"))
            kind.empty_list("TypeList")
            system.labels.put(system.kernel, table + (number + self.first) * system.pointer, system.pointer, va)
        for symbol, name in (("PsProcessType", "Process"), ("PsThreadType", "Thread"), ("ObpTypeObjectType", "Type")):
            system.set_symbol(symbol, system.labels.at[f"type {name}"])

    def _make_offsets(self):
        """How far before its header an object has the optional header of the highest bit of an index."""
        offsets = bytes(sum(n for bit, n in self.sizes.items() if index & bit) & 0xFF for index in range(256))
        self.system.kernel.write(self.system.symbol("ObpInfoMaskToOffset", 0x100), offsets)

    def finish(self):
        for name in self.names if self.known else []:
            kind = self.system.object(self.system.labels.at[f"type {name}"], "_OBJECT_TYPE")
            kind.put("TotalNumberOfObjects", self.count[name])
            if name in self.listed:
                self.system.link(kind.at("TypeList"), self.listed[name])
