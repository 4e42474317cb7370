#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The golden suite: the command, on images made from recipes, against what the recipes say.

    run.py STASIS [CASE ...] [--update] [--first]

For each case (a folder of testdata/golden with a `recipe`; all of them by default) and each of its formats:
  - `threads` and `processes` tell every fact of the truth, and exactly its processes and threads;
  - the modules are the truth's, and the exit status and the codes of the notes are the recipe's;
  - `translate` finds every page (a sample of them) where the recipe's tables put it;
  - `--evidence` names the pages and the bytes in the file that hold each fact; the container's hints are told;
  - the JSON is the same in every format, but for the image section (and the texts of a few system facts that a
    container's header adds);
  - expect.txt and expect.json (where the case has them) are the raw image's output, byte for byte. --update writes
  them, from the first format alone.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import formats  # noqa: E402
import told_waits  # noqa: E402
import ways  # noqa: E402

NAMED = "IMAGE"                             # stands for the path in expected output
# A dump's header tells more, and the dump holds a decoded debugger block, which tells the exact layout.
HEADER_FACTS = {"kdbg", "kdbg_form", "system_time", "up_time", "build_lab", "service_pack", "absent", "layout",
                "layout_evidence", "layout_confidence"}
# What `threads` looks through, of the ways that the truth tells, in the order of `sources`.
LOOKED = ["process-list", "kprocess-list", "prcb", "cid-table", "handle-table"]
# Ways that hang on what threads wait for: where the truth tells one it must be there; more of them is no difference.
DEPENDENT = {"wait-list", "ready-queue", "queue", "mutant-owner", "wait-block", "type-list", "thread-owner"}
WHOLE = ("raw", "elf", "lime", "dmp-full", "dmp-old")  # formats that hold all of memory
SAMPLE = 200                                # addresses a process
SHOWN = 25                                  # differences of one image
OF_PROCESSOR = {"kernel_registers", "user_registers", "wow64_registers"} | {
    key + end for key in ("stack", "user_stack", "wow64_stack") for end in ("", "_end")}


FREE_REGISTERS = {"origin", "ds", "es", "fs", "gs", "mxcsr", "xmm", *(f"dr{n}" for n in (0, 1, 2, 3, 6, 7))}
CHECKS = {"start-in-private-memory", "start-outside-modules", "hidden-from-debugger", "impersonates-system",
          "stack-pointer-outside", "user-stack-pointer-outside", "teb-process-disagrees", "debug-registers",
          "terminated-listed", "scan-only"}
UNASKED = set()                            # keys of the truth that this command does not know yet


class Differences:
    def __init__(self, where):
        self.where, self.list = where, []

    def add(self, text):
        self.list.append(text)

    def check(self, what, want, got):
        if want != got:
            self.add(f"{what}: want {want}, got {got}")

    def show(self):
        for text in self.list[:SHOWN]:
            print(f"  {self.where}: {text}")
        if len(self.list) > SHOWN:
            print(f"  {self.where}: ... and {len(self.list) - SHOWN} more")
        return not self.list


def pagefiles(image):
    """Those that lie beside the image, as options."""
    folder, name = os.path.split(image)
    return [word for number in range(16) for beside in [f"{name}.pagefile{number}"]
            if os.path.exists(os.path.join(folder, beside)) for word in ("--pagefile", f"{number}={beside}")]


def stasis(binary, verb, image, *options, text="", paged=True):
    """Runs the command on the image, text on its standard input: (exit status, standard output, standard error)."""
    given = pagefiles(image) if paged else []
    done = subprocess.run([binary, verb, os.path.basename(image), *given, *options], input=text.encode(),
                          capture_output=True, cwd=os.path.dirname(image), timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ---------------------------------------------------------------- facts

def number(value):
    """Numbers and hexadecimal strings alike; None for what is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.startswith("0x"):
        return int(value, 16)
    return None


def same(want, got):
    if isinstance(want, dict) and isinstance(got, dict) and "value" not in want:
        return all(key in got and same(value, got[key]) for key, value in want.items())
    if isinstance(want, dict) and isinstance(got, dict):
        return number(want["value"]) == number(got["value"]) and set(want["names"]) <= set(got["names"])
    if number(want) is not None and number(got) is not None:
        return number(want) == number(got)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(same(w, g) for w, g in zip(want, got))
    return want == got


def check_registers(diff, who, want, got):
    """Each that is told as the truth says; a list says what may be told. What it says nothing of must not be known."""
    for name in sorted(set(want) | set(got or {})):
        allowed, told = want.get(name), (got or {}).get(name)
        allowed = allowed if isinstance(allowed, list) else [allowed]
        if name not in FREE_REGISTERS and not any(same(value, told) for value in allowed):
            diff.add(f"{who}: {name}: want {' or '.join(map(str, allowed))}, got {told}")


def is_cut(who, end):
    """Did it end because the memory that leads on is not there? Code without a page file, or a page of the stack."""
    return end and end.startswith("broken off") and ("without page file" in who or "not in the image" in end)


def check_frames(diff, who, want, got, end):
    if got and len(got) < len(want) and is_cut(who, end):
        want = [{"pc": frame["pc"], "symbol": frame["symbol"], "offset": frame["offset"]} for frame in want[:len(got)]]
        if "without page file" in who:  # nor are there names
            want = [{"pc": frame["pc"], "symbol": None, "offset": None} if ours["symbol"] is None else frame
                    for frame, ours in zip(want, got)]
            got = [{**frame, "offset": frame["offset"] if frame["symbol"] else None} for frame in got]
    if got is None or len(want) != len(got):
        diff.add(f"{who}: want {len(want)} frames, got {got and len(got)}: {names(want)} against {names(got or [])}")
        return
    for i, (w, g) in enumerate(zip(want, got)):
        for key, value in w.items():
            if not same(value, g.get(key)):
                place = f"{who}: frame {i} ({w['symbol']}+{w['offset'] or 0:#x})"
                diff.add(f"{place}: {key}: want {value}, got {g.get(key)}")


def names(frames):
    return " ".join(f"{f['symbol'] or f['pc']}" for f in frames)


def compare_facts(diff, who, truth, absent, got):
    for key, want in truth.items():
        if key in ("ways", "noticed") or key in told_waits.KEYS:  # for the suites that look there; compared apart
            continue
        if key in got and want and key.endswith(("_registers", "stack")) and isinstance(want, (dict, list)):
            if key.endswith("_registers"):
                check_registers(diff, f"{who}: {key}", want, got[key])
            else:
                check_frames(diff, f"{who}: {key}", want, got[key], got.get(key + "_end"))
            continue
        if key not in got:
            UNASKED.add(key)
        elif not same(want, got[key]):
            reason = got.get("absent", {}).get(key)
            diff.add(f"{who}: {key}: want {want}, got {got[key]}" + (f" ({reason})" if reason else ""))
        elif want is None and absent.get(key) and absent[key] != [None]:
            reason = got.get("absent", {}).get(key)
            if reason not in absent[key]:
                diff.add(f"{who}: {key}: absent because '{reason}', want {' or '.join(absent[key])}")


def by_object(diff, what, truth, got):
    """Pairs by object address; says what is on one side only."""
    truth = {number(t["object"]): t for t in truth}
    seen = {}
    for record in got:
        at = number(record["object"])
        if at in seen:
            diff.add(f"{what} {at:#x} is listed twice")
        seen[at] = record
    for at in sorted(set(truth) - set(seen)):
        diff.add(f"{what} {at:#x} is missing (pid {truth[at].get('pid')}, tid {truth[at].get('tid')})")
    for at in sorted(set(seen) - set(truth)):
        diff.add(f"{what} {at:#x} is not there (pid {seen[at].get('pid')}, tid {seen[at].get('tid')})")
    return [(truth[at], seen[at]) for at in sorted(set(truth) & set(seen))]


def looked(each, ways=tuple(LOOKED)):
    return [way for way in ways if way in each["ways"]]


def expected(truth, recipe, ways=tuple(LOOKED)):
    """The processes and threads that one of the ways leads to, and each thread with those that lead to it.

    A thread leads to its process. Without processors there is no Idle: `idle = false` in a recipe says that this
    version's cannot be had."""
    threads = truth["threads"] + [t for t in truth["hidden"]["threads"] if looked(t, (*ways, *DEPENDENT))]
    owners = {t["facts"]["process_object"] for t in threads}
    processes = truth["processes"] + [p for p in truth["hidden"]["processes"]
                                      if looked(p, ways) or p["object"] in owners]
    if not recipe.get("idle", True):
        processes = [p for p in processes if p["pid"] != 0]
        threads = [t for t in threads if t["facts"]["process"] != "Idle"]
        for thread in threads:
            thread["facts"].pop("running_on", None)
    for thread in threads:
        if "sources" in thread["facts"]:
            thread["facts"]["sources"] = looked(thread, ways)
    for process in processes:
        process["threads"] = sum(1 for t in threads if t["facts"]["process_object"] == process["object"])
    return processes, threads


def check_sources(diff, who, each, got):
    """Those that hang on what threads wait for, by themselves; what is left is compared like every other fact."""
    lacking = sorted(set(each["ways"]) & DEPENDENT - set(got["sources"]))
    if lacking:
        diff.add(f"{who}: sources: {', '.join(lacking)} is not among {got['sources']}")
    return dict(got, sources=[s for s in got["sources"] if s not in DEPENDENT])


# ---------------------------------------------------------------- one image

def check_image(binary, path, recipe, truth, more=True):
    """more: processes and modules too, each a start of the command of its own."""
    diff = Differences(os.path.basename(path))
    processes, threads = expected(truth, recipe)
    status, text, errors = stasis(binary, "threads", path, "--format", "json")
    diff.check("exit status", recipe["exit_status"], status)
    if errors:
        diff.add(f"standard error: {errors.strip()}")
    try:
        answer = json.loads(text)
    except ValueError:
        diff.add("no JSON on standard output")
        return diff, None, None
    for want, got in by_object(diff, "thread", [t["facts"] for t in threads], answer["threads"]):
        each = next(t for t in threads if t["facts"] is want)
        got = check_sources(diff, f"tid {want['tid']}", each, got)
        compare_facts(diff, f"tid {want['tid']}", want, each["absent"], got)
        told_waits.compare(diff, f"tid {want['tid']}", want, got)
    told_waits.deadlock(diff, json.loads(stasis(binary, "waits", path, "--format", "json")[1]),
                        [t["facts"] for t in threads])
    check_notes(diff, recipe, answer["notes"])
    check_noticed(diff, threads, answer["notes"])
    if more:
        check_processes(diff, binary, path, processes)
        check_modules(diff, binary, path, truth)
    for key, want in truth["system"].items():
        got = answer["system"].get({"mode": "paging"}.get(key, key))
        if not (key == "processors" and not recipe.get("idle", True)) and not same(want, got):
            diff.add(f"system: {key}: want {want}, got {got}")
    return diff, answer, text


def check_ways(diff, binary, path, recipe, system, truth):
    """With a scan of all memory: every thread of the truth, also those that only free or unmapped memory has."""
    every = truth["threads"] + truth["hidden"]["threads"]
    if not recipe.get("idle", True):
        every = [t for t in every if t["facts"]["process"] != "Idle"]
    texts = []
    for options in (("--format", "json", "--scan"), ("--format", "json", "--hidden"),
                    ("--format", "csv", "--cross-view")):
        _, text, errors = stasis(binary, "threads", path, *options)
        texts.append(text)
        if errors and "the list is partial" not in errors:  # what CSV has no room for
            diff.add(f"{' '.join(options)}: standard error: {errors.strip()}")
    scanned, hidden = (json.loads(text)["threads"] for text in texts[:2])
    pairs = by_object(diff, "scanned thread", [t["facts"] for t in every], scanned)
    ways.check(diff, [(next(t for t in every if t["facts"] is want), got) for want, got in pairs], system)
    ways.check_hidden(diff, scanned, hidden)
    ways.check_cross(diff, scanned, texts[2])


def check_notes(diff, recipe, notes):
    codes = sorted({n["code"] for n in notes if n["severity"] != "info"})
    diff.check("codes of the notes", sorted(recipe.get("notes", [])), codes)


def check_noticed(diff, threads, notes):
    """The checks of docs/NOTES.md: each speaks of the threads that the recipe makes so, and of no other."""
    for each in threads:
        facts = each["facts"]
        said = sorted(n["code"] for n in notes if n["object"] == facts["object"] and n["code"] in CHECKS)
        diff.check(f"tid {facts['tid']}: noticed", sorted(facts.get("noticed", [])), said)


def check_processes(diff, binary, path, processes):
    _, text, _ = stasis(binary, "processes", path, "--format", "json")
    for want, got in by_object(diff, "process", processes, json.loads(text)["processes"]):
        compare_facts(diff, f"pid {want['pid']}", want, {}, got)


def check_modules(diff, binary, path, truth):
    _, text, _ = stasis(binary, "modules", path, "--format", "json")
    want = sorted((number(m["base"]), m["size"], m["name"], m["path"]) for m in truth["modules"])
    got = sorted((number(m["base"]), number(m["size"]), m["name"], m["path"]) for m in json.loads(text)["modules"])
    diff.check("kernel modules", want, got)


def check_evidence(diff, binary, path, system):
    """Where a fact was read: the page that the recipe's tables put there, and in the file the bytes of that page."""
    _, text, _ = stasis(binary, "threads", path, "--format", "json", "--evidence")
    processes = {p.object.va: p for p in system.processes}
    files = dict(system.pages.files)
    if hasattr(system, "store"):
        files[system.store.pagefile] = {page.number for page in system.store.evicted}
    with open(path, "rb") as f:
        for thread in json.loads(text)["threads"]:
            process = processes.get(number(thread["process_object"]))
            for key, place in thread["evidence"].items():
                va, pa, off = (number(place[k]) for k in ("va", "pa", "off"))
                frame = process.space.frame(va) if process and va is not None else None
                who = f"tid {thread['tid']}: evidence of {key} at {place['va']}"
                if pa is None and "pagefile" in place:
                    page, at = divmod(number(place["pagefile_off"]), 4096)
                    if va % 4096 != at or page not in files[place["pagefile"]]:
                        diff.add(f"{who}: not in page file {place['pagefile']} at {place['pagefile_off']}")
                if pa is None or frame is None:
                    continue
                diff.check(f"{who}: pa", hex(frame * 4096 + va % 4096), hex(pa))
                if off is not None:
                    f.seek(off)
                    diff.check(f"{who}: byte in the file", system.phys.read(pa, 1), f.read(1))
                elif system.phys.holds(pa // 4096):
                    diff.add(f"{who}: no offset in the file")


def check_hints(diff, name, system, hints):
    """What the container says of the machine, by the format."""
    want = {"cpu_count": system.cpus} if name.startswith("elf") else {}
    if name.startswith("dmp"):
        labels = system.labels.at
        want = {"machine": "x64" if system.pointer == 8 else "x86", "root": system.kernel.root, "build": system.build,
                "processors": system.cpus, "process_head": labels["PsActiveProcessHead"], "major": 15,
                "module_head": labels["PsLoadedModuleList"], "pfn_database": labels["MmPfnDatabase"]}
        for key, value in zip(("bugcheck", *(f"bugcheck_parameter_{i}" for i in range(1, 5))), formats.BUGCHECK):
            want[key] = value
        old = name == "dmp-old"
        want["dump_type"] = None if old else formats.DUMP_TYPES[name]
        want["kdbg"] = None if old else labels["KdDebuggerDataBlock"]
        want["comment"] = None if old else "made from a recipe"
    for key, value in want.items():
        if not same(value, hints[key]):
            diff.add(f"hint {key}: want {value}, got {hints[key]}")


def check_translations(diff, binary, path, system):
    """A sample of every address that was mapped, of the kernel and of each process, with its own root."""
    for process in system.processes:
        space = process.space
        top = space.va_mask + 1
        frames = sorted(space.frames.items())
        want = {}
        for page, pfn in frames[::1 + len(frames) // SAMPLE]:
            va = page * 4096
            want[va - top + (1 << 64) if system.pointer == 8 and va >= top // 2 else va] = pfn * 4096
        _, text, _ = stasis(binary, "translate", path, "-", "--root", hex(space.root), "--mode", system.mode,
                            "--format", "json", text="".join(f"{va:#x}\n" for va in want))
        got = {number(t["va"]): number(t["pa"]) for t in json.loads(text)["translations"]}
        for va, pa in want.items():
            if got.get(va) != pa:
                diff.add(f"pid {process.pid}: {va:#x} translates to {got.get(va)}, want {pa:#x}")


def check_without_pagefile(diff, binary, path, truth):
    """What the page file holds is absent then, with that reason, and nothing else changes."""
    _, text, _ = stasis(binary, "threads", path, "--format", "json", paged=False)
    got = {number(t["object"]): t for t in json.loads(text)["threads"]}
    for thread in truth["threads"]:
        facts, absent = dict(thread["facts"]), dict(thread["absent"])
        if facts.get("object") is None or number(facts["object"]) not in got:
            continue
        for key, why in thread["behind"].items():
            facts[key], absent[key] = None, [why]
        facts.pop("sources", None)
        compare_facts(diff, f"tid {facts['tid']} without page file", facts, absent, got[number(facts["object"])])


def check_page(diff, want, got, given):
    """One address whose page was taken away: what it comes to, and where its bytes are."""
    who = f"pid {want['pid']}: {want['va']:#x}"
    diff.check(f"{who}: verdict", want["verdict"], got["verdict"])
    diff.check(f"{who}: pa", want["pa"], number(got["pa"]))
    if "off" in want:
        diff.check(f"{who}: page file", (want["pagefile"], want["off"]), (got["pagefile"], number(got["pagefile_off"])))
        diff.check(f"{who}: why", None if given else "that page file was not given", got["why"])
    if "prototype" in want:
        said = [number(p["va"]) for p in got["software"]]
        if want["prototype"] not in said:
            diff.add(f"{who}: prototype entry at {want['prototype']:#x} is not told")
    diff.check(f"{who}: entries end at a present one", 0, number(got["entries"][-1]["value"]) & 1)


def check_pages(diff, binary, path, truth):
    """With and without the page file; one call a process."""
    for pid in sorted({p["pid"] for p in truth["pages"]}, key=str):
        pages = [p for p in truth["pages"] if p["pid"] == pid]
        options = [] if pid is None else ["--process", str(pid)]
        for given in (True, False):
            _, text, _ = stasis(binary, "translate", path, "-", *options, "--format", "json", paged=given,
                                text="".join(f"{p['va']:#x}\n" for p in pages))
            for want, got in zip(pages, json.loads(text)["translations"]):
                check_page(diff, want, got, given)


def comparable(answer):
    """What must not depend on the container."""
    out = {k: v for k, v in answer.items() if k != "image"}
    out["system"] = {k: v for k, v in answer["system"].items() if k not in HEADER_FACTS}
    out["threads"] = [without_processor(thread) for thread in answer.get("threads", [])]
    return out


def without_processor(thread):
    """What ran has the registers of its processor, which not every container holds, and the stacks that they begin."""
    if thread["state"] != "Running":
        return thread
    out = {k: v for k, v in thread.items() if k not in OF_PROCESSOR}
    out["absent"] = {k: v for k, v in thread["absent"].items() if k not in OF_PROCESSOR}
    return out


def compare_formats(diff, first, other):
    for key in sorted(set(first) | set(other)):
        if first.get(key) == other.get(key):
            continue
        if key == "threads" and len(first[key]) == len(other[key]):
            for a, b in zip(first[key], other[key]):
                for k in sorted(set(a) | set(b)):
                    diff.check(f"tid {a['tid']}: {k} (first format against this)", a.get(k), b.get(k))
        elif key == "system":
            for k in sorted(set(first[key]) | set(other[key])):
                diff.check(f"system: {k} (first format against this)", first[key].get(k), other[key].get(k))
        else:
            diff.check(f"{key} (first format against this)", first.get(key), other.get(key))


# ---------------------------------------------------------------- one case

def normalised(text, path):
    return text.replace(os.path.basename(path), NAMED)


def check_expected(diff, case, name, text, update):
    path = os.path.join(case, name)
    if update:
        with open(path, "w") as f:
            f.write(text)
        return
    if not os.path.exists(path):
        diff.add(f"{name} is missing: run.py --update writes it")
        return
    with open(path) as f:
        want = f.read().splitlines()
    got = text.splitlines()
    lines = [(i, *(text[i] if i < len(text) else "(end)" for text in (want, got)))
             for i in range(max(len(want), len(got)))]
    lines = [(i, a, b) for i, a, b in lines if a != b]
    for i, a, b in lines[:5]:
        diff.add(f"{name}, line {i + 1}: want {a.strip()!r}, got {b.strip()!r}")
    if len(lines) > 5:
        diff.add(f"{name}: {len(lines)} lines differ")


def run_case(binary, case, folder, update, first):
    recipe = build.load_recipe(case)
    system = build.build(recipe)
    truth = json.loads(build.truth_text(system.truth))
    good, raw = True, None
    for name in recipe["formats"][:1 if update or first else None]:
        path = os.path.join(folder, "golden." + name)
        formats.write(system, name, path)
        system.pages.save(path)
        some = name in recipe["formats"][:2] + recipe["formats"][-1:]
        diff, answer, text = check_image(binary, path, recipe, truth, some)
        if answer:
            check_hints(diff, name, system, answer["image"]["hints"])
        if answer and some:
            check_evidence(diff, binary, path, system)
        if answer and name in WHOLE:
            check_ways(diff, binary, path, recipe, system, truth)
        if answer and raw:
            compare_formats(diff, raw, comparable(answer))
        elif answer:
            raw = comparable(answer)
            check_translations(diff, binary, path, system)
            check_pages(diff, binary, path, truth)
            check_without_pagefile(diff, binary, path, truth)
            _, table, _ = stasis(binary, "threads", path)
            check_expected(diff, case, "expect.txt", normalised(table, path), update)
            if recipe.get("expect_json"):
                check_expected(diff, case, "expect.json", normalised(text, path), update)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        good &= diff.show()
    threads = system.truth["threads"]
    facts = sum(len(t["facts"]) for t in threads)
    print(f"{'ok  ' if good else 'FAIL'} {os.path.basename(case)}: {len(threads)} threads, {facts} facts, "
          f"{' '.join(recipe['formats'])}", flush=True)
    return good


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stasis")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--first", action="store_true", help="only the first format of each case")
    options = parser.parse_args(argv)
    binary = os.path.abspath(options.stasis)
    good = True
    for case in options.cases or build.cases():
        if not os.path.isdir(case):
            case = os.path.join(build.DATA, case)
        with tempfile.TemporaryDirectory() as folder:
            good &= run_case(binary, os.path.abspath(case), folder, options.update, options.first)
    if UNASKED:
        print(f"not asked, as the command does not know it: {', '.join(sorted(UNASKED))}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
