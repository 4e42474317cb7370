#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""batch.py STASIS ROOT: the verbs batch and merge on small archives that are made here: what becomes of each file,
going on after being killed, limits, locks, shards. Prints each breach; exit status 1 if any."""
import gzip
import io
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

from breaches import Breaches, base_image, summary

ROOT = pathlib.Path(sys.argv[2])
PAGE = 4096
breaches = Breaches("batch", sys.argv[1])
check, run = breaches.check, breaches.run


def answer(out):
    """What must not depend on how a run went."""
    files = {p.name: p.read_bytes() for p in sorted((out / "results").iterdir())}
    return files, (out / "summary.jsonl").read_bytes(), (out / "finished.json").read_bytes()


def image(base, number):
    """The same system, and a page more that nothing leads to."""
    return base + number.to_bytes(PAGE, "little")


def write_sparse(path, data):
    with open(path, "wb") as file:
        for at in range(0, len(data), PAGE):
            piece = data[at:at + PAGE]
            if piece.count(0) == len(piece):
                file.seek(len(piece), os.SEEK_CUR)
            else:
                file.write(piece)
        file.truncate(len(data))


def tar_of(members):
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return to.getvalue()


def make_archive(folder, base):
    folder.mkdir()
    sub = folder / "sub"
    sub.mkdir()
    one, two = image(base, 1), image(base, 2)
    write_sparse(folder / "a.raw", one)
    write_sparse(sub / "twin.img", one)
    (folder / "a.raw.gz").write_bytes(gzip.compress(one, 1, mtime=0))
    (folder / "cut.gz").write_bytes(gzip.compress(two, 1, mtime=0)[:2000])
    with zipfile.ZipFile(folder / "two.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("b.raw", two)
        z.writestr("in.tar", tar_of([("c.raw", image(base, 3)), ("../out.raw", b"x" * PAGE)]))
        z.writestr("note.txt", b"a note")
    (folder / "stored.tar").write_bytes(tar_of([("a.raw", one), ("b.raw", two)]))
    (folder / "empty").write_bytes(b"")
    (folder / "text.raw").write_bytes(b"no memory at all\n" * 1000)
    (folder / "program.exe").write_bytes(b"MZ" + bytes(0x3a) + (0x40).to_bytes(4, "little") + b"PE\0\0" + bytes(64))
    (folder / "hiber.sys").write_bytes(b"HIBR" + bytes(PAGE))
    (folder / "zeros.raw").write_bytes(bytes(2 << 20))
    (folder / "broken.dmp").write_bytes(b"PAGEDU64" + bytes(3 * PAGE))
    write_sparse(os.fsencode(folder) + b"/new\nline \xff.raw", image(base, 4))
    os.symlink("..", sub / "loop")
    os.symlink("nowhere", sub / "gone")
    os.symlink("../a.raw", sub / "link.raw")
    os.mkfifo(folder / "pipe")


WANTED = {
    ("a.raw", None, None): "complete",
    ("a.raw.gz", None, None): "complete",
    ("sub/twin.img", None, None): "complete",
    ("sub/link.raw", None, None): "complete",
    ("cut.gz", None, None): "unreadable",
    ("two.zip", None, None): "archive",
    ("two.zip", "b.raw", None): "complete",
    ("two.zip", "in.tar", None): "archive",
    ("two.zip", "in.tar", "c.raw"): "complete",
    ("two.zip", "in.tar", "../out.raw"): "unreadable",
    ("two.zip", "note.txt", None): "no image",
    ("stored.tar", None, None): "archive",
    ("stored.tar", "a.raw", None): "complete",
    ("stored.tar", "b.raw", None): "complete",
    ("empty", None, None): "empty",
    ("text.raw", None, None): "no image",
    ("program.exe", None, None): "unsupported",
    ("hiber.sys", None, None): "unsupported",
    ("zeros.raw", None, None): "not understood",
    ("broken.dmp", None, None): "not understood",
    ("new\nline \\xff.raw", None, None): "complete",
    ("sub/loop", None, None): "skipped",
    ("sub/gone", None, None): "unreadable",
    ("pipe", None, None): "skipped",
}


def every_file(tmp, base):
    make_archive(tmp / "in", base)
    out = tmp / "out"
    run("batch", "in", "-o", out, "--jobs", "2", status=3, cwd=tmp)
    found = summary(out)
    wanted = {("in/" + name, member, inner): status for (name, member, inner), status in WANTED.items()}
    check(set(found) == set(wanted), f"lines: {set(found) ^ set(wanted)}")
    for key, status in wanted.items():
        got = found.get(key, {}).get("status")
        check(got == status, f"{key}: {got}, not {status}")
    results = {p.name for p in (out / "results").iterdir()}
    told = {x["sha256"] + ".json" for x in found.values() if x["result"]}
    check(results == told, "results are not those of the summary")
    for name in results:
        document = json.loads((out / "results" / name).read_bytes())
        check(document["analysis"]["sha256"] + ".json" == name, name)
        check("seccomp" in document["analysis"]["sandbox"], f"{name}: no sandbox")
    twins = {found[(f"in/{name}", None, None)]["sha256"] for name in ("a.raw", "a.raw.gz", "sub/twin.img")}
    check(len(twins) == 1, "one content, several digests")
    check(found[("in/sub/twin.img", None, None)]["same_as"] == "in/a.raw", "same_as")
    check(found[("in/new\nline \\xff.raw", None, None)]["name_hex"] == b"in/new\nline \xff.raw".hex(), "name_hex")
    check(found[("in/two.zip", None, None)]["members"] == 3, "members")
    before, journal = answer(out), (out / "journal").read_bytes()
    run("batch", "in", "-o", out, status=3, cwd=tmp)
    check(answer(out) == before, "again: another answer")
    check((out / "journal").read_bytes() == journal, "again: something was done again")
    write_sparse(tmp / "in/other-name.raw", image(base, 4))
    run("batch", "in", "-o", out, status=3, cwd=tmp)
    line = summary(out)[("in/other-name.raw", None, None)]
    check(line["same_as"] == "in/new\nline \\xff.raw", "another name was not known")
    (tmp / "in/other-name.raw").unlink()
    return before


def lists(tmp):
    (tmp / "list").write_text("# two of them\nin/a.raw\nin/empty\n")
    run("batch", "@list", "-o", tmp / "listed", status=0, cwd=tmp)
    check(len(summary(tmp / "listed")) == 2, "@LIST")
    run("batch", "@-", "-o", tmp / "listed0", status=0, cwd=tmp, input=b"in/a.raw\0in/empty\0")
    check(len(summary(tmp / "listed0")) == 2, "@- with NULs")
    run("batch", "no-such", "-o", tmp / "nowhere", status=3, cwd=tmp)


def shards(tmp, before):
    for by in ("name", "content"):
        parts = [tmp / f"{by}-{k}" for k in range(1, 4)]
        for k, part in enumerate(parts, 1):
            run("batch", "in", "-o", part, "--shard", f"{k}/3", "--shard-by", by, cwd=tmp)
        check(sum(len(summary(part)) for part in parts) == len(WANTED), f"by {by}: lines of the shards")
        run("merge", *reversed(parts), "-o", tmp / f"merged-{by}", status=3)
        check(answer(tmp / f"merged-{by}") == before, f"by {by}: merged is not the whole")
        run("merge", parts[0], parts[2], "-o", tmp / "none", status=2)
        run("merge", parts[0], parts[1], parts[1], "-o", tmp / "none", status=2)
        (parts[1] / "finished.json").unlink()
        run("merge", *parts, "-o", tmp / "none", status=2)
    environment = dict(os.environ, SLURM_ARRAY_TASK_ID="7", SLURM_ARRAY_TASK_MIN="5", SLURM_ARRAY_TASK_COUNT="3")
    run("batch", "in", "-o", tmp / "slurm", "--shard", "slurm", cwd=tmp, env=environment)
    check(answer(tmp / "slurm")[0:2] == answer(tmp / "name-3")[0:2], "--shard slurm")
    run("batch", "in", "-o", tmp / "k8s", "--shard", "auto/3", cwd=tmp, env=dict(os.environ, JOB_COMPLETION_INDEX="0"))
    check(answer(tmp / "k8s")[0:2] == answer(tmp / "name-1")[0:2], "--shard auto/3")
    run("batch", "in", "-o", tmp / "k8s", "--shard", "2/3", status=1, cwd=tmp)


def children(pid):
    try:
        return [int(x) for x in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def worker_of(batch, after=0.0):
    until = time.monotonic() + 30
    time.sleep(after)
    while time.monotonic() < until and batch.poll() is None:
        for child in children(batch.pid):
            return child
    return 0


def start(*words, cwd):
    return subprocess.Popen([breaches.stasis, *map(os.fspath, words)], cwd=cwd, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def killed(tmp, before):
    """At any moment, and by a signal that can be handled too; the rest is done by the same command."""
    out = tmp / "killed"
    chance = random.Random(6)
    for number in range(8):
        batch = start("batch", "in", "-o", out, "--jobs", "2", cwd=tmp)
        time.sleep(chance.uniform(0.05, 0.8))
        workers = children(batch.pid)
        batch.send_signal(signal.SIGKILL if number % 2 == 0 else signal.SIGTERM)
        batch.communicate(timeout=60)
        time.sleep(0.1)
        left = [pid for pid in workers if pathlib.Path(f"/proc/{pid}/stat").exists()
                and pathlib.Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"]
        check(not left, f"workers outlived their batch: {left}")
    run("batch", "in", "-o", out, status=3, cwd=tmp)
    check(answer(out) == before, "killed and gone on: another answer")
    (out / "journal").write_bytes((out / "journal").read_bytes()[:-9])
    run("batch", "in", "-o", out, status=3, cwd=tmp)
    check(answer(out) == before, "a cut journal: another answer")


def one(tmp, name, *options, number=None):
    """One image, and a signal for its worker; its line of the summary and that of workers.jsonl."""
    out = tmp / name
    batch = start("batch", "in/a.raw", "in/empty", "-o", out, "--jobs", "1", *options, cwd=tmp)
    if number:
        os.kill(worker_of(batch), number)
    _, err = batch.communicate(timeout=120)
    check(batch.returncode == 3, f"{name}: exit status {batch.returncode}: {err.decode()}")
    found = summary(out)
    check(len(found) == 2 and not list((out / "results").iterdir()), f"{name}: {found}")
    check(b"in/a.raw: " in err, f"{name}: {err.decode()}")
    return found[("in/a.raw", None, None)], [json.loads(x) for x in (out / "workers.jsonl").read_bytes().splitlines()]


def workers(tmp):
    line, _ = one(tmp, "crash", number=signal.SIGABRT)
    check(line["status"] == "crashed" and line["end"] == "SIGABRT" and line["exit_status"] is None, f"crash: {line}")
    run("batch", "in/a.raw", "in/empty", "-o", tmp / "crash", status=3, cwd=tmp)
    check(len(summary(tmp / "crash")) == 2, "crash: again")
    line, log = one(tmp, "timeout", "--timeout", "1", number=signal.SIGSTOP)
    check(line["status"] == "timeout" and log[0]["milliseconds"] >= 1000, f"timeout: {line} {log}")
    line, _ = one(tmp, "memory", "--memory", "512K")
    check(line["status"] in ("memory", "failed", "crashed"), f"memory: {line}")  # a sanitizer ends in its own way
    line, _ = one(tmp, "output", "--output-limit", "20K")
    check(line["status"] == "output" and line["phase"], f"output: {line}")
    run("batch", "in/a.raw.gz", "-o", tmp / "limit", "--tmp-limit", "1M", status=3, cwd=tmp)
    line = summary(tmp / "limit")[("in/a.raw.gz", None, None)]
    check(line["status"] == "unreadable" and "limit" in line["error"], f"--tmp-limit: {line}")
    run("batch", "in/a.raw", "-o", tmp / "open", "--no-sandbox", status=0, cwd=tmp)
    name = next((tmp / "open/results").iterdir())
    check(json.loads(name.read_bytes())["analysis"]["sandbox"] == [], "--no-sandbox is not said")


def folders(tmp, before):
    (tmp / "file").write_text("x")
    run("batch", "in", "-o", "file", status=2, cwd=tmp)
    run("batch", "in", status=1, cwd=tmp)
    holder = start("batch", "in", "-o", "locked", "--jobs", "1", cwd=tmp)
    worker = worker_of(holder)
    os.kill(worker, signal.SIGSTOP)
    done = run("batch", "in", "-o", "locked", status=2, cwd=tmp)
    check(b"another batch" in done.stderr, "lock: " + done.stderr.decode())
    os.kill(worker, signal.SIGCONT)
    holder.communicate(timeout=120)
    run("batch", "in", "-o", "locked", "--scan", status=1, cwd=tmp)
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 10, resource.RLIM_INFINITY))
    done = run("batch", "in", "-o", "full", status=2, cwd=tmp, preexec_fn=small)
    check(b"cannot be written" in done.stderr, "full: " + done.stderr.decode())
    check(not (tmp / "full/finished.json").exists(), "full, and says that it is finished")
    run("batch", "in", "-o", "full", status=3, cwd=tmp)
    check(answer(tmp / "full") == before, "full and gone on: another answer")


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def memory(tmp):
    """The parent's own memory after 50 and after 400 contents."""
    folder = tmp / "many"
    folder.mkdir()
    for i in range(400):
        (folder / f"{i:03}").write_bytes(i.to_bytes(64, "little"))
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"  # what is freed is free
    batch = start("batch", "many", "-o", "many-out", "--jobs", "2", "-q", cwd=tmp)
    early = late = 0
    while batch.poll() is None:
        try:
            lines = (tmp / "many-out/journal").read_bytes().count(b"\n")
            now = resident(batch.pid)
        except OSError:
            continue
        if lines >= 50 and not early:
            early = now
        if lines >= 50 and now:
            late = now
        time.sleep(0.02)
    batch.communicate()
    check(len(summary(tmp / "many-out")) == 400, "many: lines")
    check(early and late <= early + 512, f"the parent grew from {early} to {late} KiB")


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stasis-batch-"))
    os.environ["TMPDIR"] = str(folder)
    try:
        base = base_image(ROOT, folder)
        before = every_file(folder, base)
        lists(folder)
        shards(folder, before)
        killed(folder, before)
        workers(folder)
        folders(folder, before)
        memory(folder)
        left = [p.name for p in folder.iterdir() if p.name.startswith("stasis-")]
        check(not left, f"left behind: {left}")
    finally:
        shutil.rmtree(folder)
    return breaches.end()


breaches.skip_without_batch()
sys.exit(main())
