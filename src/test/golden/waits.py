# SPDX-License-Identifier: MIT
"""What threads wait for: dispatcher objects, wait blocks, owners; LPC and ALPC ports; resources and fast mutexes.

A thread's wait blocks form a ring through NextWaitBlock until 7 and are an array of WaitBlockCount since 8. Up to three
lie in the KTHREAD, more in pool; the fourth in the KTHREAD is the timeout's, on the thread's own timer, with the key
STATUS_TIMEOUT (Windows Research Kernel, wait.c; ReactOS, ke/wait.c). Since 8 that one has no Object: other members of
KTHREAD stand there (x64 Ucb, x86 WaitTime, by the public PDBs). From 2003 to Vista a thread in GateWait has the
gate in the place of WaitBlockList. Everything is written when all threads are made: an owner may come later.
"""
from locks import Locks
from ports import Ports
from sections import Address, Sections

# name in a recipe: (KOBJECTS number, its name, structure, type of the object manager)
KINDS = {
    "event": (0, "EventNotificationObject", "_KEVENT", "Event"),
    "synchronization event": (1, "EventSynchronizationObject", "_KEVENT", "Event"),
    "mutant": (2, "MutantObject", "_KMUTANT", "Mutant"),
    "process": (3, "ProcessObject", "_EPROCESS", "Process"),
    "queue": (4, "QueueObject", "_KQUEUE", "IoCompletion"),
    "semaphore": (5, "SemaphoreObject", "_KSEMAPHORE", "Semaphore"),
    "thread": (6, "ThreadObject", "_ETHREAD", "Thread"),
    "gate": (7, "GateObject", "_KGATE", None),
    "timer": (8, "TimerNotificationObject", "_KTIMER", "Timer"),
    "synchronization timer": (9, "TimerSynchronizationObject", "_KTIMER", "Timer"),
    "priority queue": (21, "PriQueueObject", "_KPRIQUEUE", None),
}
TIMEOUT = 0x102
TIMER_BLOCK = 3
INSIDE = {"lpc": ("LpcReplySemaphore",), "alpc": ("AlpcWaitSemaphore",), "keyed": ("KeyedWaitSemaphore",),
          "suspend": ("SuspendSemaphore", "SuspendEvent")}


class Thing:
    """Something to wait for: where it is, and what is told of it."""

    def __init__(self, system, recipe, kind, va, path=None, headed=False):
        self.system, self.recipe, self.kind, self.va, self.path = system, recipe, kind, va, path
        self.number, self.kind_name, self.struct, executive = KINDS[kind]
        self.type = executive if headed else None
        self.waiters, self.owner, self.due = [], None, None
        self.header = system.object(va, self.struct, "_DISPATCHER_HEADER")

    def told(self):
        return {"object": hex(self.va), "kind": self.kind_name, "object_type": self.type, "name": self.path,
                "owner": hex(self.owner.object.va) if self.owner else None,
                "owner_tid": self.owner.tid if self.owner else None, **self._more()}

    def _more(self):
        """What only a mutant, a timer, a queue has."""
        o, r, out = self.header, self.recipe or {}, {}
        if self.kind == "mutant" and o.known("Abandoned"):
            out = {"recursion": r.get("recursion", 1) if self.owner else 0, "abandoned": r.get("abandoned", False)}
        if "timer" in self.kind and "_KUSER_SHARED_DATA" not in self.system.places["lent"]:
            out = {"due_in": None if self.due is None else int(self.due * 1000)}
        if self.kind == "queue" and o.known("MaximumCount"):
            out = {"queue_threads": len(self.__dict__.get("queued", [])), "queue_running": 1, "queue_maximum": 2}
        return out


