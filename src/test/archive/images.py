#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An archive of small images, as somebody's disk of dumps may look.

    images.py WRITE_IMAGES PACK OUT [--seed N] [--no-golden]

Some two hundred files of several systems and versions, in every format that is read; cut, broken, hostile; in every
wrapping; under several names; and files that are none. OUT.truth.json says of each entry (a file, or a member of an
archive) what a batch must make of it: the recipe's own knowledge, not ours. The same seed gives the same bytes.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "golden")]
import build  # noqa: E402
import forms  # noqa: E402
import run  # noqa: E402

# Golden systems that go in, in which formats. Those of nt4 and 2000 have the old dump header.
GOLDEN = {"nt4-x86": ["dmp-old"], "win2000-x86": ["raw"], "xpsp3-x86": ["raw", "dmp-full"], "2003sp2-x64": ["elf"],
          "vistasp2-x86": ["dmp-bitmap"], "win7sp1-x64": ["raw", "dmp-summary"], "win8-x64": ["elf"],
          "win10-19041-x64": ["dmp-10", "raw"], "win11-24h2-x64": ["raw"], "la57": ["elf"]}
THREADS = {"windows": 8}  # of a tiny system: src/test/tiny.h
FILTERS = {"gz": "gzip", "xz": "xz", "zst": "zstd", "bz2": "bzip2", "lz4": "lz4"}
ARCHIVES = {"zip": ("zip", "none"), "tar": ("ustar", "none"), "7z": ("7zip", "none"), "tar.gz": ("ustar", "gzip")}


