# SPDX-License-Identifier: MIT
"""
bench_batch.py STASIS WRITE_IMAGES PACK FOLDER: a batch over the archive of small images, with one job and with two.
Prints images a second and the ratio, exit status 1 where two jobs do less than RATIO_MIN times the work of one (not
asked where there are fewer than two processors) or where the process that holds the workers grows. A benchmark: run it
on a machine that does nothing else.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "src", "test", "archive"))
import batch_test  # noqa: E402

ROUNDS, RATIO_MIN = 3, 1.8


def run(stasis, home, jobs):
    """Seconds, images, and the parent's resident memory over the time."""
    with tempfile.TemporaryDirectory(dir=home) as out:
        start = time.monotonic()
        child = subprocess.Popen([stasis, "batch", "archive", "-q", "-o", os.path.join(out, "o"), "-j", str(jobs),
                                  *batch_test.LIMIT], cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        resident = batch_test.watched(child)
        seconds = time.monotonic() - start
        if child.returncode != 3:
            sys.exit(f"batch: exit status {child.returncode}")
        lines = batch_test.summary(os.path.join(out, "o"))
    return seconds, len({line["sha256"] for line in lines if line["result"]}), resident


def main():
    stasis, writer, packer, folder = (os.path.abspath(word) for word in sys.argv[1:])
    home, _ = batch_test.archive(ROOT, writer, packer, folder)
    run(stasis, home, 2)  # the page cache is warm for both
    times, failed, images, resident = {1: [], 2: []}, False, 0, []
    for _ in range(ROUNDS):  # interleaved, so that a slow moment of the machine meets both
        for jobs, seen in times.items():
            seconds, images, now = run(stasis, home, jobs)
            seen.append(seconds)
            resident = max(resident, now, key=len)
    one, two = (statistics.median(times[jobs]) for jobs in (1, 2))
    print(f"batch: {images} different images: {images / one:.0f} a second with one job, {images / two:.0f} with two")
    print(f"batch: two jobs do {one / two:.2f} times the work of one (limit {RATIO_MIN})")
    if len(os.sched_getaffinity(0)) < 2:
        print("batch: fewer than two processors, so that this says nothing")
    elif one / two < RATIO_MIN:
        failed = True
    quarter = max(resident[:max(1, len(resident) // 4)])
    print(f"batch: its resident memory: {quarter} KiB after a quarter, {max(resident)} KiB at most")
    failed |= max(resident) > quarter + batch_test.GROWTH
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
