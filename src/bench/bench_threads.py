# SPDX-License-Identifier: MIT
"""
bench_threads.py STASIS BENCH_PAGES FOLDER: lists the threads of one generated system (200 processes, 5,000 threads) in
1 GiB and in a sparse 16 GiB of memory. Cost must grow with the threads, not with the image: prints time, resident
memory and pages touched against the limits, exit status 1 where one is broken. A benchmark: run it on a machine that
does nothing else.
"""
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "src", "test", "golden", "build.py")
ROUNDS = 9
RATIO_MAX, RESIDENT_MAX = 1.3, 64 << 20
PROCESSES, THREADS = 200, 5000


def make(folder, ram):
    path = os.path.join(folder, f"bench-{ram}.raw")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        part = path + ".part"
        subprocess.run([sys.executable, BUILD, "--bench", part, "--ram", ram, "--processes", str(PROCESSES),
                        "--threads", str(THREADS)], check=True)
        os.replace(part, path)
    return path


def timed(command):
    """One run: seconds, largest resident size in bytes."""
    start = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ,
                           file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        sys.exit(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss * 1024


def listed(stasis, image):
    return timed([stasis, "threads", image, "--format", "json"])


def described(pages, image):
    return subprocess.run([pages, image], capture_output=True, check=True, text=True).stdout.strip()


def main():
    stasis, pages, folder = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    images = {ram: make(folder, ram) for ram in ("1G", "16G")}
    times, resident = {ram: [] for ram in images}, {ram: 0 for ram in images}
    for ram in images:
        listed(stasis, images[ram])  # the page cache is warm for both
    for _ in range(ROUNDS):  # interleaved, so that a slow moment of the machine meets both
        for ram, image in images.items():
            seconds, size = listed(stasis, image)
            times[ram].append(seconds)
            resident[ram] = max(resident[ram], size)
    for ram, image in images.items():
        print(f"threads {ram:>3}: median {statistics.median(times[ram]) * 1e3:.1f} ms "
              f"(fastest {min(times[ram]) * 1e3:.1f}), {resident[ram] / (1 << 20):.1f} MiB resident, "
              f"{described(pages, image)} of {os.stat(image).st_blocks // 8} held")
    ratio = statistics.median(times["16G"]) / statistics.median(times["1G"])
    good = ratio <= RATIO_MAX and max(resident.values()) < RESIDENT_MAX
    print(f"threads 16G / 1G: {ratio:.2f} times (limit {RATIO_MAX}); resident at most "
          f"{max(resident.values()) / (1 << 20):.1f} MiB (limit {RESIDENT_MAX >> 20})")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
