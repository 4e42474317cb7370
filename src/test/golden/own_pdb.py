#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A kernel's PDB, end to end: `stasis threads --symbols FOLDER`.

    own_pdb.py STASIS

The layout of win10-19041-x64 out of the texts of src/os/layouts is written as C++ whose types have each member at its
place; clang and lld-link make a PDB of it, which is given the kernel's GUID. With it the threads are those that the
built-in table gives, every fact of them; with another GUID it is named and not used. Skipped without
clang and lld-link.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import own_layout  # noqa: E402

NUMBERS = {("int", 1): "unsigned char", ("int", 2): "unsigned short", ("int", 4): "unsigned long",
           ("int", 8): "unsigned long long", ("float", 8): "double"}
SIGNED = {1: "signed char", 2: "short", 4: "long", 8: "long long"}
NAME = "ntkrnlmp.pdb"
# A variable of each type keeps it in the PDB; as a public symbol it would name the code that lies there in the image.
KEPT = "__attribute__((used)) static"


class Source:
    """The types of an ISF document as C++."""

    def __init__(self, document):
        self.types, self.enums, self.bases = document["user_types"], document["enums"], document["base_types"]
        self.lines, self.done, self.pads = [], set(), 0

    def base(self, name):
        base = self.bases[name]
        if base["kind"] == "void":
            return "void"
        if base["signed"] and base["kind"] == "int":
            return SIGNED[base["size"]]
        return NUMBERS[base["kind"], base["size"]]

    def declare(self, kind, name):
        """A declaration of a variable of this ISF type."""
        if kind["kind"] == "array":
            return self.declare(kind["subtype"], f"{name}[{kind['count']}]")
        if kind["kind"] == "pointer":
            inner = kind["subtype"]
            target = f"struct {inner['name']}" if inner["kind"] in ("struct", "union") else "void"
            return f"{target} *{name}"
        if kind["kind"] == "base":
            return f"{self.base(kind['name'])} {name}"
        if kind["kind"] == "enum":
            self.enum(kind["name"])
            return f"{kind['name']} {name}"
        self.structure(kind["name"])
        return f"struct {kind['name']} {name}"

    def pad(self, size):
        self.pads += 1
        return f"char pad{self.pads}[{size}]; " if size else ""

    def field(self, name, field):
        kind, at = field["type"], field["offset"]
        if field.get("anonymous"):
            inner = self.types[kind["name"]]["fields"]
            parts = " ".join(self.field(n, {**f, "offset": f["offset"]}) for n, f in inner.items())
            return f"struct {{ {self.pad(at)}union {{ {parts} }}; }};"
        if kind["kind"] == "bitfield":
            base = self.declare(kind["type"], "").strip()
            skip = f"{base} : {kind['bit_position']}; " if kind["bit_position"] else ""
            return f"struct {{ {self.pad(at)}{skip}{base} {name} : {kind['bit_length']}; }};"
        return f"struct {{ {self.pad(at)}{self.declare(kind, name)}; }};"

    def enum(self, name):
        if name in self.done:
            return
        self.done.add(name)
        values = ", ".join(f"{n} = {v}" for n, v in self.enums[name]["constants"].items())
        self.lines.append(f"enum class {name} : int {{ {values} }};")

    def structure(self, name):
        if name in self.done or name not in self.types:
            return
        self.done.add(name)
        fields = " ".join(self.field(n, f) for n, f in self.types[name]["fields"].items())
        size = self.pad(self.types[name]["size"])
        self.lines.append(f"struct {name} {{ union {{ {size}{fields} }}; }};\n{KEPT} struct {name} v_{name};")

    def text(self):
        for name in self.enums:
            self.enum(name)
            self.lines.append(f"{KEPT} {name} v_{name};")
        for name in self.types:
            self.structure(name)
        return ("#pragma pack(push, 1)\n" + "\n".join(self.lines) + "\n#pragma pack(pop)\n"
                "extern \"C\" int KiSystemStartup(void) { return 0; }\n")


def guid_bytes(text):
    raw = bytes.fromhex(text)
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


def make_pdb(folder, document):
    """NAME in the folder, with the GUID that the document names, and the age 1."""
    base = os.path.join(folder, "made")
    with open(base + ".cpp", "w", encoding="utf-8") as out:
        out.write(Source(document).text())
    subprocess.run(["clang", "--target=x86_64-pc-windows-msvc", "-g", "-gcodeview", "-w", "-ffreestanding", "-c",
                    base + ".cpp", "-o", base + ".obj"], check=True)
    subprocess.run(["lld-link", "/nologo", "/subsystem:native", "/entry:KiSystemStartup", "/nodefaultlib", "/debug",
                    f"/out:{base}.exe", f"/pdb:{base}.pdb", base + ".obj"], check=True)
    with open(base + ".exe", "rb") as image:
        data = image.read()
    at = data.index(b"RSDS")
    own = data[at + 4:at + 20]
    with open(base + ".pdb", "rb") as made:
        pdb = made.read()
    if pdb.count(own) != 1:
        sys.exit("the PDB does not have its GUID once")
    path = os.path.join(folder, NAME)
    with open(path, "wb") as out:
        out.write(pdb.replace(own, guid_bytes(document["metadata"]["windows"]["pdb"]["GUID"])))
    return path


def named(place):
    """What the PDB makes of a start address in the kernel: its one function, at 0x1000, is the nearest below."""
    module, _, offset = (place or "").partition("+")
    return f"{module}!KiSystemStartup+{int(offset, 16) - 0x1000:#x}" if module == "ntoskrnl.exe" else place


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    if not shutil.which("clang") or not shutil.which("lld-link"):
        print("not here: clang or lld-link (Debian: clang, lld)")
        return 77
    document = own_layout.document()
    with tempfile.TemporaryDirectory() as folder:
        check = own_layout.Check(os.path.abspath(argv[1]), folder)
        store = os.path.join(folder, "symbols")
        os.mkdir(store)
        path = make_pdb(store, document)
        check.same(store, [], "--symbols", "symbol file with the kernel's GUID and age", path, named)
        document["metadata"]["windows"]["pdb"]["GUID"] = own_layout.OTHER
        make_pdb(store, document)
        more = check.same(store, [("warning", "symbols-of-another")], "--symbols",
                          check.plain[1]["system"]["layout_evidence"], check.plain[1]["system"]["layout"])
        if own_layout.OTHER not in (more[0]["text"] if more else ""):
            check.diff.add(f"the note does not name the other GUID: {more}")
        good = check.diff.show()
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
