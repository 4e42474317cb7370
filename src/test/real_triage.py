# SPDX-License-Identifier: MIT
"""
real_triage.py STASIS CACHE: the command on two real triage dumps.

Windows 10 19041 x64: TRUTH was read from the file by hand: its second header by the fact tables' _TRIAGE_DUMP64, the
copies of thread and process by the member places of 10.0.19041.685 (the kernel in the dump is 10.0.19041.804; its PE
timestamp and size say so, and the places are the same). Each "off" is where in the file the value can be seen.
Windows 11 22000 ARM64: recognised, and refused in one line.
"""
import json
import re
import subprocess
import sys

import images

X64, ARM64 = "win10-19041-x64-triage.dmp", "win11-22000-arm64-triage.dmp"

THREAD = {
    "object": "0xffffc08bde9e1640", "tid": 264, "pid": 4, "process": "System", "process_object": "0xffffc08bdce94180",
    "state": "Running", "priority": 13, "base_priority": 12, "initial_stack": "0xffff850429892c90",
    "stack_base": "0xffff850429893000", "stack_limit": "0xffff85042988d000", "kernel_stack": "0xffff850429891fe0",
    "context_switches": 0x198, "kernel_time": 0x2A, "running_on": 0, "start_address": "0xfffff8047bc25870",
    "create_time": "2021-02-21T01:38:19.8615259Z", "sources": ["prcb", "dump"], "object_pa": None, "teb": None,
}
# key: address, and the place in the file (the copy of the thread begins at 0xdaf8)
EVIDENCE = {
    "state": ("0xffffc08bde9e17c4", "0xdc7c"), "stack_base": ("0xffffc08bde9e1678", "0xdb30"),
    "tid": ("0xffffc08bde9e1ac0", "0xdf78"),
}
PROCESS = {"object": "0xffffc08bdce94180", "pid": 4, "name": "System", "threads": 1}
HINTS = {
    "thread": "0xffffc08bde9e1640", "process": "0xffffc08bdce94180", "prcb": "0xfffff804782d4180",
    "stack": "0xffff850429890ee8", "stack_len": "0x2118", "stack_off": "0xe390", "unloaded": 4, "broken_driver": None,
    "drivers": 151, "dump_type": 4, "build": 19041,
    "bugcheck": "0x1000007e", "bugcheck_parameter_1": "0xffffffffc0000005",
    "bugcheck_parameter_2": "0xfffff8048b58334c", "bugcheck_parameter_3": "0xffff850429891ee8",
    "bugcheck_parameter_4": "0xffff850429891720", "system_time": "2021-02-21T01:38:22.9877657Z",
}
SYSTEM = {
    "version": "10.0.19041.804", "build": 19041, "kernel_base": "0xfffff8047ba00000", "kernel_size": "0x1046000",
    "kernel_timestamp": "0xd8333e6", "processors": 16, "paging": "flat", "root": None,
    "layout_confidence": "exact", "system_object": "0xffffc08bdce94180",
}
# by base: how many, the first, one in the middle, the last
MODULES = 151
MODULE = [
    {"base": "0xfffff80479440000", "size": "0x6000", "name": "hal.dll", "path": "\\SystemRoot\\system32\\hal.dll",
     "timestamp": "0x1a7be8e9"},
    {"base": "0xfffff8047ba00000", "size": "0x1046000", "name": "ntoskrnl.exe",
     "path": "\\SystemRoot\\system32\\ntoskrnl.exe", "timestamp": "0xd8333e6"},
    {"base": "0xfffff8048b680000", "size": "0xe000", "timestamp": "0x84dfd52a"},
]
# GUID, place and size of the first and the last of 20 blobs
SECONDARY = [{"guid": "54c84888-01d1-4c1e-bed6-282c98241303", "off": "0x13a2bc", "size": 0x1000},
             {"guid": "2b88b710-1c93-4f7c-b06c-655ecc50decc", "off": "0x156594", "size": 0xA51C}]


