# SPDX-License-Identifier: MIT
"""Which ways lead to a thread, and why others do not: --scan, --hidden and --cross-view against the recipe.

The reason is worked out here once more, from the recipe and the ways of the truth and not from the command's tables.
"""
import csv

LISTS = {"process-list", "kprocess-list"}
SCAN = {"header-scan", "pool-scan"}
TAGGED = {"pool-scan", "freed-pool", "unmapped-pool", "big-pool", "freed-big-pool"}
LEADS = {"process-list", "kprocess-list", "prcb", "cid-table", "handle-table", "type-list", "wait-list", "ready-queue",
         "queue", "mutant-owner", "wait-block"}
REASONS = set()  # that were told, of all images


def should_see(thread, has):
    """The ways that lead to every such thread in this version (has)."""
    if thread["facts"]["process"] == "Idle":
        return set()
    out = set(has)
    if thread["facts"].get("state") == "Terminated":
        out.discard("kprocess-list")
    return out


def recipes(system):
    """Of each thread by its address: its own recipe, its process's, and whether a list of that is torn."""
    out = {}
    for process in system.processes:
        torn = any("torn" in t.recipe or t.recipe.get("object") in ("missing", "half") for t in process.threads)
        for thread in process.threads:
            out[hex(thread.object.va)] = thread.recipe, process.recipe, torn
    return out


def why(thread, seen, has, recipe, process, torn, lost_ids):
    """The reason that must be told, None for no reason."""
    ways, state = set(thread["ways"]), thread["facts"].get("state")
    unseen = should_see(thread, has) - seen
    if "unmapped-pool" in ways:
        return "unmapped"
    if ways & {"freed-pool", "freed-big-pool"}:
        return "freed"
    others = seen - SCAN
    rules = [("terminated", state == "Terminated"), ("exiting", "Terminated" in recipe.get("flags", [])),
             ("starting", state == "Initialized"), ("torn-list", bool(unseen & LISTS) and torn),
             ("torn-ids", unseen == {"cid-table"} and lost_ids), ("scan-only", not others),
             ("cid-only", others <= {"cid-table"}), ("handle-only", others <= {"handle-table"}),
             ("unlinked", unseen & LISTS == has & LISTS), ("half-unlinked", bool(unseen & LISTS)),
             ("no-id", unseen == {"cid-table"})]
    for name, holds in rules:
        if unseen and holds:
            return name
    return "process-unlinked" if process.get("unlinked") else None


def check(diff, pairs, system):
    """pairs: a thread of the truth and what the command says of it, after a scan."""
    threads = [thread for thread, _ in pairs]
    has = {way for thread in threads for way in thread["ways"]} & (LISTS | {"cid-table"})
    told = recipes(system)
    lost_ids = any(t.recipe.get("object") == "missing" for p in system.processes for t in p.threads)
    for thread, got in pairs:
        facts, ways = thread["facts"], set(thread["ways"])
        who = f"tid {facts['tid']}, scanned"
        tagged = bool(ways & TAGGED)
        if tagged:
            diff.check(f"{who}: header-scan", True, "header-scan" in got["sources"])
            diff.check(f"{who}: pool-scan", True, "pool-scan" in got["sources"])
        elif system.cid.known and "object" not in told[facts["object"]][0]:
            diff.check(f"{who}: pool-scan", False, "pool-scan" in got["sources"])
        reason = why(thread, set(got["sources"]), has, *told[facts["object"]], lost_ids)
        diff.check(f"{who}: hidden", reason, got["hidden"])
        REASONS.add(reason)
        if not ways & LEADS:
            for key in ("tid", "pid", "create_time", "exit_time", "state"):
                diff.check(f"{who}: {key}", facts.get(key), got[key])


def check_hidden(diff, scanned, hidden):
    """--hidden lists exactly those that have a reason, and says of each what the whole list says."""
    diff.check("--hidden: objects", [t["object"] for t in scanned if t["hidden"]], [t["object"] for t in hidden])
    by_object = {t["object"]: t for t in scanned}
    for thread in hidden:
        whole = by_object.get(thread["object"], {})
        for key in ("hidden", "sources", "unseen_by", "tid", "state"):
            diff.check(f"--hidden: tid {thread['tid']}: {key}", whole.get(key), thread[key])


def check_cross(diff, scanned, text):
    """--cross-view: a row each, "yes" where a way saw it, "no" where it should have."""
    rows = list(csv.DictReader(text.splitlines()))
    diff.check("--cross-view: objects", [t["object"] for t in scanned], [r["object"] for r in rows])
    for thread, row in zip(scanned, rows):
        columns = [name for name in row if name in LEADS | SCAN]
        yes = [name for name in columns if row[name] == "yes"]
        no = [name for name in columns if row[name] == "no"]
        diff.check(f"--cross-view: tid {row['tid']}: yes", sorted(thread["sources"]), sorted(yes))
        diff.check(f"--cross-view: tid {row['tid']}: no", sorted(thread["unseen_by"] or []), sorted(no))
        diff.check(f"--cross-view: tid {row['tid']}: reason", thread["hidden"] or "", row["hidden"])
