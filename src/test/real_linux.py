#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Real Linux guests against what they said of themselves at that moment: real_linux.py STASIS CACHE [FOLDER...]

Every task of each guest, no other but the idle tasks, and of each its ids, name, state and more; the pages of its
workload by process and address; what pagemap and QEMU said of virtual addresses, by process. Exit status: 0 all
agree, 1 not, 77 no images.
"""
import hashlib
import json
import os
import subprocess
import sys

import images

# (folder, image, options, typed). Not typed: the members of task_struct are inferred, and what cannot be is absent.
GUESTS = (
    ("linux-x64", "mem.raw", (), True),
    ("linux-x64", "mem.elf", (), True),
    ("linux-x64", "mem.qemu-zlib.flat", (), True),
    ("linux-x64-la57", "mem.raw", (), True),
    ("linux-x64-hi", "mem.lime", (), True),
    ("linux-x64-kdump", "d31.none.kdump", (), True),
    ("linux-i386-pae", "mem.raw", ("-S", "linux-symbols/686-pae.btf", "-S", "linux-symbols/System.map-686-pae"), True),
    ("linux-i386-nopae", "mem.raw", ("-S", "linux-symbols/686.btf", "-S", "linux-symbols/System.map-686"), True),
    ("linux-i386-pae-hi", "mem.lime", ("-S", "linux-symbols/686-pae.btf", "-S", "linux-symbols/System.map-686-pae"),
     True),
    ("linux-i386-pae", "mem.raw", (), False),
    ("linux-i386-nopae", "mem.raw", (), False),
    ("linux-i386-pae-hi", "mem.lime", (), False),
)
LETTERS = {"running": "R", "sleeping": "S", "disk sleep": "D", "stopped": "T", "tracing stop": "t", "dead": "X",
           "zombie": "Z", "parked": "P", "idle": "I"}

bad = 0


def wrong(text):
    global bad
    bad += 1
    if bad < 40:
        print(text)


def ask(stasis, *words):
    done = subprocess.run([stasis, *words], capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def document(stasis, *words, want=0):
    status, out, err = ask(stasis, *words, "--format", "json")
    if status != want:
        wrong(f"{' '.join(words)}: exit status {status}: {err.strip()[:300]}")
    return json.loads(out) if out else None


def told(truth, got, typed):
    """What a task of the truth says, as (key, expected, found)."""
    yield "pid", truth["tgid"], got["pid"]
    yield "ppid", truth["ppid"], got["ppid"]
    worker = "kworker/" in truth["comm"]  # its name goes with its work
    if typed and not worker:
        yield "name", truth["comm"], got["name"]
    if not truth["kthread"]:
        yield "comm", truth["comm"], got["comm"]
        yield "comm_hex", truth["comm_hex"], got["comm_hex"]
    elif not truth["comm"].startswith(got["comm"]) or len(got["comm"]) < min(len(truth["comm"]), 11):
        yield "comm", truth["comm"], got["comm"]
    if truth["stable"] and truth["comm"] != "lister":  # the others moved on while the guest listed them
        yield "state_letter", truth["state"], got["state_letter"]
        yield "state", truth["state"], LETTERS.get(got["state"])
    yield "kernel_thread", truth["kthread"], got["kernel_thread"]
    yield "policy", {0: "SCHED_NORMAL", 1: "SCHED_FIFO", 2: "SCHED_RR", 3: "SCHED_BATCH", 5: "SCHED_IDLE",
                     6: "SCHED_DEADLINE"}[truth["policy"]], got["policy"]
    yield "rt_priority", truth["rtprio"], got["rt_priority"]
    yield "exit_code", truth["exitcode"], int(got["exit_code"], 16)
    yield "start_boottime", truth["start"], got["start_boottime"] // 10000000
    if truth["policy"] == 0:
        yield "static_priority", 120 + truth["nice"], got["static_priority"]
    if truth["stable"] and truth["state"] not in "RZ":
        yield "flags", truth["flags"], int(got["flags"]["value"], 16) & ~0x4000_0000
        yield "cpu", truth["cpu"], got["cpu"]
    if not typed:
        return
    yield "uid", truth["uid"], got["uid"]
    yield "sources", True, {"pid-table", "thread-group", "slab"} <= set(got["sources"])
    if truth.get("exe"):
        yield "path", truth["exe"], got["path"]
        if got["absent"].get("command_line") != "not in this image":  # kdump leaves user pages out
            yield "command_line", truth["cmdline"], got["command_line"]


def check_tasks(name, truth, threads, typed):
    found = {}
    for thread in threads:
        if thread["tid"] == 0:
            if not thread["comm"].startswith("swapper"):
                wrong(f"{name}: tid 0 is {thread['comm']!r}")
        elif thread["tid"] in found:
            wrong(f"{name}: tid {thread['tid']} twice")
        else:
            found[thread["tid"]] = thread
    expected = {task["tid"]: task for task in truth["threads"]}
    if "crasher_pid" in truth:  # the program that listed them has ended since, and this one brought the kernel down
        expected = {tid: task for tid, task in expected.items() if task["comm"] != "lister"}
        if found.pop(truth["crasher_pid"], {"comm": "?"})["comm"] != "the-crasher":
            wrong(f"{name}: the task that crashed is missing")
    for tid in sorted(expected.keys() - found.keys()):
        wrong(f"{name}: tid {tid} {expected[tid]['comm']!r} is missing")
    for tid in sorted(found.keys() - expected.keys()):
        wrong(f"{name}: tid {tid} {found[tid]['comm']!r} is not in the guest's list")
    facts = 0
    for tid in sorted(found.keys() & expected.keys()):
        for key, want, got in told(expected[tid], found[tid], typed):
            facts += 1
            if want != got:
                wrong(f"{name}: tid {tid} {expected[tid]['comm']!r}: {key}: {got!r}, the guest said {want!r}")
    return len(found), facts


def check_pages(stasis, name, image, options, truth):
    for page in truth["pages"]:
        words = ("read", image, page["va"], "4096", "--process", str(page["tgid"]), "--format", "raw")
        status, out, err = ask(stasis, *words, *options)
        if status != 0 or hashlib.sha256(out).hexdigest() != page["sha256"]:
            wrong(f"{name}: page {page['va']} of pid {page['tgid']}: exit status {status}, {len(out)} bytes {err[:99]}")
    return len(truth["pages"])


def check_reverse(stasis, name, image, options, truth):
    """Each hashed page's frame comes back to its process and address; one without access no processor would map."""
    mapped = [page for page in truth["pages"] if page["what"] != "protnone"]
    frames = sorted({page["pa"] for page in mapped})
    answer = document(stasis, "translate", image, "--reverse", *frames, *options)
    got = {(m["pid"], int(m["va"], 16), int(m["pa"], 16)) for m in (answer or {}).get("mappings", [])}
    for page in mapped:
        if (page["tgid"], int(page["va"], 16), int(page["pa"], 16)) not in got:
            wrong(f"{name}: {page['pa']} does not come back to {page['va']} of pid {page['tgid']}")


