#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guest.py STASIS VMLINUZ FOLDER [--module FILE.ko]... [--bits 32] [--cpu NAME] [--append WORDS]

Boots a Linux kernel in QEMU, lets the guest tell of every task what /proc says (init), dumps its memory as raw and as
ELF, and holds `stasis threads` against that. Run by hand: it needs qemu-system-x86, busybox-static (--busybox: one of
the guest's width) and kernels, as `apt-get download` of Debian's suites and `dpkg-deb -x` give them (docs/LINUX.md).
Only what the guest told twice alike is compared; what stasis says to be absent is counted and is not wrong. A counter
of a thread that ran between telling and dump differs. Exit status 1: wrong.
"""
import argparse
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TELLS_MAX = 900  # seconds until a guest has told
SCHEDULER_MAX = 4  # functions of the scheduler's section, which the guest leaves out


# ---------------------------------------------------------------- the guest

def initramfs(options):
    """A compressed cpio of busybox, init, work and the modules."""
    root = options.folder / "initramfs"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(options.busybox, root / "bin/busybox")
    shutil.copy(HERE / "init", root / "init")
    width = ["-m32", "-idirafter", "/usr/include/x86_64-linux-gnu"] if options.bits == 32 else []
    subprocess.run(["gcc", "-O1", "-static", "-pthread", *width, "-o", root / "bin/work", HERE / "work.c"], check=True)
    for module in options.module:
        to = root / "modules" / module.name.removesuffix(".xz")
        to.write_bytes(subprocess.run(["xz", "-dc", module], check=True, capture_output=True).stdout
                       if module.suffix == ".xz" else module.read_bytes())
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names.encode(), check=True,
                            capture_output=True).stdout
    (options.folder / "initrd").write_bytes(packed)


class Monitor:
    """QEMU's machine protocol: a line of JSON each way."""

    def __init__(self, path):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(path))
        self.stream = connection.makefile("rw")
        self.stream.readline()  # its greeting
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        print(json.dumps({"execute": command, "arguments": arguments}), file=self.stream, flush=True)
        for line in self.stream:
            answer = json.loads(line)
            if "error" in answer:
                sys.exit(f"guest: {command}: {answer['error']['desc']}")
            if "return" in answer:  # else an event
                return


def boot(options):
    """FOLDER/serial, FOLDER/raw and FOLDER/elf."""
    serial, monitor = options.folder / "serial", options.folder / "monitor"
    for path in (serial, monitor):
        path.unlink(missing_ok=True)
    qemu = "qemu-system-i386" if options.bits == 32 else "qemu-system-x86_64"
    guest = subprocess.Popen([qemu, "-m", str(options.memory), "-smp", "2", "-cpu", options.cpu, "-display", "none",
                              "-kernel", options.vmlinuz, "-initrd", options.folder / "initrd", "-nic", "none",
                              "-append", f"console=ttyS0 {options.append}", "-serial", f"file:{serial}", "-no-reboot",
                              "-qmp", f"unix:{monitor},server=on,wait=off"])
    try:
        end = time.monotonic() + TELLS_MAX
        while not (serial.exists() and b"DONE" in serial.read_bytes()):
            if time.monotonic() > end or guest.poll() is not None:
                sys.exit("guest: it did not come to tell anything; see the file serial")
            time.sleep(1)
        m = Monitor(monitor)
        m.do("stop")
        m.do("pmemsave", val=0, size=options.memory << 20, filename=str(options.folder / "raw"))
        m.do("dump-guest-memory", paging=False, protocol=f"file:{options.folder / 'elf'}")
        m.do("quit")
        guest.wait(30)
    finally:
        guest.kill()


# ---------------------------------------------------------------- what it told

def tellings(serial):
    """Of each telling: by tid, by the letter of the line, its text."""
    text = serial.read_bytes().decode("latin1").replace("\r", "")
    for part in re.findall(r"\nTELL\n(.*?)\nTOLD", text, re.S):
        told = {}
        for line in re.split(r"\n(?=[TWKSN] /proc/)", "\n" + part)[1:]:
            m = re.match(r"([TWKSN]) /proc/(\d+)/task/(\d+) ?(.*)", line, re.S)
            told.setdefault(int(m[3]), {"pid": int(m[2])})[m[1]] = m[4]
        yield told


def number(pattern, text, base=10):
    m = re.search(pattern, text)
    return int(m[1], base) if m else None


