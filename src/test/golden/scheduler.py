# SPDX-License-Identifier: MIT
"""The dispatcher's own lists: who waits and may lose its stack, who is ready, by priority; and what it is called.

KTHREAD.WaitListEntry is the link of both. Since 2003 the heads are in the KPRCB, before them variables of the kernel;
since 8.1 a ready thread may be in a queue that processors share, whose head lies outside (Windows Research Kernel,
ki.h; public PDBs). Where the tables do not know a head it lies in pool. A thread that waits in kernel mode, or that a
recipe hides, is on no such list; `rings` puts a hidden one there.
"""


class Scheduler:
    def __init__(self, system):
        self.system = system
        self.heads = {}

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

    def finish(self):
        rings = {}
        for number, prcb in enumerate(self.system.prcb):
            rings[self.head(("wait", number), "KiWaitListHead", prcb, "WaitListHead")] = []
            for level in range(32):
                rings[self.head(("ready", number), "KiDispatcherReadyListHead", prcb, "DispatcherReadyListHead", level,
                                32)] = []
        for thread in (t for p in self.system.processes for t in p.threads):
            where = self._where(thread)
            if where:
                way, head = where
                rings.setdefault(head, []).append(thread.object.at("WaitListEntry"))
                thread.ways.append(way)
        for head, entries in rings.items():
            self.system.link(head, entries)

    def _where(self, thread):
        """(way, head) of the list that it is on, None if it is on none."""
        r, state = thread.recipe, thread.truth.get("state")
        if r.get("object") == "missing" or not thread.object.has("WaitListEntry"):
            return None
        hidden = r.get("unlinked") is True and "rings" not in r
        number = r.get("processor", thread.index % self.system.cpus)
        prcb = self.system.prcb[number]
        if state == "Waiting" and thread.truth.get("wait_mode") == "UserMode" and not hidden:
            return "wait-list", self.head(("wait", number), "KiWaitListHead", prcb, "WaitListHead")
        if state == "Ready" and not hidden:
            level, shared = thread.truth["priority"], thread.truth.get("shared_ready_queue")
            if shared:
                return "ready-queue", self.head("shared", "", None, "", level, 32)
            prcb.put("ReadySummary", (prcb.get("ReadySummary") or 0) | 1 << level)
            return "ready-queue", self.head(("ready", number), "KiDispatcherReadyListHead", prcb,
                                            "DispatcherReadyListHead", level, 32)
        return None
