# SPDX-License-Identifier: MIT
"""
real_inferred.py STASIS CACHE: `--layout inferred` on real machines, against the same machine with its layout.

Two stops of ReactOS 0.4.13: exactly the same threads and processes; of each thread the facts of TOLD the same; no other
fact other than with the layout, absent ones apart. real_reactos.py holds the layout's answers against the guest's own.
"""
import json
import subprocess
import sys

import images

IMAGES = ["reactos-0.4.13-x86.elf", "reactos-0.4.13-x86.raw", "reactos-0.4.13-x86-kinds/mem.raw"]
TOLD = ["tid", "pid", "process", "process_object", "current_process", "state", "wait_reason", "wait_mode", "wait_irql",
        "initial_stack", "stack_base", "stack_limit", "kernel_stack", "trap_frame", "teb", "create_time",
        "start_address", "teb_tid", "peb"]
MEMBERS = 30  # found when this was written


def ask(stasis, verb, image, *options):
    done = subprocess.run([stasis, verb, image, "--format", "json", *options], capture_output=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{verb} {image} {' '.join(options)}: exit status {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def differences(want, got):
    """What is other than with the layout: lines of text."""
    known = {record["object"]: record for record in want}
    seen = {record["object"]: record for record in got}
    for at in sorted(set(known) ^ set(seen)):
        yield f"{at} is listed {'without' if at in seen else 'with'} the layout only"
    for at in sorted(set(known) & set(seen)):
        for key, value in known[at].items():
            if key in ("absent", "sources"):  # an inferred layout has no tables of handles, and sees in fewer ways
                continue
            if seen[at][key] != value and (seen[at][key] is not None or key in TOLD):
                yield f"{at}: {key}: want {value}, got {seen[at][key]}"


def main():
    stasis, cache = sys.argv[1:3]
    bad = 0
    for image in images.need(cache, *IMAGES):
        found = [row for row in ask(stasis, "info", image, "--layout", "inferred")["inferred"]
                 if row["verdict"] == "found"]
        lines = [] if len(found) >= MEMBERS else [f"{len(found)} members inferred, want {MEMBERS}"]
        for verb in ("processes", "threads"):
            want = ask(stasis, verb, image)
            lines += [f"note: {n['text']}" for n in want["notes"] if n["code"] == "layout-doubtful"]
            lines += differences(want[verb], ask(stasis, verb, image, "--layout", "inferred")[verb])
        print(f"{image}: {len(found)} members inferred, {len(lines)} differences")
        for line in lines[:25]:
            print(f"  {line}")
        bad += len(lines)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
