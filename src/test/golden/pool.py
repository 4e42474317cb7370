# SPDX-License-Identifier: MIT
"""Kernel pool as ExAllocatePoolWithTag hands it out: blocks with headers that fill whole pages.

POOL_HEADER is alike in every version from XP on, so it is spelled out here and not distilled: 8 bytes in units of 8
(x86; sizes of nine bits), 16 bytes in units of 16 (x64; eight bits). A block lies in one page; what is larger than a
page has pages of its own and no header. What PoolType says changed once, in Vista (Windows Research Kernel, pool.h;
Volatility 3, extensions/pool.py). From 18362 on pool is a segment heap: the block before tells nothing any more, and a
header of the heap, encoded with a key, stands before ours.
"""
import struct

from synth import PAGE

SEGMENT_HEAP = 18362
HEAP_KEY = 0x5E2D9A3371C8B604


class Pool:
    def __init__(self, system, va, paged):
        self.system, self.paged = system, paged
        self.unit = 2 * system.pointer
        self.heap = 16 if system.build >= SEGMENT_HEAP else 0
        self.headers = system.build >= 2600  # 2000 and NT 4.0 counted otherwise, and their tables are not known
        self.next = -(-va // PAGE) * PAGE
        self.previous = 0

    def take(self, length, tag, free=False, prefix=None):
        """The address behind the header of a new block. prefix(address): bytes to leave before what is asked for."""
        if not prefix and length > PAGE - self.unit - self.heap:
            return self.take_large(length, tag)
        for _ in range(2):
            at = self.next + self.heap + self.unit
            lead = prefix(at) if prefix else 0
            units = -(-(lead + length) // self.unit) + 1
            if self.next // PAGE == (at - self.unit + units * self.unit - 1) // PAGE:
                return self._block(units, tag, free) + lead
            self.close()
        raise ValueError(f"{length:#x} bytes do not fit into a page of pool")

    def take_large(self, length, tag, freed=False):
        """Pages of their own, without a header: their tag stands in a table."""
        va = self.take_pages(length)
        self.system.kernel.map(va, length=-(-length // PAGE) * PAGE)
        self.system.big_pages.add(va, length, tag, self.paged, freed)
        return va

    def take_pages(self, length):
        """Pages of their own, not mapped yet."""
        self.close()
        va = self.next
        self.next = va + -(-length // PAGE) * PAGE
        return va

    def _block(self, units, tag, free):
        va = self.next
        self.system.kernel.map(va & -PAGE)
        if self.heap:
            sizes = (units + 1) << 16 | self.previous << 32 | (0 if free else 1) << 48
            self.system.kernel.write(va, struct.pack("<Q", sizes ^ va ^ HEAP_KEY))
            va += self.heap
        self._header(va, units, tag, free)
        self.next = va + units * self.unit
        self.previous = units if self.next % PAGE else 0
        return va + self.unit

    def _header(self, va, units, tag, free):
        if not self.headers:
            return
        kind = 0 if free else self._kind()
        previous = 0 if self.heap else self.previous
        if self.unit == 8:
            head = struct.pack("<HH", previous, units | kind << 9)
        else:
            head = struct.pack("<BBBB", previous, 0, units, kind)
        self.system.kernel.write(va, head + tag.encode("latin-1"))

    def _kind(self):
        """PoolType of a block in use: its type and a bit that says so, until 2003 one more and another bit."""
        if self.system.build < 6000:
            return int(self.paged) + 1 | 4
        return int(self.paged) | 2

    def close(self):
        """What is left of the page is a free block."""
        left = -self.next % PAGE
        if left >= self.heap + self.unit:
            self._block((left - self.heap) // self.unit, "Free", True)
        self.next = -(-self.next // PAGE) * PAGE
        self.previous = 0
