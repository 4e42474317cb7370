# SPDX-License-Identifier: MIT
"""The closing line of ./dev test, from meson's log of results; before it, what was skipped and why, and what failed."""
import json
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def last_line(result):
    lines = [line for line in (result.get("stdout") or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as log:
            results = [json.loads(line) for line in log]
    except OSError as error:
        sys.exit(f"no results of the tests: {error}")
    passed = [r for r in results if r["result"] in PASSED]
    skipped = [r for r in results if r["result"] == "SKIP"]
    failed = [r for r in results if r["result"] not in PASSED + ("SKIP",)]
    for result in skipped:
        print(f"skipped: {result['name']}: {last_line(result)}")
    for result in failed:
        print(f"failed: {result['name']} ({result['result'].lower()})")
    print(f"{len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed or not results else 0)


main()
