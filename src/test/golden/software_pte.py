# SPDX-License-Identifier: MIT
"""Pages that are not there: software page-table entries, prototype entries, VADs, and page files beside the image.

A page is written like any other; at the end, when every byte stands, Pages.apply() takes it away: out of the tables,
and where it goes to a page file, out of memory. Forms of entries are those of the fact tables (_MMPTE_*), spelled out
here: "x86" (XP), "64" (eight bytes until 2018: PAE, x64), "swizzle" (eight bytes since).
"""
from synth import PAGE

PROTECTION = 4  # read and write
HOWS = ["transition", "prototype", "prototype_transition", "prototype_pagefile", "vad_prototype", "lookup", "pagefile",
        "pagefile1", "demand_zero", "vad_demand_zero", "reserved", "mapped_file"]
# What an address comes to, and whether its bytes are there (None: with the page file only).
VERDICTS = {"transition": ("transition", True), "prototype": ("prototype", True),
            "prototype_transition": ("prototype", True), "prototype_pagefile": ("paged out", None),
            "vad_prototype": ("prototype", True), "lookup": ("prototype", True), "pagefile": ("paged out", None),
            "pagefile1": ("paged out", None), "demand_zero": ("demand-zero", False),
            "vad_demand_zero": ("demand-zero", False), "reserved": ("invalid", False),
            "mapped_file": ("mapped file", False)}
REASONS = {"demand-zero": "demand-zero", "invalid": "not mapped", "mapped file": "mapped file",
           "paged out": "paged out"}

# _EPROCESS.VadRoot (the pointer to the top node), then of _MMVAD: left, right, StartingVpn, EndingVpn, their size,
# the high bytes (0: none), the flag word and its size, PrivateMemory, MemCommit as (place of its word, bit),
# FirstPrototypePte, LastContiguousPte, size.
VADS = {
    "5.1.2600.2180-x86": (0x11C, 0xC, 0x10, 0, 4, 4, 0, 0x14, 4, 31, (0x14, 30), 0x1C, 0x20, 0x28),
    "6.1.7601.17514-x86": (0x280, 4, 8, 0xC, 0x10, 4, 0, 0x14, 4, 31, (0x14, 23), 0x28, 0x2C, 0x3C),
    "6.1.7601.17514-x64": (0x458, 8, 0x10, 0x18, 0x20, 8, 0, 0x28, 8, 63, (0x2C, 23), 0x50, 0x58, 0x78),
    "10.0.19041.1237-x64": (0x7D8, 0, 8, 0x18, 0x1C, 4, 0x20, 0x30, 4, 20, (0x34, 31), 0x50, 0x58, 0x88),
    "10.0.20348.587-x64": (0x7D8, 0, 8, 0x18, 0x1C, 4, 0x20, 0x30, 4, 21, (0x34, 31), 0x50, 0x58, 0x88),
}
MASK = 1 << 45  # InvalidPteMask as most Intel processors have it
MASK_PLACE = {"10.0.19041.1237-x64": ("MiState", 0x15C0 + 0xC0)}