def translate(stasis, image, options, pid, addresses):
    words = [] if pid is None else ["--process", str(pid)]
    done = subprocess.run([stasis, "translate", image, "-", *words, *options, "--format", "json"], check=False,
                          input="".join(f"{va:#x}\n" for va in addresses), capture_output=True, text=True)
    answer = json.loads(done.stdout)["translations"] if done.stdout else []
    if len(answer) != len(addresses):
        wrong(f"{image}: translate in pid {pid}: exit status {done.returncode}: {done.stderr.strip()[:300]}")
    return [None if got["pa"] is None else int(got["pa"], 16) for got in answer]


def check_pagemaps(stasis, name, image, options, truth):
    """What /proc/PID/pagemap said of the pages of every third process, and of those that hashed their own."""
    hashed, pairs = {page["tgid"] for page in truth["pages"]}, {}
    for pid, va, pa in truth["pagemap_pairs"]:
        pairs.setdefault(pid, []).append((int(va, 16), int(pa, 16)))
    asked = [pid for i, pid in enumerate(pairs) if i % 3 == 0 or pid in hashed]
    for pid in asked:
        for (va, pa), got in zip(pairs[pid], translate(stasis, image, options, pid, [va for va, _ in pairs[pid]])):
            if got != pa:
                wrong(f"{name}: pid {pid}: {va:#x}: {got} instead of {pa:#x}")
    return sum(len(pairs[pid]) for pid in asked)


def owner(processes, cr3):
    """The process whose page tables these are, and whether they are those of its user mode (page-table isolation)."""
    roots = {int(p["page_table_root"], 16): p["pid"] for p in processes if p["page_table_root"]}
    value = int(cr3, 16)
    for root, isolated in ((value & ~0x1F if len(cr3) == 8 else value & ~0xFFF, False), (value & ~0x1FFF, True)):
        if root in roots:
            return roots[root], isolated
    return None, False


