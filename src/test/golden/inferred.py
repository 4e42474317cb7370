#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The right layout taken away: `--layout inferred` on systems whose truth is known.

    inferred.py STASIS [CASE ...]           golden cases (all of them by default)
    inferred.py STASIS --every [LAYOUTS]    every version that the fact tables know, as every_layout.py builds them

Asked of each: every inferred offset is the one at which the builder wrote that member; exactly the recipe's threads are
listed, and of each the ids, the process, state, wait reason, stacks and TEB are told; no fact of any of them is other
than the recipe's, absent ones apart; the notes are those that the recipe names, and the exit status fits them.
One line a version says how many members were inferred, absent, and wrong (0).
"""
import os
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import every_layout  # noqa: E402
import json  # noqa: E402
import places  # noqa: E402
import processes  # noqa: E402
import run  # noqa: E402

TOLD = ["object", "tid", "pid", "process", "process_object", "state", "wait_reason", "wait_mode", "initial_stack",
        "stack_base", "stack_limit", "kernel_stack", "teb"]
# Of few threads, none of which runs, the evidence is thin: then a reason to wait must not be told.
THIN = ["wait_reason"]
# What is known of more than an inferred layout has: counts of threads, forms of entries that are not present, VADs, the
# queues of processors.
NOTES = {"threads-missing", "compressed-page-unreadable", "thread-unlisted", "process-unlisted", "cid-object-missing",
         "start-in-private-memory", "ready-queue-torn", "ready-threads-disagree"}
# The ways that its members lead along; without handle tables and rings, what the lists have lost stays lost.
LISTS = ("process-list", "kprocess-list", "prcb")
# The build alone tells how these keep handles, PspCidTable's and, where ObjectTable was inferred, a process's.
TABLES = {1381: ("cid-table",), 2195: ("cid-table", "handle-table")}
# Of these it may have less: without the loader's list of a process there is no unwind data.
SHORTER = ("user_stack", "user_stack_end", "wow64_stack", "wow64_stack_end")
NAMES = {"WoW64Process": ["WoW64Process", "Wow64Process"]}
# Members that a layout must have to be called one.
LEAST = 20


def place_of(system, member):
    """Where the builder writes this member; None where its version has none."""
    if member == "_EPROCESS.ThreadListHead" and system.build == 2195:  # its tables do not know it
        return processes.UNKNOWN_HEAD
    structure, _, name = member.partition(".")
    members = system.places["structs"].get(structure, {"members": {}})["members"]
    found = [members[n][0] for n in NAMES.get(name, [name]) if n in members]
    return found[0] if found else None


def check_offsets(diff, system, rows):
    """(found, absent though the version has it, wrong)"""
    found = [r for r in rows if r["verdict"] == "found"]
    wrong = [r for r in found if place_of(system, r["member"]) != int(r["offset"], 0)]
    for row in wrong:
        diff.add(f"{row['member']}: inferred at {row['offset']}, built at {place_of(system, row['member'])}")
    absent = [r for r in rows if r["verdict"] != "found" and place_of(system, r["member"]) is not None]
    return len(found), len(absent), len(wrong)


def only_first_segment(facts, got):
    """Only KSTACK_CONTROL tells that a stack goes on in another segment: without, it ends there, right so far."""
    want, told = facts.get("stack"), got.get("stack")
    ends = ("broken off", "entered from user mode")
    if want and told and len(told) < len(want) and (got["stack_end"] or "").startswith(ends):
        return {**{k: v for k, v in facts.items() if k != "stack_end"}, "stack": want[:len(told)]}
    return facts


def check_facts(diff, thread, got, untold, segments):
    facts, who = thread["facts"], f"thread {got['object']}"
    if segments:
        facts = only_first_segment(facts, got)
    for key in TOLD:
        if facts.get(key) is not None and got[key] is None and key not in untold:
            diff.add(f"{who}: {key} is not told ({got['absent'][key]}), want {facts[key]}")
    told = {k: v for k, v in facts.items() if got.get(k) is not None and k not in ("sources", *SHORTER)}
    run.compare_facts(diff, who, told, {}, got)


def check(binary, image, name, recipe, system):
    """The differences of one image, and the counts."""
    diff = run.Differences(name)
    _, text, errors = run.stasis(binary, "info", image, "--format", "json", "--layout", "inferred")
    counts = check_offsets(diff, system, json.loads(text)["inferred"]) if text else (0, 0, 0)
    diff.check(f"at least {LEAST} members are inferred", True, counts[0] >= LEAST)
    status, text, errors = run.stasis(binary, "threads", image, "--format", "json", "--layout", "inferred")
    if not text:
        diff.add(errors.strip())
        return diff, counts
    answer = json.loads(text)
    diff.check("layout", ("inferred", "inferred"), (answer["system"]["layout"], answer["system"]["layout_confidence"]))
    missing = any(n["severity"] == "missing" for n in answer["notes"])
    diff.check("exit status", 3 if missing else 0, status)
    codes = {n["code"] for n in answer["notes"] if n["severity"] != "info"}
    want = set(recipe.get("notes", [])) | {"layout-inferred"}
    segments = recipe["system"].get("segments", False)
    ends = {"stack-broken"} if segments else set()
    diff.check("notes", want - NOTES - ends, codes - NOTES - ends)
    untold = [] if "everyone" in recipe.get("casts", ["everyone"]) else THIN
    ways = (*LISTS, *TABLES.get(system.build, ()))
    _, threads = run.expected(system.truth, recipe, ways)
    found = {t["facts"]["object"] for t in system.truth["threads"]}
    found |= {t["facts"]["object"] for t in system.truth["hidden"]["threads"]
              if system.build in TABLES and run.looked(t, ways)}
    threads = [t for t in threads if t["facts"]["object"] in found]
    flat = [dict(t, object=t["facts"]["object"], pid=t["facts"]["pid"], tid=t["facts"]["tid"]) for t in threads]
    for thread, got in run.by_object(diff, "thread", flat, answer["threads"]):
        check_facts(diff, thread, got, untold, segments)
    return diff, counts


def golden(names):
    for name in names or sorted(os.listdir(build.DATA)):
        folder = os.path.join(build.DATA, name)
        if os.path.exists(os.path.join(folder, "recipe")):
            recipe = build.load_recipe(folder)
            for process in recipe["process"]:  # without the forms of entries, an object in transition is not there
                process["thread"] = [t for t in process.get("thread", []) if t.get("object") != "transition"]
            yield name, recipe, build.build(recipe)


def every(facts, folder):
    if not os.path.isdir(facts):
        with tarfile.open(facts) as tar:
            tar.extractall(folder)
        facts = next(at for at, _, names in os.walk(folder) if "index.json" in names)
    models = {width: build.load_recipe(os.path.join(build.DATA, case)) for width, case in every_layout.MODELS.items()}
    for name in sorted(n[:-5] for n in os.listdir(facts) if "-x" in n and n.endswith(".json") and "partial" not in n):
        recipe = every_layout.recipe_of(name, models, False)
        lent = "10.0.19041.508-x86" if "x64" in name else ""
        yield name, recipe, build.build(recipe, places.distil(facts, name, lent))


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 1
    binary, good, total = os.path.abspath(argv[1]), True, [0, 0, 0]
    facts = argv[3] if len(argv) > 3 else os.environ.get("STASIS_FACTS", every_layout.SHARED)
    if argv[2:3] == ["--every"] and not os.path.exists(facts):
        print("the fact tables are not here: skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        systems = every(facts, folder) if argv[2:3] == ["--every"] else golden(argv[2:])
        for name, recipe, system in systems:
            image = os.path.join(folder, "inferred.raw")
            build.save(system, "raw", image)
            diff, counts = check(binary, image, name, recipe, system)
            print(f"{name}: {counts[0]} members inferred, {counts[1]} absent, {counts[2]} wrong")
            total = [a + b for a, b in zip(total, counts)]
            good = diff.show() and good
            os.unlink(image)
    print(f"{total[0]} members inferred, {total[1]} absent, {total[2]} wrong")
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
