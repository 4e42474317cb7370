# SPDX-License-Identifier: MIT
"""
real_reactos.py STASIS CACHE: the command on two stops of a real ReactOS 0.4.13, against what the guest itself said.

reactos-0.4.13-x86: processes and threads exactly those that its kernel debugger listed; the same from raw and ELF.
reactos-0.4.13-x86-kinds: each fact of truth.json that the decoder has a row for; an absent fact is no contradiction,
but only memory that is not there excuses it. Idle (pid 0) is in the image and in no truth.
"""
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta

import images

KINDS_FACTS = 2264  # compared when this was written; fewer means that rows went missing
NOT_BEGUN = ((1024, 1104), (1024, 1108), (1264, 1268))  # of the kinds: created suspended, never in user mode
TLS_SLOT = 4  # that the workload got
EXCUSED = ("paged out", "not in this image")  # why a fact may be absent that the truth knows

# truth key -> (our key, how both are made comparable)
THREAD = {
    "state": ("state", str), "priority": ("priority", int), "affinity": ("affinity", "number"),
    "base_priority": ("base_priority", int), "create_time": ("create_time", "time"), "exit_time": ("exit_time", "time"),
    "start_address": ("start_address", "number"), "win32_start": ("win32_start_address", "number"),
    "exit_status": ("exit_status", "number"), "teb": ("teb", "number"), "impersonating": ("impersonating", bool),
    "impersonation_level": ("impersonation_level", str), "suspend_count": ("suspend_count", int),
    "wait_reason": ("wait_reason", str), "last_error": ("last_error", "number"),
    "user_stack_base": ("teb_stack_base", "number"), "user_stack_limit": ("teb_stack_limit", "number"),
    "boost_disabled": ("disable_boost", bool), "terminated": ("state", "terminated"),
    "base_priority_increment": ("base_priority_increment", int),
    "fiber_stack_base": ("teb_stack_base", "number"), "fiber_stack_limit": ("teb_stack_limit", "number"),
    "tls_value": ("tls_slots", "tls"),
}
PROCESS = {
    "name": ("name", str), "threads": ("threads", int), "ppid": ("ppid", int), "create_time": ("create_time", "time"),
    "base_priority": ("base_priority", int), "exit_status": ("exit_status", "number"), "handles_seen": ("handles", int),
}

# What the first lines of a thread's page must say, by the kind of thread that the workload made.
PAGES = {
    "suspended": ["Waiting: Suspended, KernelMode", "; suspend count ", "suspension"],
    "impersonating": ["Token type                Impersonation", "Token's level             ",
                      "\nIts process acts for\n  User                      S-1-5-"],
    "exited": ["\nTerminated; ", "terminated-listed"],
    "terminated": ["\nTerminated; ", "terminated-listed"],
    "mutex": ["Waiting: UserRequest, UserMode", "MutantObject", "owner_pid 1024, owner_tid 1028"],
    "busy": ["\nRunning on processor 0; "],
    "pipe": ["IRP_MJ_FILE_SYSTEM_CONTROL, IRP_MN_USER_FS_REQUEST", "\\FileSystem\\NPFS", "\\thrgt"],
}
NOTICED = {"terminated-listed"}  # codes of checks that may speak of these systems


