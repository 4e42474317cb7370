# SPDX-License-Identifier: MIT
"""real_stacks.py STASIS CACHE: stacks and registers of Linux guests against what each guest said of itself.

For every task that three listings around the stop agree on: its kernel stack is the guest's own backtrace, function
by function with offsets, and wchan is the guest's own. For every thread of the workload: the registers that it marked
before it blocked. For the processors: the register dump. A zombie has no stack, and that is said.

User stacks: every frame lies in code that /proc/PID/maps names, in the file that it names, with its stack pointer in
writable memory, rising; those of the workload reach the outermost function, which is one for all processes and one for
all threads. busybox is built without tables: what its own functions are called by is not found.
"""
import json
import os
import re
import subprocess
import sys

import images

# Folder, image, more arguments. i386 kernels tell no types: of them once as they are, once with --symbols.
SYMBOLS = "linux-symbols"
CASES = [
    ("linux-x64", "mem.elf", []),
    ("linux-x64", "mem.raw", []),
    ("linux-x64", "mem.raw", ["--layout", "inferred"]),
    ("linux-x64-la57", "mem.raw", []),
    ("linux-x64-la57", "mem.raw", ["--layout", "inferred"]),
    ("linux-x64-hi", "mem.lime", []),
    ("linux-x64-kdump", "d31.none.kdump", []),
    ("linux-i386-pae", "mem.raw", []),
    ("linux-i386-pae", "mem.raw", ["--symbols", "686-pae.btf", "--symbols", "System.map-686-pae"]),
    ("linux-i386-nopae", "mem.raw", []),
    ("linux-i386-nopae", "mem.raw", ["--symbols", "686.btf", "--symbols", "System.map-686"]),
    ("linux-i386-pae-hi", "mem.lime", []),
    ("linux-i386-pae-hi", "mem.lime", ["--symbols", "686-pae.btf", "--symbols", "System.map-686-pae"]),
]
SCHEDULER = ("__schedule", "schedule", "schedule_timeout", "schedule_hrtimeout", "schedule_hrtimeout_range",
             "schedule_hrtimeout_range_clock", "schedule_preempt_disabled", "schedule_idle", "preempt_schedule_irq",
             "__cond_resched", "preempt_schedule_common", "io_schedule", "io_schedule_timeout", "do_nanosleep",
             "preempt_schedule", "schedule_timeout_interruptible", "bit_wait", "bit_wait_io", "wait_for_completion",
             "wait_for_completion_interruptible", "wait_for_completion_killable", "wait_for_completion_state",
             "__wait_for_common", "mutex_lock", "__mutex_lock", "__mutex_lock_slowpath", "__mutex_lock.constprop.0",
             "mutex_lock_interruptible", "rwsem_down_read_slowpath", "rwsem_down_write_slowpath", "down_read",
             "down_write", "__down_common", "down", "__down", "usleep_range_state", "_cond_resched",
             "wait_for_common", "schedule_timeout_idle", "schedule_timeout_killable",
             "schedule_timeout_uninterruptible")


class Case:
    def __init__(self, name, typed):
        self.name = name
        self.typed = typed
        self.bad = []
        self.count = {}

    def check(self, what, good, text):
        self.count[what] = self.count.get(what, 0) + 1
        if not good:
            self.bad.append(f"{what}: {text}")


def told(stack):
    """[("do_wait", 0x114, None)] from "[<0>] do_wait+0x114/0x320|..."."""
    found = []
    for line in stack.strip("|").split("|"):
        match = re.fullmatch(r"\[<0>\] (\S+)\+0x([0-9a-f]+)/0x[0-9a-f]+(?: \[(\S+)\])?", line)
        if line:
            found.append((match.group(1), int(match.group(2), 16), match.group(3)) if match else (line, 0, None))
    return found


def ours(thread):
    """The guest's /proc/PID/stack leaves the scheduler out; ours begins where the task stands."""
    frames = []
    for frame in thread["stack"] or []:
        module = None if frame["module"] == "vmlinux" else frame["module"]
        if frame["symbol"] not in SCHEDULER:
            frames.append((frame["symbol"], frame["offset"], module))
    return frames


def check_stack(case, truth, thread):
    who = f"tid {truth['tid']} {truth['comm']!r} ({truth['state']})"
    if truth["state"].startswith(("Z", "X")):
        case.check("zombie", thread["stack"] is None and thread["absent"].get("stack") == "not applicable",
                   f"{who}: {thread['stack']} {thread['absent'].get('stack')}")
        return
    if truth["state"].startswith("R") or truth["stack"] in ("", None):
        return
    frames, want = ours(thread), told(truth["stack"])
    case.check("stack", frames == want,
               f"{who}\n  is  {frames}\n  not {want}\n  {thread['absent'].get('stack')}")
    case.check("wchan", thread["wchan"] == truth["wchan"], f"{who}: {thread['wchan']}, not {truth['wchan']}")
    if "inferred" in case.name and any(f["module"] not in ("vmlinux", None) for f in thread["stack"] or []):
        return  # where a module's tables are only types tell
    case.check("how", all(f["how"] in ("register", "orc", "frame-pointer") for f in thread["stack"] or []),
               f"{who}: a scanned frame")


