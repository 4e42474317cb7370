# SPDX-License-Identifier: MIT
"""What selftest.py asks of executive objects, with a reader of its own: nothing here is the builder's.

Pool headers: the blocks of a page follow one another to its end, and one of them has the thread in it. Object headers:
the type's name, by pointer or by number. PspCidTable and the handle tables: each id, each handle leads to its object,
and an id that the recipe takes away leads nowhere. Kernel stacks: pointers in order, a return into the kernel. Offsets
and encodings are spelled out, by version.
"""
SPAN = 0x100  # how far before a body its pool header can lie


class Objects:
    def __init__(self, image, truth, labels, build):
        self.image, self.labels, self.build = image, labels, build
        system = truth["system"]
        self.mode = system["mode"]
        self.space = (self.mode, int(system["root"], 16))
        self.pointer = image.pointer
        self.unit = 2 * self.pointer
        self.header = 6 * self.pointer

    def number(self, va, size=None):
        return self.image.number(self.space, va, size)

    # ------------------------------------------------------------ pool

    def tags(self, kind):
        text = kind[:4].encode()
        return text if self.build >= 9200 else text[:3] + bytes([text[3] | 0x80])

    def block_of(self, va, tag):
        """(address, units, in use) of the block with this tag that has the object in it."""
        for at in range(va - self.header, va - SPAN, -8):
            if at // 4096 != va // 4096:
                return None
            if self.image.read(self.space, at + 4, 4) == tag:
                units, kind = self.shape(at)
                if at + units * self.unit >= va and at % self.unit == 0:
                    return at, units, kind
        return None

    def shape(self, at):
        if self.unit == 8:
            word = self.number(at + 2, 2)
            return word & 0x1FF, word >> 9
        return self.number(at + 2, 1), self.number(at + 3, 1)

    def check_page(self, block):
        """Each block's size leads to the next one, whose PreviousSize leads back; a segment heap has no such chain."""
        if self.build >= 18362:
            return
        at, end, before, met = block & -4096, (block & -4096) + 4096, 0, False
        while at < end:
            first = self.number(at, 2)
            assert (first & 0x1FF if self.unit == 8 else first & 0xFF) == before, f"{at:#x}: PreviousSize"
            met |= at == block
            before, _ = self.shape(at)
            assert before, f"{at:#x}: a block of no size"
            at += before * self.unit
        assert at == end and met, f"{block:#x} is not in the chain of its page"

    def check_unmapped(self, told):
        """No table leads to it, and a page of the image holds its pool header and its id where they were."""
        va = int(told["object"], 16)
        assert self.image.translate(*self.space, va) is None, f"{va:#x} is still mapped"
        tid = va % 4096 + self.image.member("_ETHREAD", "Cid.UniqueThread")
        for offset in self.image.pages.values():
            page = self.image.data[offset:offset + 4096]
            if self.tags("Thread") in page and int.from_bytes(page[tid:tid + self.pointer], "little") == told["tid"]:
                return
        raise AssertionError(f"{va:#x} is in no page")

    def large_block(self, va):
        """(tag, freed) of the block of whole pages that this address is in: PoolBigPageTable, every place looked at."""
        size = {8: 24 if self.build < 20348 else 32, 4: 16}[self.pointer]
        if self.build < 6000:
            size = {8: 16, 4: 12}[self.pointer]
        table, count = (self.number(self.labels[name]) for name in ("PoolBigPageTable", "PoolBigPageTableSize"))
        data = self.image.read(self.space, table, count * size)
        for at in range(0, count * size, size):
            start = int.from_bytes(data[at:at + self.pointer], "little")
            behind = at + self.pointer + 4
            if self.build < 6000:
                length = int.from_bytes(data[behind:behind + 4], "little") * 4096
            else:
                length = int.from_bytes(data[behind + 4:behind + 4 + self.pointer], "little")
            if start & ~1 and 0 <= va - (start & ~1) < length:
                return data[at + self.pointer:behind], bool(start & 1)
        return None

    def check_large(self, told, kind):
        """Named in the table and nowhere else."""
        va = int(told["object"], 16)
        found = self.large_block(va)
        want = "big-pool" in told["ways"], "freed-big-pool" in told["ways"]
        assert (found == (self.tags(kind), want[1])) == any(want), f"{kind} {va:#x}: large block {found}"

    def check_pool(self, told, kind):
        if "unmapped-pool" in told["ways"]:
            self.check_unmapped(told)
            return
        va = int(told["object"], 16)
        block = self.block_of(va, self.tags(kind))
        wanted = [w for w in told["ways"] if w in ("pool-scan", "freed-pool")]
        assert bool(block) == bool(wanted), f"{kind} {va:#x}: pool header: {block}, ways {told['ways']}"
        if not block:
            return
        at, units, pool_type = block
        used = {False: (2,), True: (5, 6)}[self.build < 6000]
        assert pool_type in (used if wanted == ["pool-scan"] else (0,)), f"{at:#x}: pool type {pool_type}"
        if self.build < 9200:  # the body ends where the block ends
            size = self.image.places["structs"]["_E" + kind.upper()]["size"]
            assert at + units * self.unit - -(-size // self.unit) * self.unit == va, f"{at:#x}: size of the block"
        else:
            assert va % 64 == 0, f"{va:#x} does not begin at a cache line"
        self.check_page(at)

    # ------------------------------------------------------------ types

    def type_name(self, va):
        header = va - self.header
        structs = self.image.places["structs"]
        place = structs["_OBJECT_HEADER"]["members"]
        if "Type" in place:
            at = self.number(header + place["Type"][0])
        else:
            index = self.number(header + place["TypeIndex"][0], 1)
            if self.build >= 10240:
                index ^= self.number(self.labels["ObHeaderCookie"], 1) ^ (header >> 8 & 0xFF)
            at = self.number(self.labels["ObTypeIndexTable"] + index * self.pointer)
        name = at + structs["_OBJECT_TYPE"]["members"]["Name"][0]
        length = self.number(name, 2)
        return self.image.read(self.space, self.number(name + self.pointer), length).decode("utf-16-le")

    # ------------------------------------------------------------ stacks

    def check_stack(self, facts, kernel):
        """Its pointers are in order; a thread that was switched away from returns into the kernel (kernel: a range)."""
        limit, at, top, base = (int(facts[k], 16) for k in ("stack_limit", "kernel_stack", "initial_stack",
                                                            "stack_base"))
        if "stack-pointer-outside" in facts.get("noticed", []):
            return
        assert limit <= at < top <= base, f"tid {facts['tid']}: stack pointers"
        if facts["state"] == "Running" or facts.get("kernel_stack_resident") is False or \
                self.image.translate(*self.space, at) is None:
            return
        back = self.number(at + (0x38 if self.pointer == 8 else 8))
        assert back in kernel, f"tid {facts['tid']}: {back:#x} returns nowhere"

    # ------------------------------------------------------------ handle tables

    def entry(self, table, handle):
        """The address that an entry holds, None for a free one."""
        code = self.number(table + self.image.member("_HANDLE_TABLE", "TableCode"))
        level, at, index = code & 7, code & ~7, handle // 4
        size = 2 * self.pointer
        leaf = 4096 // size
        pages = 4096 // self.pointer
        for depth in range(level, 0, -1):
            span = leaf * pages ** (depth - 1)
            at, index = self.number(at + index // span * self.pointer), index % span
        return self.address(self.number(at + index * size))

    def address(self, word):
        """By version: the low bits are flags; or the pointer is packed above counts and flags."""
        if not word:
            return None
        if self.build < 9200 or self.pointer == 4:
            return word & ~7
        if self.mode == "la57":
            bits, width = word >> 11 << 4, 57
        elif self.build < 9600:
            bits, width = word >> 23 << 4, 45
        else:
            bits, width = word >> 20 << 4, 48
        return bits | -(bits >> (width - 1)) << width & (1 << 64) - 1

    def check_ids(self, told):
        table = self.number(self.labels["PspCidTable"])
        assert self.number(table + self.image.member("_HANDLE_TABLE", "UniqueProcessId"), 4) == 0
        for each, number in told:
            found = self.entry(table, number)
            want = int(each["object"], 16) if "cid-table" in each["ways"] else None
            assert found == want, f"id {number}: {found and hex(found)}, want {want and hex(want)}"

    def check_handles(self, truth):
        tables = {}
        for process in truth["processes"] + truth["hidden"]["processes"]:
            at = int(process["object"], 16) + self.image.member("_EPROCESS", "ObjectTable")
            tables[process["pid"]] = self.number(at)
        for handle in truth["handles"]:
            body, who = int(handle["object"], 16), f"pid {handle['pid']}, handle {handle['handle']:#x}"
            assert self.entry(tables[handle["pid"]], handle["handle"]) == body - self.header, who
            assert self.type_name(body) == handle["type"], who


def check(image, truth, labels, build):
    if "_HANDLE_TABLE" not in image.places["structs"]:
        return
    objects = Objects(image, truth, labels, build)
    threads = [dict(t["facts"], ways=t["ways"]) for t in truth["threads"] + truth["hidden"]["threads"]]
    processes = truth["processes"] + truth["hidden"]["processes"]
    threads = [t for t in threads if t["tid"]]
    objects.check_ids([(t, t["tid"]) for t in threads] + [(p, p["pid"]) for p in processes if p["pid"]])
    bare = {page["va"] & -4096 for page in truth["pages"]}  # a thread in transition has no object header
    for thread in threads:
        objects.check_pool(thread, "Thread")
        objects.check_large(thread, "Thread")
        headed = int(thread["object"], 16) & -4096 not in bare
        if headed and set(thread["ways"]) & {"pool-scan", "freed-pool", "cid-table"}:
            assert objects.type_name(int(thread["object"], 16)) == "Thread"
    base, size = int(truth["modules"][0]["base"], 16), truth["modules"][0]["size"]
    for thread in threads:
        objects.check_stack(thread, range(base, base + size))
    for process in processes:
        if process["pid"]:
            objects.check_pool(process, "Process")
            objects.check_large(process, "Process")
    objects.check_handles(truth)
