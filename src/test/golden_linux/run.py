#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Linux systems made from recipes, against the command: run.py STASIS [CASE...] [--update] [--keep FOLDER]

Each case of testdata/linux, as raw memory, as LiME and with LiME's ranges joined: exactly its tasks, what the recipe
says of each, the ways that saw it, exit status, notes and the lines of the trace that the recipe asks for; of each
process the page that says whose it is. NAME.txt is what `threads` prints of the raw form. Exit status: 0 all as it
should be, 1 not.
"""
import argparse
import csv
import datetime
import io
import json
import os
import subprocess
import sys
import tempfile
import tomllib

sys.dont_write_bytecode = True
import kernel  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CASES = os.path.join(ROOT, "testdata", "linux")
SHOWN = 40
bad = 0


def check(where, want, got):
    global bad
    if want != got:
        bad += 1
        if bad <= SHOWN:
            print(f"  {where}: want {want!r}, got {got!r}")


def load(name):
    with open(os.path.join(CASES, name + ".toml"), "rb") as file:
        recipe = tomllib.load(file)
    with open(os.path.join(CASES, "cast.toml"), "rb") as file:
        recipe["task"] = tomllib.load(file)["task"] + recipe.get("task", [])
    return recipe


def ask(stasis, *words):
    done = subprocess.run([stasis, *words], capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def comm_of(task):
    return bytes.fromhex(task["comm_hex"]) if "comm_hex" in task else task["comm"].encode()


def utc(nanoseconds):
    at = datetime.datetime.fromtimestamp(kernel.BOOTED, datetime.timezone.utc)
    return (at + datetime.timedelta(microseconds=nanoseconds // 1000)).strftime("%Y-%m-%dT%H:%M:%S")


def told(task, inferred, booted, version):
    """What the recipe says, under the keys of our JSON."""
    tid = task["tid"]
    yield "pid", task.get("pid", tid)
    yield "comm_hex", comm_of(task).hex()
    if "rescues" in task:
        yield "name", "kworker/R-" + task["rescues"]
    yield "state_letter", task["state"] if tid else "R"
    yield "kernel_thread", bool(task["flags"] & kernel.PF_KTHREAD)
    yield "rt_priority", task.get("rt", 0)
    if not inferred and tid == 220 and version < (5, 12):
        yield "flags", ["PF_VCPU"]
    yield "policy", "SCHED_FIFO" if task.get("rt") else "SCHED_NORMAL"
    yield "exit_code", hex(task.get("exit_code", 0))
    yield "page_table_root", hex(task["root"]) if "root" in task else None
    if tid:
        yield "ppid", task["ppid"]
        yield "start_boottime", 10**9 + 500 + tid * 10000037
        if booted:
            yield "start_time", utc(10**9 + 500 + tid * 10000037)
    if not inferred:
        yield "uid", task.get("uid", 0)
        # bit 3; of 6.18 and later only bits that stayed are named
        yield "thread_info_flags", [True, version < (6, 18)] if task.get("current") else [False, False]
        if "pid-table" in task["ways"] and task["state"] != "Z" and version >= (3, 19):
            yield "ns_pid", kernel.PID_NAMESPACE
        if "root" in task and not task.get("current"):
            yield "user_registers", {"ip": "0x401000", "sp": hex(0x7FF0000 + 16 * tid), "flags": "0x202"}
    yield "cpu", task.get("cpu", 0)
    if task["state"] in "SDIT":
        yield "wchan", "wait_for_something"


def seen(key, found, want):
    """The part of what was found that told speaks of."""
    if key == "flags":
        return [name for name in found["names"] if name in want]
    if key == "start_time":
        return found and found[:19]
    if key == "user_registers":
        return found and {name: found.get("r" + name, found.get("e" + name)) for name in want}
    if key == "thread_info_flags":
        return found and [found["value"] == "0x8", found["names"] == ["TIF_NEED_RESCHED"]]
    return found


def check_tasks(where, made, document, expect):
    want = {task["at"]: task for task in made.recipe["task"] if not task.get("freed")}
    inferred = "layout-inferred" in expect.get("notes", [])
    if expect.get("second_idle", True) is False:
        want = {key: task for key, task in want.items() if not task.get("idle")}
    got = {int(thread["object"], 16): thread for thread in document["threads"]}
    check(f"{where}: tasks", sorted(task["tid"] for task in want.values()), sorted(t["tid"] for t in got.values()))
    for at, task in want.items():
        if at not in got:
            check(f"{where}: tid {task['tid']}", hex(at), "not there")
            continue
        absent = got[at]["absent"]
        for key, value in told(task, inferred, expect.get("booted", False), made.version):
            if key == "page_table_root" and task.get("pid", task["tid"]) != task["tid"]:
                continue
            if not (inferred and absent.get(key) == "not known"):
                check(f"{where}: tid {task['tid']}: {key}", value, seen(key, got[at][key], value))
        if task["state"] in "SDIT":
            names = [frame["symbol"] for frame in got[at]["stack"] or []]
            check(f"{where}: tid {task['tid']}: stack", list(kernel.FRAMES), names)
        if not made.recipe.get("damage"):
            check(f"{where}: tid {task['tid']}: hidden", task.get("reason"), got[at]["hidden"])
        if not inferred and not made.recipe.get("damage") and made.k.get("data_symbols", True):
            ways = [way for way in got[at]["sources"] if way not in ("thread-group", "slab")]
            check(f"{where}: tid {task['tid']}: sources", sorted(task["ways"]), sorted(ways))
            slab = "slab" in got[at]["sources"]
            if made.version >= (4, 4):  # before, no struct page leads to the first of its slab
                check(f"{where}: tid {task['tid']}: slab", (task["tid"], task.get("idle", 0)) != (0, 0), slab)


def check_pages(where, stasis, path, made):
    asked = [t for t in made.recipe["task"] if "root" in t and not t.get("hidden") and not t.get("freed")]
    for task in asked[::3]:
        text = f"page of pid {task['tid']}\n".encode()
        status, out, err = ask(stasis, "read", path, "0x400000", str(len(text)), "--process", str(task["tid"]),
                               "--format", "raw")
        check(f"{where}: page of {task['tid']} {err.strip()[:100]}", (0, text), (status, out))


def check_form(stasis, path, name, form, made, expect):
    where = f"{name}, {form}"
    made.write(path, form)
    status, out, err = ask(stasis, "threads", path, "--format", "json")
    check(f"{where}: exit status ({err.strip()[:200]})", expect.get("status", 0), status)
    if "error" in expect:
        check(f"{where}: the account", True, expect["error"] in err)
    elif out:
        document = json.loads(out)
        system = document["system"]
        check(f"{where}: banner", made.banner, system["banner"])
        check(f"{where}: version", made.release, system["version"])
        check(f"{where}: root", hex(made.image + kernel.ROOT), system["root"])
        check(f"{where}: mode", made.mode, system["paging"])
        check(f"{where}: kernel", (hex(made.text), hex(made.image)), (system["kernel_base"], system["kernel_base_pa"]))
        notes = sorted(expect.get("notes", []) + ["ranges-joined"] * (form == "lime-raw"))
        check(f"{where}: notes", notes, sorted(note["code"] for note in document["notes"]))
        check_tasks(where, made, document, expect)
    if form == "raw":
        _, out, _ = ask(stasis, "info", "--trace", path, "--format", "json")
        lines = [f"{'yes' if t['success'] else 'no'} {t['step']}: {t['text']}" for t in json.loads(out)["trace"]]
        for line in expect.get("trace", []):
            check(f"{where}: trace has {line!r} (one of {len(lines)})", True,
                  any(text.startswith(line.split(":")[0]) and line.split(": ", 1)[1] in text for text in lines))


def check_ways(where, stasis, path, made):
    """--hidden lists what has a reason, --cross-view everything, a column a way."""
    want = sorted(task["tid"] for task in made.recipe["task"] if task.get("reason"))
    _, out, _ = ask(stasis, "threads", "--hidden", path, "--format", "csv", "--columns", "tid,hidden")
    check(f"{where}: --hidden", want, sorted(int(row.split(",")[0]) for row in out.decode().split()[1:]))
    _, out, _ = ask(stasis, "threads", "--cross-view", path, "--format", "csv")
    head, *rows = csv.reader(io.StringIO(out.decode(), newline=""))
    check(f"{where}: --cross-view", ["object", "pid", "tid", "name", "state", "task-list", "thread-group", "pid-table",
                                     "run-queue", "children", "slab", "hidden"], head)
    for row in rows:
        task = next(t for t in made.recipe["task"] if t["at"] == int(row[0], 16))
        seen = [way for way, cell in zip(head[5:-1], row[5:-1]) if cell == "yes"]
        check(f"{where}: --cross-view: {row[2]}", [way for way in head[5:-1] if way in task["ways"]],
              [way for way in seen if way not in ("thread-group", "slab")])


def check_case(stasis, name, folder, update):
    recipe = load(name)
    made, expect = kernel.Kernel(recipe), recipe["expect"]
    path = os.path.join(folder, name + ".img")
    before = bad
    for form in ("lime", "lime-raw", "raw"):
        check_form(stasis, path, name, form, made, expect)
    if "error" not in expect:
        check_pages(name, stasis, path, made)
    if any(task.get("reason") for task in recipe["task"]):
        check_ways(name, stasis, path, made)
    _, out, err = ask(stasis, "threads", path)
    text = (out.decode() + err).replace(path, "IMAGE")
    kept = os.path.join(CASES, name + ".txt")
    if update:
        with open(kept, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        with open(kept, encoding="utf-8") as file:
            check(f"{name}: {name}.txt", file.read(), text)
    print(f"{name}: {'as the recipe says' if bad == before else 'WRONG'}, {len(recipe['task'])} tasks in 3 forms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stasis")
    parser.add_argument("case", nargs="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--keep")
    options = parser.parse_args()
    names = options.case or sorted(n[:-5] for n in os.listdir(CASES) if n.endswith(".toml") and n != "cast.toml")
    with tempfile.TemporaryDirectory() as folder:
        if options.keep:
            os.makedirs(options.keep, exist_ok=True)
        for name in names:
            check_case(os.path.abspath(options.stasis), name, options.keep or folder, options.update)
    sys.exit(1 if bad else 0)


main()