def facts_of(lines):
    """What one telling says of a task, by the names of our facts; None where it is gone meanwhile."""
    m = re.match(r"(\d+) \((.*)\) (\S) (-?\d+) (.*)", lines.get("T", ""), re.S)
    if not m:
        return None
    rest, status = m[5].split(), lines.get("S", "")
    facts = {"pid": lines["pid"], "ppid": int(m[4]), "state_letter": m[3], "rt_priority": int(rest[35]), "name": m[2],
             "uid": number(r"Uid:\s+(\d+)", status), "gid": number(r"Gid:\s+(\d+)", status),
             "cap_effective": number(r"CapEff:\s+(\w+)", status, 16), "flags": int(rest[4]),
             "voluntary_switches": number(r"(?<!non)voluntary_ctxt_switches:\s+(\d+)", status),
             "involuntary_switches": number(r"nonvoluntary_ctxt_switches:\s+(\d+)", status)}
    if int(rest[13]) >= 0:
        facts["priority"] = int(rest[13]) + 100
    names = re.match(r"pid:\[(\d+)\] mnt:\[(\d+)\] ?(\S*)", lines.get("N", ""))
    if names:
        facts |= {"ns_pid": int(names[1]), "ns_mnt": int(names[2]), "path": names[3] or None}
    if m[3] in "SDIT":
        facts["wchan"] = lines.get("W", "0") if lines.get("W", "0") != "0" else None
        facts["stack"] = [re.sub(r"[+/ ].*", "", frame.strip()) for frame in lines.get("K", "").split("[<0>]")[1:]]
    return {key: value for key, value in facts.items() if value is not None}


def stable(first, second):
    """By tid: what both say."""
    both = {}
    for tid in first.keys() & second.keys():
        a, b = facts_of(first[tid]), facts_of(second[tid])
        if a and b and tid != 1:  # init is the one that tells
            both[tid] = {key: a[key] for key in a if a[key] == b.get(key)}
    return both


# ---------------------------------------------------------------- against ours

def ours_of(thread, key):
    value = thread.get(key)
    if key in ("flags", "cap_effective"):
        return int(value["value"], 16) if value else None
    if key == "stack":
        return [frame["symbol"] for frame in value] if value else None
    return value


def same(key, ours, told):
    if key == "name" and re.match(r"kworker/\w+:", told):  # what it works on has changed meanwhile
        return ours.split("-")[0] == told.split("-")[0]
    if key == "stack":  # ours begins with the scheduler, which the guest leaves out
        return not told or (ours[-len(told):] == told and ours[0] == "__schedule" and
                            len(ours) <= len(told) + SCHEDULER_MAX)
    return ours == told


def compare(stasis, image, told):
    done = subprocess.run([stasis, "threads", "--format", "json", image], capture_output=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"guest: {image}: exit status {done.returncode}: {done.stderr.decode()}")
    threads = {thread["tid"]: thread for thread in json.loads(done.stdout)["threads"]}
    equal = wrong = absent = 0
    for tid, facts in sorted(told.items()):
        if tid not in threads:
            wrong += 1
            print(f"{image.name}: tid {tid} ({facts['name']}) is missing")
            continue
        for key, value in facts.items():
            ours = ours_of(threads[tid], key)
            if ours is None:
                absent += 1
            elif same(key, ours, value):
                equal += 1
            else:
                wrong += 1
                print(f"{image.name}: tid {tid} ({facts['name']}): {key}: {ours}, the guest says {value}")
    print(f"{image.name}: {len(told)} tasks; {equal} facts equal, {absent} absent, {wrong} wrong; "
          f"exit {done.returncode}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stasis", type=pathlib.Path)
    parser.add_argument("vmlinuz", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--module", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--bits", type=int, choices=(32, 64), default=64)
    parser.add_argument("--busybox", type=pathlib.Path, default="/bin/busybox")
    parser.add_argument("--cpu", default="max")
    parser.add_argument("--append", default="")
    parser.add_argument("--memory", type=int, default=256, help="MiB")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.folder = options.folder.resolve()
    initramfs(options)
    boot(options)
    told = stable(*tellings(options.folder / "serial"))
    return 1 if sum(compare(options.stasis, options.folder / name, told) for name in ("raw", "elf")) or not told else 0


if __name__ == "__main__":
    sys.exit(main())
