#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds whole Windows systems as memory images.

    build.py RECIPE OUT [--format FORMAT]    raw, elf, elf64, lime, dmp-full, dmp-summary, dmp-summary-new,
                                             dmp-bitmap, dmp-bitmap-kernel, dmp-bitmap-auto, dmp-8, dmp-9,
                                             dmp-10, dmp-old
    build.py --bench OUT [--ram 1G|16G] [--processes N] [--threads N]

RECIPE is a TOML file (docs/GOLDEN.md) or a folder that has one named `recipe`. Beside OUT lies OUT.truth.json: what the
recipe says of every process and thread, under the keys of our JSON. Knows nothing of the decoder.
"""
import argparse
import copy
import itertools
import json
import os
import sys
import tomllib

sys.dont_write_bytecode = True
import formats  # noqa: E402
import processes  # noqa: E402
import store  # noqa: E402
import windows  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.normpath(os.path.join(HERE, "..", "..", "..", "testdata", "golden"))


def load_recipe(path):
    if os.path.isdir(path):
        path = os.path.join(path, "recipe")
    with open(path, "rb") as f:
        recipe = tomllib.load(f)
    people, things = [], []
    for name in recipe.get("casts", []):
        with open(os.path.join(DATA, "casts", name + ".toml"), "rb") as f:
            cast_of = tomllib.load(f)
        people += cast_of["process"]
        things += cast_of.get("object", [])
    recipe["process"] = people + recipe.get("process", [])
    recipe["object"] = things + recipe.get("object", [])
    if recipe.get("formats") == "all":
        recipe["formats"] = formats.every(recipe["system"]["paging"])
    return recipe


def cases():
    return sorted(os.path.join(DATA, n) for n in os.listdir(DATA)
                  if os.path.exists(os.path.join(DATA, n, "recipe")))


def load_places(name):
    with open(os.path.join(DATA, "places", name + ".json")) as f:
        return json.load(f)


def applies(item, system):
    """Casts serve all versions: `since` and `until` name builds, `bits` the width of the kernel."""
    return (item.get("since", 0) <= system.build <= item.get("until", 1 << 30)
            and item.get("bits", 8 * system.pointer) == 8 * system.pointer)


def cast(recipe, system):
    """The processes of this version: System's id differs, and what does not apply is left out."""
    out = []
    for process in copy.deepcopy(recipe["process"]):
        if not applies(process, system):
            continue
        process["thread"] = [t for t in process.get("thread", []) if applies(t, system)]
        for thread in process["thread"]:
            if "processor" in thread:
                thread["processor"] += system.recipe.get("first_busy", 0)
            if thread.get("processor", 0) >= system.cpus:
                thread.update(state="Ready", processor=0)
        if process.get("system"):
            process["pid"] = system.recipe.get("system_pid", 4)
        elif process.get("ppid") == 4:
            process["ppid"] = system.recipe.get("system_pid", 4)
        out.append(process)
    return out


def idle_recipe(system):
    """The idle process: one thread a processor, in no list of processes."""
    return {"name": "Idle", "pid": 0, "thread": [
        {"tid": 0, "idle": True, "state": "Running", "processor": i, "priority": 0, "base_priority": 0}
        for i in range(system.cpus)]}


def build(recipe, places=None):
    system = windows.System(recipe, places or load_places(recipe["system"]["places"]))
    system.make_globals()
    system.make_processors()
    system.make_modules()
    system.waits.make_objects([o for o in recipe.get("object", []) if applies(o, system)])
    idle = processes.Process(system, idle_recipe(system), idle=True)
    others = [processes.Process(system, p) for p in cast(recipe, system)]
    system.processes = [idle] + others
    idle.fill()
    for prcb, thread in zip(system.prcb, idle.threads):
        prcb.put("IdleThread", thread.object.va)
        prcb.put("CurrentThread", thread.object.va)
    for process in others:
        process.fill()
    for number, (prcb, thread) in enumerate(zip(system.prcb, idle.threads)):
        if prcb.get("CurrentThread") == thread.object.va and prcb.known("CurrentThread"):
            thread.truth["running_on"] = number
            thread.maker.running = True
            thread.maker.make()
    system.write_contexts()
    head = system.symbol("PsActiveProcessHead", 2 * system.pointer)
    system.link(head, [p.object.at("ActiveProcessLinks") for p in others if not p.recipe.get("unlinked")])
    system.waits.finish()
    system.scheduler.finish()
    for process in others:
        process.open_handles()
    system.set_symbol("PsInitialSystemProcess", others[0].object.va)
    system.set_symbol("PsIdleProcess", idle.object.va)
    system.make_kdbg()
    system.finish_kernel_image()
    system.finish_objects(others[0])
    system.labels.resolve()
    for va in system.unmapped:
        system.kernel.unmap(va)
    store.make(system)
    system.pages.write_mask()
    system.pages.apply()
    for space in [system.kernel] + [p.space for p in others if p.space is not system.kernel]:
        space.build()
    system.truth["system"].update(version=recipe["system"]["version"], build=system.build, processors=system.cpus,
                                  mode=system.mode, root=hex(system.kernel.root))
    return system


def bench_recipe(ram, process_count, thread_count):
    """The system of win10-19041-x64 with many processes and threads, spread over all of RAM."""
    recipe = load_recipe(os.path.join(DATA, "win10-19041-x64"))
    recipe["system"].update(ram=ram, stack_pages=1)
    system = next(p for p in recipe["process"] if p.get("system"))
    system["thread"] = [t for t in system["thread"] if not set(t) & {"torn", "object", "cid_pid", "unlinked",
                                                                     "attached"}]
    recipe["process"] = [system]
    share, left = divmod(thread_count - len(system["thread"]), process_count - 1)
    ids = (n for n in itertools.count(1000, 4) if n % 1024)  # the first entry of each page of PspCidTable is no id
    for i in range(process_count - 1):
        recipe["process"].append({
            "name": "worker%d.exe" % i, "pid": next(ids), "ppid": 4, "create_time": "2023-05-06T07:08:09",
            "thread": [{"tid": next(ids)} for _ in range(share + (i < left))]})
    return recipe


def save(system, name, out):
    formats.write(system, name, out)
    system.pages.save(out)
    with open(out + ".truth.json", "w") as f:
        f.write(truth_text(system.truth))


def truth_text(truth):
    """JSON, a line for each thread, process and so on."""
    parts = []
    for key, value in truth.items():
        items = [json.dumps(each) for each in value] if isinstance(value, list) else None
        parts.append(f'"{key}": ' + ("[\n " + ",\n ".join(items) + "]" if items else json.dumps(value)))
    return "{" + ",\n".join(parts) + "}\n"


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--format", choices=formats.NAMES, default="raw")
    parser.add_argument("--bench", action="store_true")
    parser.add_argument("--ram", default="1G")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--threads", type=int, default=5000)
    options = parser.parse_args(argv)
    if len(options.paths) != (1 if options.bench else 2):
        parser.error("wants OUT with --bench, else RECIPE and OUT")
    recipe = (bench_recipe(options.ram, options.processes, options.threads) if options.bench
              else load_recipe(options.paths[0]))
    save(build(recipe), options.format, options.paths[-1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
