#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A batch over the archive of images.py.

    batch_test.py STASIS WRITE_IMAGES PACK ROOT FOLDER

- every entry is accounted for, once, and with what the recipe says of it;
- killed with all its workers at ten random moments and started again, it ends with the bytes of an undisturbed run;
- the resident memory of the process that holds the workers does not grow with the run;
- an image whose worker is killed is told, and the others are done;
- the SQLite file of both runs says the same, and every example of docs/SQL.md runs as it is written.
FOLDER keeps the archive from one run to the next.
"""
import fcntl
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
KILLS = 10
LIMIT = ["--tmp-limit", "100M"]  # less than the bomb of the archive unpacks to
GROWTH = 3 << 10  # KiB that the parent may grow from its first quarter on
ANY = {"complete", "partial", "not understood", "no image", "unsupported", "unreadable"}  # no worker died

bad = 0


def complain(text):
    global bad
    bad += 1
    if bad <= 40:
        print("FAIL", text if len(text) < 600 else text[:600] + " ...")


def check(what, want, got):
    if want != got:
        complain(f"{what}: {want!r} is expected, not {got!r}")


# ---------------------------------------------------------------- the archive, made once

def digest_of_sources(paths):
    made = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as file:
            made.update(file.read())
    return made.hexdigest()[:16]


def sources(root, programs):
    found = list(programs)
    for folder in ("src/test/archive", "src/test/golden", "testdata/golden"):
        for at, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.join(at, name) for name in names if name.endswith((".py", ".toml", "recipe", ".json"))
                      and not name.startswith("expect")]
    return found


def archive(root, writer, packer, folder):
    """FOLDER/archive-DIGEST/archive and its truth; what another state of the tree made goes. One at a time."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make_archive(root, writer, packer, folder)


def make_archive(root, writer, packer, folder):
    name = "archive-" + digest_of_sources(sources(root, [writer, packer]))
    home = os.path.join(folder, name)
    if not os.path.exists(os.path.join(home, "done")):
        for old in os.listdir(folder):
            if old.startswith("archive-"):
                shutil.rmtree(os.path.join(folder, old))
        os.makedirs(home)
        subprocess.run([sys.executable, "-B", os.path.join(HERE, "images.py"), writer, packer,
                        os.path.join(home, "archive")], check=True)
        open(os.path.join(home, "done"), "w", encoding="utf-8").close()
    with open(os.path.join(home, "archive.truth.json"), encoding="utf-8") as file:
        return home, json.load(file)


# ---------------------------------------------------------------- one run

def environment():
    """A sanitizer keeps what was freed for a while, which is no growth of ours."""
    old = os.environ.get("ASAN_OPTIONS", "")
    return {**os.environ, "ASAN_OPTIONS": (old + ":" if old else "") + "quarantine_size_mb=1"}