class Archive:
    def __init__(self, writer, packer, out, seed, golden):
        self.writer, self.packer, self.out, self.golden = writer, packer, out, golden
        self.random = random.Random(seed)
        self.truth = []  # {"name", "member", "inner", "status", ...}
        self.lines = []  # for the packer
        self.count = 0

    # ---- one file, and what is known of it

    def know(self, name, status, member=None, inner=None, content=None, **more):
        entry = {"name": name, "member": member, "inner": inner, "status": status}
        if content is not None:
            entry["sha256"] = hashlib.sha256(content).hexdigest()
        self.truth.append({**entry, **more})

    def write(self, name, data):
        path = os.path.join(self.out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for at in range(0, len(data), forms.PAGE):
                page = data[at:at + forms.PAGE]
                if page.count(0) < len(page):  # sparse
                    file.seek(at)
                    file.write(page)
            file.truncate(len(data))

    def put(self, name, data, status, **more):
        self.write(name, data)
        self.know(name, status, content=data, **more)

    def scratch(self, data):
        """Something that goes into an archive."""
        self.count += 1
        path = os.path.join(self.folder, f"part{self.count}")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def pack(self, name, form, packing, parts):
        """parts: (data, name in it). Done at the end, all together."""
        path = os.path.join(self.out, name) if not os.path.isabs(name) else name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        words = [form, packing, path]
        for data, member in parts:
            words += [self.scratch(data), member]
        self.lines.append("\t".join(words))
        return path

    def run_packer(self):
        subprocess.run([self.packer], input="\n".join(self.lines) + "\n", text=True, check=True)
        self.lines = []

    # ---- images

    def load(self):
        """The few that the writer makes: kind, bytes."""
        listed = subprocess.run([self.writer, self.folder], capture_output=True, text=True, check=True).stdout
        self.base = {}
        for line in listed.splitlines():
            name, kind = line.split()
            with open(os.path.join(self.folder, name), "rb") as file:
                self.base[name] = (kind, file.read())

    def variant(self, name):
        """The same system with another content: Windows has another process, Linux another unused byte."""
        self.count += 1
        kind, data = self.base[name]
        if kind == "windows":
            assert data.count(b"alpha.exe") >= 1
            return data.replace(b"alpha.exe", b"a%04d.exe" % self.count)
        assert data[-16:] == bytes(16)
        return data[:-16] + b"%016d" % self.count

    def told(self, name):
        """What must come out: a tiny Linux has no list of modules, which is a thing missing."""
        if self.base[name][0] == "windows":
            return {"status": "complete", "threads": 8, "processes": 4}
        return {"status": "partial", "threads": 13 if "64" in name else 12}

    def plain(self):
        for name in ("windows32.raw", "windows64.raw", "windows32.dmp", "windows64.dmp"):
            for number in range(10):
                stem, form = name.rsplit(".", 1)
                self.put(f"plain/{stem}/{number:02}.{form}", self.variant(name), **self.told(name))
        for name in ("linux64.raw", "linux64-4.15.raw", "linux32.raw", "linux-pae.raw"):
            for number in range(4):
                self.put(f"plain/{name[:-4]}/{number}.mem", self.variant(name), **self.told(name))

    def other_forms(self):
        for name in ("windows64.raw", "linux64.raw"):
            for number in range(4):
                for form in ("lime", "elf", "kdump"):
                    self.put(f"forms/{name[:-4]}-{number}.{form}", getattr(forms, form)(self.variant(name)),
                             format=form, **self.told(name))
        for number in range(3):
            data = forms.elf(self.variant("windows32.raw"), wide=False)
            self.put(f"forms/windows32-{number}.elf", data, format="elf", **self.told("windows32.raw"))

    def samples(self):
        """Images without a system. Of plain memory nothing says that it is any."""
        for name, (kind, data) in self.base.items():
            if name.startswith("sample-"):
                status = "no image" if kind in ("raw", "lime-raw") else "not understood"
                self.put(f"samples/{name}", data, status, **({} if status == "no image" else {"format": kind}))

    def cut(self):
        """Without its last pages, which hold nothing: all threads are there, and that it is cut is said."""
        for name in ("windows32.dmp", "windows64.dmp"):
            for pages in (1, 2, 3):
                data = self.variant(name)[:-pages * forms.PAGE - 5]
                self.put(f"cut/{pages}-{name}", data, "partial", threads=8)
        for form in ("lime", "elf", "kdump"):
            data = getattr(forms, form)(self.variant("windows64.raw"))[:-100]
            self.put(f"cut/windows64.{form}", data, "partial", threads=8)
        for name in ("windows64.dmp", "sample-elf64", "sample-kdump64"):  # nothing but a part of the header
            self.put(f"cut/head-{name}", self.base[name][1][:64], ANY)

    def hostile(self):
        """Headers with a byte changed: any answer is right that is one."""
        heads = sorted(n for n in self.base if n.startswith("sample-") and "raw" not in n)
        for number in range(30):
            name = self.random.choice(heads)
            data = bytearray(self.base[name][1])
            for _ in range(self.random.randrange(1, 8)):
                data[self.random.randrange(min(len(data), 0x400))] = self.random.randrange(256)
            self.put(f"hostile/{number:02}-{name[7:]}", bytes(data), ANY)
        zeros = gzip.compress(bytes(1 << 20), 9, mtime=0)
        self.write("hostile/bomb.gz", zeros * 300)  # 300 MiB: more than the test's --tmp-limit
        self.know("hostile/bomb.gz", "unreadable")
        self.write("hostile/cut.gz", gzip.compress(self.variant("windows64.raw"), 1, mtime=0)[:-1000])
        self.know("hostile/cut.gz", "unreadable")
        self.write("hostile/outside.tar", tar_of([("../../outside", self.variant("windows32.raw"))]))
        self.know("hostile/outside.tar", ANY)
        os.symlink("windows32", os.path.join(self.out, "plain/again"))  # a folder; not gone into
        self.know("plain/again", "skipped")
        os.mkfifo(os.path.join(self.out, "hostile/pipe"))
        self.know("hostile/pipe", "skipped")
        self.write("hostile/name\nwith a line \xff.raw".encode("latin-1").decode("utf-8", "surrogateescape"),
                   self.variant("windows64.raw"))
        self.know("hostile/name\nwith a line \\xff.raw", "complete", threads=8)

    def none(self):
        self.write("none/empty.raw", b"")
        self.know("none/empty.raw", "empty")
        for name, data in {"readme.txt": b"nothing here\n" * 400, "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(5000),
                           "notes.json": b'{"schema": "stasis/threads/1", "threads": []}\n', "one": b"x",
                           "paper.pdf": b"%PDF-1.4\n" + b"1 0 obj\n" * 2000}.items():
            self.put(f"none/{name}", data, "no image")

    # ---- wrapped

    def wrapped(self):
        for name in ("windows64.raw", "windows32.dmp", "linux64.raw"):
            for ending, packing in FILTERS.items():
                data, path = self.variant(name), f"wrapped/{name}.{ending}"
                self.pack(path, "raw", packing, [(data, "x")])
                self.know(path, content=data, **self.told(name))
        for ending, (form, packing) in ARCHIVES.items():
            path = f"wrapped/single.{ending}"
            data = self.variant("windows32.raw")
            self.pack(path, form, packing, [(data, "dir/memory.raw")])
            self.members(path, [("dir/memory.raw", data, self.told("windows32.raw"))])
            path = f"wrapped/many.{ending}"
            names = ["windows64.raw", "linux64.raw", "windows32.dmp"]
            parts = [(self.variant(name), f"dumps/{name}") for name in names] + [(b"no image\n" * 9, "readme")]
            self.pack(path, form, packing, parts)
            self.members(path, [(member, data, self.told(name) if name else {"status": "no image"})
                                for (data, member), name in zip(parts, names + [None])])

    def members(self, path, members):
        """An archive of one file is that file; one of several has an entry for itself and for each."""
        if len(members) > 1:
            self.know(path, "archive")
        for member, data, told in members:
            self.know(path, member=member if len(members) > 1 else None, content=data, **told)

    def nested(self):
        for outer, inner in (("zip", "gz"), ("tar", "xz"), ("7z", "zst"), ("tar.gz", "lz4")):
            first, second = self.variant("windows64.raw"), self.variant("windows32.raw")
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                paths = [self.pack(os.path.join(folder, f"{n}.{inner}"), "raw", FILTERS[inner], [(data, "x")])
                         for n, data in enumerate((first, second))]
                self.run_packer()
                parts = []
                for path in paths:
                    with open(path, "rb") as file:
                        parts.append((file.read(), os.path.basename(path)))
            path = f"nested/{inner}.{outer}"
            self.pack(path, *ARCHIVES[outer], parts)
            self.members(path, [(f"0.{inner}", first, self.told("windows64.raw")),
                                (f"1.{inner}", second, self.told("windows32.raw"))])
        three = [("memory.raw", self.variant("windows32.raw"))]
        for name in ("deeper.zip", "deep.zip"):
            three = [(name, zip_of(three))]
        three = zip_of(three)
        self.write("nested/three.zip", three)
        self.know("nested/three.zip", "unreadable")  # nested more deeply than is gone into

    def twice(self):
        """The same content under other names, also in other wrappings."""
        own = [e for e in self.truth if e["name"].startswith("plain/") and "sha256" in e]
        for number, entry in enumerate(self.random.sample(own, 12)):
            with open(os.path.join(self.out, entry["name"]), "rb") as file:
                data = file.read()
            rest = {k: v for k, v in entry.items() if k not in ("name", "member", "inner", "sha256")}
            if number % 3:
                self.put(f"twice/{number:02}.raw", data, **rest)
            else:
                self.pack(f"twice/{number:02}.raw.gz", "raw", "gzip", [(data, "x")])
                self.know(f"twice/{number:02}.raw.gz", content=data, **rest)

    # ---- whole systems from the recipes of testdata/golden

    def whole(self):
        for case, names in GOLDEN.items():
            recipe = build.load_recipe(os.path.join(build.DATA, case))
            system = build.build(recipe)
            for form in names:
                name = f"golden/{case}.{form}"
                path = os.path.join(self.out, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                build.formats.write(system, form, path)
                if recipe["exit_status"] == 0:  # what a torn list still tells is golden's business
                    _, threads = run.expected(system.truth, recipe)
                    self.know(name, "complete", threads=len(threads), system=True)
                else:
                    self.know(name, "partial", system=True)

    def make(self):
        os.makedirs(self.out)
        with tempfile.TemporaryDirectory() as self.folder:
            self.load()
            for part in (self.plain, self.other_forms, self.samples, self.cut, self.hostile, self.none, self.wrapped,
                         self.nested):
                part()
            self.run_packer()
            self.twice()
            self.run_packer()
        if self.golden:
            self.whole()
        self.truth.sort(key=lambda e: (e["name"], e["member"] or ""))
        with open(self.out + ".truth.json", "w", encoding="utf-8") as file:
            json.dump(self.truth, file, indent=0)
            file.write("\n")


ANY = "any"  # whatever it is, it is one, and no worker died of it


def zip_of(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2001, 9, 9, 1, 46, 40)), data)
    return out.getvalue()


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("writer")
    parser.add_argument("packer")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-golden", action="store_true")
    options = parser.parse_args()
    archive = Archive(os.path.abspath(options.writer), os.path.abspath(options.packer), os.path.abspath(options.out),
                      options.seed, not options.no_golden)
    archive.make()
    print(f"{len(archive.truth)} entries in {options.out}")


if __name__ == "__main__":
    main()
