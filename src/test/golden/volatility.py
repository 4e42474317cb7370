#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A peer reads the golden images: Volatility 3, with its own public symbol table for the PDB that an image names.

    volatility.py [CASE ...] [--format NAME] [--python PYTHON] [--keep FOLDER]

$STASIS_VOLATILITY is the folder of vol.py, $STASIS_ISF the one that holds windows/ntkrnlmp.pdb/GUID-AGE.json.xz;
without them the test is skipped (77). docs/TESTING.md says where to get them. Each case whose recipe has the symbols of
its PDB is built and read with the plugins below; their rows must be what the recipe says that such a search finds.
Prints a table: rows expected, seen, equal.

What a search finds differs from the truth on purpose: a list is followed forwards only, to where it tears; a scan finds
what has a pool header, on a list or not.
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import formats  # noqa: E402

TABLES = os.path.join("windows", "ntkrnlmp.pdb")
PLUGINS = ["info", "pslist", "psscan", "threads", "thrdscan", "handles", "modules", "dlllist"]
TIMEOUT = 600


# ---------------------------------------------------------------- what must be found

def seconds(text):
    """'2009-03-04T05:06:07.1234567Z' as the peer prints it, in whole seconds."""
    return text[:19] if text else None


def address(text):
    """Without the sign, as the peer has it."""
    return int(text, 16) & (1 << 48) - 1


def thread_row(told, exit_time=True):
    facts = told["facts"]
    return (address(facts["object"]), facts["pid"], facts["tid"], address(facts["start_address"]),
            seconds(facts["create_time"]), seconds(facts["exit_time"]) if exit_time else None)


def process_row(process):
    return (address(process["object"]), process["pid"], process["ppid"], process["name"][:14],
            seconds(process["create_time"]), seconds(process.get("exit_time")))


def forwards(process):
    """The threads that its list gives from its head on, until it tears, comes back to itself or meets a hole."""
    for thread in process.threads:
        if process.idle or not process.lists(thread, "_EPROCESS"):
            continue
        how, where = thread.recipe.get("torn"), thread.recipe.get("object")
        if where:
            return
        yield thread
        if how in ("forward", "loop"):
            return


class Wanted:
    """The rows of each plugin, from the system that was built."""

    def __init__(self, system):
        self.system = system
        truth = system.truth
        everything = truth["threads"] + truth["hidden"]["threads"]
        self.told = {address(t["facts"]["object"]): t for t in everything}
        self.everyone = truth["processes"] + truth["hidden"]["processes"]

    def info(self):
        system, version = self.system, self.system.version
        return {("Kernel Base", hex(system.base & (1 << 48) - 1)), ("DTB", hex(system.kernel.root)),
                ("KeNumberProcessors", str(system.cpus)), ("Major/Minor", f"15.{system.build}"),
                ("NtMajorVersion", str(version[0])), ("NtMinorVersion", str(version[1]))}

    def pslist(self):
        return {process_row(p) for p in self.system.truth["processes"] if p["pid"]}

    def psscan(self):
        return {process_row(p) for p in self.everyone if p["pid"]}

    def threads(self):
        return {thread_row(self.told[t.object.va & (1 << 48) - 1]) for p in self.system.processes
                if not p.recipe.get("unlinked") for t in forwards(p)}

    def thrdscan(self):
        """Until 8.1 it scans physical memory, where also a page is that was given back."""
        found = {"pool-scan", "freed-pool"} | ({"unmapped-pool"} if self.system.build < 10240 else set())
        return {thread_row(t) for t in self.told.values() if set(t["ways"]) & found}

    def handles(self):
        """Without one of which the encoded type number happens to be 0, which this peer takes for no object."""
        listed = {p["pid"] for p in self.system.truth["processes"]}
        header = self.system.executive.header
        return {(h["pid"], address(h["object"]), h["handle"], h["type"], h["access"])
                for h in self.system.truth["handles"] if h["pid"] in listed and not self.misread(h["pid"], h["handle"])
                and header(int(h["object"], 16)).get("TypeIndex") != 0}

    def modules(self):
        return {(address(m["base"]), m["size"], m["name"], m["path"]) for m in self.system.truth["modules"]}

    def dlllist(self):
        return {(p.pid, m["base"], m["size"], m["name"], m["path"]) for p in self.system.processes
                if not p.recipe.get("unlinked") for m in getattr(p, "modules", [])}

    def misread(self, pid, handle):
        """Inherited and packed: this peer leaves the attributes in the address, and reads an object 2 bytes behind."""
        packed = self.system.build >= 9200 and self.system.pointer == 8
        return packed and any(h["inherit"] for h in self.system.truth["handles"]
                              if (h["pid"], h["handle"]) == (pid, handle))


# ---------------------------------------------------------------- what is found

def time_of(text, ends):
    """Of a thread that has not ended, the place of its exit time is the head of a list."""
    if not text:
        return None
    when = datetime.datetime.fromisoformat(text)
    return when.strftime("%Y-%m-%dT%H:%M:%S") if 1990 < when.year < 2100 or not ends else None


