# SPDX-License-Identifier: MIT
"""Structures written member by member, and the notations of the recipes."""
import datetime

from synth import Ref

SIZES = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "u64": 8, "i64": 8, "wchar": 2}


def filetime(text):
    """ISO 8601 (up to seven decimals) to 100 ns since 1601."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    when = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    seconds = int((when - datetime.datetime(1601, 1, 1, tzinfo=datetime.timezone.utc)).total_seconds())
    return seconds * 10_000_000 + int(fraction.ljust(7, "0")[:7] or 0)


def size_of(text):
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1], 0) << units[text[-1]] if text[-1] in units else int(text, 0)


class Object:
    """A structure at an address: members by their dotted names, bit-fields like any other."""

    def __init__(self, system, space, va, *structs):
        self.system, self.space, self.va, self.structs = system, space, va, structs

    def place(self, member):
        for name in self.structs:
            found = self.system.places["structs"].get(name, {"members": {}})["members"].get(member)
            if found:
                return found
        return None

    def has(self, member):
        return self.place(member) is not None

    def known(self, member):
        """Has it, and not only because another version lent its place."""
        return self.has(member) and not any(s in self.system.places["lent"] for s in self.structs)

    def at(self, member):
        return self.va + self.place(member)[0]

    def width(self, member):
        return SIZES.get(self.place(member)[1], self.system.pointer)

    def put(self, member, value):
        """Writes where this version has the member; False where it has not."""
        place = self.place(member)
        if place is None:
            return False
        size = self.width(member)
        if len(place) == 4:
            mask = ((1 << place[3]) - 1) << place[2]
            value = (self.word(member) & ~mask) | (int(value) << place[2] & mask)
        self.system.labels.put(self.space, self.va + place[0], size, value if isinstance(value, Ref) else int(value))
        return True

    def word(self, member):
        return int.from_bytes(self.space.read(self.at(member), self.width(member)), "little")

    def get(self, member):
        place = self.place(member)
        if place is None:
            return None
        value = self.word(member)
        if len(place) == 4:
            return value >> place[2] & (1 << place[3]) - 1
        if place[1][0] == "i":
            bits = 8 * self.width(member)
            value -= (value >> (bits - 1)) << bits
        return value

    def empty_list(self, member):
        if self.has(member):
            self.system.link(self.at(member), [], self.space)

    def string(self, member, text):
        self.system.unicode_string(self.space, self.at(member), text)