NAMES64 = {"ax": "rax", "bx": "rbx", "cx": "rcx", "dx": "rdx", "si": "rsi", "di": "rdi", "bp": "rbp", "sp": "rsp",
           "ip": "rip", "flags": "rflags", "cs": "cs", "ss": "ss"}


def check_registers(case, folder, threads, truth):
    path = os.path.join(folder, "regs_truth.json")
    for entry in json.load(open(path, encoding="utf-8")) if os.path.exists(path) else []:
        thread = threads.get(entry["tid"])
        if not thread or len(entry["hits"]) != 1:
            continue
        is_ = thread["user_registers"] or {}
        for name, value in entry["hits"][0].items():
            key = NAMES64.get(name, name)
            if key in is_:
                case.check("registers", is_[key] is not None and int(is_[key], 16) == int(value, 16),
                           f"tid {entry['tid']} ({entry['role']}) {key}: {is_[key]}, not {value}")
        if thread["running_on"] is not None and not is_:
            case.check("on a processor", thread["absent"]["user_registers"] == "not known", f"tid {entry['tid']}")
        else:
            case.check("register sets", bool(is_), f"tid {entry['tid']} ({entry['role']}): {thread['absent']}")
    # what /proc/PID/syscall said: number, six arguments, stack pointer, instruction pointer
    for entry in truth["threads"]:
        thread = threads.get(entry["tid"])
        words = (entry.get("syscall") or "").split()
        if not thread or not entry["stable"] or len(words) not in (3, 9) or entry["state"].startswith(("R", "Z", "X")):
            continue
        if entry["kthread"]:
            case.check("kernel threads", thread["user_registers"] is None and
                       thread["absent"]["user_registers"] == "not applicable", f"tid {entry['tid']}")
            continue
        is_ = thread["user_registers"] or {}
        at = [int(is_.get(a) or is_.get(b) or "0", 16) for a, b in (("rsp", "esp"), ("rip", "eip"))]
        case.check("sp and ip", at == [int(word, 16) for word in words[-2:]],
                   f"tid {entry['tid']} {entry['comm']!r}: {[hex(x) for x in at]}, not {words[-2:]}")


def processors(path):
    """[{"RIP": ..., "CPL": ...}] of QEMU's "info registers"."""
    found = []
    for line in open(path, encoding="utf-8"):
        if line.startswith("CPU#"):
            found.append({})
        for name, value in re.findall(r"\b(R[A-Z0-9]+|E[A-Z]{2}|CPL)\s*=([0-9a-f]+)", line):
            found[-1].setdefault(name, int(value, 16))
    return found


def check_processors(case, folder, threads):
    """Of those that ran, where the container holds registers: the dump's instruction pointer and stack pointer."""
    path = os.path.join(folder, "info-registers.txt")
    cpus = processors(path) if os.path.exists(path) else []
    for thread in threads.values():
        user, kernel = thread["user_registers"], thread["kernel_registers"]
        for side, registers in (("user", user), ("kernel", kernel)):
            if registers and registers["origin"] in ("QEMU note", "NT_PRSTATUS") and cpus:
                dump = cpus[thread["cpu"]]
                for name in ("rip", "rsp", "rbx", "r12", "rbp"):
                    case.check("processors", int(registers[name], 16) == dump[name.upper()],
                               f"tid {thread['tid']} cpu {thread['cpu']} {side} {name}: {registers[name]}")


def alike(thread):
    """What threads of one group have in common."""
    return [(f["module"], f["symbol"], f["offset"] if f["symbol"] or f["module"] else f["pc"], f["how"])
            for f in thread["stack"] or []] or thread["absent"].get("stack")


def check_grouped(case, stasis, arguments, listed):
    """The verb stacks: every thread once, with those alike, most first, and the frames of the first."""
    done = subprocess.run([stasis, "stacks", *arguments, "--format", "json"], capture_output=True, check=False)
    document = json.loads(done.stdout)
    stacks, by_object = document["stacks"], {thread["object"]: thread for thread in listed}
    objects = [thread["object"] for group in stacks for thread in group["threads"]]
    case.check("grouped", sorted(objects) == sorted(by_object), f"{len(objects)} of {len(by_object)} threads")
    keys = set()
    for group in stacks:
        members = [by_object[thread["object"]] for thread in group["threads"]]
        key = str(alike(members[0]))
        case.check("groups", all(str(alike(member)) == key for member in members) and key not in keys and
                   group["count"] == len(members) and group["frames"] == members[0]["stack"], f"{key}")
        keys.add(key)
    order = [(group["frames"] is None, -group["count"]) for group in stacks]
    case.check("order", order == sorted(order), f"{order}")


