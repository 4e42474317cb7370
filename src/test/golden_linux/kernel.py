# SPDX-License-Identifier: MIT
"""
A Linux in 24 MiB, from a recipe (docs/GOLDEN-LINUX.md): a kernel's image with kallsyms, BTF and VMCOREINFO, page
tables, resources, processors, slabs, tasks. Names, orders and meanings are those of the kernel's own sources; where
members
lie is this builder's choice, as a configuration would choose it, and BTF tells it. Nothing is shared with the decoder.
"""
import struct

import btf
import kallsyms
import tables

PAGE, RAM = 4096, 24 << 20
LOW_END = 0x9FC00                          # of the memory below 640 KiB
TABLES_AT, HEAP_AT = 0x200000, 0x400000    # physical
IMAGE_LEN = 0x180000                       # of the kernel
TASK_SLAB_PAGES = 8
PID_NAMESPACE = 4026531836                 # PROC_PID_INIT_INO of include/linux/proc_ns.h
VMEMMAP = 0xFFFFEA0000000000               # Documentation/x86/x86_64/mm.txt
WALL, BOOTED = 1700000000, 1699999000      # seconds since 1970: now, and when it was booted
PF_EXITING, PF_VCPU, PF_WQ_WORKER, PF_KTHREAD, PF_NO_SETAFFINITY = 4, 0x10, 0x20, 0x200000, 0x4000000
# where things are in the image
SYMBOLS, BTF, BANNER, ROOT, DATA, STACK_INIT, PERCPU = 0x40000, 0xA0000, 0xB0000, 0xC0000, 0xD0000, 0xF0000, 0x170000

TEXT64 = bytes.fromhex("488d25513fa00100")      # lea of the stack's end to rsp: arch/x86/kernel/head_64.S
TEXT32 = bytes.fromhex("8b0d40eec5040f011500")  # initial_stack to ecx, lgdt: head_32.S

# arch/x86/include/asm/ptrace.h and switch_to.h
REGS = {8: "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss".split(),
        4: "bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss".split()}
INACTIVE = {8: "r15 r14 r13 r12 bx bp ret_addr".split(), 4: "flags si di bx bp ret_addr".split()}
FRAMES = ("__schedule", "schedule", "wait_for_something", "ret_from_fork")  # innermost first


def task_members(version):
    """task_struct, most of it in the order of include/linux/sched.h."""
    old = version < (3, 14)
    state = [("state", "long")] if old else [("__state", "u32")]
    ids = [("pids", ("pid_link", 3))] if version < (4, 19) else [("thread_pid", "*"), ("pid_links", ("hlist_node", 4))]
    if version < (3, 17):
        times = [("start_time", "timespec"), ("real_start_time", "timespec")]
    else:
        times = [("start_time", "u64"), ("real_start_time" if version < (5, 5) else "start_boottime", "u64")]
    randomized = [
        *([] if old else [("saved_state", "u32")]), ("stack", "*"), ("usage", "refcount_struct"), ("flags", "u32"),
        ("ptrace", "u32"), ("on_cpu", "int"), ("prio", "int"), ("static_prio", "int"), ("normal_prio", "int"),
        ("rt_priority", "u32"), ("policy", "u32"), ("tasks", "list_head"), ("mm", "*"), ("active_mm", "*"),
        ("exit_state", "int"), ("exit_code", "int"), ("exit_signal", "int"), ("personality", "u32"), ("pid", "int"),
        ("tgid", "int"), ("stack_canary", "long"), ("real_parent", "*"), ("parent", "*"), ("children", "list_head"),
        ("sibling", "list_head"), ("group_leader", "*"), *ids, ("thread_group", "list_head"),
        *([] if old else [("thread_node", "list_head")]), ("utime", "u64"), ("stime", "u64"), ("nvcsw", "long"),
        ("nivcsw", "long"), *times, ("real_cred", "*"), ("cred", "*"), ("comm", ("u8", 16)), ("signal", "*"),
        *([("worker_private", "*")] if version >= (5, 17) else [])]
    info = [] if version < (4, 9) else [("thread_info", "thread_info")]
    return [*info, *state, ("", randomized), ("thread", "thread_struct")]


def page_members(version):
    """struct page, and struct slab where that is one of its own (since 5.17): include/linux/mm_types.h, mm/slab.h."""
    slab = [("slab_cache", "*"), ("slab_list", "list_head"), ("freelist", "*"), ("inuse", (16, "u32")),
            ("objects", (15, "u32")), ("frozen", (1, "u32"))]
    if version >= (5, 17):
        head = "compound_info" if version >= (7, 0) else "compound_head"
        return {"page": [("flags", "long"), (head, "long"), ("lru", "list_head"), ("padding", ("long", 4))],
                "slab": [("__page_flags", "long"), *slab]}
    head = "first_page" if version < (4, 4) else "compound_head"
    return {"page": [("flags", "long"), (head, "long"), *slab[1:], slab[0], ("padding", ("long", 2))]}


