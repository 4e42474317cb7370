# SPDX-License-Identifier: MIT
"""Page tables of Linux on x86 (Intel SDM volume 3, chapter 4): two levels, PAE, four and five levels."""
import struct

PRESENT, WRITE, USER, ACCESSED, DIRTY, LARGE = 1, 2, 4, 0x20, 0x40, 0x80
# (bytes an entry, [(shift, index bits) from the root down])
MODES = {
    "x86": (4, [(22, 10), (12, 10)]),
    "pae": (8, [(30, 2), (21, 9), (12, 9)]),
    "x64": (8, [(39, 9), (30, 9), (21, 9), (12, 9)]),
    "la57": (8, [(48, 9), (39, 9), (30, 9), (21, 9), (12, 9)]),
}


class Tables:
    def __init__(self, memory, mode, root, take):
        """take: gives the physical address of a page for a table."""
        self.memory, self.root, self.take = memory, root, take
        self.entry, self.levels = MODES[mode]
        self.pae = mode == "pae"

    def load(self, at):
        return int.from_bytes(self.memory[at:at + self.entry], "little")

    def store(self, at, value):
        struct.pack_into("<Q" if self.entry == 8 else "<I", self.memory, at, value)

    def map(self, va, pa, user=False, large=False):
        table, depth = self.root, len(self.levels) - (2 if large else 1)
        for i, (shift, bits) in enumerate(self.levels):
            at = table + (va >> shift & (1 << bits) - 1) * self.entry
            if i == depth:
                self.store(at, pa | PRESENT | WRITE | ACCESSED | DIRTY | USER * user | LARGE * large)
                return
            if not self.load(at):
                top = self.pae and i == 0  # its entries have no such bits
                self.store(at, self.take() | (PRESENT if top else PRESENT | WRITE | ACCESSED | USER * user))
            table = self.load(at) & ~0xFFF

    def large_page(self):
        return 1 << self.levels[-2][0]

    def share(self, other, first):
        """The kernel's half of another root: from the entry on that va `first` has."""
        shift, bits = self.levels[0]
        start = (first >> shift & (1 << bits) - 1) * self.entry
        end = self.entry << bits
        self.memory[self.root + start:self.root + end] = self.memory[other.root + start:other.root + end]
