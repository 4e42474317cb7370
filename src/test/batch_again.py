#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""batch_again.py STASIS ROOT: batch as whoever looks after an archive meets it: nothing found, names of any language,
what went wrong told and, with --retry, looked at again. Prints each breach; exit status 1 if any."""
import gzip
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

from breaches import Breaches, base_image, summary

ROOT = pathlib.Path(sys.argv[2])
NAMES = ["speicher-ä.raw", "память"]
breaches = Breaches("batch-again", sys.argv[1])
check, run = breaches.check, breaches.run


def zip_of(members):
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return to.getvalue()


def nothing(tmp):
    """No image among what was named is never a success; a shard may have none."""
    (tmp / "none").mkdir()
    done = run("batch", "none", "-o", "none-out", status=3, cwd=tmp)
    check(done.stdout.startswith(b"0 files, no image\n"), f"nothing: {done.stdout}")
    (tmp / "none/text").write_text("no memory\n")
    done = run("batch", "none", "-o", "none-out", status=3, cwd=tmp)
    check(done.stdout.startswith(b"1 file, no image: 1 no image\n"), f"no image: {done.stdout}")
    (tmp / "list").write_text("")
    run("batch", "@list", "-o", "list-out", status=3, cwd=tmp)
    run("batch", "none", "-o", "shard-out", "--shard", "1/2", status=0, cwd=tmp)
    done = run("batch", "nowhere", "-o", "nowhere-out", status=3, cwd=tmp)
    check(b"nowhere: unreadable: No such file" in done.stderr, f"a name that is none: {done.stderr}")


def languages(tmp, base):
    """Also without a locale, as in a container."""
    inner = zip_of([(NAMES[1], base), ("b", b"b")])
    (tmp / "names.zip").write_bytes(zip_of([(NAMES[0], base + bytes(4096)), ("in.zip", inner)]))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"}
    run("batch", "names.zip", "-o", tmp / "names", status=0, cwd=tmp, env=environment)
    found = summary(tmp / "names")
    for key in [(NAMES[0], None), ("in.zip", NAMES[1])]:
        line = found.get(("names.zip", *key), {})
        check(line.get("status") == "complete", f"{key}: {sorted(map(str, found))}")
        run("info", "!".join(x for x in ("names.zip", *key) if x), status=0, cwd=tmp, env=environment)


def retry(tmp, base):
    """What a limit or a signal ended is done again when that is asked for, and only then."""
    (tmp / "images").mkdir()
    for name in ("a.raw", "b.raw"):
        (tmp / "images" / name).write_bytes(base)
    run("batch", "images", "-o", tmp / "whole", status=0, cwd=tmp)
    out = tmp / "again"
    done = run("batch", "images", "-o", out, "--output-limit", "20K", status=3, cwd=tmp)
    check(b"'--output-limit' allows more" in done.stderr, f"limit: {done.stderr}")
    check({x["status"] for x in summary(out).values()} == {"output"}, "limit")
    run("batch", "images", "-o", out, status=3, cwd=tmp)
    (tmp / "images/a.raw").rename(tmp / "kept")  # it told of the content, and is gone
    run("batch", "images", "-o", out, "--retry", status=0, cwd=tmp)
    check(summary(out)[("images/b.raw", None, None)]["status"] == "complete", f"--retry: {summary(out)}")
    (tmp / "kept").rename(tmp / "images/a.raw")
    run("batch", "images", "-o", out, "--retry", status=0, cwd=tmp)
    journal = (out / "journal").read_bytes()
    run("batch", "images", "-o", out, "--retry", status=0, cwd=tmp)
    check((out / "journal").read_bytes() == journal, "--retry: something was done again")
    for name in ("summary.jsonl", "finished.json"):
        check((out / name).read_bytes() == (tmp / "whole" / name).read_bytes(), f"--retry: another {name}")


def killed_worker(tmp):
    out = tmp / "killed"
    batch = subprocess.Popen([breaches.stasis, "batch", "images/a.raw", "-o", out, "--jobs", "1"], cwd=tmp,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children, until = pathlib.Path(f"/proc/{batch.pid}/task/{batch.pid}/children"), time.monotonic() + 30
    while time.monotonic() < until and not children.read_text().split():
        continue
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    batch.wait(timeout=60)
    check(summary(out)[("images/a.raw", None, None)]["status"] == "crashed", f"killed: {summary(out)}")
    run("batch", "images/a.raw", "-o", out, "--retry", status=0, cwd=tmp)


def full_tmp(tmp):
    """A hole takes room in a tmpfs when it is looked at: said before, and not by SIGBUS. And a --tmp that is none."""
    with gzip.open(tmp / "holes.gz", "wb", 1) as file:
        file.write(bytes(64 << 20))
    (tmp / "small").mkdir()
    mount = f"mount -t tmpfs -o size=1m none {tmp}/small"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode == 0:
        for verb in ("batch {0}/holes.gz -o {0}/holes", "threads {0}/holes.gz"):
            words = verb.format(tmp)
            command = f"{mount} && exec {breaches.stasis} {words} --tmp {tmp}/small"
            done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, timeout=60)
            check(f"{tmp}/small: it is a tmpfs".encode() in done.stderr, f"tmpfs: {words}: {done.stderr}")
    done = run("batch", tmp / "holes.gz", "-o", tmp / "no-tmp", "--tmp", tmp / "nowhere", status=2)
    check(b"nowhere: nothing can be unpacked there: No such" in done.stderr, f"--tmp: {done.stderr}")


def later(tmp):
    """A folder that could not be read, and can be now."""
    if os.geteuid() == 0:
        drop = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chmod(tmp, 0o777)
    else:
        drop = {}
    (tmp / "images").chmod(0)
    run("batch", "images", "-o", tmp / "later", status=3, cwd=tmp, **drop)
    check(summary(tmp / "later")[("images", None, None)]["status"] == "unreadable", "a folder that cannot be read")
    (tmp / "images").chmod(0o755)
    run("batch", "images", "-o", tmp / "later", status=0, cwd=tmp, **drop)
    check(("images", None, None) not in summary(tmp / "later"), "a folder that can be read has its old line")


def main():
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="stasis-again-"))
    try:
        base = base_image(ROOT, tmp)
        nothing(tmp)
        languages(tmp, base)
        retry(tmp, base)
        killed_worker(tmp)
        full_tmp(tmp)
        later(tmp)
    finally:
        shutil.rmtree(tmp)
    return breaches.end()


breaches.skip_without_batch()
sys.exit(main())