def pid_members(version):
    """struct pid and the table of ids: a hash until 4.14 (include/linux/pid.h, pid_namespace.h)."""
    upid = [("nr", "int"), ("ns", "*")]
    common = {"ns_common": [("stashed", "long"), ("ops", "*"), ("inum", "u32")]}
    own = [("ns", "ns_common")] if version >= (3, 19) else []
    if version < (4, 15):
        return {"upid": [*upid, ("pid_chain", "hlist_node")], **common,
                "pid_namespace": [("kref", "int"), ("level", "u32"), *own],
                "pid": [("count", "int"), ("level", "u32"), ("tasks", ("hlist_head", 3)), ("numbers", ("upid", 1))]}
    return {"upid": upid, **common, "xarray": [("xa_lock", "u32"), ("xa_head", "*")],
            "idr": [("idr_rt", "xarray"), ("idr_base", "u32")],
            "pid_namespace": [("idr", "idr"), ("level", "u32"), *own],
            "xa_node": [("shift", "u8"), ("offset", "u8"), ("count", "u8"), ("slots", ("*", 64))],
            "pid": [("count", "int"), ("level", "u32"), ("tasks", ("hlist_head", 4)), ("numbers", ("upid", 1))]}


def thread_members(version):
    """struct thread_info and thread_struct: arch/x86/include/asm/thread_info.h, processor.h."""
    info = [("flags", "long"), ("status", "u32"), ("cpu", "u32")]
    if version < (4, 9):
        info = [("task", "*"), *([("exec_domain", "*")] if version < (4, 0) else []), ("flags", "u32"),
                ("status", "u32"), ("cpu", "u32"), ("preempt_count", "int")]
    own = [("sp0", "long"), ("sp", "long"), ("usersp", "long")] if version < (4, 1) else [("sp", "long")]
    return {"thread_info": info, "thread_struct": [("tls_array", ("u64", 3)), *own]}


def time_members(version):
    """What tells the time: include/linux/timekeeper_internal.h, kernel/time/timekeeping.c."""
    if version < (6, 17):
        return {}
    base = [("clock", "*"), ("mask", "u64"), ("mult", "u32"), ("shift", "u32"), ("xtime_nsec", "u64")]
    keeper = [("tkr_mono", "tk_read_base"), ("xtime_sec", "u64"), ("wall_to_monotonic", "timespec64"),
              ("offs_boot", "u64")]
    return {"tk_read_base": base, "timespec64": [("tv_sec", "u64"), ("tv_nsec", "long")], "timekeeper": keeper,
            "tk_data": [("seq", "u32"), ("padding", ("u64", 7)), ("timekeeper", "timekeeper")]}


def declared(version, pointer):
    old = version < (3, 14)
    signal = [("sigcnt", "int"), ("live", "int"), ("nr_threads", "int")]
    signal += [] if old else [("thread_head", "list_head")]
    return {
        "list_head": [("next", "*"), ("prev", "*")], "hlist_node": [("next", "*"), ("pprev", "*")],
        "hlist_head": [("first", "*")], "module_memory": [("base", "*"), ("size", "u32")],
        "atomic": [("counter", "int")], "refcount_struct": [("refs", "atomic")],
        "timespec": [("tv_sec", "long"), ("tv_nsec", "long")],
        **thread_members(version),
        "pt_regs": [(name, "long") for name in REGS[pointer]],
        **({} if version < (4, 9) else {"inactive_task_frame": [(name, "long") for name in INACTIVE[pointer]]}),
        "module": [("state", "u32"), ("list", "list_head"), ("name", ("u8", 56)), ("mem", ("module_memory", 7))],
        "kthread": [("flags", "long"), ("data", "*"), ("full_name", "*")],
        "worker": [("current_work", "*"), ("pool", "*"), ("desc", ("u8", 32)), ("rescue_wq", "*")],
        "workqueue_struct": [("flags", "u32"), ("name", ("u8", 32))],
        "pid_link": [("node", "hlist_node"), ("pid", "*")],
        "task_struct": task_members(version),
        "mm_struct": [("mmap", "*"), ("pgd", "*")], "signal_struct": signal,
        "kuid": [("val", "u32")], "cred": [("usage", "int"), ("uid", "kuid"), ("gid", "kuid")],
        "rq": [("nr_running", "u32"), ("curr", "*"), ("idle", "*")],
        **pid_members(version), **page_members(version), **time_members(version),
        "kmem_cache_per_node_ptrs": [("barn", "*"), ("node", "*")],
        "kmem_cache": [("flags", "u32"), ("size", "u32"), ("object_size", "u32"),
                       ("per_node", ("kmem_cache_per_node_ptrs", 1)) if version >= (7, 1) else ("node", ("*", 1))],
        "kmem_cache_node": [("nr_partial", "long"), ("partial", "list_head")],
    }


