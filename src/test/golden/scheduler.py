# SPDX-License-Identifier: MIT
"""The dispatcher's own lists: who waits and may lose its stack, who is ready, by priority; and what it is called.

KTHREAD.WaitListEntry is the link of all. Since 2003 the heads are in the KPRCB, before them variables of the kernel;
since 8.1 a ready thread may be in a queue that processors share, which 10 keeps in the block of one of them, and one of
a scheduling group is in that group's block for its processor (Windows Research Kernel, ki.h; public PDBs). Where the
tables do not know a head it lies in pool. A thread that waits in kernel mode, or that a recipe hides, is on no such
list; `rings` puts a hidden one there. `ready_torn` tears a link, `[system] ready_lost` makes a shared queue count more.
"""
import os
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = os.path.join(HERE, "..", "..", "..", "testdata", "golden", "places", "scheduler.toml")
SHARED, GROUP = 32, 16
NOWHERE = 0x4242424242424242


class Lists:
    """An array of list heads, one a priority, in a structure that says which of them have threads."""
    def __init__(self, system, va, places, levels):
        self.system, self.va, self.places = system, va, places
        self.rings = [[] for _ in range(levels)]

    def add(self, level, entry):
        self.rings[level].append(entry)

    def write(self, lost=0):
        system, pointer = self.system, self.system.pointer
        for level, entries in enumerate(self.rings):
            system.link(self.va + self.places["heads"] + 2 * pointer * level, entries)
        summary = sum(1 << level for level, entries in enumerate(self.rings) if entries)
        system.kernel.write(self.va + self.places["summary"], summary.to_bytes(len(self.rings) // 8, "little"))
        if "count" in self.places:
            count = sum(map(len, self.rings)) + lost
            system.kernel.write(self.va + self.places["count"], count.to_bytes(4, "little"))


class Scheduler:
    def __init__(self, system):
        self.system = system
        self.heads = {}
        self.shared, self.local = None, []
        self.groups = {}

    def head(self, name, symbol, prcb, member, index=0, count=1):
        """The address of a list head: in the block, else the kernel's variable of that name."""
        pointer = self.system.pointer
        if prcb is not None and prcb.has(member):
            return prcb.at(member) + 2 * pointer * index
        if self.system.build < 3790:
            return self.system.symbol(symbol, 2 * pointer * count) + 2 * pointer * index
        if name not in self.heads:
            self.heads[name] = self.system.take("pool", 2 * pointer * count, "Prcb")
        return self.heads[name] + 2 * pointer * index

    def _places(self, kind):
        with open(PLACES, "rb") as f:
            known = tomllib.load(f)[kind]
        return [p for p in known if p["pointer"] == self.system.pointer and p["first"] <= self.system.build][-1]

    def _make_shared(self):
        """The queue of all processors: since 10 that in the first one's block; the others' are there, and empty."""
        blocks = [p for p in self.system.prcb if p.has("SharedReadyQueue")]
        if not blocks:
            return
        places = self._places("shared")
        self.local = [Lists(self.system, p.at("LocalSharedReadyQueue"), places, SHARED) for p in blocks
                      if p.has("LocalSharedReadyQueue")]
        if self.local:
            self.shared = self.local.pop(0)
        else:
            self.shared = Lists(self.system, self.system.take("pool", places["size"], "Prcb"), places, SHARED)
        for prcb in blocks:
            prcb.put("SharedReadyQueue", self.shared.va)

    def _group(self, number):
        """A scheduling group's block for this processor; None where the tables do not know what leads there."""
        if not self.system.prcb[number].has("ScbList") or self.system.build < 9600:
            return None
        if number not in self.groups:
            places = self._places("scb")
            va = self.system.take("pool", places["size"], "KScg")
            self.groups[number] = Lists(self.system, va, places, GROUP)
        return self.groups[number]

    def finish(self):
        rings = {}
        self._make_shared()
        for number, prcb in enumerate(self.system.prcb):
            rings[self.head(("wait", number), "KiWaitListHead", prcb, "WaitListHead")] = []
            for level in range(32):
                rings[self.head(("ready", number), "KiDispatcherReadyListHead", prcb, "DispatcherReadyListHead", level,
                                32)] = []
        for thread in (t for p in self.system.processes for t in p.threads):
            where = self._where(thread)
            if isinstance(where, Lists):
                where.add(thread.truth["priority"], thread.object.at("WaitListEntry"))
                thread.ways.append("ready-queue")
            elif where:
                way, head = where
                rings.setdefault(head, []).append(thread.object.at("WaitListEntry"))
                thread.ways.append(way)
        for head, entries in rings.items():
            self.system.link(head, entries)
        self._write_lists()
        self._tear()

    def _write_lists(self):
        for lists in [self.shared] * bool(self.shared) + self.local + list(self.groups.values()):
            lists.write(self.system.recipe.get("ready_lost", 0) if lists is self.shared else 0)
        for number, prcb in enumerate(self.system.prcb):
            if prcb.has("ScbList"):
                groups = [g for n, g in self.groups.items() if n == number]
                self.system.link(prcb.at("ScbList"), [g.va + g.places["links"] for g in groups])

    def _tear(self):
        for thread in (t for p in self.system.processes for t in p.threads if "ready_torn" in t.recipe):
            at = thread.object.at("WaitListEntry")
            way = thread.recipe["ready_torn"]
            if way in ("forward", "both"):
                self.system.labels.put(self.system.kernel, at, self.system.pointer, NOWHERE)
            if way in ("back", "both"):
                self.system.labels.put(self.system.kernel, at + self.system.pointer, self.system.pointer, NOWHERE)

    def _where(self, thread):
        """(way, head) of the list that it is on, Lists of which it is on one, None if it is on none."""
        r, state = thread.recipe, thread.truth.get("state")
        if r.get("object") == "missing" or not thread.object.has("WaitListEntry"):
            return None
        hidden = r.get("unlinked") is True and "rings" not in r
        number = r.get("processor", thread.index % self.system.cpus)
        prcb = self.system.prcb[number]
        if state == "Waiting" and thread.truth.get("wait_mode") == "UserMode" and not hidden:
            return "wait-list", self.head(("wait", number), "KiWaitListHead", prcb, "WaitListHead")
        if state == "Ready" and not hidden:
            return self._ready(thread, number)
        return None

    def _ready(self, thread, number):
        level, shared = thread.truth["priority"], thread.truth.get("shared_ready_queue")
        prcb = self.system.prcb[number]
        group = self._group(number) if "ScbReadyQueue" in thread.recipe.get("flags", []) else None
        if group:
            thread.object.put("QueuedScb", group.va)
            return group
        if shared and self.shared:
            return self.shared
        if shared:
            return "ready-queue", self.head("shared", "", None, "", level, 32)
        prcb.put("ReadySummary", (prcb.get("ReadySummary") or 0) | 1 << level)
        return "ready-queue", self.head(("ready", number), "KiDispatcherReadyListHead", prcb,
                                        "DispatcherReadyListHead", level, 32)
