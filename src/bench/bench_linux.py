# SPDX-License-Identifier: MIT
"""
bench_linux.py STASIS BENCH_PAGES CACHE: every task of the real x64 guest with its stacks, out of raw memory, from a
cold page cache and from a warm one: time, resident memory, pages touched. Where drgn is installed and $STASIS_VMLINUX
names the guest's vmlinux with DWARF (Debian: linux-image-6.1.0-56-amd64-dbg), drgn does the same in the same run, out
of an ELF core of the same memory, as it reads no raw one. Exit status 1 where a limit is broken.
"""
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "src", "test"), os.path.join(ROOT, "src", "bench")]
import images  # noqa: E402
from bench_threads import described, timed  # noqa: E402

ROUNDS = 5
SHARE_MAX, RESIDENT_MAX = 1 / 5, 64 << 20


def forget(*paths):
    """The page cache lets go of them."""
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def drgn_python():
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import drgn"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def measured(command, files):
    """Cold, then warm: (seconds, largest resident size) each."""
    forget(*files)
    return timed(command), timed(command)


def say(name, rounds):
    cold, warm = ([seconds for seconds, _ in column] for column in zip(*rounds))
    resident = max(size for pair in rounds for _, size in pair)
    print(f"{name}: cold {statistics.median(cold) * 1e3:.0f} ms (fastest {min(cold) * 1e3:.0f}), warm "
          f"{statistics.median(warm) * 1e3:.0f} ms (fastest {min(warm) * 1e3:.0f}), {resident / (1 << 20):.1f} MiB "
          "resident")
    return statistics.median(cold), resident


def main():
    stasis, pages, cache = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    raw, elf = images.find(cache, "linux-x64/mem.raw"), images.find(cache, "linux-x64/mem.elf")
    if not raw:
        print("linux: no real images, nothing measured (docs/TESTING.md)")
        return
    commands = {"stasis": ([stasis, "threads", raw, "--format", "json"], [raw])}
    vmlinux, python = os.environ.get("STASIS_VMLINUX"), drgn_python()
    core = os.path.join(cache, "bench-vmcore")
    if vmlinux and python:
        images.vmcore(elf, core)
        script = os.path.join(ROOT, "src", "bench", "drgn_stacks.py")
        commands["drgn"] = ([python, script, core, vmlinux], [core, vmlinux])
    else:
        print(f"linux: without drgn ({'not installed' if not python else 'STASIS_VMLINUX names no vmlinux'})")
    rounds = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, (command, files) in commands.items():
            rounds[name].append(measured(command, files))
    found = {name: say(f"linux-x64 with stacks, {name}", rounds[name]) for name in commands}
    print(f"linux-x64: {described(pages, raw)}")
    good = found["stasis"][1] < RESIDENT_MAX
    if "drgn" in found:
        os.unlink(core)
        share = found["stasis"][0] / found["drgn"][0]
        good &= share <= SHARE_MAX
        print(f"linux-x64, stasis / drgn, cold: {share:.3f} (limit {SHARE_MAX})")
    sys.exit(0 if good else 1)


main()
