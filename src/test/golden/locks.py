# SPDX-License-Identifier: MIT
"""Locks of the kernel that are no objects: ERESOURCE, fast and guarded mutexes, and who has them.

An ERESOURCE keeps its exclusive owner in the first of two entries until Vista, in OwnerEntry since 7, and shared ones
in a table whose first entry tells its size. Until 7 those who wait do so on an event (exclusive) and a semaphore
(shared) that it points to (Windows Research Kernel, resource.c). A fast mutex is {Count, Owner, Contention, Event}, a
guarded one from 2003 to 7 the same with a gate (wdm.h, FAST_MUTEX).
"""
OWNED_EXCLUSIVE = 0x80
REASON_OF = {"resource": "WrResource", "fast mutex": "WrFastMutex", "guarded mutex": "WrGuardedMutex"}
REASONS = {"WrResource": 27, "WrFastMutex": 34, "WrGuardedMutex": 35}  # KWAIT_REASON, since 2003


class Lock:
    def __init__(self, system, recipe, va):
        self.system, self.recipe, self.va = system, recipe, va
        self.kind, self.waiters = recipe["type"], {}

    def thing(self, waits, shared):
        """What a thread that wants it waits on."""
        if shared not in self.waiters:
            self.waiters[shared] = self._make(waits, shared)
        return self.waiters[shared]

    def _make(self, waits, shared):
        pointer = self.system.pointer
        if self.kind != "resource":
            return waits.thing("gate" if self.kind == "guarded mutex" else "synchronization event", None,
                               self.va + (0x18 if pointer == 8 else 0xC), False)
        kind = "semaphore" if shared else "synchronization event"
        size = self.system.struct_size("_KSEMAPHORE" if shared else "_KEVENT")
        return waits.thing(kind, None, self.system.take("pool", size, "ReSe" if shared else "ReEv"), False)

    def finish(self, threads, waiting):
        """waiting: {shared: how many threads}."""
        owner = threads[self.recipe["owner"]] if "owner" in self.recipe else None
        self.told = {"kind": self.kind, "object": hex(self.va), "owner": hex(owner.object.va) if owner else None,
                     "owner_tid": owner.tid if owner else None}
        if self.kind == "resource":
            self._resource(threads, owner, waiting)
            return
        put, pointer = self.system.labels.put, self.system.pointer
        put(self.system.kernel, self.va, 4, 0 if owner else 1)
        put(self.system.kernel, self.va + pointer, pointer, owner.object.va if owner else 0)
        put(self.system.kernel, self.va + 2 * pointer, 4, sum(waiting.values()))

    def _resource(self, threads, owner, waiting):
        system = self.system
        o = system.object(self.va, "_ERESOURCE")
        size = system.struct_size("_OWNER_ENTRY")
        first = o.at("OwnerEntry" if o.has("OwnerEntry") else "OwnerThreads")
        sharing = [threads[tid] for tid in self.recipe.get("sharing", [])]
        if owner:
            self._entry(first, owner)
            o.put("Flag", OWNED_EXCLUSIVE)
        elif sharing and o.has("OwnerThreads"):
            self._entry(first + size, sharing[0])
            sharing = sharing[1:]
        if sharing:
            table = system.take("pool", size * 4, "ReTa")
            system.object(table, "_OWNER_ENTRY").put("TableSize", 4)
            for i, thread in enumerate(sharing):
                self._entry(table + (i + 1) * size, thread)
            o.put("OwnerTable", table)
        told = self.recipe.get("sharing", [])
        if told:
            self.told["sharing"] = told
        o.put("ActiveCount", 1 if owner else len(told))
        o.put("ActiveEntries", 1 if owner else len(told))
        o.put("ContentionCount", sum(waiting.values()))
        for shared, member in ((True, "Shared"), (False, "Exclusive")):
            o.put(f"NumberOf{member}Waiters", waiting.get(shared, 0))
            if shared in self.waiters:
                o.put(f"{member}Waiters", self.waiters[shared].va)

    def _entry(self, va, thread):
        entry = self.system.object(va, "_OWNER_ENTRY")
        entry.put("OwnerThread", thread.object.va)
        entry.put("OwnerCount", 1)


class Locks:
    def __init__(self, system):
        self.system, self.made, self.waiting = system, {}, {}

    def make(self, recipe):
        system = self.system
        size = system.struct_size("_ERESOURCE") if recipe["type"] == "resource" else 7 * system.pointer
        if size:
            self.made[recipe["id"]] = Lock(system, recipe, system.take("pool", size, "Lock"))

    def wait(self, waits, thread, recipe):
        """What the thread waits on, None where this version has no such lock."""
        lock = self.made.get(recipe["lock"])
        shared = recipe.get("shared", False)
        if not lock:
            return None
        self.waiting.setdefault(lock, []).append((thread, shared))
        self._reason(thread, REASON_OF[lock.kind])
        return lock.thing(waits, shared)

    def _reason(self, thread, name):
        """Versions that have a reason for such a lock give it; XP and before say Executive."""
        if self.system.build >= 3790:
            thread.object.put("WaitReason", REASONS[name])
            thread.truth["wait_reason"] = name

    def finish(self, threads):
        system = self.system
        resources = [lock for lock in self.made.values() if lock.kind == "resource"]
        if system.places["structs"].get("_ERESOURCE"):
            system.link(system.symbol("ExpSystemResourcesList", 2 * system.pointer),
                        [system.object(lock.va, "_ERESOURCE").at("SystemResourcesList") for lock in resources])
        for lock in self.made.values():
            waiting = self.waiting.get(lock, [])
            lock.finish(threads, {kind: sum(1 for _, s in waiting if s == kind) for kind in (True, False)})
            for thread, _ in waiting:
                thread.truth["wait_lock"] = lock.told