UNTOLD = {"what the process maps is not known", "a page of the program that tells how to go on is not in the image"}


def mapped(lines):
    """[(start, end, permissions, name)] of /proc/PID/maps."""
    found = []
    for line in lines:
        words = line.split()
        start, end = (int(word, 16) for word in words[0].split("-"))
        found.append((start, end, words[1], os.path.basename(words[5]) if len(words) > 5 else None))
    return found


def at(maps, va):
    return next((area for area in maps if area[0] <= va < area[1]), (0, 0, "----", None))


def check_frames(case, who, frames, maps):
    sp = 0
    for frame in frames:
        area = at(maps, int(frame["pc"], 16))
        case.check("user frames", area[2][2] == "x" and frame["module"] == area[3], f"{who}: {frame} is in {area}")
        here = int(frame["sp"], 16)
        case.check("user stack pointers", at(maps, here - 8)[2][1] == "w" and here >= sp, f"{who}: sp of {frame}")
        sp = here


def check_user_stacks(case, truth, threads, told_of_maps):
    """told_of_maps: the image holds what tells (a filtered dump has no pages of users, and 32 bits need types)."""
    outermost = {True: set(), False: set()}
    for entry in truth["threads"]:
        thread = threads.get(entry["tid"])
        if not thread or not thread["user_stack"]:
            continue
        who = f"tid {entry['tid']} {entry['comm']!r}"
        frames, end = thread["user_stack"], thread["user_stack_end"]
        maps = mapped(truth.get("maps", {}).get(str(entry["tgid"]), []))
        if not told_of_maps:
            case.check("user stacks untold", len(frames) == 1 and end in UNTOLD, f"{who}: {len(frames)} {end}")
            continue
        if maps and entry["stable"]:
            check_frames(case, who, frames, maps)
        if frames[0]["module"] == "busybox" or frames[-1]["module"] == "busybox":
            case.check("user stacks of busybox", end != "outermost function" and len(frames) > 1, f"{who}: {end}")
            continue
        case.check("user stacks to their end", end == "outermost function" and len(frames) > 2, f"{who}: {end}")
        case.check("scanned", sum(frame["how"] == "scan" for frame in frames) <= 1, who)
        outermost[entry["tid"] == entry["tgid"]].add(frames[-1]["pc"])
    case.check("outermost functions", len(outermost[True]) <= 1 and len(outermost[False]) <= 1, f"{outermost}")


# linux-x64-kdump: what "echo c > /proc/sysrq-trigger" runs through, from where the kernel saved its registers.
CRASH = ["__crash_kexec", "panic", "sysrq_handle_crash", "__handle_sysrq.cold", "write_sysrq_trigger",
         "proc_reg_write", "vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"]


def run(stasis, cache, folder, image, extra):
    given = [f"{SYMBOLS}/{word}" for option, word in zip(extra[::2], extra[1::2]) if option == "--symbols"]
    case = Case(" ".join([os.path.basename(folder), image] + extra), ("i386" not in folder and not extra) or given)
    path, *symbols = images.need(cache, f"{folder}/{image}", *given)
    folder = images.need(cache, f"{folder}/truth.json")[0][:-len("truth.json")]
    arguments = [word for symbol in symbols for word in ("--symbols", symbol)] if given else extra
    done = subprocess.run([stasis, "threads", path, "--format", "json"] + arguments, capture_output=True, check=False)
    if done.returncode not in (0, 3):
        case.bad.append(f"exit {done.returncode}: {done.stderr.decode()[:300]}")
        return case
    listed = json.loads(done.stdout)["threads"]
    check_grouped(case, stasis, [path] + arguments, listed)
    threads = {thread["tid"]: thread for thread in listed if thread["tid"]}
    truth = json.load(open(os.path.join(folder, "truth.json"), encoding="utf-8"))
    for entry in truth["threads"]:
        if entry["stable"] and entry.get("role") != "lister" and entry["tid"] in threads:
            check_stack(case, entry, threads[entry["tid"]])
    if "crasher_pid" in truth:
        stack = [frame["symbol"] for frame in threads[truth["crasher_pid"]]["stack"]]
        case.check("crash", stack == CRASH, f"{stack}")
    check_registers(case, folder, threads, truth)
    check_user_stacks(case, truth, threads, case.typed and "kdump" not in folder)
    check_processors(case, folder, threads)
    return case


def main():
    stasis, cache = sys.argv[1:3]
    bad = 0
    for name, image, extra in CASES:
        case = run(stasis, cache, name, image, extra)
        print(f"{case.name}: {', '.join(f'{count} {what}' for what, count in case.count.items())}; "
              f"{len(case.bad)} wrong")
        for text in case.bad[:10]:
            print("  " + text)
        bad += len(case.bad)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