class Kernel:
    def __init__(self, recipe):
        k = recipe["kernel"]
        self.recipe, self.k, self.memory = recipe, k, bytearray(RAM)
        self.mode, self.release = k["mode"], k["release"]
        self.pointer = 8 if self.mode in ("x64", "la57") else 4
        self.version = tuple(int(part) for part in self.release.split("-")[0].split(".")[:2])
        self.old = self.version < (3, 14)
        self.stack_size = 0x4000 if self.pointer == 8 and self.version >= (3, 15) else 0x2000
        self.text, self.image, self.direct = k["text"], k["physical"], k["direct"]
        self.next_table, self.next_page, self.next_slab = TABLES_AT, HEAP_AT, 0
        self.s = btf.Structures(self.pointer, declared(self.version, self.pointer), {"task_struct": 0x1400})
        self.symbols, self.at = [], {}
        self.build()

    # ------------------------------------------------------------ memory

    def va(self, pa):
        return self.direct + pa

    def pa(self, va):
        """Of the image or of the direct map."""
        return self.image + va - self.text if 0 <= va - self.text < IMAGE_LEN else va - self.direct

    def put(self, va, value, size):
        at = self.pa(va)
        self.memory[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def get(self, va, size=None):
        at = self.pa(va)
        return int.from_bytes(self.memory[at:at + (size or self.pointer)], "little")

    def put_bytes(self, va, data):
        at = self.pa(va)
        self.memory[at:at + len(data)] = data

    def page(self, count=1):
        pa, self.next_page = self.next_page, self.next_page + count * PAGE
        return self.va(pa)

    def table(self):
        pa, self.next_table = self.next_table, self.next_table + PAGE
        return pa

    def set(self, base, path, value):
        offset, kind = self.s.place(path)
        if isinstance(kind, tuple) and kind[0] == "bits":
            word = self.get(base + offset, 4) | value << kind[1]
            self.put(base + offset, word, 4)
        else:
            self.put(base + offset, value, self.s.measure(kind)[0])

    def member(self, base, path):
        return base + self.s.place(path)[0]

    def list_init(self, head):
        self.put(head, head, self.pointer)
        self.put(head + self.pointer, head, self.pointer)

    def list_add(self, head, entry):
        last = self.get(head + self.pointer)
        for at, value in ((entry, head), (entry + self.pointer, last), (last, entry), (head + self.pointer, entry)):
            self.put(at, value, self.pointer)

    # ------------------------------------------------------------ all of it

    def build(self):
        self.page_tables()
        self.image_data()
        self.processes()
        self.processors()
        self.clocks()
        self.resources()
        if self.k.get("btf", "whole") != "none":
            self.types()
        self.vmcoreinfo()
        self.kallsyms()
        self.damage()

    def page_tables(self):
        self.tables = tables.Tables(self.memory, self.mode, self.image + ROOT, self.table)
        large = self.tables.large_page()
        if self.pointer == 8:
            for at in range(0, IMAGE_LEN, large):
                self.tables.map(self.text + at, self.image + at, large=True)
        for at in range(0, RAM, large):
            self.tables.map(self.va(at), at, large=True)

    def image_data(self):
        self.put_bytes(self.text, TEXT64 if self.pointer == 8 else TEXT32)
        self.banner = f"Linux version {self.release} (golden@recipe) (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC 2026-11-26"
        self.put_bytes(self.text + BANNER, self.banner.encode() + b"\n\0")
        self.data = self.text + DATA

    def variable(self, name, size, value=None, letter="D"):
        self.at[name], self.data = self.data, self.data + (size + 15) // 16 * 16
        self.symbols.append((self.at[name], letter, name))
        if value is not None:
            self.put(self.at[name], value, size)
        return self.at[name]

    # ------------------------------------------------------------ tasks

    def processes(self):
        self.variable("init_pid_ns", self.s.size("pid_namespace"))
        if self.version >= (3, 19):
            self.set(self.at["init_pid_ns"], "pid_namespace.ns.inum", PID_NAMESPACE)
        self.variable("modules", 2 * self.pointer)
        self.list_init(self.at["modules"])
        self.slab_cache()
        self.tasks = {}
        for task in self.recipe["task"]:
            if self.version < (4, 2) and task["state"] == "I":  # TASK_NOLOAD came with 4.2
                task["state"] = "S"
            if self.version < (4, 14) and task["state"] == "I":  # and the letter of its own with 4.14
                task["state"], task["word"] = "D", 0x402
            key = (task["tid"], task.get("idle", 0))
            first = key == (0, 0)
            task["at"] = self.variable("init_task", 0x1400) if first else self.slab_object()
            self.tasks[key] = task
        for task in self.recipe["task"]:
            self.write_task(task)
        for task in self.recipe["task"]:
            self.link_task(task)

    def task_of(self, tid):
        return self.tasks[(tid, 0)]

    def write_task(self, task):
        at, tid, tgid = task["at"], task["tid"], task.get("pid", task["tid"])
        kthread, zombie = task.get("kthread", False), task["state"] == "Z"
        leader = self.task_of(tgid)
        small = task["small"] = self.page()
        boot = (tid, task.get("idle", 0)) == (0, 0)
        task["stack"] = self.text + STACK_INIT if boot else self.page(self.stack_size // PAGE)
        word = task.get("word", {"S": 1, "D": 2, "T": 4, "I": 0x402}.get(task["state"], 0))
        flags = PF_KTHREAD | 0x40 if kthread else 0x400100
        if tid == 220 and self.version < (5, 12):
            flags |= PF_VCPU  # since 5.12 the bit means another thing
        if "rescues" in task:
            flags |= PF_WQ_WORKER
        if task.get("bound", False):
            flags |= PF_NO_SETAFFINITY
        if task.get("idle", 0) or tid == 0:
            flags = PF_KTHREAD | 2
        if zombie:
            flags |= PF_EXITING
        rt = task.get("rt", 0)
        user = not flags & PF_KTHREAD and not zombie
        mm = leader.get("mm") if user and tid != tgid else self.memory_of(task) if user else 0
        facts = {
            "state" if self.old else "__state": word, "flags": flags,
            "stack": 0 if zombie and self.version >= (4, 9) else task["stack"],
            "usage.refs.counter": 0 if task.get("freed") else 2,
            "prio": 99 - rt if rt else 120,
            "on_cpu": task["state"] == "R" and task.get("current", False), "static_prio": 120,
            "normal_prio": 99 - rt if rt else 120, "rt_priority": rt, "policy": 1 if rt else 0, "mm": mm,
            "active_mm": mm or (self.idle_memory() if tid == 0 else 0),
            "exit_state": (16 if self.old else 32) if zombie else 0,
            "exit_code": task.get("exit_code", 0), "exit_signal": 17 if tid and tid == tgid else 0 if tid == 0 else -1,
            "pid": tid, "tgid": tgid, "stack_canary": 0x5EED000011112222 + 7 * tid << 8,
            "real_parent": self.task_of(task["ppid"])["at"], "parent": self.task_of(task["ppid"])["at"],
            "group_leader": leader["at"], **self.started(tid), **self.thread_info(task),
            "cred": small + 0x400, "real_cred": small + 0x400, "signal": leader["small"] + 0x200,
            "thread.sp": self.write_stack(task, flags & PF_KTHREAD)}
        if "rescues" in task:
            facts["worker_private"] = self.rescuer(small + 0x500, task["rescues"])
        for path, value in facts.items():
            self.set(at, f"task_struct.{path}", value)
        if self.version < (4, 1):
            self.set(at, "task_struct.thread.sp0", task["stack"] + self.stack_size)
            self.set(at, "task_struct.thread.usersp", 0x7FF0000 + 16 * tid)
        self.put_bytes(self.member(at, "task_struct.comm"), bytes.fromhex(task["comm_hex"]) if "comm_hex" in task
                       else task["comm"].encode())
        info = 0 if self.version >= (4, 9) else self.s.size("thread_info")
        self.put(task["stack"] + info, 0x57AC6E9D, 4)  # STACK_END_MAGIC
        for path, value in (("usage", 3), ("uid.val", task.get("uid", 0)), ("gid.val", task.get("uid", 0))):
            self.set(small + 0x400, f"cred.{path}", value)
        task["flags"] = flags
        for head in ("tasks", "children", "sibling", "thread_group"):
            self.list_init(self.member(at, f"task_struct.{head}"))
        if leader is task and not self.old:
            self.list_init(self.member(small + 0x200, "signal_struct.thread_head"))

    def rescuer(self, at, queue):
        """The kthread, worker and queue of a thread that rescues it: kernel/kthread.c, workqueue_internal.h."""
        worker, of = at + self.s.size("kthread"), at + self.s.size("kthread") + self.s.size("worker")
        self.set(at, "kthread.data", worker)
        self.set(worker, "worker.rescue_wq", of)
        self.put_bytes(self.member(of, "workqueue_struct.name"), queue.encode())
        return at

    def started(self, tid):
        mono, boot = 10**9 + tid * 10**7 * (tid > 0), 10**9 + (tid > 0) * (500 + tid * 10000037)
        if self.version >= (3, 17):
            return {"start_time": mono, "real_start_time" if self.version < (5, 5) else "start_boottime": boot}
        return {f"{name}.{part}": value for name, time in (("start_time", mono), ("real_start_time", boot))
                for part, value in (("tv_sec", time // 10**9), ("tv_nsec", time % 10**9))}

    def thread_info(self, task):
        """In the task since 4.9, before at the low end of its stack."""
        facts = {"cpu": task.get("cpu", 0), "flags": 1 << 3 if task.get("current") else 0}
        if self.version >= (4, 9):
            return {f"thread_info.{name}": value for name, value in facts.items()}
        for name, value in (*facts.items(), ("task", task["at"])):
            self.set(task["stack"], f"thread_info.{name}", value)
        return {}

    def function(self, index):
        """An address inside FRAMES[index]."""
        return self.text + 0x38000 + 0x100 * index + 0x31

    def write_stack(self, task, kthread):
        """Switched away in __schedule (with frame pointers); pt_regs at the top, those of a kernel thread empty."""
        word, top = self.pointer, task["stack"] + self.stack_size - (8 if self.pointer == 4 else 0)
        regs = top - len(REGS[word]) * word
        if not kthread:
            stale = self.version < (4, 1)  # a system call saved neither: an interrupt of long ago did
            for name, value in (("ip", 0x401000), ("cs", 0x33 if word == 8 else 0x73),
                                ("flags", 0x216 if stale else 0x202),
                                ("sp", 0x7FFDEAD if stale else 0x7FF0000 + 16 * task["tid"]),
                                ("ss", 0x2B if word == 8 else 0x7B)):
                self.set(regs, f"pt_regs.{name}", value)
            if word == 8:  # as SYSCALL leaves them
                self.set(regs, "pt_regs.cx", 0x401000)
                self.set(regs, "pt_regs.r11", 0x202)
        frame, bp = regs - 2 * word, 0
        if kthread and word == 4:    # ENCODE_FRAME_POINTER in ret_from_fork (arch/x86/include/asm/frame.h)
            bp = regs & 0x7FFFFFFF
        for index in (3, 2, 1):
            self.put(frame, bp, word)
            self.put(frame + word, self.function(index), word)
            frame, bp = frame - 0x40 - 16 * (task["tid"] % 3), frame
        if self.version < (4, 9):    # flags and the frame pointer were pushed, and no more
            self.put(frame, bp, word)
            self.put(frame + word, self.function(0), word)
            sp = frame - 0x40
            self.put(sp, frame, word)
            self.put(sp + word, 0x246, word)
            return sp
        self.put(frame, bp, word)
        self.put(frame + word, self.function(0), word)
        return frame - (len(INACTIVE[word]) - 2) * word

    def memory_of(self, task):
        """Its mm_struct and page tables, with one page at 4 MiB that says whose it is."""
        task["mm"] = task["small"]
        root = self.table()
        own = tables.Tables(self.memory, self.mode, root, self.table)
        own.share(self.tables, self.direct if self.pointer == 4 else 1 << (own.levels[0][0] + own.levels[0][1] - 1))
        page = self.page()
        self.put_bytes(page, f"page of pid {task['tid']}\n".encode())
        own.map(0x400000, self.pa(page), user=True)
        self.set(task["mm"], "mm_struct.pgd", self.va(root))
        task["root"] = root
        return task["mm"]

    def idle_memory(self):
        if "init_mm" not in self.at:
            self.variable("init_mm", 0x40)
            self.set(self.at["init_mm"], "mm_struct.pgd", self.text + ROOT)
        return self.at["init_mm"]

    def link_task(self, task):
        at, tid, hidden = task["at"], task["tid"], task.get("hidden", [])
        tgid, ways = task.get("pid", tid), task.setdefault("ways", [])
        idle = task.get("idle", 0)
        if task.get("freed"):
            return
        if tid == 0:
            if not idle:
                ways.append("task-list")
            return
        if tid == tgid and "task-list" not in hidden:
            self.list_add(self.member(self.task_of(0)["at"], "task_struct.tasks"), self.member(at, "task_struct.tasks"))
            ways.append("task-list")
        if tid == tgid and "children" not in hidden:
            self.list_add(self.member(self.task_of(task["ppid"])["at"], "task_struct.children"),
                          self.member(at, "task_struct.sibling"))
            ways.append("children")
        leader = self.task_of(tgid)
        if tid != tgid:
            self.list_add(self.member(leader["at"], "task_struct.thread_group"),
                          self.member(at, "task_struct.thread_group"))
        if not self.old and "thread-group" not in hidden:
            self.list_add(self.member(leader["small"] + 0x200, "signal_struct.thread_head"),
                          self.member(at, "task_struct.thread_node"))
        if "pid-table" not in hidden:
            (self.add_id if self.version >= (4, 15) else self.add_hashed_id)(task)
            ways.append("pid-table")

    def add_id(self, task):
        """init_pid_ns.idr: an XArray of two levels (lib/xarray.c: a pointer to a node is marked by 2)."""
        head = self.member(self.at["init_pid_ns"], "pid_namespace.idr.idr_rt.xa_head")
        slots = self.s.place("xa_node.slots")[0]
        if not self.get(head):
            node = self.page()
            self.set(node, "xa_node.shift", 6)
            self.put(head, node + 2, self.pointer)
        slot = (self.get(head) & ~3) + slots + task["tid"] // 64 * self.pointer
        if not self.get(slot):
            self.put(slot, self.page() + 2, self.pointer)
        self.put((self.get(slot) & ~3) + slots + task["tid"] % 64 * self.pointer, self.pid_of(task), self.pointer)

    def pid_of(self, task):
        pid = task["small"] + 0x300
        self.set(pid, "pid.count", 1)
        links = self.member(task["at"], "task_struct.pids" if self.version < (4, 19) else "task_struct.pid_links")
        self.put(self.member(pid, "pid.tasks"), links, self.pointer)
        if self.version < (4, 19):
            self.put(links + self.s.place("pid_link.pid")[0], pid, self.pointer)
        else:
            self.set(task["at"], "task_struct.thread_pid", pid)
        numbers = self.member(pid, "pid.numbers")
        self.set(numbers, "upid.nr", task["tid"])
        self.set(numbers, "upid.ns", self.at["init_pid_ns"])
        return pid

    def add_hashed_id(self, task):
        """pid_hash, a table of 16 chains; which one an id is on does not matter to who walks them all."""
        if "pid_hash" not in self.at:
            self.variable("pid_hash", self.pointer, self.page())
            self.variable("pidhash_shift", 4, 4)
        bucket = self.get(self.at["pid_hash"]) + task["tid"] % 16 * self.pointer
        chain = self.member(self.pid_of(task), "pid.numbers") + self.s.place("upid.pid_chain")[0]
        self.put(chain, self.get(bucket), self.pointer)
        self.put(bucket, chain, self.pointer)

    # ------------------------------------------------------------ slabs (mm/slub.c)

    def slab_cache(self):
        size = self.s.size("page")
        self.pages = self.page((RAM // PAGE * size + PAGE - 1) // PAGE)
        self.cache, node = self.page(), self.page()
        self.set(self.cache, "kmem_cache.size", 0x1400)
        self.set(self.cache, "kmem_cache.object_size", 0x1400)
        at = self.member(self.cache, "kmem_cache.per_node") + self.pointer if self.version >= (7, 1) else \
            self.member(self.cache, "kmem_cache.node")
        self.put(at, node, self.pointer)
        self.list_init(self.member(node, "kmem_cache_node.partial"))
        self.partial = self.member(node, "kmem_cache_node.partial")
        if self.pointer == 4 or self.version >= (4, 9):
            self.variable("vmemmap_base" if self.pointer == 8 else "mem_map", self.pointer, self.pages)
        else:
            for at in range(0, RAM // PAGE * size, PAGE):
                self.tables.map(VMEMMAP + at, self.pa(self.pages) + at)
        self.variable("task_struct_cachep", self.pointer, self.cache)
        self.slab, self.objects = None, TASK_SLAB_PAGES * PAGE // 0x1400

    def slab_object(self):
        if self.slab is None or self.used == self.objects:
            if self.version >= (7, 0):  # aligned, as the allocator does and the masks rely on
                self.page(-(self.next_page // PAGE) % TASK_SLAB_PAGES)
            self.slab, self.used = self.page(TASK_SLAB_PAGES), 0
            first = self.pages + self.pa(self.slab) // PAGE * self.s.size("page")
            of = "slab" if self.s.has("slab.slab_cache") else "page"
            self.set(first, f"{of}.slab_cache", self.cache)
            self.set(first, f"{of}.objects", self.objects)
            self.set(first, f"{of}.inuse", self.objects)
            for i in range(1, TASK_SLAB_PAGES):
                if self.s.has("page.compound_info"):  # a mask that leaves the first one's address of this one's own
                    mask = -TASK_SLAB_PAGES * self.s.size("page") & (1 << 8 * self.pointer) - 1
                    self.set(first + i * self.s.size("page"), "page.compound_info", mask | 1)
                elif self.s.has("page.compound_head"):
                    self.set(first + i * self.s.size("page"), "page.compound_head", first + 1)
            # slabs with free objects are on the list of the node, full ones on none (mm/slub.c)
            self.links = self.member(first, f"{of}.slab_list")
            self.list_add(self.partial, self.links)
        self.used += 1
        if self.used == self.objects:
            self.list_init(self.partial)
            self.list_init(self.links)
        return self.slab + (self.used - 1) * 0x1400

    # ------------------------------------------------------------ processors, resources

    def processors(self):
        offsets = self.variable("__per_cpu_offset", 8 * self.pointer)
        base = 0 if self.pointer == 8 and self.version < (6, 15) else self.text + PERCPU
        self.runqueues = base + 0x1000
        self.variable("nr_cpu_ids", 4, 2)
        for cpu in range(2):
            area = self.page(4)
            self.put(offsets + cpu * self.pointer, area - base, self.pointer)
            idle = self.tasks[(0, cpu)]
            current = next((t for t in self.recipe["task"] if t.get("current") and t.get("cpu", 0) == cpu), idle)
            for name, task in (("curr", current), ("idle", idle)):
                self.put(self.member(area + 0x1000, f"rq.{name}"), task["at"], self.pointer)
                if "run-queue" not in task["ways"]:
                    task["ways"].append("run-queue")

    def clocks(self):
        """What tells when it was booted: three variables until 3.3, since 6.17 the first of timekeeper_data."""
        if self.version < (3, 4):
            for name, seconds in (("xtime", WALL), ("wall_to_monotonic", -BOOTED - 1), ("total_sleep_time", 1)):
                self.variable(name, 2 * self.pointer)
                self.put(self.at[name], seconds, self.pointer)
        elif self.version >= (6, 17):
            at = self.variable("timekeeper_data", self.s.size("tk_data"))
            for path, value in (("xtime_sec", WALL), ("wall_to_monotonic.tv_sec", -BOOTED), ("tkr_mono.shift", 8)):
                self.set(at, f"tk_data.timekeeper.{path}", value)

    def resources(self):
        """iomem_resource's children (kernel/resource.c): start, end, name, flags, desc, parent, sibling, child."""
        size, pointer = 8 if self.mode != "x86" else 4, self.pointer
        name, other = self.text + BANNER + 0x400, self.text + BANNER + 0x420
        self.put_bytes(name, b"System RAM\0")
        self.put_bytes(other, b"Reserved\0")
        parent, at = self.variable("iomem_resource", 80), self.page()
        busy, ram = 0x80000200, (0x80000200 if self.version < (4, 6) else 0x81000200)
        rows = [(0, 0xFFF, other, busy), (0x1000, LOW_END - 1, name, ram), (LOW_END, 0x9FFFF, other, busy),
                (0x100000, RAM - 1, name, ram)]
        for start, end, text, flags in rows:
            words = [(start, size), (end, size), (text, pointer), (flags, pointer)]
            words += [(0, pointer)] * (self.version >= (4, 6)) + [(parent, pointer), (at + 0x80, pointer), (0, pointer)]
            place = at
            for value, width in words:
                self.put(place, value, width)
                place += width
            at += 0x80

    # ------------------------------------------------------------ what tells of all this

    def types(self):
        blob = btf.Btf(self.s).blob()
        assert len(blob) < BANNER - BTF
        self.put_bytes(self.text + BTF, blob)
        self.btf_len = len(blob)
        self.symbols += [(self.text + BTF, "R", "__start_BTF"), (self.text + BTF + len(blob), "R", "__stop_BTF")]

    def vmcoreinfo(self):
        """Documentation/admin-guide/kdump/vmcoreinfo.rst; its page is known by vmcoreinfo_data alone."""
        pointer = self.variable("vmcoreinfo_data", self.pointer)
        if not self.k.get("vmcoreinfo", True):
            return
        slide = self.text - (0xFFFFFFFF81000000 if self.pointer == 8 else 0xC1000000)
        lines = [f"OSRELEASE={self.release}", "BUILD-ID=" + "90" * 20, "PAGESIZE=4096",
                 f"SYMBOL(init_uts_ns)={self.text + DATA - 0x1000:x}", "OFFSET(uts_namespace.name)=0",
                 f"SYMBOL(swapper_pg_dir)={self.text + ROOT:x}", f"SYMBOL(_stext)={self.text:x}",
                 "SYMBOL(vmap_area_list)=ffffffff82f0b4b0", "LENGTH(free_area.free_list)=6", "NUMBER(PG_lru)=4"]
        if self.pointer == 8:
            lines += [f"NUMBER(phys_base)={self.image - (self.text - 0xFFFFFFFF80000000)}",
                      f"NUMBER(pgtable_l5_enabled)={int(self.mode == 'la57')}", f"KERNELOFFSET={slide:x}"]
        if self.mode == "pae":
            lines.append("CONFIG_X86_PAE=y")
        self.put_bytes(self.text + DATA - 0x1000, b"Linux\0")
        page = self.page()
        self.put_bytes(page, "\n".join(lines).encode() + b"\n")
        self.put(pointer, page, self.pointer)

    def kallsyms(self):
        words = ["alloc", "free", "init", "read", "write", "get", "put", "lock", "unlock", "queue", "timer", "page"]
        functions = [f"{a}_{b}_{c}{i}" for i, a in enumerate(words) for b in words for c in words[:5]]
        rows = [(self.text, "T", "_text"), (self.text, "T", "_stext")]
        rows += [(self.text + 0x80 + 0x20 * i, "tT"[i % 2], name) for i, name in enumerate(functions)]
        rows += [(self.text + 0x38000 + 0x100 * i, "T", name) for i, name in enumerate(FRAMES)]
        rows += [(self.text + 0x37FF0, "T", "__sched_text_start"), (self.text + 0x381F0, "T", "__sched_text_end")]
        if self.k.get("long_names", False):  # a name's length then takes two bytes: nothing packs what never repeats
            odd = "".join(chr(33 + (i * i * 7 + 3 * i) % 90) for i in range(400)).replace("`", "_")
            rows.append((self.text + 0x3F000, "t", "_RNvXs_" + odd))
        data = [*self.symbols, (self.text + BANNER, "R", "linux_banner"), (self.text + ROOT, "D", self.root_name())]
        if self.k.get("data_symbols", True):
            prefix = "per_cpu__" if self.version < (3, 0) else ""
            rows += data + [(self.runqueues, "A" if self.runqueues < self.text else "D", prefix + "runqueues")]
        rows += [(self.text + SYMBOLS, "T", "_etext"), (self.text + IMAGE_LEN, "B", "_end")]
        percpu = self.pointer == 8 and self.version < (6, 15)
        place = self.text + SYMBOLS + 8
        if self.k["kallsyms"] == "places" and self.pointer == 8:
            rows.append((self.text, "T", "startup_64"))
        made = kallsyms.Tables(sorted(rows), self.k["kallsyms"], self.pointer,
                               place if self.k["kallsyms"] == "places" else self.text, percpu, self.version >= (6, 2))
        assert len(made.data) < BTF - SYMBOLS
        self.put_bytes(place, made.data)

    def root_name(self):
        return "init_level4_pgt" if self.old and self.pointer == 8 else \
            "init_top_pgt" if self.pointer == 8 else "swapper_pg_dir"

    # ------------------------------------------------------------ what is broken on purpose

    def damage(self):
        for step in self.recipe.get("damage", []):
            if step["what"] == "btf":            # only its first half is left
                at = self.pa(self.text + BTF) + self.btf_len // 2
                self.memory[at:at + self.btf_len] = bytes(self.btf_len)
            elif step["what"] == "task-list":    # the links between two tasks lead nowhere
                first, second = (self.member(self.task_of(tid)["at"], "task_struct.tasks") for tid in step["between"])
                self.put(first, step["link"], self.pointer)
                self.put(second + self.pointer, step["link"], self.pointer)
            elif step["what"] == "kernel":       # nothing of the kernel's image is left
                self.memory[self.image:self.image + IMAGE_LEN] = bytes(IMAGE_LEN)
                at = self.memory.find(b"OSRELEASE=")
                self.memory[at:at + PAGE] = bytes(PAGE)
            elif step["what"] == "page-tables":
                for at in (self.image + ROOT, *range(TABLES_AT, self.next_table, PAGE)):
                    self.memory[at:at + PAGE] = bytes(PAGE)
            else:
                raise ValueError(step)

    # ------------------------------------------------------------ containers

    def ranges(self):
        return [(0x1000, LOW_END - 0x1000), (0x100000, RAM - 0x100000)]

    def write(self, path, form):
        with open(path, "wb") as file:
            if form == "raw":
                file.write(self.memory)
                return
            for start, length in self.ranges():
                if form == "lime":
                    file.write(struct.pack("<IIQQQ", 0x4C694D45, 1, start, start + length - 1, 0))
                file.write(self.memory[start:start + length])
