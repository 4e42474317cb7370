# SPDX-License-Identifier: MIT
"""Page tables of Windows: x86, PAE, x64 and five levels, each mapping itself as its kernel does.

Intel SDM volume 3, chapter 4, for the entries; the places of the self-map are those of the kernels (x86: PDE 0x300,
PAE: the four directories at 0xc0600000, x64: PML4 entry 0x1ed until 1511, any upper one since 1607).
"""
from synth import PAGE

PRESENT, WRITE, USER, ACCESSED, DIRTY, LARGE, GLOBAL, NX = 1, 2, 4, 0x20, 0x40, 0x80, 0x100, 1 << 63

# name: (bytes an entry, [(shift, index bits) from the root down], first index of the kernel half in the root)
MODES = {
    "x86": (4, [(22, 10), (12, 10)], 0x200),
    "pae": (8, [(30, 2), (21, 9), (12, 9)], 2),
    "x64": (8, [(39, 9), (30, 9), (21, 9), (12, 9)], 0x100),
    "la57": (8, [(48, 9), (39, 9), (30, 9), (21, 9), (12, 9)], 0x100),
}


class PaeRoots:
    """PAE roots are 32 bytes long; Windows packs them, so that they lie anywhere in a page, and below 4 GiB (CR3)."""

    def __init__(self, phys):
        self.phys, self.pfn, self.used = phys, None, 128

    def alloc(self):
        if self.used == 128:
            self.pfn, self.used = self.phys.alloc_low(), 3
        self.used += 1
        return self.pfn * PAGE + 32 * (self.used - 1)


