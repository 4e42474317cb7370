# SPDX-License-Identifier: MIT
"""
Structures as a C compiler lays them out, and BTF about them (Documentation/bpf/btf.rst). A structure is a list of
(name, type); a type is the name of one of SCALARS or of a structure, "*" (a pointer), (type, count) for an array,
(bits, "u32") for a bit field, or a list: a structure without a name, whose members count as those of the outer one.
"""
import struct

SCALARS = {"u8": 1, "u16": 2, "u32": 4, "int": 4, "u64": 8}
KIND_INT, KIND_PTR, KIND_ARRAY, KIND_STRUCT, KIND_CONST, KIND_TYPEDEF = 1, 2, 3, 4, 10, 8


class Structures:
    def __init__(self, pointer, declared, sizes):
        """declared: {name: members}, each after those that it holds; sizes: {name: size} where it has more."""
        self.pointer, self.declared, self.sizes, self.laid = pointer, declared, sizes, {}
        for name, members in declared.items():
            self.laid[name] = self.lay_out(members)

    def measure(self, kind):
        """(size, alignment)."""
        if isinstance(kind, list):
            _, size, align = self.lay_out(kind)
            return size, align
        if isinstance(kind, tuple):
            size, align = self.measure(kind[0])
            return size * kind[1], align
        if kind in ("*", "long"):
            return self.pointer, self.pointer
        if kind in SCALARS:
            return SCALARS[kind], min(SCALARS[kind], self.pointer)
        _, size, align = self.laid[kind]
        return max(size, self.sizes.get(kind, 0)), align

    def lay_out(self, members):
        """([(name, type, bit offset, bits)], size, alignment). Bit fields that follow each other share words."""
        out, at, most = [], 0, 1
        for name, kind in members:
            if isinstance(kind, tuple) and isinstance(kind[0], int):
                if at % 32 + kind[0] > 32 or not (out and out[-1][3]):
                    at = (at + 31) // 32 * 32
                out.append((name, "u32", at, kind[0]))
                at, most = at + kind[0], max(most, 4)
                continue
            size, align = self.measure(kind)
            at = (at + 8 * align - 1) // (8 * align) * 8 * align
            out.append((name, kind, at, 0))
            at, most = at + 8 * size, max(most, align)
        size = (at + 8 * most - 1) // (8 * most) * most
        return out, size, most

    def size(self, name):
        return self.measure(name)[0]

    def find(self, members, path):
        """(byte offset, type) of "a.b" among members, also inside those without a name."""
        head, _, rest = path.partition(".")
        for name, kind, at, bits in members:
            if name == head and not rest:
                return at // 8, ("bits", at % 8, bits) if bits else kind
            if name == head or name == "":
                inner = self.lay_out(kind)[0] if isinstance(kind, list) else self.laid[kind][0]
                found = self.find(inner, rest if name else path)
                if found:
                    return at // 8 + found[0], found[1]
        return None

    def place(self, path):
        """(byte offset, type) of "structure.member.member"."""
        name, _, rest = path.partition(".")
        found = self.find(self.laid[name][0], rest)
        if not found:
            raise KeyError(path)
        return found

    def has(self, path):
        name, _, rest = path.partition(".")
        return name in self.laid and self.find(self.laid[name][0], rest) is not None


class Btf:
    """One blob: header, types, strings."""

    def __init__(self, structures):
        self.s, self.types, self.strings, self.count, self.known = structures, bytearray(), bytearray(b"\0"), 0, {}
        for name, (members, _, _) in structures.laid.items():
            self.known[name] = self.structure(name, members, structures.size(name))

    def name(self, text):
        if not text:
            return 0
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text) - 1

    def type(self, name, kind, size_or_type, count=0, flag=0):
        self.types += struct.pack("<III", self.name(name), flag << 31 | kind << 24 | count, size_or_type)
        self.count += 1
        return self.count

    def of(self, kind):
        if isinstance(kind, list):
            members, size, _ = self.s.lay_out(kind)
            return self.structure("", members, size)
        key = kind if isinstance(kind, str) else repr(kind)
        if key not in self.known:
            self.known[key] = self.make(kind)
        return self.known[key]

    def make(self, kind):
        if isinstance(kind, tuple):
            element, index = self.of(kind[0]), self.of("u32")
            number = self.type("", KIND_ARRAY, 0)
            self.types += struct.pack("<III", element, index, kind[1])
            return number
        if kind == "*":
            return self.type("", KIND_PTR, 0)
        size = self.s.measure(kind)[0]
        number = self.type({"long": "long unsigned int"}.get(kind, kind), KIND_INT, size)
        self.types += struct.pack("<I", (1 if kind == "int" else 0) << 24 | size * 8)
        # as in C, under a name of its own and as const
        return self.type("", KIND_CONST, self.type(f"__{kind}_t", KIND_TYPEDEF, number)) if kind == "u64" else number

    def structure(self, name, members, size):
        of = [self.of(kind) for _, kind, _, _ in members]  # they come first: a type's members lie in one piece
        flag = any(bits for _, _, _, bits in members)
        number = self.type(name, KIND_STRUCT, size, len(members), flag)
        for (member, _, at, bits), kind in zip(members, of):
            self.types += struct.pack("<III", self.name(member), kind, at | bits << 24 if flag else at)
        return number

    def blob(self):
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings))
        return head + self.types + self.strings
