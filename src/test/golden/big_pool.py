# SPDX-License-Identifier: MIT
"""PoolBigPageTable: what pool gave out in whole pages, whose tags stand nowhere else.

An array that a hash of the page's number enters, full places passed over. A place that was never used has Va 1, one
whose block was freed the lowest bit of Va set. Entries by version: Va and Key; in the Windows Research Kernel (2003)
NumberOfPages behind them; from Vista on PoolType and NumberOfBytes, of which 10 made bit-fields; from 20348 on
ProcessBilled (public PDBs; Volatility 3, symbols/windows/bigpools; Windows Research Kernel, ntos/ex/pool.c).
"""
import struct

from synth import PAGE

ENTRIES = 4096


class BigPages:
    def __init__(self, system):
        self.system, self.blocks = system, []

    def add(self, va, length, tag, paged, freed=False):
        self.blocks.append((va, length, tag, paged, freed))

    def _entry(self, va, length, tag, paged, freed):
        key, build = tag.encode("latin-1"), self.system.build
        pages = -(-length // PAGE)
        narrow = self.system.pointer == 4
        head = struct.pack("<I" if narrow else "<Q", va | freed) + key
        if build < 2600:
            return head
        if build < 6000:
            return head + struct.pack("<I", pages)
        kind = (1 if paged else 0x200) << 8 | 0x55 if build >= 10240 else int(paged)  # Pattern below it
        tail = struct.pack("<II" if narrow else "<IQ", kind, pages * PAGE)
        billed = struct.pack("<Q", 0) if build >= 20348 else b""
        return head + tail + billed

    def _hash(self, va):
        number = va // PAGE & 0xFFFFFFFF
        return (number >> 24 ^ number >> 16 ^ number >> 8 ^ number) % ENTRIES

    def finish(self):
        """The table, which has an entry for itself. The last that is taken of pool: nothing else moves for it."""
        system = self.system
        size = len(self._entry(0, PAGE, "Pool", False, False))
        va = system.take_pages("pool", ENTRIES * size)
        system.kernel.map(va, length=-(-ENTRIES * size // PAGE) * PAGE)
        self.add(va, ENTRIES * size, "Pool", False)
        free = struct.pack("<I" if system.pointer == 4 else "<Q", 1).ljust(size, b"\0")
        table = [free] * ENTRIES
        for block in self.blocks:
            at = self._hash(block[0])
            while table[at] != free:
                at = (at + 1) % ENTRIES
            table[at] = self._entry(*block)
        system.kernel.write(va, b"".join(table))
        for name, value in (("PoolBigPageTable", va), ("PoolBigPageTableSize", ENTRIES)):
            at = system.set_symbol(name, value)
            if system.kernel.frame(at) in system.hidden:  # a dump's own copy of that page
                system.hidden_write(at, value.to_bytes(system.pointer, "little"))