class Space:
    """One set of tables. A process's space takes the kernel half over from the kernel's when the tables are built."""

    def __init__(self, phys, mode, self_index, kernel=None, root_pfn=None):
        """root_pfn: the frame of the root, and of PAE's four directories behind it, which the boot loader makes."""
        self.phys, self.mode, self.self_index, self.kernel = phys, mode, self_index, kernel
        self.entry, self.levels, self.kernel_first = MODES[mode]
        if root_pfn is not None:
            phys.take_run(root_pfn, 5 if mode == "pae" else 1)
        self.pae_roots = kernel.pae_roots if kernel else PaeRoots(phys)
        self.root = (root_pfn * PAGE if root_pfn is not None else
                     self.pae_roots.alloc() if mode == "pae" else phys.alloc() * PAGE)
        self.tables = {(): self.root}
        self.frames = {}
        self.gone = {}
        self.entries = []
        self.va_mask = (1 << (self.levels[0][0] + self.levels[0][1])) - 1
        if mode == "pae":
            for i in range(4):
                self.tables[(i,)] = (phys.alloc() if root_pfn is None else root_pfn + 1 + i) * PAGE

    # ------------------------------------------------------------ what stands where

    def is_kernel_va(self, va):
        shift, bits = self.levels[0]
        return ((va >> shift) & ((1 << bits) - 1)) >= self.kernel_first

    def frame(self, va):
        key = (va & self.va_mask) // PAGE
        pfn = self.frames.get(key, self.gone.get(key))
        if pfn is None and self.kernel:
            pfn = self.kernel.frame(va)
        return pfn

    def map(self, va, pfn=None, length=PAGE, user=None, execute=False):
        """Maps length bytes from va in 4 KiB pages, at new frames or (one page only) at pfn."""
        for page in range(va, va + length, PAGE):
            key = (page & self.va_mask) // PAGE
            if key in self.frames:
                continue
            if self.mode != "pae" and self._index(page, 0) == self.self_index:
                raise ValueError(f"{page:#x} lies in the self-map")
            frame = self.phys.alloc() if pfn is None else pfn
            self.frames[key] = frame
            flags = PRESENT | WRITE | ACCESSED | DIRTY
            flags |= USER if (user if user is not None else not self.is_kernel_va(va)) else 0
            flags |= GLOBAL if self.is_kernel_va(va) else 0
            flags |= NX if self.entry == 8 and not execute else 0
            self.entries.append((page, len(self.levels), frame * PAGE | flags))
        return va

    def map_large(self, va, depth=None):
        """Maps the large page around va (depth: levels walked) at a new run of frames."""
        depth = depth or len(self.levels) - 1
        size = 1 << self.levels[depth - 1][0]
        base = va & ~(size - 1)
        first = (base & self.va_mask) // PAGE
        if first in self.frames:
            return
        pfn = self.phys.alloc_run(size // PAGE, size // PAGE)
        for i in range(size // PAGE):
            self.frames[first + i] = pfn + i
        self.entries.append((base, depth, pfn * PAGE | PRESENT | WRITE | ACCESSED | DIRTY | LARGE | GLOBAL))

    def unmap(self, va):
        """The page keeps its frame, and no table leads there any more."""
        page = va & -PAGE
        self.gone[(page & self.va_mask) // PAGE] = self.frames.pop((page & self.va_mask) // PAGE)
        self.entries = [entry for entry in self.entries if entry[0] != page]

    def set_entry(self, va, value):
        """A page-table entry as it is, for pages that are not present (page file, transition)."""
        self.entries.append((va, len(self.levels), value))

    def evict(self, va, value):
        """Takes a page that was mapped away again: value is its entry, and its frame is returned."""
        self.entries = [e for e in self.entries if e[0] & -PAGE != va & -PAGE or e[1] != len(self.levels)]
        self.set_entry(va & -PAGE, value)
        return self.frames.pop((va & self.va_mask) // PAGE)

    def write(self, va, data):
        while data:
            pfn = self.frame(va)
            if pfn is None:
                raise KeyError(f"{va:#x} is not mapped")
            part = data[:PAGE - va % PAGE]
            self.phys.write(pfn * PAGE + va % PAGE, part)
            va += len(part)
            data = data[len(part):]

    def read(self, va, length):
        out = bytearray()
        while length:
            part = min(length, PAGE - va % PAGE)
            out += self.phys.read(self.frame(va) * PAGE + va % PAGE, part)
            va += part
            length -= part
        return bytes(out)

    # ------------------------------------------------------------ tables

    def _index(self, va, depth):
        shift, bits = self.levels[depth]
        return (va >> shift) & ((1 << bits) - 1)

    def _put(self, table, index, value):
        self.phys.write(table + index * self.entry, value.to_bytes(self.entry, "little"))

    def _get(self, table, index):
        return int.from_bytes(self.phys.read(table + index * self.entry, self.entry), "little")

    def _table(self, va, depth):
        """The table that decides at this depth, made where it is missing, with its parent's entry."""
        path = tuple(self._index(va, d) for d in range(depth))
        table = self.tables.get(path)
        if table is None:
            parent = self._table(va, depth - 1)
            table = self.tables[path] = self.phys.alloc() * PAGE
            self.phys.page(table // PAGE)
            user = 0 if self.is_kernel_va(va) else USER
            self._put(parent, path[-1], table | PRESENT | WRITE | ACCESSED | user)
        return table

    def build(self):
        """Writes the tables; the kernel's first, then the processes'."""
        if self.mode == "pae":
            for i in range(4):
                self._put(self.root, i, self.tables[(i,)] | PRESENT)
        for va, depth, value in self.entries:
            self._put(self._table(va, depth - 1), self._index(va, depth - 1), value)
        if self.kernel:
            self._copy_kernel_half()
        self._map_self()

    def _copy_kernel_half(self):
        if self.mode == "pae":
            for i in (2, 3):
                for j in range(512):
                    self._put(self.tables[(i,)], j, self.kernel._get(self.kernel.tables[(i,)], j))
            return
        for i in range(self.kernel_first, 1 << self.levels[0][1]):
            self._put(self.root, i, self.kernel._get(self.kernel.root, i))

    def _map_self(self):
        flags = PRESENT | WRITE | ACCESSED | DIRTY
        if self.mode == "pae":
            for i in range(4):
                self._put(self.tables[(3,)], i, self.tables[(i,)] | flags)
            return
        self._put(self.root, self.self_index, self.root | flags | (NX if self.entry == 8 else 0))