class Waits:
    def __init__(self, system):
        self.system = system
        self.things, self.waiting, self.mutants = {}, [], {}
        self.locks = Locks(system)
        self.ports = Ports(system)

    # ------------------------------------------------------------ objects

    def thing(self, kind, recipe=None, va=None, headed=None):
        """Makes it where no address is given; a recipe with a type of the object manager has a header and a name."""
        recipe = recipe or {}
        executive = KINDS[kind][3]
        headed = executive is not None and self.system.executive.known if headed is None else headed
        size = self.system.struct_size(KINDS[kind][2], 0x28)
        path = recipe.get("name")
        if va is None and executive:
            folder, _, name = (path or "").rpartition("\\")
            directory = self.system.executive.directory(folder or "\\") if path else None
            va = self.system.executive.make(executive, size + (0x60 if "timer" in kind else 0), name or None, handles=1,
                                            directory=directory)
        elif va is None:
            va = self.system.take("pool", size, "Gate")
        out = Thing(self.system, recipe, kind, va, path if headed else None, headed)
        out.header.put("Type", out.number)
        if kind not in ("process", "thread") and not ("timer" in kind and out.header.has("Hand")):
            out.header.put("Size", size // 4)
        if "queue" in kind:
            self._queue(out)
        if "due" in recipe:
            self._set(out, recipe["due"])
        if kind == "semaphore":
            out.header.put("Limit", recipe.get("limit", 1))
        return out

    def _queue(self, thing):
        o, pointer = thing.header, self.system.pointer
        for i in range(32 if thing.kind == "priority queue" else 1):
            self.system.link(o.at("EntryListHead") + 2 * pointer * i, [])
        o.put("MaximumCount", 2)
        o.put("CurrentCount", int(thing.kind == "queue"))

    def _set(self, timer, seconds):
        """Until then: interrupt time, 100 ns since boot."""
        timer.due = seconds
        timer.header.put("DueTime", self.system.ticks * 156250 + int(seconds * 10_000_000))
        timer.header.put("Inserted", 1)
        timer.header.empty_list("TimerListEntry")

    def make_objects(self, recipes):
        for recipe in recipes:
            kind = recipe["type"]
            if kind in ("resource", "fast mutex", "guarded mutex", "push lock"):
                self.locks.make(recipe)
                continue
            if kind not in KINDS or KINDS[kind][2] not in self.system.places["structs"]:
                raise ValueError(f"{recipe['id']}: no kind {kind}")
            self.things[recipe["id"]] = self.thing(kind, recipe)

    def add(self, thread):
        self.waiting.append(thread)

    # ------------------------------------------------------------ who waits for what

    def finish(self):
        """When all threads are there: their blocks, then the objects' lists of them."""
        system = self.system
        self.threads = {t.tid: t for p in system.processes for t in p.threads if t.tid}
        self.by_pid = {p.pid: p for p in system.processes}
        for thing in self.things.values():
            self._own(thing)
        blocks = {thread: self._blocks(thread) for thread in self.waiting}
        for tid, held in self.mutants.items():
            owner = self.threads[tid].object
            system.link(owner.at("MutantListHead"), [t.header.at("MutantListEntry") for t in held])
        self._ways(blocks)
        things = dict.fromkeys(thing for told in blocks.values() for thing, _ in told)
        for thing in dict.fromkeys([*self.things.values(), *things]):
            if thing.header:
                system.link(thing.header.at("WaitListHead"), thing.waiters)
        self.locks.finish(self.threads)
        for thread, told in blocks.items():
            self._tell(thread, told)
        self._tell_objects()

    def _ways(self, blocks):
        """A mutant that somebody waits for leads to its owner, an object to all who wait for it, a queue to its own."""
        waiters = {}
        for thread, told in blocks.items():
            for thing, block in told:
                if block:
                    waiters.setdefault(thing, []).append(thread)
        for thing, threads in waiters.items():
            if thing.owner:
                thing.owner.ways.append("mutant-owner")
            for thread in threads if len(threads) > 1 else []:
                thread.ways.append("wait-block")
            for thread in threads if "queue" in thing.kind else []:
                thread.ways.append("queue")
        for thread in self.threads.values():
            thread.ways[:] = sorted(set(thread.ways))

    def _own(self, thing):
        """A mutant's owner and its count: 1 is free, 0 owned once, one less for each time more."""
        if thing.kind != "mutant":
            return
        o, r = thing.header, thing.recipe
        o.empty_list("MutantListEntry")
        o.put("Abandoned", int(r.get("abandoned", False)))
        if "owner" not in r:
            o.put("SignalState", 1)
            return
        thing.owner = self.threads[r["owner"]]
        o.put("OwnerThread", thing.owner.object.va)
        o.put("SignalState", 1 - r.get("recursion", 1))
        self.mutants.setdefault(r["owner"], []).append(thing)

    def _things(self, thread):
        """What this thread waits for: as its recipe says, or by its wait reason."""
        r, o = thread.recipe, thread.object
        if "waits" in r:
            return [self._named(thread, name) for name in r["waits"]]
        locked = self.locks.wait(self, thread, r["wants"]) if "wants" in r else None
        if locked:
            return [locked]
        if r.get("state") == "GateWait" and "_KGATE" in self.system.places["structs"]:
            return [self.thing("gate")]
        reason = r.get("wait_reason")
        if reason == "DelayExecution":
            return []
        if reason == "WrAlertByThreadId" and thread.user and self.system.build >= 9200:
            return [self._address(thread)]
        if "section" in r and not self.keyed_section(thread):
            return [self._section_event(thread)]
        inside = ("keyed" if ("keyed_wait" in r or "section" in r) and o.has("KeyedWaitValue") else
                  "alpc" if "alpc" in r and o.has("AlpcMessage") else
                  "lpc" if "lpc" in r and o.has("LpcReplyMessage") else "suspend" if reason == "Suspended" else None)
        if inside:
            return [self._inside(thread, inside)]
        if reason == "WrQueue":
            return [self._worker_queue(thread)]
        return [self.thing("synchronization event")]

    # ------------------------------------------------------------ critical sections and other addresses

    def _section(self, thread):
        """The critical section that this thread waits for; its owner is told."""
        if "section_at" not in thread.__dict__:
            spec = thread.recipe["section"]
            thread.section_at = Sections.of(thread.process).make(spec["owner"], spec.get("bare", False),
                                                                 -1 if self.system.build >= 9200 else 0)
            thread.truth["wait_section"] = {"section": hex(thread.section_at), "owner_tid": spec["owner"]}
        return thread.section_at

    def keyed_section(self, thread):
        """The key of a keyed event, from Vista to 7; None of others."""
        keyed = "section" in thread.recipe and 6000 <= self.system.build < 9200
        return self._section(thread) if keyed else None

    def _section_event(self, thread):
        return Sections.of(thread.process).event(self, self._section(thread))

    def _address(self, thread):
        if "section" in thread.recipe:
            return Address(Sections.of(thread.process).count_of(self._section(thread)))
        address = thread.process.take_user(self.system.pointer)
        thread.truth["wait_address"] = hex(address)
        return Address(address)

    def _named(self, thread, name):
        word, _, number = name.partition(" ")
        if word == "thread":
            va, headed = self.threads[int(number)].object.va, True
        elif word == "process":
            va, headed = self.by_pid[int(number)].object.va, True
        else:
            return self._queued(thread, self.things[name]) if "queue" in self.things[name].kind else self.things[name]
        key = f"{word} {number}"
        if key not in self.things:
            self.things[key] = self.thing(word, None, va, headed and self.system.executive.known)
        return self.things[key]

    def _inside(self, thread, which):
        """A semaphore or an event in the thread itself."""
        o = thread.object
        member = next(m for m in INSIDE[which] if o.has(m))
        kind = "event" if member == "SuspendEvent" else "semaphore"
        return self.thing(kind, None, o.at(member), False)

    def _worker_queue(self, thread):
        kind = "priority queue" if self.system.build >= 9600 and "_KPRIQUEUE" in self.system.places["structs"] else \
            "queue"
        if "worker queue" not in self.things:
            size = self.system.struct_size(KINDS[kind][2])
            va = self.system.take("pool", size, "ExWq")
            self.things["worker queue"] = self.thing(kind, None, va, False)
        return self._queued(thread, self.things["worker queue"])

    def _queued(self, thread, thing):
        thread.object.put("Queue", thing.va)
        thing.__dict__.setdefault("queued", []).append(thread.object.at("QueueListEntry"))
        self.system.link(thing.header.at("ThreadListHead"), thing.queued)
        return thing

    # ------------------------------------------------------------ wait blocks

    def _blocks(self, thread):
        """[(thing, what is told of its block)] of this wait, all written."""
        o, system, r = thread.object, self.system, thread.recipe
        things = self._things(thread)
        size = system.struct_size("_KWAIT_BLOCK")
        first = o.at("WaitBlock")
        places = [first + i * size for i in range(len(things))]
        if len(things) > TIMER_BLOCK:
            array = system.take("pool", size * len(things), "Wait")
            places = [array + i * size for i in range(len(things))]
        out = [(thing, place, i, "WaitAll" if r.get("wait_all") else "WaitAny")
               for i, (thing, place) in enumerate(zip(things, places))]
        if "timeout" in r or not things:
            out.append((self._timer(thread), first + TIMER_BLOCK * size, TIMEOUT, "WaitAny"))
        if r.get("state") == "Transition":  # the wait is over; the blocks stay as they were
            self._write(thread, out, "WaitBlockInactive")
            return []
        state = self._write(thread, out, "WaitBlockActive")
        for thing, place, _, _ in out:
            thing.waiters.append(system.object(place, "_KWAIT_BLOCK").at("WaitListEntry"))
        gate = thread.recipe.get("state") == "GateWait" and o.has("GateObject") and out[0][0].kind == "gate"
        if gate:
            o.put("GateObject", out[0][0].va)
            return [(out[0][0], {})]
        return [(thing, {} if not thing.header else {"wait_type": kind, "wait_key": key, "block_state": state})
                for thing, _, key, kind in out]

    def _timer(self, thread):
        """The thread's own timer, set to when the wait ends."""
        o = thread.object
        timer = self.thing("timer", None, o.at("Timer"), False)
        self._set(timer, thread.recipe.get("timeout", 60 + thread.value(40, 600)))
        return timer

    def _write(self, thread, blocks, state):
        o, system = thread.object, self.system
        states = system.places["enums"].get("_KWAIT_BLOCK_STATE")
        own_timer = o.at("WaitBlock") + TIMER_BLOCK * system.struct_size("_KWAIT_BLOCK")
        o.put("WaitBlockList", blocks[0][1])
        o.put("WaitBlockCount", len(blocks) - (blocks[-1][2] == TIMEOUT and len(blocks) > 1))
        for i, (thing, place, key, kind) in enumerate(blocks):
            block = system.object(place, "_KWAIT_BLOCK")
            block.put("Thread", o.va)
            if block.has("NextWaitBlock") or place != own_timer:
                block.put("Object", thing.va)
            block.put("WaitKey", key)
            block.put("WaitType", int(kind == "WaitAny"))
            block.put("NextWaitBlock", blocks[(i + 1) % len(blocks)][1])
            block.empty_list("WaitListEntry")
            if states:  # where the fact tables lack the enumeration there is no state either
                block.put("BlockState", states[state])
        return state if states else None

    # ------------------------------------------------------------ truth

    def _tell(self, thread, told):
        if told:
            thread.truth["wait_blocks"] = [dict(thing.told(), **block) for thing, block in told]

    def _tell_objects(self):
        told = []
        for name, thing in self.things.items():
            told.append(dict(thing.told(), id=name, waiters=len(thing.waiters)))
        self.system.truth["objects"] = told