def row_of(plugin, row):
    if plugin == "info":
        return (row["Variable"], row["Value"])
    if plugin in ("pslist", "psscan"):
        return (row["Offset(V)"], row["PID"], row["PPID"], row["ImageFileName"][:14], time_of(row["CreateTime"], False),
                time_of(row["ExitTime"], True))
    if plugin in ("modules", "dlllist"):
        whose = (row["PID"],) if plugin == "dlllist" else ()
        return (*whose, row["Base"], row["Size"], row["Name"], row["Path"])
    if plugin == "handles":
        return (row["PID"], row["Offset"], row["HandleValue"], row["Type"], row["GrantedAccess"])
    return (row["Offset"], row["PID"], row["TID"], row["StartAddress"], time_of(row["CreateTime"], False),
            time_of(row["ExitTime"], True))


class Peer:
    def __init__(self, python, folder):
        self.python, self.folder = python, folder
        self.program = os.path.join(os.environ["STASIS_VOLATILITY"], "vol.py")
        self.symbols = os.path.join(folder, "symbols")
        os.makedirs(os.path.join(self.symbols, TABLES))
        os.mkdir(os.path.join(folder, "cache"))

    def take_symbols(self, name):
        """Only this table: the peer would read all of them first."""
        source = os.path.join(os.path.abspath(os.environ["STASIS_ISF"]), TABLES, name)
        link = os.path.join(self.symbols, TABLES, name)
        if not os.path.exists(source):
            return False
        if not os.path.exists(link):
            os.symlink(source, link)
        return True

    def run(self, image, plugin):
        """Its rows, and what it said besides."""
        done = subprocess.run([self.python, "-B", self.program, "--offline", "-q", "-r", "json", "-s", self.symbols,
                               "--cache-path", os.path.join(self.folder, "cache"), "-f", image, "windows." + plugin],
                              capture_output=True, timeout=TIMEOUT)
        try:
            rows = json.loads(done.stdout)
        except ValueError:
            return None, (done.stdout + done.stderr).decode()
        return [row_of(plugin, r) for r in rows], done.stderr.decode()


# ---------------------------------------------------------------- comparison

def physical(system, want):
    """Before 10 it scans physical memory, and shows where there it found an object."""
    frame = system.kernel.frame(want[0])
    return (frame * 4096 + want[0] % 4096, *want[1:])


def compare(system, plugin, got):
    """(expected, seen, equal, differences). A few rows are this peer's limits, said in docs/GOLDEN.md."""
    wanted = Wanted(system)
    want = getattr(wanted, plugin)()
    if plugin in ("psscan", "thrdscan") and system.build < 10240:
        want = {physical(system, w) for w in want}
    if plugin == "info":
        got = [r for r in got if r[0] in dict(want)]
    if plugin == "handles":
        got = [r for r in got if not wanted.misread(r[0], r[2])]
    extra = sorted(set(got) - want, key=str)
    missing = sorted(want - set(got), key=str)
    doubles = len(got) - len(set(got))
    lines = [f"missing {r}" for r in missing] + [f"besides {r}" for r in extra]
    return len(want), len(got), len(want & set(got)), lines + [f"{doubles} rows twice"] * bool(doubles)


def symbol_table(system):
    truth = system.truth["system"]
    return f"{truth['pdb_guid']}-{truth['pdb_age']}.json.xz"


def cases():
    for case in build.cases():
        recipe = build.load_recipe(case)
        places = build.load_places(recipe["system"]["places"])
        if recipe["system"].get("symbols", True) and "rva" in places:
            yield case


def check(peer, case, name, plugins):
    system = build.build(build.load_recipe(case))
    label = os.path.basename(case) + (f" ({name})" if name != "raw" else "")
    if not peer.take_symbols(symbol_table(system)):
        print(f"{label}: no {symbol_table(system)}: not read")
        return True
    image = os.path.join(peer.folder, "golden." + name)
    formats.write(system, name, image)
    good = True
    for plugin in plugins:
        rows, said = peer.run(image, plugin)
        if rows is None:
            print(f"{label:28} {plugin:9} failed: {said.strip().splitlines()[-1] if said.strip() else 'silently'}")
            good = False
            continue
        expected, seen, equal, lines = compare(system, plugin, rows)
        print(f"{label:28} {plugin:9} {expected:4} expected {seen:4} seen {equal:4} equal", flush=True)
        for line in lines[:10]:
            print("    " + line)
        good &= not lines
    os.unlink(image)
    return good


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--format", default="raw", choices=["raw", "elf", "dmp-full", "dmp-bitmap"])
    parser.add_argument("--plugins", nargs="+", default=PLUGINS, choices=PLUGINS)
    parser.add_argument("--python", default=os.environ.get("STASIS_VOLATILITY_PYTHON", sys.executable))
    options = parser.parse_args(argv)
    for name in ("STASIS_VOLATILITY", "STASIS_ISF"):
        if not os.path.isdir(os.environ.get(name, "")):
            print(f"${name} is no folder: Volatility 3 is not here: skipped")
            return 77
    wanted = [c if os.path.isdir(c) else os.path.join(build.DATA, c) for c in options.cases] or list(cases())
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(options.python, folder)
        good = [check(peer, os.path.abspath(case), options.format, options.plugins) for case in wanted]
    print(f"{sum(good)} of {len(good)} images as they should be")
    return not all(good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