def run(stasis, verb, image, *options):
    done = subprocess.run([stasis, verb, *options, image], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{verb} {image}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def number(value):
    if isinstance(value, dict):
        value = value.get("value", value.get("address"))
    return int(value, 0) if isinstance(value, str) else value


def iso(value):
    """A FILETIME in hex, as ISO 8601 with seven decimals."""
    ticks = int(value, 0)
    moment = datetime(1601, 1, 1) + timedelta(microseconds=ticks // 10)
    return f"{moment:%Y-%m-%dT%H:%M:%S.}{moment.microsecond:06d}{ticks % 10}Z"


def same(kind, truth, ours):
    if kind == "number":
        return number(truth) == number(ours)
    if kind == "terminated":
        return truth == (ours == "Terminated")
    if kind == "time":
        return iso(truth) == ours
    if kind == "tls":
        return any(slot["slot"] == TLS_SLOT and number(slot["value"]) == number(truth) for slot in ours)
    return kind(truth) == ours


class Tally:
    def __init__(self, title):
        self.title, self.compared, self.absent, self.wrong, self.no_row = title, {}, {}, [], set()

    def fact(self, who, key, rows, truth, ours):
        """One fact of the truth against our record."""
        if key not in rows:
            return
        name, kind = rows[key]
        if name not in ours:
            self.no_row.add(name)
        elif ours[name] is not None:
            self.compared[name] = self.compared.get(name, 0) + 1
            if not same(kind, truth, ours[name]):
                self.wrong.append(f"{who} {name}: {ours[name]!r}, and the truth is {truth!r}")
        elif truth == "0x0" and ours["absent"][name] == "not applicable":
            self.compared[name] = self.compared.get(name, 0) + 1  # no time, no address: the same said twice
        else:
            why = ours.get("absent", {}).get(name, "no reason")
            self.absent[f"{name} {why}"] = self.absent.get(f"{name} {why}", 0) + 1
            if why not in EXCUSED:
                self.wrong.append(f"{who} {name}: absent ({why}), and the truth is {truth!r}")

    def check(self, condition, text):
        if not condition:
            self.wrong.append(text)

    def report(self):
        self.check(not self.no_row, f"no row for {sorted(self.no_row)}")
        print(f"{self.title}: {sum(self.compared.values())} facts compared, {len(self.wrong)} wrong")
        if self.compared:
            print("   ", ", ".join(f"{count} {key}" for key, count in sorted(self.compared.items())))
        for key, count in sorted(self.absent.items()):
            print(f"    absent: {count} {key}")
        for line in self.wrong[:40]:
            print("    WRONG", line)
        return not self.wrong


def records(stasis, image, verb):
    return json.loads(run(stasis, verb, image, "--format", "json"))[verb]


def debugger_listing(path):
    """The kernel debugger's own listing: {pid: name}, {(pid, tid): (state, priority, affinity, ebp, eip)}."""
    processes, threads, pid = {}, {}, None
    with open(path, encoding="utf-8") as text:
        for line in text:
            attach = re.match(r"Attached to process (0x\w+)", line)
            process = re.match(r"\s+(0x[0-9a-f]{8})\s+In Memory\s+(\S+)", line)
            thread = re.match(r"\s\*?\s?(0x[0-9a-f]{8})\s+([A-Z]\w+)\s+(\d+)" + 3 * r"\s+(0x[0-9a-f]{8})", line)
            if attach:
                pid = int(attach.group(1), 0)
            elif process:
                processes[int(process.group(1), 0)] = process.group(2)
            elif thread:
                threads[pid, int(thread.group(1), 0)] = (thread.group(2), int(thread.group(3)), *thread.groups()[3:])
    return processes, threads


def trap_frame(tally, who, thread, ebp, eip):
    """
    What the debugger reads of a thread's trap frame; zeros: it has none. That of a system service which the kernel
    itself called is no user mode's: then there are no such registers.
    """
    user = thread["user_registers"]
    if user is None:
        kernel = number(eip) == 0 or number(eip) >= 0x80000000
        tally.check(kernel, f"{who}: no user registers ({thread['absent']['user_registers']}), and EIP is {eip}")
    else:
        ours = number(user["ebp"]), number(user["eip"])
        tally.check(ours == (number(ebp), number(eip)), f"{who}: EBP, EIP are {ours}, and the truth is {ebp}, {eip}")
        tally.compared["user_registers"] = tally.compared.get("user_registers", 0) + 1


def kernel_stacks(tally, threads, debugger):
    """
    Every thread that came from user mode is followed to the border, every other one to where it began. The debugger's
    own thread ran on a stack that no structure tells of, and may break off.
    """
    for thread in threads:
        who, end = f"{thread['pid']}/{thread['tid']}", thread["stack_end"]
        if thread["stack"] is None:
            tally.check(thread["state"] in ("Running", "Terminated"), f"{who}: no stack")
            continue
        if thread["state"] == "Running" and debugger:
            continue
        user = thread["user_registers"] is not None and (thread["pid"], thread["tid"]) not in NOT_BEGUN
        tally.check(end == ("entered from user mode" if user else "outermost function"), f"{who}: its stack is {end}")
        tally.check(all(frame["trust"] != "guess" for frame in thread["stack"]), f"{who}: frames that are guessed")
        tally.compared["stack"] = tally.compared.get("stack", 0) + 1
        if user:
            pc = thread["user_stack"][0]["pc"]
            tally.check(pc == thread["user_registers"]["eip"], f"{who}: its user stack begins at {pc}")


def one_idle(tally, threads, processes):
    tally.check([p["name"] for p in processes if p["pid"] == 0] == ["Idle"], "exactly one process of pid 0, Idle")
    tally.check(sum(t["pid"] == 0 for t in threads) == 1, "one idle thread, as there is one processor")


def plain(stasis, image, truth):
    tally = Tally(image.rsplit("/", 1)[1])
    want_processes, want_threads = debugger_listing(truth)
    tally.check((len(want_processes), len(want_threads)) == (14, 105), "the truth file has 14 processes, 105 threads")
    processes, threads = records(stasis, image, "processes"), records(stasis, image, "threads")
    one_idle(tally, threads, processes)
    ours = {p["pid"]: p["name"] for p in processes if p["pid"] != 0}
    tally.check(ours == want_processes, f"processes: {ours}, and the truth is {want_processes}")
    by_id = {(t["pid"], t["tid"]): t for t in threads if t["pid"] != 0}
    tally.check(len(by_id) == sum(t["pid"] != 0 for t in threads), "a thread is listed twice")
    tally.check(by_id.keys() == want_threads.keys(), f"threads: {sorted(by_id.keys() ^ want_threads.keys())} differ")
    for who in by_id.keys() & want_threads.keys():
        *facts, ebp, eip = want_threads[who]
        for key, truth_value in zip(("state", "priority", "affinity"), facts):
            tally.fact(who, key, THREAD, truth_value, by_id[who])
        trap_frame(tally, who, by_id[who], ebp, eip)
    tally.check(tally.compared.get("user_registers") == 87, "87 of the 105 threads came from user mode")
    kernel_stacks(tally, threads, True)
    tally.check(tally.compared.get("stack") == 105, "105 kernel stacks, followed to their ends")
    # the one trap frame among the truth's that is of a service which the kernel itself called
    trap = [frame for frame in by_id[4, 76]["stack"] if frame["how"] == "trap-frame"]
    tally.check([number(frame["pc"]) for frame in trap] == [number(want_threads[4, 76][4])], "the trap frame of 4/76")
    return tally.report()


def comparable(text):
    """Our JSON without the image section and the registers of what ran, of which a raw file has none."""
    document = json.loads(text)
    del document["image"]
    document["notes"] = [note for note in document.get("notes", []) if note["code"] != "stack-broken"]
    for thread in document.get("threads", []):
        if thread["state"] == "Running":
            for key in ("kernel_registers", "user_registers", "stack", "stack_end", "user_stack", "user_stack_end"):
                thread.pop(key, None)
                thread["absent"].pop(key, None)
    return json.dumps(document)


def identical(stasis, raw, elf):
    tally = Tally("raw and ELF of one stop")
    for verb in ("threads", "processes", "modules"):
        both = [comparable(run(stasis, verb, image, "--format", "json")) for image in (raw, elf)]
        tally.check(both[0] == both[1], f"{verb}: JSON differs outside the image section")
        both = ["\n".join(line for line in run(stasis, verb, image, "--format", "csv").split("\n")
                          if verb != "threads" or ",Running," not in line) for image in (raw, elf)]
        tally.check(both[0] == both[1], f"{verb}: CSV differs")
        tally.check(len(both[0].splitlines()) > 14, f"{verb}: hardly anything listed")
    return tally.report()


def kinds(stasis, image, truth_path):
    tally = Tally("kinds")
    with open(truth_path, encoding="utf-8") as text:
        truth = json.load(text)
    processes, threads = records(stasis, image, "processes"), records(stasis, image, "threads")
    one_idle(tally, threads, processes)
    by_pid = {p["pid"]: p for p in processes if p["pid"] != 0}
    by_id = {(t["pid"], t["tid"]): t for t in threads if t["pid"] != 0}
    tally.check(by_pid.keys() == {p["pid"] for p in truth["processes"]}, f"processes: {sorted(by_pid)}")
    tally.check(len(truth["threads"]) == 170 and sum(t["pid"] != 0 for t in threads) == 170, "170 threads")
    tally.check(by_id.keys() == {(t["pid"], t["tid"]) for t in truth["threads"]}, "the threads are not the truth's")
    for want in truth["processes"]:
        for key, value in want.items():
            tally.fact(f"process {want['pid']}", key, PROCESS, value, by_pid.get(want["pid"], {}))
    for want in truth["threads"]:
        ours = by_id.get((want["pid"], want["tid"]), {})
        for key, value in want.items():
            tally.fact(f"thread {want['pid']}/{want['tid']}", key, THREAD, value, ours)
        if "user_eip" in want:
            trap_frame(tally, f"thread {want['pid']}/{want['tid']}", ours, want["user_ebp"], want["user_eip"])
    kernel_stacks(tally, threads, False)
    tally.check(sum(tally.compared.values()) >= KINDS_FACTS, f"fewer than {KINDS_FACTS} facts compared")
    return tally.report()


def noticed(stasis, image):
    """Of a system without a rootkit hardly a check speaks."""
    tally = Tally(f"checks of {image.rsplit('/', 1)[1]}")
    notes = json.loads(run(stasis, "threads", image, "--format", "json"))["notes"]
    codes = {note["code"] for note in notes if note["tid"] is not None and note["severity"] != "missing"}
    tally.check(codes <= NOTICED, f"notes on threads: {sorted(codes)}")
    return tally.report()


def pages(stasis, image, truth_path):
    """`stasis thread` tells each thread of a known kind for what it is, and loses no fact."""
    tally = Tally("pages of threads")
    with open(truth_path, encoding="utf-8") as text:
        wanted = [t for t in json.load(text)["threads"] if t.get("kind") in PAGES]
    tally.check({t["kind"] for t in wanted} == set(PAGES), "a kind of thread is missing from the truth")
    for want in wanted:
        page = run(stasis, "thread", image, "--tid", str(want["tid"]))
        top, rest = page.split("\nFurther facts\n")
        for part in PAGES[want["kind"]]:
            tally.check(part in top, f"thread {want['tid']} ({want['kind']}): no {part!r} on its page")
        tally.check(f"\nThread {want['pid']}.{want['tid']}  " in top, f"thread {want['tid']}: no heading")
        tally.check(all(len(line) <= 120 for line in page.splitlines()), f"thread {want['tid']}: a line is too long")
        plain_facts = run(stasis, "thread", image, "--tid", str(want["tid"]), "--evidence")
        for title in re.findall(r"^  (\S.{0,23}\S)  +\S", plain_facts, re.M):
            tally.check(f"  {title} " in page or title in rest or title == "IRPs",
                        f"thread {want['tid']}: {title} is nowhere on its page")
    return tally.report()


# Threads on no ring of the dispatcher: ReactOS lists only ready ones, and a queue's and a handle's threads are some.
SOME = {"wait-list", "ready-queue", "queue", "mutant-owner", "wait-block", "type-list", "handle-table", "dump"}


def every_way(stasis, image, living, prcb):
    """Every way of finding threads leads to the same threads: ids of the living (Idle's apart), ids on processors.

    Exceptions: Idle's thread has no id, is no block of pool and on no EPROCESS list; an ended thread is taken off
    KPROCESS's list (KeTerminateThread). What a scan finds beside them is in free pool, ended, and said so."""
    tally = Tally(f"every way, {image.rsplit('/', 1)[1]}")
    answer = json.loads(run(stasis, "threads", image, "--cross-view", "--format", "json"))
    threads = answer["threads"]
    rest = [t for t in threads if set(t["sources"]) <= {"header-scan", "pool-scan"}]
    for thread in rest:
        tally.check(thread["state"] == "Terminated" and thread["hidden"] in ("freed", "unmapped", "terminated"),
                    f"tid {thread['tid']} is seen by a scan alone: {thread['state']}, {thread['hidden']}")
    known = [t for t in threads if t not in rest]
    idle = {t["object"] for t in known if t["pid"] == 0}
    tally.check(len(idle) == 1, "one idle thread")
    tally.check({(t["pid"], t["tid"]) for t in known if t["pid"] != 0} == living, "the threads are not the truth's")
    every = {t["object"] for t in known}
    ended = {t["object"] for t in known if t["state"] == "Terminated"}
    want = {"process-list": every - idle, "kprocess-list": every - ended, "cid-table": every - idle,
            "header-scan": every, "pool-scan": every - idle}
    for source in (s["name"] for s in answer["sources"]):
        seen = {t["object"] for t in known if source in t["sources"]}
        if source in want:
            tally.check(seen == want[source], f"{source} differs by {sorted(seen ^ want[source])}")
            tally.compared[source] = len(seen)
        elif source == "prcb":
            ids = {(t["pid"], t["tid"]) for t in known if t["object"] in seen and t["pid"] != 0}
            tally.check(ids <= prcb and idle <= seen, f"prcb sees {ids}")
        else:
            tally.check(source in SOME, f"what is {source}?")
    for thread in known:
        tally.check(not thread["unseen_by"] and not thread["hidden"],
                    f"tid {thread['tid']}: {thread['hidden']}, not seen by {thread['unseen_by']}")
    return tally.report()


# What a thread of each kind of workload.c waits for: kind of object, waits_for.
WAITS = {
    "event": ("EventNotificationObject", "object"), "mutex": ("MutantObject", "object"),
    "critsec": ("EventSynchronizationObject", "critical section"), "sem": ("SemaphoreObject", "object"),
    "pipe": ("EventNotificationObject", "file"), "iocp": ("QueueObject", "object"),
    "timer": ("TimerNotificationObject", "object"), "sleep": ("TimerNotificationObject", "timeout"),
    "suspended": ("SemaphoreObject", "suspension"),
}


def every_wait(tally, threads):
    """Each waiting thread waits for something, all of it read, and nobody else does."""
    waiting = [t for t in threads if t["state"] == "Waiting"]
    tally.check(all(t["wait_objects"] for t in waiting), "a waiting thread without wait objects")
    tally.check(all(w["kind"] and not w["kind"].startswith("0x") for t in waiting for w in t["wait_objects"] or []),
                "an object of no kind")
    tally.check(all(t["wait_objects"] is None for t in threads if t["state"] != "Waiting"), "one that does not wait")
    return len(waiting)


def waits(stasis, plain_image, image, truth_path):
    tally = Tally("waits")
    tally.check(every_wait(tally, records(stasis, plain_image, "threads")) == 105, "105 of 106 threads wait")
    threads = {t["tid"]: t for t in records(stasis, image, "threads")}
    every_wait(tally, threads.values())
    with open(truth_path, encoding="utf-8") as text:
        truth = json.load(text)["threads"]
    main_tid = next(t["tid"] for t in truth if t.get("kind") == "main")
    for want in truth:
        if want.get("kind") in WAITS and want["state"] == "Waiting":
            got = threads[want["tid"]]["wait_objects"][0]
            tally.check((got["kind"], got["waits_for"]) == WAITS[want["kind"]], f"{want['tid']} {want['kind']}: {got}")
            held = main_tid if want["kind"] in ("mutex", "critsec") else None
            tally.check(got["owner_tid"] == held, f"{want['tid']} {want['kind']}: owner {got['owner_tid']}")
        elif want.get("kind") == "multi":
            got = threads[want["tid"]]["wait_objects"]
            tally.check([(g["kind"], g["wait_type"]) for g in got] == [("EventNotificationObject", "WaitAll")] * 4,
                        f"{want['tid']}: {got}")
    graph = json.loads(run(stasis, "waits", image, "--format", "json"))
    tally.check(not graph["deadlocks"], "no deadlock")
    ends = {chain["steps"][0]["tid"]: chain["steps"][-1]["tid"] for chain in graph["chains"]}
    for kind in ("mutex", "critsec"):
        tid = next(t["tid"] for t in truth if t.get("kind") == kind)
        tally.check(ends.get(tid) == main_tid, f"the chain of {tid} ends with {ends.get(tid)}")
    return tally.report()


def main():
    stasis, cache = sys.argv[1:3]
    raw, elf, said, mem, truth = images.need(
        cache, "reactos-0.4.13-x86.raw", "reactos-0.4.13-x86.elf", "reactos-0.4.13-x86.truth.txt",
        "reactos-0.4.13-x86-kinds/mem.raw", "reactos-0.4.13-x86-kinds/truth.json")
    good = [plain(stasis, raw, said), plain(stasis, elf, said), identical(stasis, raw, elf), kinds(stasis, mem, truth),
            pages(stasis, mem, truth), noticed(stasis, raw), noticed(stasis, mem)]
    _, listed = debugger_listing(said)
    running = {who for who, told in listed.items() if told[0] in ("Running", "Standby")}
    good += [every_way(stasis, image, set(listed), running) for image in (raw, elf)]
    with open(truth, encoding="utf-8") as text:
        told = json.load(text)["threads"]
    running = {(t["pid"], t["tid"]) for t in told if t["state"] in ("Running", "Standby")}
    good.append(every_way(stasis, mem, {(t["pid"], t["tid"]) for t in told}, running))
    good.append(waits(stasis, raw, mem, truth))
    sys.exit(0 if all(good) else 1)


main()
