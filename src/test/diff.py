#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""diff.py STASIS IMAGE OTHER: `stasis diff` on golden images (xpsp3-x86, win10-19041-x64), and on what became of the
first one, told by documents that this test changes."""
import copy
import json
import os
import subprocess
import sys
import tempfile

STASIS, IMAGE, OTHER = (os.path.abspath(path) for path in sys.argv[1:4])
bad = []


def complain(text):
    bad.append(text)
    print(f"FAIL {text}")


def run(status, *words):
    done = subprocess.run([STASIS, *words], capture_output=True, timeout=300, check=False)
    out = done.stdout.decode()
    if done.returncode != status:
        complain(f"{words}: exit status {done.returncode}, want {status}\n{out[:3000]}{done.stderr.decode()}")
    if "--format" not in words and max(map(len, out.split("\n"))) > 120:
        complain(f"{words}: wider than 120 columns")
    return out, done.stderr.decode()


def says(out, *texts):
    for text in texts:
        if text not in out:
            complain(f"does not say {text!r}:\n{out[:3000]}")


def later(document):
    """The same machine some time later: what each change is expected to come to."""
    new = copy.deepcopy(document)
    threads = new["threads"]
    picked = [i for i, t in enumerate(threads) if t["process"] == "smss.exe" or t["process"] == "csrss.exe"]
    gone, reused, changed, quiet, unknown, born = picked[:6]
    threads[changed]["state"] = "Ready"
    threads[changed]["effective_token"] = "0x12345678"
    threads[changed]["stack"] = threads[changed]["stack"][1:]
    threads[reused]["create_time"] = "2008-01-01T00:00:00.0000000Z"
    threads[quiet]["context_switches"] += 5
    threads[quiet]["kernel_time"] += 5
    threads[unknown]["teb"] = None
    threads[unknown]["absent"]["teb"] = "paged out"
    threads[born]["object"] = "0x8fffff00"
    threads.pop(gone)
    return new, {"changed": document["threads"][changed]["tid"], "gone": document["threads"][gone]["tid"],
                 "reused": document["threads"][reused]["tid"], "born": document["threads"][born]["tid"]}


def main():
    with tempfile.TemporaryDirectory() as there:
        a, b = os.path.join(there, "a.json"), os.path.join(there, "b.json")
        run(0, "threads", IMAGE, "--format", "json", "--output", a)
        out, _ = run(0, "diff", IMAGE, IMAGE)
        says(out, "threads: 0 born, 0 gone, 0 changed,", "processes: 0 born, 0 gone", "modules: 0 born")
        run(0, "diff", IMAGE, a)
        run(0, "diff", a, IMAGE)
        with open(a, encoding="utf-8") as file:
            first = json.load(file)
        second, who = later(first)
        with open(b, "w", encoding="utf-8") as file:
            json.dump(second, file)
        total = len(first["threads"])

        out, _ = run(4, "diff", a, b)
        says(out, f"threads: 2 born, 3 gone, 1 changed, {total - 4} as they were", "Ready", "was Waiting",
             "effective_token", "0x12345678", f"gone    thread {who['gone']} of", f"born    thread {who['reused']} of",
             "its object was that of one that is gone", "its id was that of one that is gone", "context_switches",
             "without --all", "1 value is told by one of the two alone", "frames: ")
        if "kernel_time" in out or f"gone    thread {who['changed']}" in out or "one machine" in out:
            complain(f"says too much: {out}")
        out, _ = run(4, "diff", a, b, "--all")
        says(out, "context_switches", "kernel_time", "absent: paged out")
        out, _ = run(4, "diff", a, b, "--columns", "state")
        says(out, "was Waiting")
        if "effective_token" in out or "stack" in out:
            complain(f"--columns shows others: {out}")
        out, _ = run(4, "diff", a, b, "--format", "json")
        document = json.loads(out)
        told = document["threads"]
        if document["schema"] != "stasis/diff/1" or not document["same_machine"] or not document["different"]:
            complain(f"json: {out[:500]}")
        if [t["tid"] for t in told["gone"]] != sorted((who["gone"], who["reused"], who["born"])) or \
                {t["tid"]: t["reuse"] for t in told["born"]} != {
                    who["reused"]: "its object was that of one that is gone",
                    who["born"]: "its id was that of one that is gone"}:
            complain(f"json: {told['gone']} {told['born']}")
        changes = {change["path"]: (change["a"], change["b"]) for change in told["changed"][0]["changes"]}
        if len(told["changed"]) != 1 or set(changes) != {"state", "effective_token", "stack"} or \
                changes["state"] != ("Waiting", "Ready") or told["unchanged"] != total - 4:
            complain(f"json: {changes} {told['unchanged']}")
        if document["unknown"] != 1 or {i["path"]: i["count"] for i in document["ignored"]}.get(
                "threads[*].context_switches") != 1:
            complain(f"json: {document['ignored']} {document['unknown']}")

        second["system"]["kernel_base"] = "0x80000000"
        second["system"]["up_time"] += 3600000
        with open(b, "w", encoding="utf-8") as file:
            json.dump(second, file)
        says(run(4, "diff", a, b)[0], "other boots, as the kernel lies elsewhere", "time since then")
        says(run(4, "diff", IMAGE, OTHER)[0], "other machines", "other versions", "other kernels")
        run(4, "diff", a, b, "--quiet")

        says(run(2, "diff", a, os.path.join(there, "nowhere"))[1], "nowhere")
        says(run(1, "diff", a)[1], "something is missing")
        says(run(1, "diff", a, b, a)[1], "too many")
        processes = os.path.join(there, "p.json")
        run(0, "processes", IMAGE, "--format", "json", "--output", processes)
        says(run(2, "diff", a, processes)[1], "no list in common")
        says(run(1, "diff", a, b, "--output", b)[1], "is an input")
        with open(b, "w", encoding="utf-8") as file:
            file.write("{")
        says(run(2, "diff", a, b)[1], "no JSON document")
        hostile = {"schema": "stasis/threads/1", "system": {"version": "\x1b[2J", "machine": 7}, "threads": [
            {"object": 1, "create_time": [], "tid": {}, "process": "\x1b[31m\n\u202e", "state": "a" * 5000}]}
        other = copy.deepcopy(hostile)
        other["threads"][0]["state"] = {"x": [None, 1.5]}
        other["system"] = {"system_time": "9999-99-99T99:99:99Z", "up_time": -1, "version": "x"}
        for path, value in (a, hostile), (b, other):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(value, file)
        out, _ = run(4, "diff", a, b)
        if "\x1b" in out or "\u202e" in out:
            complain("a control character in text")
        json.loads(run(4, "diff", a, b, "--format", "json")[0])
    print("all is well" if not bad else f"{len(bad)} complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
