# SPDX-License-Identifier: MIT
"""Locks of the kernel that are no objects: ERESOURCE, fast and guarded mutexes, push locks, and who has them.

An ERESOURCE keeps its exclusive owner in the first of two entries until Vista, in OwnerEntry since 7, and shared ones
in a table whose first entry tells its size. Until 7 those who wait do so on an event (exclusive) and a semaphore
(shared) that it points to (Windows Research Kernel, resource.c). A fast mutex is {Count, Owner, Contention, Event}, a
guarded one from 2003 to 7 the same with a gate (wdm.h, FAST_MUTEX). Since 10 each waiter of an ERESOURCE has a block of
its own (_KWAIT_CHAIN_ENTRY of public PDBs): {LIST_ENTRY, PKTHREAD, KEVENT}, in 15063 without the thread, in a ring
without a head that the resource points to; from 10240 to 14393 only shared ones do, {next, KEVENT} in a chain.

A push lock is a word: bit 0 taken, bit 1 somebody waits, then a pointer to the wait block of the last who came:
{event or gate, Next (who came before), Last, Previous, ShareCount, Flags}, aligned to 16 (WRK, pushlock.c). Since 8.1
KLOCK_ENTRYs of a thread tell which locks it waits for and which it has; before, its stack alone points to the lock.
"""
OWNED_EXCLUSIVE = 0x80
REASON_OF = {"resource": "WrResource", "fast mutex": "WrFastMutex", "guarded mutex": "WrGuardedMutex",
             "push lock": "WrPushLock"}
REASONS = {"WrResource": 27, "WrPushLock": 28, "WrFastMutex": 34, "WrGuardedMutex": 35}  # KWAIT_REASON, since 2003


CHAINS = 10240  # the first version in which each shared waiter of a resource has a block, and
RINGS = 15063   # in which every one has


class Entries:
    """The KLOCK_ENTRYs of a thread: six, in the ETHREAD or, before 19041, in the KTHREAD."""

    def __init__(self, thread):
        self.system, self.count = thread.system, 0
        structs = self.system.places["structs"]
        place = next((structs[name]["members"]["LockEntries"] for name in ("_ETHREAD", "_KTHREAD")
                      if "LockEntries" in structs[name]["members"]), None)
        self.members = structs.get("_KLOCK_ENTRY", {"members": {}})["members"]
        self.known = place is not None and "AcquiredByte" in self.members and "ThreadUnsafe" not in self.members
        self.first = thread.object.va + place[0] if place else 0

    @staticmethod
    def of(thread):
        if "lock_entries" not in thread.__dict__:
            thread.lock_entries = Entries(thread)
        return thread.lock_entries

    def add(self, lock, waits=False, has=False):
        """False where this version has none, or not such that it is known what they say."""
        if not self.known:
            return False
        entry = self.system.object(self.first + self.count * self.system.struct_size("_KLOCK_ENTRY"), "_KLOCK_ENTRY")
        self.count += 1
        entry.put("LockUnsafe", lock)
        entry.put("WaitingBit" if entry.has("WaitingBit") else "WaitingByte", int(waits))
        entry.put("AcquiredByte", int(has))
        return True


def stack_word(thread, value):
    """Somewhere in the part of its kernel stack that is in use, where no function of its keeps anything."""
    system, o = thread.system, thread.object
    va = o.get("KernelStack") + 0x80
    while int.from_bytes(system.kernel.read(va, system.pointer), "little"):
        va += system.pointer
    if va >= (o.get("TrapFrame") or o.get("InitialStack") - 0x10):
        raise ValueError(f"tid {thread.tid}: no room on its stack")
    system.labels.put(system.kernel, va, system.pointer, value)


class Lock:
    def __init__(self, system, recipe, va):
        self.system, self.recipe, self.va = system, recipe, va
        self.kind, self.waiters = recipe["type"], {}
        self.own = []  # where each waiter has a block: (thread, its address, shared)

    def thing(self, waits, thread, shared):
        """What a thread that wants it waits on."""
        if self.kind == "push lock":
            return self._push(waits, thread)
        if self.kind == "resource" and self.system.build >= (CHAINS if shared else RINGS):
            before = self._before() * self.system.pointer
            block = self.system.take("pool", before + self.system.struct_size("_KEVENT"), "ReWb")
            self.own.append((thread, block, shared))
            return waits.thing("synchronization event", None, block + before, False)
        if shared not in self.waiters:
            self.waiters[shared] = self._make(waits, shared)
        return self.waiters[shared]

    def _before(self):
        """Words of a waiter's block before its event."""
        return 1 if self.system.build < RINGS else 2 if self.system.build == RINGS else 3

    def _push(self, waits, thread):
        system = self.system
        block = system.take("pool", system.struct_size("_KEVENT") + 5 * system.pointer + 16, "PuWb") + 15 & -16
        self.own.append((thread, block, False))
        gate = system.build < 9200 and "_KGATE" in system.places["structs"]
        return waits.thing("gate" if gate else "synchronization event", None, block, False)

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
        if self.kind == "push lock":
            self._push_lock(owner)
            return
        put, pointer = self.system.labels.put, self.system.pointer
        put(self.system.kernel, self.va, 4, 0 if owner else 1)
        put(self.system.kernel, self.va + pointer, pointer, owner.object.va if owner else 0)
        put(self.system.kernel, self.va + 2 * pointer, 4, sum(waiting.values()))

    def _push_lock(self, owner):
        """The chain of those who wait; who has it is told by an entry of that thread, where there are such."""
        system = self.system
        put, pointer, head = system.labels.put, system.pointer, system.struct_size("_DISPATCHER_HEADER")
        blocks = [block for _, block, _ in self.own]
        for before, block in zip([0] + blocks, blocks):
            put(system.kernel, block + head, pointer, before)
        if blocks:
            put(system.kernel, blocks[0] + head + pointer, pointer, blocks[0])  # Last
            put(system.kernel, self.va, pointer, blocks[-1] | 2 | bool(owner))
        for thread, _, _ in self.own:
            if not Entries.of(thread).add(self.va | 2, waits=True):
                stack_word(thread, self.va)
        known = owner and Entries.of(owner).add(self.va & ~(1 << 8 * pointer - 1), has=True)  # not in the tree
        if not known:
            self.told.update(owner=None, owner_tid=None, why="not known" if owner else "not applicable")

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
            ring = [(thread, block) for thread, block, s in self.own if s == shared]
            if ring:
                self._link([block for _, block in ring])
                o.put(f"{member}Waiters", ring[0][1])
            for thread, block in ring if self._before() == 3 else []:
                system.labels.put(system.kernel, block + 2 * system.pointer, system.pointer, thread.object.va)
            if shared in self.waiters:
                o.put(f"{member}Waiters", self.waiters[shared].va)

    def _link(self, blocks):
        if self._before() > 1:
            self.system.link(blocks[0], blocks[1:])
            return
        for block, after in zip(blocks, blocks[1:] + [0]):
            self.system.labels.put(self.system.kernel, block, self.system.pointer, after)

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
        if recipe["type"] == "push lock" and system.build < 9200 and "_KGATE" not in system.places["structs"]:
            size = 0  # 2003 as released has XP's form still
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
        return lock.thing(waits, thread, shared)

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