# The first header's CONTEXT at 0x348 and EXCEPTION_RECORD at 0xf00. rip is the second parameter of the bug check (where
# the exception was raised).
CPU = {
    "number": None, "origin": "dump header CONTEXT", "off": "0x348", "rip": "0xfffff8048b58334c", "rflags": "0x50246",
    "rax": "0xffffc08be4da6240", "rcx": "0x20", "rsp": "0xffff850429892120", "r15": "0x15", "cs": "0x10",
    "ss": "0x18", "fs": "0x53", "dr7": "0x0", "mxcsr": "0x1f80", "cr3": None, "gs_base": None,
}
XMM1 = "0x0000000000000000ffffc08be4da6240"
EXCEPTION = {"code": "0x80000003", "flags": "0x1", "address": "0xfffff8047bdf5a80", "record": "0x0", "parameters": [],
             "off": "0xf00"}
ARM64_EXCEPTION = dict(EXCEPTION, address="0xfffff803f32de014")
ARM64_HINTS = {"machine": "arm64", "build": 22000, "processors": 8, "bugcheck": "0x1c8", "dump_type": 4,
               "kdbg": "0xfffff803f3a00d00", "system_time": "2021-09-14T02:51:58.1467095Z", "thread": None}
# At 0x20d0: a count of 4, and entries of 0x38 bytes.
UNLOADED = [
    {"name": "dam.sys", "start": "0xfffff80487de0000", "end": "0xfffff80487dfc000", "off": "0x20d8"},
    {"name": "WdBoot.sys", "start": "0xfffff80479d30000", "end": "0xfffff80479d42000", "off": "0x2110"},
    {"name": "hwpolicy.sys", "start": "0xfffff804802c0000", "end": "0xfffff804802d1000", "off": "0x2148"},
    {"name": "mcupdate.dll", "start": "0xfffff804793e0000", "end": "0xfffff80479409000", "off": "0x2180"},
]
PROCESSOR = {"number": 0, "block": "0xfffff804782d4180", "current_thread": "0xffffc08bde9e1640", "next_thread": "0x0",
             "idle_thread": "0xfffff8047c727600"}


