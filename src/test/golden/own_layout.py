#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A given layout, end to end: `stasis threads --layout FILE` with an ISF made from the texts of src/os/layouts.

    own_layout.py STASIS

On the image of win10-19041-x64: the layout of this kernel, plain and packed, gives the threads that the built-in table
gives; what the file does not tell is absent; a file for another kernel's PDB is warned of; one that System contradicts
or that is broken is refused.
"""
import copy
import json
import lzma
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import run  # noqa: E402

sys.path.insert(0, os.path.join(build.DATA, "..", "..", "src", "os", "layouts"))
import isf  # noqa: E402
import source  # noqa: E402

CASE, NAME = "win10-19041-x64", "10.0.19041.1237-x64"
OTHER = "00112233445566778899AABBCCDDEEFF"


def field_of(offset, shape):
    """'u32:5+1', '*_KPROCESS', 's:_LIST_ENTRY[4]' (src/os/layouts/README.md) in the form of the facts, for isf.py."""
    shape, _, count = shape.partition("[")
    field = {"offset": offset}
    if shape[0] == "*":
        field.update(type="ptr", to=shape[1:])
    elif shape[1] == ":":
        target, _, size = shape[2:].partition("/")
        kind = {"s": "struct", "o": "opaque", "e": "enum"}[shape[0]]
        field.update({"type": kind, kind: target, "size": int(size or "0", 16)})
    else:
        field["type"], _, bits = shape.partition(":")
        if bits:
            field["bit_position"], field["bit_length"] = (int(n) for n in bits.split("+"))
    if count:
        field["count"] = int(count[:-1], 16)
    return field


def document(name=NAME, width="x64"):
    """The layout of this name as an ISF document, with the symbols of its kernel where the texts have them."""
    texts = source.Source()
    layout = next(each for each in texts.layouts[width] if each.name == name)
    none = ("00000000000000000000000000000000" + "1", [])
    pdb, rva = next(((k[3], k[4]) for k in texts.kernels if k[:3] == (width, layout.label, name[:-4])), none)
    structs = {name: {"kind": "struct", "size": size,
                      "fields": {member: field_of(*place) for member, place in members.items()}}
               for name, (size, members) in layout.structs.items()}
    symbols = {name: at for name, at in zip(texts.symbols, rva) if at is not None}
    return isf.Isf({"structs": structs, "symbols": {pdb: {"rva": symbols}},
                    "enums": {name: {"size": 4, "values": values} for name, values in layout.enums.items()},
                    "metadata": {"name": name, "pointer_size": 8 if width == "x64" else 4}}).document()


class Check:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.image = os.path.join(folder, "golden.raw")
        self.diff = run.Differences("own layout")
        build.save(build.build(build.load_recipe(os.path.join(build.DATA, CASE))), "raw", self.image)
        self.plain = self.threads()

    def write(self, name, text):
        with (lzma.open if name.endswith(".xz") else open)(os.path.join(self.folder, name), "wb") as f:
            f.write(text)
        return name

    def threads(self, *options):
        """(exit status, JSON, standard error)"""
        status, text, errors = run.stasis(self.binary, "threads", self.image, "--format", "json", *options)
        return status, json.loads(text) if text else None, errors

    def same(self, name, notes, option="--layout", evidence="given file", layout=None, renamed=None):
        """The same as without a layout, but for where the layout is from, these notes, and names of start addresses."""
        status, answer, errors = self.threads(option, name)
        if "built without liblzma" in errors:
            print("built without liblzma: the packed file is left out")
            return
        if answer is None:
            self.diff.add(f"{name}: {errors.strip()}")
            return
        without = copy.deepcopy(self.plain[1])
        for thread in without["threads"] if renamed else ():
            for key in ("start_address_symbol", "win32_start_address_symbol"):
                thread[key] = renamed(thread[key])
        self.diff.check(f"{name}: exit status", self.plain[0], status)
        self.diff.check(f"{name}: layout", layout or name, answer["system"]["layout"])
        self.diff.check(f"{name}: evidence", evidence, answer["system"]["layout_evidence"])
        more = [note for note in answer["notes"] if note not in without["notes"]]
        self.diff.check(f"{name}: notes", notes, [(note["severity"], note["code"]) for note in more])
        answer["notes"] = without["notes"]
        run.compare_formats(self.diff, run.comparable(without), run.comparable(answer))
        return more

    def other_pdb(self, isf_file):
        pdb = isf_file["metadata"]["windows"]["pdb"]
        own, pdb["GUID"] = pdb["GUID"], OTHER
        more = self.same(self.write("other.json", json.dumps(isf_file).encode()), [("warning", "layout-other-pdb")])
        text = more[0]["text"] if more else ""
        for want in (own, OTHER, "other.json"):
            if want not in text:
                self.diff.add(f"other.json: the note does not say {want}: {text}")
        pdb["GUID"] = own

    def without_member(self, isf_file):
        del isf_file["user_types"]["_KTHREAD"]["fields"]["WaitTime"]
        _, answer, errors = self.threads("--layout", self.write("less.json", json.dumps(isf_file).encode()))
        self.diff.check("less.json: wait times", {None},
                        {thread["wait_time"] for thread in answer["threads"]} if answer else errors)

    def unfit(self, isf_file):
        """A layout that System contradicts: refused by name, never exchanged for a built-in one."""
        place = isf_file["user_types"]["_EPROCESS"]["fields"]["UniqueProcessId"]
        place["offset"] += 8
        status, answer, errors = self.threads("--layout", self.write("unfit.json", json.dumps(isf_file).encode()))
        place["offset"] -= 8
        self.diff.check("unfit.json: exit status, no answer", (2, True), (status, answer is None))
        if "unfit.json does not fit the System process" not in errors:
            self.diff.add(f"unfit.json: {errors.strip()}")

    def broken(self, isf_file):
        isf_file["user_types"]["_KTHREAD"]["fields"]["State"]["offset"] = "0x184"
        status, answer, errors = self.threads("--layout", self.write("bad.json", json.dumps(isf_file).encode()))
        self.diff.check("bad.json: answer", (2, None), (status, answer))
        if "bad.json: _KTHREAD.State: offset is no whole number" not in errors:
            self.diff.add(f"bad.json: {errors.strip()}")


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    isf_file = document()
    with tempfile.TemporaryDirectory() as folder:
        check = Check(os.path.abspath(argv[1]), folder)
        check.same(check.write("own.json", json.dumps(isf_file, indent=1).encode()), [])
        check.same(check.write("own.json.xz", json.dumps(isf_file).encode()), [])
        check.other_pdb(isf_file)
        check.unfit(isf_file)
        check.without_member(isf_file)
        check.broken(isf_file)
        good = check.diff.show()
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
