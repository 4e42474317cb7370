# SPDX-License-Identifier: MIT
"""What selftest.py asks of waits, with a reader of its own: nothing here is the builder's.

Each waiting thread's blocks, walked as its version keeps them, lead to the truth's objects in its order; each block is
on its object's list, and that list comes back; an owned mutant is on its owner's list.
"""


class Waits:
    def __init__(self, image, truth):
        self.image, self.members = image, image.places["structs"]
        system = truth["system"]
        self.space = (system["mode"], int(system["root"], 16))
        self.pointer = image.pointer

    def at(self, struct, member):
        return self.image.member(struct, member)

    def number(self, va, size=None):
        return self.image.number(self.space, va, size)

    def ring(self, head):
        """Every entry of a list but its head; a link that does not come back is an error."""
        out, at = [], self.number(head)
        while at != head:
            assert len(out) < 1000 and self.number(self.number(at) + self.pointer) == at, f"{head:#x}: torn at {at:#x}"
            out.append(at)
            at = self.number(at)
        return out

    def blocks(self, thread):
        """Addresses of the thread's wait blocks: a ring until 7, then an array, the timer's apart."""
        first = self.number(thread + self.at("_KTHREAD", "WaitBlockList"))
        after = self.at("_KWAIT_BLOCK", "NextWaitBlock")
        size = self.members["_KWAIT_BLOCK"]["size"]
        if after is None:
            out = [first + i * size for i in range(self.number(thread + self.at("_KTHREAD", "WaitBlockCount"), 1))]
            timer = thread + self.at("_KTHREAD", "WaitBlock") + 3 * size
            head = thread + self.at("_KTHREAD", "Timer") + self.at("_DISPATCHER_HEADER", "WaitListHead")
            if timer not in out and self.number(head) == timer:
                out.append(timer)
            return out
        out = [first]
        while (at := self.number(out[-1] + after)) != first:
            out.append(at)
            assert len(out) < 100, "the ring of wait blocks does not close"
        return out

    def object(self, thread, block):
        """What a block waits for; the timer's does not say so since 8: other members of KTHREAD stand there."""
        timer = thread + self.at("_KTHREAD", "WaitBlock") + 3 * self.members["_KWAIT_BLOCK"]["size"]
        if block == timer and self.at("_KWAIT_BLOCK", "NextWaitBlock") is None:
            return thread + self.at("_KTHREAD", "Timer")
        return self.number(block + self.at("_KWAIT_BLOCK", "Object"))

    def check_thread(self, facts):
        thread = int(facts["object"], 16)
        if facts["state"].startswith("GateWait") and self.at("_KTHREAD", "GateObject") is not None:
            gate = self.number(thread + self.at("_KTHREAD", "GateObject"))
            found = [(thread + self.at("_KTHREAD", "WaitBlock"), gate)]
        else:
            found = [(b, self.object(thread, b)) for b in self.blocks(thread)]
        told = [int(t["object"] or "0", 16) for t in facts["wait_blocks"]]
        assert [o for (_, o), t in zip(found, told) if t] == [t for t in told if t], f"tid {facts['tid']}"
        for (block, thing), told in zip(found, facts["wait_blocks"]):
            if not told["object"]:  # NtWaitForAlertByThreadId: an address in the process, with no list of waiters
                continue
            assert self.number(block + self.at("_KWAIT_BLOCK", "Thread")) == thread
            listed = self.ring(thing + self.at("_DISPATCHER_HEADER", "WaitListHead"))
            assert block + self.at("_KWAIT_BLOCK", "WaitListEntry") in listed, f"tid {facts['tid']}: not on the list"
            if told["kind"] == "MutantObject":
                self.check_mutant(thing, told)

    def check_mutant(self, mutant, told):
        owner = self.number(mutant + self.at("_KMUTANT", "OwnerThread"))
        assert owner == int(told["owner"] or "0", 16), f"mutant {mutant:#x}: owner"
        if owner:
            held = self.ring(owner + self.at("_KTHREAD", "MutantListHead"))
            assert mutant + self.at("_KMUTANT", "MutantListEntry") in held, f"mutant {mutant:#x}: its owner has it not"


def check(image, truth):
    waits = Waits(image, truth)
    told = [t["facts"] for t in truth["threads"] if t["facts"].get("wait_blocks")]
    for facts in told:
        waits.check_thread(facts)
    return len(told)
