# SPDX-License-Identifier: MIT
"""pdb_llvm.py PDB_DUMP WORK: PDBs that clang and lld-link make of pdb_sample.c, against what llvm-pdbutil says of them.

Every public symbol and every function that only its module knows, every member of every structure, every value of
every enumeration and every frame record is the same. Then each PDB is broken: cut at every block, its words
changed; each such file is read, or refused in one line.
"""
import os
import random
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = ("clang", "lld-link", "llvm-pdbutil")
SIMPLE = {"void": 0, "char": 1, "signed char": 1, "unsigned char": 1, "short": 2, "unsigned short": 2, "long": 4,
          "unsigned long": 4, "int": 4, "unsigned": 4, "__int64": 8, "unsigned __int64": 8, "bool": 1, "float": 4,
          "double": 8, "wchar_t": 2}
BREAKS = 300


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def build(folder, target, defines):
    base = os.path.join(folder, target)
    run(["clang", f"--target={target}-pc-windows-msvc", "-g", "-gcodeview", "-O1", "-fomit-frame-pointer",
         "-ffreestanding", "-fno-stack-protector", "-mno-stack-arg-probe", *defines, "-c",
         os.path.join(HERE, "pdb_sample.c"), "-o", base + ".obj"])
    run(["lld-link", "/nologo", "/subsystem:native", "/entry:KiSystemStartup", "/nodefaultlib", "/debug",
         "/base:0x140000", f"/out:{base}.exe", f"/pdb:{base}.pdb", base + ".obj"])
    return base + ".pdb"


class Types:
    """The records as llvm-pdbutil prints them, and sizes reckoned from them."""

    def __init__(self, path):
        self.record = {}
        current = None
        for line in run(["llvm-pdbutil", "dump", "-types", path]).splitlines():
            head = re.match(r"\s+0x([0-9A-F]+) \| (LF_\w+) \[size = \d+\](?: `(.*)`)?", line)
            if head:
                current = (head.group(2), head.group(3), [])
                self.record[int(head.group(1), 16)] = current
            elif current:
                current[2].append(line.strip())
        self.named = {name: number for number, (kind, name, lines) in self.record.items()
                      if name and "forward ref" not in " ".join(lines)}

    @staticmethod
    def number(text):
        """(type number, name of a simple one) of "0x0074 (int)"."""
        match = re.match(r"0x([0-9A-F]+)(?: \((.*)\))?", text)
        return int(match.group(1), 16), match.group(2)

    def lines(self, number):
        return " ".join(self.record[number][2])

    def field(self, number, name):
        return self.number(re.search(name + r"\s*[:=]\s*(0x[0-9A-F]+(?: \([^)]*\))?)", self.lines(number)).group(1))

    def size(self, number, simple):
        """(bytes, type as the reader's enum says it: unsigned 0, signed 1, pointer 2, structure 3, opaque 4)."""
        if simple is not None:
            if simple.endswith("*"):
                return self.pointer, 2
            kind = 4 if simple in ("float", "double", "void") else int(
                simple in ("char", "signed char", "short", "long", "int", "__int64"))
            return SIMPLE[simple], kind
        kind, name, _ = self.record[number]
        if kind == "LF_POINTER":
            return (8 if "ptr64" in self.lines(number) else 4), 2
        if kind == "LF_MODIFIER":
            return self.size(*self.field(number, "referent"))
        if kind == "LF_ENUM":
            return self.size(*self.field(number, "underlying type"))
        if kind in ("LF_STRUCTURE", "LF_UNION"):
            return int(re.search(r"sizeof (\d+)", self.lines(self.named.get(name, number))).group(1)), 3
        return 0, 4

    pointer = 8

    def member(self, number, simple):
        """size, count, bit, bits, type."""
        total, bit, bits = 0, 0, 0
        while simple is None and self.record[number][0] in ("LF_ARRAY", "LF_BITFIELD", "LF_MODIFIER"):
            kind = self.record[number][0]
            if kind == "LF_ARRAY":
                total = total or int(re.search(r"size: (\d+)", self.lines(number)).group(1))
                number, simple = self.field(number, "element type")
            elif kind == "LF_BITFIELD":
                bit, bits = map(int, re.search(r"bit offset = (\d+), # bits = (\d+)", self.lines(number)).groups())
                number, simple = self.field(number, "type")
            else:
                number, simple = self.field(number, "referent")
        size, kind = self.size(number, simple)
        return size, total // size if total and size else 1, bit, bits, kind

    def fields(self, number):
        """Lines of a field list and of those that it goes on in."""
        while number is not None:
            rows, number_next = self.record[number][2], None
            for row in rows:
                go_on = re.match(r"- LF_INDEX .*0x([0-9A-F]+)", row)
                if go_on:
                    number_next = int(go_on.group(1), 16)
                else:
                    yield row
            number = number_next

    def tell(self):
        for name, number in sorted(self.named.items()):
            kind = self.record[number][0]
            if kind not in ("LF_STRUCTURE", "LF_UNION", "LF_ENUM"):
                continue
            rows = list(self.fields(self.field(number, "field list")[0]))
            if kind == "LF_ENUM":
                yield f"enum {name}"
                values = [re.match(r"- LF_ENUMERATE \[(\w+) = (\d+)\]", row).groups() for row in rows]
                key = [((int(v) + 2**31) % 2**32, n, int(v)) for n, v in values]
                yield from (f" value {n} = {v % 2**32}" for _, n, v in sorted(key))
                continue
            yield f"struct {name} size {self.size(number, None)[0]}"
            for row in rows:
                member = re.match(r"- LF_MEMBER \[name = `(\w+)`, Type = (0x[0-9A-F]+(?: \([^)]*\))?), offset = (\d+)",
                                  row)
                if member:
                    size, count, bit, bits, kind = self.member(*self.number(member.group(2)))
                    yield (f" member {member.group(1)} at {member.group(3)} size {size} count {count} bit {bit} "
                           f"bits {bits} type {kind}")


