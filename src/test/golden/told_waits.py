# SPDX-License-Identifier: MIT
"""What run.py asks of waits: each block of the truth is told, and who holds the lock or must answer.

Who must end for a wait on a thread or process to end is told as the owner: that thread, or the process.
"""
KEYS = ("wait_blocks", "wait_lock", "wait_section", "wait_address", "lpc_server", "alpc_server")
LOCKS = {"resource": ("resource, exclusive", "resource, shared"), "fast mutex": ("fast mutex",),
         "guarded mutex": ("guarded mutex",), "push lock": ("push lock",)}


def number(value):
    return int(value, 16) if isinstance(value, str) and value.startswith("0x") else value


def blocks(diff, who, want, got, held):
    if len(want) != len(got):
        diff.add(f"{who}: {len(want)} wait blocks, got {len(got)}")
        return
    for i, (block, row) in enumerate(zip(want, got)):
        for key, value in block.items():
            if key in ("owner", "owner_tid", "name") and held:
                continue
            if key == "owner" and block["kind"] in ("ThreadObject", "ProcessObject"):
                value = block["object"]
            if key == "owner_tid" and block["kind"] == "ThreadObject":
                continue
            if number(row[key]) != number(value):
                diff.add(f"{who}: wait {i}: {key}: want {value}, got {row[key]} ({row['absent'].get(key)})")


def lock(diff, who, want, row):
    """Among those that share a resource any may come first. why: nobody is told as the owner."""
    tids = want.get("sharing") or [want["owner_tid"]]
    diff.check(f"{who}: waits for a {want['kind']}", True, row["waits_for"] in LOCKS[want["kind"]])
    diff.check(f"{who}: lock", number(want["object"]), number(row["container"]))
    if "why" in want:
        diff.check(f"{who}: no owner", (None, want["why"]), (row["owner"], row["absent"].get("owner")))
        return
    diff.check(f"{who}: owners", (True, len(tids)), (row["owner_tid"] in tids, row["owners"]))


def port(diff, who, want, row, kind):
    """The thread of the server that has received the message, else its process: any of its threads may answer."""
    tid = want.get("server_tid") if kind == "ALPC reply" else None
    told = (kind, number(want["object"]), want["name"], want.get("server_pid"), tid)
    diff.check(f"{who}: port and server", told, (row["waits_for"], number(row["container"]), row["name"],
                                                 row["owner_pid"], row["owner_tid"]))


def section(diff, who, want, row):
    told = ("critical section", number(want["section"]), want["owner_tid"], "RTL_CRITICAL_SECTION.OwningThread")
    diff.check(f"{who}: critical section", told, (row["waits_for"], number(row["container"]), row["owner_tid"],
                                                  row["owner_from"]))


def address(diff, who, want, row):
    """Whose lock it is is not known: there is none that names its owner."""
    told = ("address", number(want), None, "not known")
    diff.check(f"{who}: address", told, (row["waits_for"], number(row["container"]), row["owner"],
                                         row["absent"].get("owner")))


def compare(diff, who, truth, got):
    want, rows = truth.get("wait_blocks") or [], got.get("wait_objects") or []
    held = [key for key in KEYS[1:] if key in truth]
    blocks(diff, who, want, rows, bool(held))
    if not held or not rows:
        return
    if "wait_lock" in truth:
        lock(diff, who, truth["wait_lock"], rows[0])
    if "wait_section" in truth:
        section(diff, who, truth["wait_section"], rows[0])
    if "wait_address" in truth:
        address(diff, who, truth["wait_address"], rows[0])
    for key, kind in (("lpc_server", "LPC reply"), ("alpc_server", "ALPC reply")):
        if key in truth:
            port(diff, who, truth[key], rows[0], kind)


def deadlock(diff, graph, threads):
    """Where the recipe's deadlock of three mutants is, `waits` finds it and no other; 6208's client waits for it."""
    there = {t["tid"] for t in threads} >= {6004, 6008, 6012}
    want = [[6004, 6008, 6012]] if there else []
    diff.check("deadlocks", want, [[t["tid"] for t in d["threads"]] for d in graph["deadlocks"]])
    ends = {chain["steps"][0]["tid"]: chain["deadlock"] for chain in graph["chains"]}
    if there:
        diff.check("what is behind the deadlock", 1, ends.get(6020))