def check_addresses(stasis, name, image, options, folder, cache):
    """
    QEMU's own translations, by the process that each processor was in; those of the kernel's half in the system's own
    space too. Of user mode's page tables only what is mapped in them counts: the rest is in the kernel's.
    """
    with open(images.find(cache, f"{folder}/gva2gpa.json"), encoding="utf-8") as text:
        rows = json.load(text)
    processes = document(stasis, "processes", image, *options)["processes"]
    for cr3 in sorted({row["cr3"] for row in rows}):
        pid, isolated = owner(processes, cr3)
        if pid is None:
            wrong(f"{name}: no process has the page tables {cr3}")
            continue
        mine = [(int(row["va"], 16), row["pa"] and int(row["pa"], 16)) for row in rows if row["cr3"] == cr3]
        kernel = [(va, pa) for va, pa in mine if pa and va >= (0xC0000000 if len(cr3) == 8 else 1 << 63)]
        for asked, space in ((mine, pid), (kernel, None)):
            for (va, pa), got in zip(asked, translate(stasis, image, options, space, [va for va, _ in asked])):
                if got != pa and not (isolated and pa is None):
                    wrong(f"{name}: {va:#x} in {'the kernel' if space is None else space}: {got}, QEMU said {pa}")
    return len(rows)


def check_modules(stasis, name, image, options, truth):
    answer = document(stasis, "modules", image, *options)
    got = {(m["name"], int(m["base"], 16)) for m in (answer or {}).get("modules", [])}
    want = {(line.split()[0], int(line.split()[5], 16)) for line in truth["modules"]}
    if got != want:
        wrong(f"{name}: modules {sorted(got)}, the guest had {sorted(want)}")


def check(stasis, cache, folder, file, options, typed):
    image, _ = images.need(cache, f"{folder}/{file}", f"{folder}/truth.json")
    with open(images.find(cache, f"{folder}/truth.json"), encoding="utf-8") as text:
        truth = json.load(text)
    options = [images.need(cache, word)[0] if "/" in word else word for word in options]
    name = f"{folder}/{file}" + "".join(f" {os.path.basename(word)}" for word in options)
    answer = document(stasis, "threads", image, *options)
    if not answer:
        return
    if "version" in truth and not truth["version"].startswith(answer["system"]["banner"] or "?"):
        wrong(f"{name}: banner {answer['system']['banner']!r}")
    tasks, facts = check_tasks(name, truth, answer["threads"], typed)
    pages = 0 if file.endswith(".kdump") else check_pages(stasis, name, image, options, truth)
    pairs = addresses = 0
    if pages:
        check_reverse(stasis, name, image, options, truth)
    if file in ("mem.raw", "mem.lime"):
        pairs = check_pagemaps(stasis, name, image, options, truth)
        addresses = check_addresses(stasis, name, image, options, folder, cache)
    check_modules(stasis, name, image, options, truth)
    print(f"{name}: {tasks} of {len(truth['threads'])} tasks, {facts} facts, {pages} pages, {pairs} pairs of "
          f"pagemap, {addresses} addresses of QEMU")


SYMBOLS = ("686-pae.btf", "System.map-686-pae", "686.btf", "System.map-686", "System.map-amd64")


def check_other_builds(stasis, cache, folder, file, own):
    """Every symbol file of another kernel is refused, with one line that says why."""
    image = images.need(cache, f"{folder}/{file}")[0]
    for symbols in SYMBOLS:
        path = images.need(cache, f"linux-symbols/{symbols}")[0]
        status, _, err = ask(stasis, "info", image, "--symbols", path)
        refused = status == 2 and "of another kernel than the image's" in err and err.count("\n") == 1
        if refused == (symbols in own) or (not refused and status not in (0, 3)):
            wrong(f"{folder}/{file} {symbols}: exit status {status}: {err[:300]}")
    print(f"{folder}/{file}: {len(SYMBOLS) - len(own)} symbol files of other kernels refused")


def main():
    stasis, cache = sys.argv[1:3]
    if len(sys.argv) == 3:
        for folder, file, own in (("linux-x64", "mem.raw", SYMBOLS[4:]), ("linux-i386-pae", "mem.raw", SYMBOLS[:2]),
                                  ("linux-i386-nopae", "mem.raw", SYMBOLS[2:4])):
            check_other_builds(stasis, cache, folder, file, own)
    for folder, file, options, typed in GUESTS:
        if len(sys.argv) == 3 or folder in sys.argv[3:]:
            check(stasis, cache, folder, file, options, typed)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