def start(stasis, home, out, *more):
    return subprocess.Popen([stasis, "batch", "archive", "-o", out, "-j", "2", *LIMIT, *more], cwd=home,
                            start_new_session=True, env=environment(), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def resident(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            found = re.search(r"^VmRSS:\s+(\d+)", file.read(), re.M)
        return int(found.group(1)) if found else None
    except (OSError, ProcessLookupError):
        return None


def watched(batch):
    """Waits for the end; the parent's resident memory, many times."""
    seen = []
    while batch.poll() is None:
        now = resident(batch.pid)
        if now:
            seen.append(now)
        time.sleep(0.05)
    return seen


def summary(out):
    with open(os.path.join(out, "summary.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def files_of(out):
    """What a run leaves, but for how long it took and the way there."""
    found = {}
    for at, _, names in os.walk(out):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, out)] = hashlib.sha256(file.read()).hexdigest()
    return {name: made for name, made in found.items() if name not in ("journal", "lock", "workers.jsonl")}


# ---------------------------------------------------------------- what must hold

def check_summary(lines, truth, out):
    got = {(line["name"], line["member"], line["inner"]): line for line in lines}
    check("entries", len(truth), len(lines))
    check("entries, each once", len(lines), len(got))
    for entry in truth:
        key = ("archive/" + entry["name"], entry["member"], entry["inner"])
        line = got.get(key)
        if line is None:
            complain(f"{key}: not accounted for")
            continue
        want = ANY if entry["status"] == "any" else {entry["status"]}
        if line["status"] not in want:
            complain(f"{key}: {entry['status']} is expected, not {line['status']} ({line['error']})")
        for fact in ("sha256", "threads", "processes", "format"):
            if fact in entry:
                check(f"{key}: {fact}", entry[fact], line[fact])
        if entry.get("system"):
            check(f"{key}: a system is found", True, bool(line["system"]))
        if line["status"] in ("complete", "partial", "not understood"):
            path = os.path.join(out, "results", line["sha256"] + ".json")
            check(f"{key}: its result", True, os.path.exists(path))
    contents = {}
    for line in lines:
        if line["sha256"]:
            contents.setdefault(line["sha256"], set()).add(line["status"])
    for content, statuses in contents.items():
        check(f"{content}: one answer", 1, len(statuses))


def check_resident(seen):
    quarter = max(seen[:max(1, len(seen) // 4)])
    print(f"     resident memory of the parent: {quarter} KiB after a quarter, {max(seen)} KiB at most")
    if max(seen) > quarter + GROWTH:
        complain(f"the parent grows: {quarter} KiB, then {max(seen)} KiB")


def check_killed(stasis, home, out, seconds, seed):
    """How many lines the journal had at each kill: that they came at different moments shows there."""
    dice, moments = random.Random(seed), []
    for _ in range(KILLS):
        batch = start(stasis, home, out)
        time.sleep(seconds / KILLS * dice.uniform(0.2, 2.5))
        os.killpg(batch.pid, signal.SIGKILL)
        batch.communicate()
        try:
            with open(os.path.join(out, "journal"), "rb") as file:
                moments.append(file.read().count(b"\n"))
        except FileNotFoundError:
            moments.append(0)
    print(f"     killed when the journal had {moments} lines")
    if len(set(moments)) < 3:
        complain("the kills did not come at different moments")


def check_crash(stasis, home, out):
    """A worker that dies is one image; the run goes on."""
    names = ["archive/golden/win7sp1-x64.raw", "archive/plain/windows64/00.raw", "archive/plain/windows32/00.raw"]
    batch = subprocess.Popen([stasis, "batch", *names, "-o", out, "-j", "1"], cwd=home, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    worker, end = None, time.monotonic() + 60
    while worker is None and time.monotonic() < end and batch.poll() is None:
        with open(f"/proc/{batch.pid}/task/{batch.pid}/children", encoding="utf-8") as file:
            children = file.read().split()
        worker = int(children[0]) if children else None
    if worker:
        try:
            os.kill(worker, signal.SIGKILL)  # a sanitizer would see SIGSEGV first
        except ProcessLookupError:
            pass
    batch.communicate()
    lines = summary(out)
    check("a killed worker: entries", 3, len(lines))
    check("a killed worker: the others are done", 2, sum(line["status"] == "complete" for line in lines))
    died = [line for line in lines if line["status"] == "crashed"]
    check("a killed worker is told", 1, len(died))


# ---------------------------------------------------------------- SQLite

def rows_of(path):
    """Every table without the numbers that are of one file alone."""
    db, found = sqlite3.connect(path), {}
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if not row[1].endswith("_id")]
        found[table] = sorted(map(repr, db.execute(f"SELECT {', '.join(columns)} FROM {table}")))
    db.close()
    return found


def check_sqlite(path, lines):
    db = sqlite3.connect(path)
    check("the database is whole", ("ok",), db.execute("PRAGMA integrity_check").fetchone())
    images = {line["sha256"]: line for line in lines
              if line["status"] in ("complete", "partial", "not understood", "crashed", "timeout", "memory")}
    check("images in the database", len(images), db.execute("SELECT count(*) FROM images").fetchone()[0])
    check("threads in the database", sum(line["threads"] or 0 for line in images.values()),
          db.execute("SELECT count(*) FROM threads").fetchone()[0])
    named = sum(line["sha256"] in images for line in lines)
    check("names in the database", named, db.execute("SELECT count(*) FROM paths").fetchone()[0])
    db.close()


def check_examples(stasis, root, path):
    """Lines of the pages that ask something, as they are written: in a shell, with this stasis."""
    page = ""
    for name in ("docs/BATCH.md", "docs/SQL.md"):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            page += file.read()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(path, os.path.join(folder, "archive.db"))
        os.symlink(stasis, os.path.join(folder, "stasis"))
        with open(os.path.join(folder, "question.sql"), "w", encoding="utf-8") as file:
            file.write("SELECT name, count(*) AS images\nFROM systems GROUP BY name;\n")
        lines = re.findall(r"^    (stasis query .*)$", page, re.M)
        check("there are examples", True, len(lines) >= 12)
        for line in lines:
            done = subprocess.run(["sh", "-c", re.sub(r"   +\S.*", "", line)], cwd=folder, capture_output=True,
                                  text=True, env={**os.environ, "PATH": folder + ":" + os.environ["PATH"]})
            check(f"{line!r} ({done.stderr.strip()})", 0, done.returncode)
        for name in re.findall(r"^### ([a-z-]+)", page.split("## Named questions")[1], re.M):
            values = {"in": ["Ke%"], "threads-of": ["System"]}.get(name, [])
            done = subprocess.run([stasis, "query", path, name, *values, "-f", "jsonl"], capture_output=True, text=True)
            check(f"question {name} ({done.stderr.strip()})", 0, done.returncode)
            print(f"     {name}: {done.stdout.count(chr(10))} rows")
            for row in done.stdout.splitlines():
                json.loads(row)


def main(argv):
    stasis, writer, packer, root, folder = (os.path.abspath(word) for word in argv)
    home, truth = archive(root, writer, packer, folder)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        whole, killed = os.path.join(made, "whole"), os.path.join(made, "killed")
        began = time.monotonic()
        batch = start(stasis, home, whole, "--sqlite", whole + ".db")
        seen = watched(batch)
        text = batch.communicate()[0]
        seconds = time.monotonic() - began
        check(f"exit status ({text})", 3, batch.returncode)  # some of them are not complete
        print(f"     {len(truth)} entries in {seconds:.1f} s")
        lines = summary(whole)
        check_summary(lines, truth, whole)
        check_resident(seen)
        check_sqlite(whole + ".db", lines)
        check_examples(stasis, root, whole + ".db")
        check_killed(stasis, home, killed, seconds, os.environ.get("STASIS_SEED", "1"))
        batch = start(stasis, home, killed, "--sqlite", killed + ".db")
        text = batch.communicate()[0]
        check(f"exit status of the last run ({text})", 3, batch.returncode)
        a, b = files_of(whole), files_of(killed)
        check("files of a run that was killed ten times", sorted(a), sorted(b))
        for name in a:
            if a[name] != b.get(name, a[name]):
                complain(f"{name}: other bytes than in an undisturbed run")
        if rows_of(whole + ".db") != rows_of(killed + ".db"):
            complain("the database of the run that was killed says something else")
        check_crash(stasis, home, os.path.join(made, "crash"))
    print("WRONG" if bad else "every file is accounted for")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
