# SPDX-License-Identifier: MIT
"""
kallsyms' tables as scripts/kallsyms.c writes them: names packed by the pairs of codes that occur most often, where
codes that no name uses stand for what was packed.

Orders: "absolute" (to 4.5: whole addresses before the names), "relative" (4.6 to 6.3: offsets and their base before
them), "moved" (from 6.4: offsets, base and the order of the names behind the tokens), "places" (from 7.0: the same, but
an offset is from the place where it stands, there is no base, and all is aligned to 4).
"""
import collections
import struct


def pack_names(names):
    """(what each of the 256 codes stands for, each name as codes)."""
    coded = [list(name.encode()) for name in names]
    used = {code for name in coded for code in name}
    text = {code: chr(code) for code in used}
    for code in range(256):
        if code in used:
            continue
        pairs = collections.Counter(pair for name in coded for pair in zip(name, name[1:]))
        best, times = max(pairs.items(), key=lambda item: (item[1], item[0]), default=(None, 0))
        if times < 2:
            text[code] = ""
            continue
        text[code] = text[best[0]] + text[best[1]]
        coded = [replace(name, best, code) for name in coded]
    return [text.get(code, "") for code in range(256)], coded


def replace(name, pair, code):
    out, at = [], 0
    while at < len(name):
        found = tuple(name[at:at + 2]) == pair
        out.append(code if found else name[at])
        at += 2 if found else 1
    return out


class Tables:
    """Bytes to lie at a multiple of 8, and where the tokens are in them."""

    def __init__(self, symbols, order, pointer, base, percpu, sequence):
        """symbols: (address, type letter, name), by address; percpu: what is below the base is an offset as it is;
        base: with "places" the address of these bytes."""
        self.data, self.pointer = bytearray(), pointer
        self.alignment = 4 if order == "places" else pointer
        addresses = [address for address, _, _ in symbols]
        token, coded = pack_names([letter + name for _, letter, name in symbols])
        if order in ("absolute", "relative"):
            self.addresses(addresses, order, base, percpu)
        self.number(len(symbols), pointer if order == "absolute" else 4)
        markers = self.names(coded)
        for marker in markers:
            self.number(marker, pointer if order == "absolute" else 4)
        if sequence and order == "relative":
            self.sequence(symbols)
        self.align()
        self.token_table = len(self.data)
        places = []
        for text in token:
            places.append(len(self.data) - self.token_table)
            self.data += text.encode() + b"\0"
        self.align()
        self.data += struct.pack("<256H", *places)
        if order in ("moved", "places"):
            self.addresses(addresses, order, base, percpu)
            if sequence:
                self.sequence(symbols)

    def align(self):
        self.data += bytes(-len(self.data) % self.alignment)

    def number(self, value, size):
        self.data += value.to_bytes(size, "little")

    def addresses(self, addresses, order, base, percpu):
        self.align()
        for address in addresses:
            if order == "absolute":
                self.number(address, self.pointer)
            elif order == "places":
                self.data += struct.pack("<i", address - (base + len(self.data)))
            else:
                offset = address - base if not percpu else address if address < base else base - 1 - address
                self.data += struct.pack("<i", offset)
        self.align()
        if order in ("relative", "moved"):
            self.number(base, self.pointer)

    def names(self, coded):
        """Before each its length, of two bytes from 128 on (since 6.1); where every 256th begins."""
        self.align()
        start, markers = len(self.data), []
        for i, name in enumerate(coded):
            if i % 256 == 0:
                markers.append(len(self.data) - start)
            self.data += bytes([len(name)] if len(name) < 128 else [len(name) & 127 | 128, len(name) >> 7])
            self.data += bytes(name)
        self.align()
        return markers

    def sequence(self, symbols):
        """Which symbol comes n-th by name (since 6.2): three bytes each, big-endian."""
        for i in sorted(range(len(symbols)), key=lambda i: symbols[i][2]):
            self.data += i.to_bytes(3, "big")