def run(stasis, status, *words):
    done = subprocess.run([stasis, *words], capture_output=True, text=True, check=False)
    if done.returncode != status:
        sys.exit(f"{' '.join(words)}: exit status {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout if status in (0, 3) else done.stderr


def expect(what, want, got):
    wrong = {key: (value, got.get(key)) for key, value in want.items() if got.get(key) != value}
    if wrong:
        sys.exit(f"{what}: (wanted, got): {wrong}")


def check_threads(stasis, path):
    answer = json.loads(run(stasis, 3, "threads", "--format", "json", "--evidence", path))
    if len(answer["threads"]) != 1:
        sys.exit(f"{len(answer['threads'])} threads: a triage dump holds one")
    thread = answer["threads"][0]
    expect("thread", THREAD, thread)
    for key, (va, off) in EVIDENCE.items():
        expect(f"evidence of {key}", {"va": va, "pa": None, "off": off}, thread["evidence"][key])
    notes = [(note["severity"], note["code"]) for note in answer["notes"]]
    if notes != [("missing", "triage-dump"), ("warning", "stack-broken")]:
        sys.exit(f"notes: {notes}")
    check_stack(thread)


def check_stack(thread):
    """
    The dump has the stack, and around its return addresses a little code, but no unwind data: the place where the
    exception was raised is proved, all else a guess and called one.
    """
    first, *others = thread["stack"]
    expect("first frame", {"pc": CPU["rip"], "how": "register", "trust": "proved", "module": "amdppm.sys"}, first)
    if len(others) < 20 or any(frame["trust"] != "guess" for frame in others):
        sys.exit("the other frames are no guesses, or hardly any")
    if not all(frame["how"] in ("scan", "call-checked") and frame["module"] for frame in others):
        sys.exit("a guess without a module, or of another kind")
    expect("registers", {"rip": CPU["rip"], "origin": "dump header CONTEXT"}, thread["kernel_registers"])


def check_lists(stasis, path):
    processes = json.loads(run(stasis, 3, "processes", "--format", "json", path))["processes"]
    if len(processes) != 1:
        sys.exit(f"{len(processes)} processes: a triage dump holds one")
    expect("process", PROCESS, processes[0])
    answer = json.loads(run(stasis, 0, "modules", "--format", "json", path))
    modules = answer["modules"]
    if len(answer["unloaded"]) != len(UNLOADED):
        sys.exit(f"unloaded: {answer['unloaded']}")
    for want, got in zip(UNLOADED, answer["unloaded"]):
        expect("unloaded", dict(want, time=None, va=None), got)
    if len(modules) != MODULES:
        sys.exit(f"{len(modules)} modules, not {MODULES}")
    if [int(module["base"], 16) for module in modules] != sorted(int(module["base"], 16) for module in modules):
        sys.exit("modules are not in the order of their addresses")
    by_base = {module["base"]: module for module in modules}
    for want in MODULE:
        expect("module", want, by_base.get(want["base"], {}))


def check_info(stasis, path):
    info = json.loads(run(stasis, 3, "info", "--format", "json", path))
    expect("hints", HINTS, info["image"]["hints"])
    expect("system", SYSTEM, info["system"])
    blobs = info["image"]["secondary"]
    if len(blobs) != 20 or [blobs[0], blobs[-1]] != SECONDARY:
        sys.exit(f"secondary data: {blobs}")
    expect("registers", CPU, info["image"]["cpus"][0])
    expect("exception", EXCEPTION, info["image"]["exception"])
    expect("processor block", PROCESSOR, info["processor_blocks"][0])
    if len(info["image"]["cpus"]) != 1 or info["image"]["cpus"][0]["xmm"][1] != XMM1:
        sys.exit(f"registers: {info['image']['cpus']}")
    if len(info["processor_blocks"]) != 16 or len({p["idle_thread"] for p in info["processor_blocks"]}) != 16:
        sys.exit(f"processor blocks: {info['processor_blocks']}")
    if info["image"]["remarks"]:
        sys.exit(f"remarks: {info['image']['remarks']}")


def check_memory(stasis, path):
    """The stack in the dump begins 8 bytes into a row: what is before it is not there."""
    text = run(stasis, 3, "read", path, "0xffff850429890ee0", "16")
    if "?? ?? ?? ?? ?? ?? ?? ??  e1 f4 e0 7b 04 f8 ff ff" not in text:
        sys.exit(f"read: {text}")
    answer = json.loads(run(stasis, 0, "translate", "--format", "json", path, "0xffffc08bde9e1640"))
    expect("translate", {"pa": None, "off": "0xdaf8", "status": "present", "entries": []}, answer["translations"][0])
    answer = json.loads(run(stasis, 3, "translate", "--format", "json", path, "0xfffff8047c62a390"))
    expect("translate", {"pa": None, "off": None, "status": "not in image"}, answer["translations"][0])


def check_arm64(stasis, path):
    for verb in ("threads", "processes", "modules"):
        said = run(stasis, 2, verb, path)
        if not re.fullmatch(r"stasis: \S+: an ARM64 machine: this version reads x86 and x64 systems; "
                            r"'stasis info --trace \S+' tells what was tried\n", said):
            sys.exit(f"ARM64: {said}")
    done = subprocess.run([stasis, "info", "--format", "json", path], capture_output=True, text=True, check=False)
    info = json.loads(done.stdout)
    if done.returncode != 2 or info["error"] != "an ARM64 machine: this version reads x86 and x64 systems":
        sys.exit(f"ARM64: exit status {done.returncode}, {info['error']}")
    image = info["image"]
    expect("ARM64 hints", ARM64_HINTS, image["hints"])
    expect("ARM64", {"title": "Windows crash dump, 64-bit, triage, of an ARM64 machine", "range_count": 0, "cpus": [],
                     "exception": ARM64_EXCEPTION}, image)
    if len(image["secondary"]) != 42:
        sys.exit(f"ARM64: {len(image['secondary'])} blobs of secondary data")


def main(stasis, cache):
    x64, arm64 = images.need(cache, X64, ARM64)
    check_threads(stasis, x64)
    check_lists(stasis, x64)
    check_info(stasis, x64)
    check_memory(stasis, x64)
    check_arm64(stasis, arm64)
    print("two triage dumps: as they should be")


if __name__ == "__main__":
    main(*sys.argv[1:])