class Pages:
    def __init__(self, system):
        self.system, self.pending, self.vads = system, [], {}
        self.files = {0: {}, 1: {}}
        self.next_page = {0: 0x21, 1: 0x1023}
        self.pool = None
        recipe = system.recipe
        self.form = recipe.get("pte_form", "x86" if system.mode == "x86" else "64")

    def out(self, process, va, how, space=None):
        """Takes this page away when everything is written."""
        self.pending.append((process, space or process.space, va, how))

    # ------------------------------------------------------------ entries

    def _swizzle(self, value):
        if self.form != "swizzle" or not value:
            return value
        return value | 0x10 if value & MASK else value | MASK

    def transition(self, pfn):
        return self._swizzle(pfn << 12 | 0x800 | PROTECTION << 5)

    def paged(self, number, page):
        low, high = {"x86": (1, 12), "64": (1, 32), "swizzle": (12, 32)}[self.form]
        return self._swizzle(page << high | number << low | PROTECTION << 5)

    def demand_zero(self):
        return self._swizzle(PROTECTION << 5)

    def to_prototype(self, va):
        if self.form == "x86":
            offset = va - self.system.at["paged"]
            return (offset >> 2 & 0x7F) << 1 | 0x400 | (offset >> 9) << 11
        if self.system.pointer == 4:
            return va << 32 | 0x400 | PROTECTION << 11
        return self._swizzle((va & (1 << 48) - 1) << 16 | 0x400)

    def to_subsection(self, va):
        if self.form == "x86":
            return (va >> 3 & 0xF) << 1 | 0x400 | PROTECTION << 5 | (va >> 7 & 0xFFFFF) << 11
        if self.system.pointer == 4:
            return va << 32 | 0x400 | PROTECTION << 5
        return self._swizzle((va & (1 << 48) - 1) << 16 | 0x400 | PROTECTION << 5)

    def lookup(self):
        value = 0xFFFFF400 if self.form == "x86" else 0xFFFFFFFF << 32 | 0x400
        return self._swizzle(value)

    # ------------------------------------------------------------ where a page goes

    def _to_file(self, pfn, number):
        """The page's bytes leave memory. Its number in the file."""
        page = self.next_page[number]
        self.next_page[number] += 3
        self.files[number][page] = bytes(self.system.phys.pages.pop(pfn, bytes(PAGE)))
        self.system.phys.taken.discard(pfn)
        return page

    def _prototype(self, value):
        """A prototype entry of its own, in a page of paged pool that is in transition itself. Its address."""
        system = self.system
        size = system.kernel.entry
        if self.pool is None:
            self.pool = system.take_pages("paged", PAGE)
            system.kernel.map(self.pool)
            self.pool_next = self.pool + 0x128
        va = self.pool_next
        self.pool_next += 3 * size
        system.kernel.write(va, value.to_bytes(size, "little"))
        return va

    def _add_vad(self, process, va, private, commit, prototype=0):
        self.vads.setdefault(process, []).append((va // PAGE, private, commit, prototype))

    def _take(self, process, space, va, how):
        """The entry that stands for the page now, and what the truth says of it."""
        key = (va & space.va_mask) // PAGE
        pfn = space.frames.pop(key)
        truth = {"pid": process.pid if space is not self.system.kernel else None, "va": va, "pa": pfn * PAGE}
        truth["verdict"], truth["served"] = VERDICTS[how]
        valid = pfn << 12 | 0x63
        entry = 0
        if how in ("pagefile", "pagefile1", "prototype_pagefile"):
            number = int(how == "pagefile1")
            page = self._to_file(pfn, number)
            truth.update(pa=None, pagefile=number, off=page * PAGE)
            entry = self.paged(number, page)
        elif how == "transition":
            entry = self.transition(pfn)
        elif how == "demand_zero":
            entry = self.demand_zero()
        prototypes = {"prototype": valid, "vad_prototype": valid, "prototype_transition": self.transition(pfn),
                      "lookup": self.transition(pfn), "prototype_pagefile": entry,
                      "mapped_file": self.to_subsection(self.system.at["pool"] + 0x1238)}
        if how in prototypes:
            at = self._prototype(prototypes[how])
            truth["prototype"] = at
            entry = self.to_prototype(at)
            # How the entries of five-level kernels name a prototype entry is not known: their VADs do.
            if how in ("vad_prototype", "lookup") or self.system.mode == "la57":
                self._add_vad(process, va, False, False, at)
                entry = self.lookup() if how == "lookup" else 0
        if how in ("vad_demand_zero", "reserved"):
            self._add_vad(process, va, True, how != "reserved")
        if truth["served"] is False:
            truth["pa"] = None
            self.system.phys.pages.pop(pfn, None)
            self.system.phys.taken.discard(pfn)
        return entry, truth

    def apply(self):
        system, told = self.system, []
        for process, space, va, how in self.pending:
            entry, truth = self._take(process, space, va, how)
            self._replace(space, va, entry)
            told.append(truth)
        for i in range(40 if self.pending else 0):  # more of the kind: what a mask is inferred from
            process = self.pending[0][0]
            value = self.transition(0x140 + 3 * i) if i % 3 == 0 else self.paged(0, 0x300 + 7 * i)
            process.space.set_entry(0x10000 + i * PAGE, value)
        for process, vads in self.vads.items():
            system.kernel.write(process.object.va + VADS[system.places["name"]][0],
                                self._tree(sorted(vads)).to_bytes(system.pointer, "little"))
        if self.pool is not None:
            self._replace(system.kernel, self.pool, self.transition(system.kernel.frames.pop(
                (self.pool & system.kernel.va_mask) // PAGE)))
        system.truth["pages"] = told

    @staticmethod
    def _replace(space, va, entry):
        depth = len(space.levels)
        at = next(i for i, e in enumerate(space.entries) if e[:2] == (va, depth))
        space.entries[at] = (va, depth, entry)

    # ------------------------------------------------------------ VADs

    def _tree(self, vads):
        """A balanced tree; the address of its top node, 0 for none."""
        if not vads:
            return 0
        system, middle = self.system, len(vads) // 2
        (_, left, right, start, end, size, high, flags, flags_size, private_bit, (commit_at, commit_bit), first, last,
         length) = VADS[system.places["name"]]
        vpn, private, commit, prototype = vads[middle]
        node = system.take("pool", length)
        out = bytearray(length)

        def put(at, count, value):
            out[at:at + count] = (value & (1 << 8 * count) - 1).to_bytes(count, "little")

        put(left, system.pointer, self._tree(vads[:middle]))
        put(right, system.pointer, self._tree(vads[middle + 1:]))
        put(start, size, vpn)
        put(end, size, vpn)
        if high:
            put(high, 1, vpn >> 32)
            put(high + 1, 1, vpn >> 32)
        put(flags, flags_size, int(private) << private_bit)
        put(commit_at, 4, int.from_bytes(out[commit_at:commit_at + 4], "little") | int(commit) << commit_bit)
        put(first, system.pointer, prototype)
        put(last, system.pointer, prototype)
        system.kernel.write(node, bytes(out))
        return node

    def write_mask(self):
        """Before anything is taken away: the kernel's variable, where this version's symbols tell its place."""
        system = self.system
        symbol, offset = MASK_PLACE.get(system.places["name"], (None, 0))
        if self.form == "swizzle" and symbol in system.labels.at:
            va = system.labels.at[symbol] + offset
            system.kernel.map(va & -PAGE)
            system.kernel.write(va, MASK.to_bytes(8, "little"))

    # ------------------------------------------------------------ page files

    def save(self, image_path):
        """Beside the image: IMAGE.pagefile0, ... in order, for those that hold something."""
        paths = []
        for number, pages in self.files.items():
            if not pages:
                continue
            path = f"{image_path}.pagefile{number}"
            with open(path, "wb") as f:
                for page, data in pages.items():
                    f.seek(page * PAGE)
                    f.write(data)
                f.truncate((max(pages) + 2) * PAGE)
            paths.append((number, path))
        return paths