def sections(path):
    text = run(["llvm-pdbutil", "dump", "-section-headers", path])
    return [int(word, 16) for word in re.findall(r"([0-9A-F]+) virtual address", text)]


def publics(path):
    text = run(["llvm-pdbutil", "dump", "-publics", path])
    base = sections(path)
    flag = {"none": 0, "code": 1, "function": 2, "managed": 4}
    found = []
    for name, flags, section, at in re.findall(r"S_PUB32 \[size = \d+\] `(.*)`\s+flags = (.*), addr = (\d+):(\d+)",
                                               text):
        if int(section) <= len(base):
            bits = sum(flag[word] for word in flags.split(" | "))
            found.append((base[int(section) - 1] + int(at), name, bits))
    known = {rva for rva, _, _ in found}
    text = run(["llvm-pdbutil", "dump", "-symbols", path])
    for name, section, at in re.findall(r"S_[LG]PROC32\S* \[size = \d+\] `(.*)`\n.* addr = (\d+):(\d+)", text):
        rva = base[int(section) - 1] + int(at)
        if rva not in known:
            found.append((rva, name, None))
    return [f"private {name} rva {rva:x}" if bits is None else f"public {name} rva {rva:x} flags {bits}"
            for rva, name, bits in sorted(found, key=lambda row: row[:2])]


def frames(path):
    for line in run(["llvm-pdbutil", "dump", "-fpo", path]).splitlines():
        cell = [word.strip() for word in line.split("|")]
        if re.fullmatch(r"[0-9A-F]{8}", cell[0]) and len(cell) == 11:
            yield f"frame {' '.join(cell[:4])} {cell[5]} {cell[6]} {int(cell[7] == 'true')} {cell[10]}"


def identity(path):
    text = run(["llvm-pdbutil", "dump", "-summary", path])
    guid = re.search(r"GUID: \{([-0-9A-F]+)\}", text).group(1).replace("-", "")
    return f"guid {guid} age {re.search(r'Age: ([0-9]+)', text).group(1)}"


def compare(path, pointer):
    types = Types(path)
    types.pointer = pointer
    wanted = [identity(path)] + publics(path) + list(types.tell()) + list(frames(path))
    told = [line.rstrip() for line in run([DUMP, path]).splitlines()]
    wanted = [line.rstrip() for line in wanted]
    for ours, theirs in zip(told, wanted):
        if ours != theirs:
            print(f"{os.path.basename(path)}: '{ours}', and llvm-pdbutil: '{theirs}'")
            return False
    kinds = {word: sum(line.split()[0] == word for line in told) for word in ("public", "private", "struct", "enum",
                                                                              "member",
                                                                              "value", "frame")}
    print(f"{os.path.basename(path)}: " + ", ".join(f"{count} {word}" for word, count in kinds.items()))
    if len(told) != len(wanted):
        print(f"{len(told)} facts, and llvm-pdbutil has {len(wanted)}")
    return len(told) == len(wanted) and kinds["member"] > 3000 and kinds["public"] >= 8 and \
        kinds["private"] >= 1


def break_all(path):
    """No such file may end the reader in another way than by an answer or by one line."""
    data = open(path, "rb").read()
    chance = random.Random(7)
    refused = 0
    for number in range(BREAKS):
        broken = bytearray(data)
        if number % 3 == 0:
            broken = broken[:chance.randrange(len(data))]
        for _ in range(number % 3 * 4):
            at = chance.randrange(0, len(broken) - 4, 4)
            broken[at:at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", chance.randbytes(4)))
        name = path + ".broken"
        with open(name, "wb") as out:
            out.write(broken)
        done = subprocess.run([DUMP, name], capture_output=True, check=False)
        if done.returncode not in (0, 2) or (done.returncode == 2 and done.stderr.count(b"\n") != 1):
            print(f"broken file {number}: exit {done.returncode}: {done.stderr.decode()[:600]}")
            return False
        if number % 3 == 0 and done.returncode == 0:
            print(f"broken file {number}: cut at {len(broken)} of {len(data)}, and nothing is said")
            return False
        refused += done.returncode == 2
    print(f"{os.path.basename(path)}: of {BREAKS} broken files {refused} were refused")
    return True


DUMP = sys.argv[1]


def main():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"not here: {', '.join(missing)} (Debian: clang, lld, llvm)")
        sys.exit(77)
    folder = os.path.join(sys.argv[2], "pdb")
    os.makedirs(folder, exist_ok=True)
    good = True
    for target, pointer, defines in (("x86_64", 8, ["-D_WIN64"]), ("i686", 4, [])):
        path = build(folder, target, defines)
        good = compare(path, pointer) and break_all(path) and good
    sys.exit(not good)


main()
