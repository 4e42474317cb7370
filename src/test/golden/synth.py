# SPDX-License-Identifier: MIT
"""The label assembler: physical pages that exist once they are written, and references that are resolved late.

Physical holds the bytes. Labels remember where things will be: an object may point at another one before that has an
address; Labels.resolve() then patches every reference, and an undefined label is an error, never a zero.
"""

PAGE = 4096


class Physical:
    """Sparse physical memory. Frames are handed out in a scattered, reproducible order inside the RAM ranges."""

    def __init__(self, ranges, scatter=True, reserve_low=0x400):
        self.ranges = [(start // PAGE, length // PAGE) for start, length in ranges]
        self.pages = {}
        self.taken = set()
        self.total = sum(count for _, count in self.ranges)
        self.reserve_low = reserve_low
        self.step = self._coprime(int(self.total * 0.6180339887)) if scatter else 1
        self.index = reserve_low

    def _coprime(self, guess):
        def gcd(a, b):
            while b:
                a, b = b, a % b
            return a
        guess = max(guess | 1, 1)
        while gcd(guess, self.total) != 1:
            guess += 2
        return guess

    def _nth(self, n):
        for start, count in self.ranges:
            if n < count:
                return start + n
            n -= count
        raise AssertionError("outside RAM")

    def alloc(self):
        """One frame, not adjacent to the one before it: a structure over two pages must not be read physically."""
        for _ in range(self.total):
            self.index = (self.index + self.step) % self.total
            pfn = self._nth(self.index)
            if pfn >= self.reserve_low and pfn not in self.taken:
                self.taken.add(pfn)
                return pfn
        raise MemoryError("the recipe's RAM is full")

    def alloc_low(self):
        """The first free frame: below 4 GiB wherever there is RAM above."""
        return self.alloc_run(1)

    def take_run(self, pfn, count):
        """These very frames; not those that are handed out."""
        if pfn + count > self.reserve_low:
            raise ValueError(f"frame {pfn:#x} is not below what is handed out")
        self.taken.update(range(pfn, pfn + count))
        return pfn

    def alloc_run(self, count, align=1):
        """count frames in a row, for large pages."""
        for start, length in self.ranges:
            pfn = -(-max(start, self.reserve_low) // align) * align
            while pfn + count <= start + length:
                run = range(pfn, pfn + count)
                if not any(p in self.taken for p in run):
                    self.taken.update(run)
                    return pfn
                pfn += align
        raise MemoryError("no run of frames")

    def take(self, pfn):
        self.taken.add(pfn)
        return pfn

    def page(self, pfn):
        page = self.pages.get(pfn)
        if page is None:
            page = self.pages[pfn] = bytearray(PAGE)
        return page

    def write(self, pa, data):
        while data:
            offset = pa % PAGE
            part = data[:PAGE - offset]
            self.page(pa // PAGE)[offset:offset + len(part)] = part
            pa += len(part)
            data = data[len(part):]

    def read(self, pa, length):
        out = bytearray()
        while length:
            offset = pa % PAGE
            part = min(length, PAGE - offset)
            page = self.pages.get(pa // PAGE)
            out += page[offset:offset + part] if page is not None else bytes(part)
            pa += part
            length -= part
        return bytes(out)

    def holds(self, pfn):
        return any(start <= pfn < start + count for start, count in self.ranges)


class Ref:
    """The address of a label plus something, known when all labels are."""

    def __init__(self, label, addend=0):
        self.label, self.addend = label, addend


class Labels:
    def __init__(self):
        self.at = {}
        self.pending = []

    def define(self, label, va):
        if label in self.at:
            raise ValueError(f"label {label} is defined twice")
        self.at[label] = va
        return va

    def put(self, space, va, size, value):
        """Writes a number, or a reference that may not have an address yet."""
        if isinstance(value, Ref):
            if value.label not in self.at:
                self.pending.append((space, va, size, value))
                return
            value = self.at[value.label] + value.addend
        space.write(va, (value & ((1 << 8 * size) - 1)).to_bytes(size, "little"))

    def resolve(self):
        for space, va, size, ref in self.pending:
            if ref.label not in self.at:
                raise ValueError(f"label {ref.label} is used and never defined")
            self.put(space, va, size, ref)
        self.pending = []
