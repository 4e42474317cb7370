# SPDX-License-Identifier: MIT
"""Kernel and user stacks of threads, made by running the code of modules.py, and the registers at each border.

A thread was created, called its way to where it is, and was then switched away from (a switch frame on its kernel
stack), or runs (the registers are its processor's). A recipe may say which functions it went through and where it was
interrupted: stack = { user = [...], kernel = [...], interrupted = "user" or "kernel", at = "prologue 2" }.

x64: KSWITCH_FRAME {.., ApcBypass 28, Rbp 30, Return 38}; x86: {ExceptionList, ApcBypass, Return} (ReactOS,
ketypes.h; facts/windows/REPORT.md section 5). The trap frame lies at the top, where the processor puts what it pushes.
"""
import code32
import code64
import modules
from synth import PAGE

FLAGS = 0x246
SERVICE, EXCEPTION, INTERRUPT = 2, 1, 0  # KTRAP_FRAME.ExceptionActive: what of the frame is filled in
WOW64_STACK = 0x480000


class Stacks:
    """Of one thread; 64 and 32 bits differ in the two classes below."""

    def __init__(self, thread, initial, trap):
        self.thread, self.system, self.process = thread, thread.system, thread.process
        self.recipe = thread.recipe.get("stack") if isinstance(thread.recipe.get("stack"), dict) else {}
        self.initial, self.trap = initial, trap
        self.seed = 0x9E3779B97F4A7C15 * (thread.tid + 1) + thread.index
        self.interrupted = self.recipe.get("interrupted")
        self.running = thread.truth.get("running_on") is not None

    def named(self, text, default):
        """(module, function, site) of "module!function:site"."""
        module, bang, name = text.rpartition("!")
        name, _, site = name.partition(":")
        module = module if bang else default
        found = self.system.code.get(module) or self.process.code.get(module)
        if module == "exe":
            found = self.process.code[self.process.name + ("32" if self.process.wow64 else "")]
        return found, name, int(site or 0)

    def kernel_write(self, va, data):
        self.system.kernel.write(va, data)

    def user_write(self, va, data):
        for at in (va & -PAGE, va + len(data) - 1 & -PAGE):
            self.process.space.map(at)
        self.process.space.write(va, data)

    def run(self, machine, names, default):
        for i, text in enumerate(names):
            module, name, site = self.named(text, default)
            last = i == len(names) - 1
            at = self.recipe.get("at", "") if last and self.stops_here(default) else ""
            word, _, count = at.partition(" ")
            machine.call(module, name, 0, int(count) if word == "prologue" else None)
            machine.site = site
            if word == "epilogue":
                machine.epilogue(int(count))
        return machine

    def stops_here(self, default):
        return self.interrupted and (default == "nt") == (self.interrupted == "kernel")

    def place(self, machine):
        """The address at which the innermost function stands, and not behind a call."""
        function = machine.now[1]
        word, _, count = self.recipe.get("at", "body").partition(" ")
        if word == "prologue":
            return machine.at(function.prologue[int(count)])
        if word == "epilogue":
            return machine.at(function.epilogue[int(count)])
        return machine.at(int(count) if word == "offset" else function.sites[0] - 5)

    def live(self, regs, told, key):
        """This thread runs: its processor has these registers."""
        self.thread.live = regs
        told[key] = {name: hex(value) for name, value in regs.items()}

    def finish(self, kernel, user, told):
        """What the truth says; frames were gathered from the outermost."""
        thread = self.thread
        if kernel is not None:
            thread.tell("stack", kernel.frames[::-1])
        if user is not None:
            thread.tell("user_stack", user.frames[::-1])
        for key, value in told.items():
            thread.tell(key, value)


def registers(machine, names, maybe=(), **others):
    """maybe: those that a reader need not know; a list says what it may tell, None nothing."""
    out = {name: hex(machine.regs[name]) for name in names}
    out.update({name: [hex(machine.regs[name]), None] for name in maybe})
    return {**out, **{name: hex(value) for name, value in others.items()}}


# ---------------------------------------------------------------- x64

class Stacks64(Stacks):
    CODE, DATA = 0x10, 0x18
    USER_CODE, USER_DATA = 0x33, 0x2B

    def make(self):
        """KernelStack where it was switched away, None of a running thread."""
        thread, told = self.thread, {}
        user = self._user() if thread.user else None
        kernel = code64.Machine(self.kernel_write, self.initial, self.seed + 1)
        kernel.read = lambda va: int.from_bytes(self.system.kernel.read(va, 8), "little")
        if user and self.interrupted == "user" and self.running:
            user.frame(user.pc)
            self.live(dict(user.regs, rip=user.pc, rflags=FLAGS, cs=0x33, ss=0x2B), told, "user_registers")
            self.finish(None, user, told)
            return None
        if user:
            self._enter(kernel, user, told)
        else:
            kernel.regs["rsp"] -= 0x50
            idle = thread.recipe.get("idle")
            start = ["KiIdleLoop", "PoIdle"] if idle else ["KiStartSystemThread", "PspSystemThreadStartup"]
            self.run(kernel, start + self.recipe.get("kernel", [] if idle else ["ExpWorkerThread"]), "nt")
        if "callout" in self.recipe:
            kernel, user = self._call_out(kernel, told)
        elif "expand" in self.recipe:
            kernel.call(self.system.code["nt"], "KeExpandKernelStackAndCalloutInternal")
            kernel.call(self.system.code["nt"], "KiSwitchKernelStackAndCallout")
            kernel.regs["rsp"] = thread.next_segment(kernel.regs["rsp"], False)[0] - 0x50
            self.run(kernel, self.recipe["expand"], "nt")
        back = self._leave(kernel, told)
        self.finish(kernel, user, told)
        return back

    def _call_out(self, kernel, told):
        """The kernel calls user mode, which calls a service: on a stack of its own. Where KiCallUserMode went on from
        nobody tells, so that the frames of the stack that was left begin with its caller's."""
        outer = kernel
        self.run(outer, ["KeUserModeCallback", "KiCallUserMode"], "nt")
        self.initial, self.trap = self.thread.next_segment(outer.regs["rsp"], True)
        user = code64.Machine(self.user_write, self.thread._user_stack()[1] - 0x1050, self.seed + 5)
        user.read = lambda va: int.from_bytes(self.process.space.read(va, 8), "little")
        self.run(user, ["exe!WorkerThread", "ntdll.dll!NtWaitForSingleObject"], "exe")
        user.pc = user.at(modules.STUB64_AT)
        kernel = code64.Machine(self.kernel_write, self.initial, self.seed + 6)
        kernel.read = outer.read
        self._enter(kernel, user, told, self.recipe["callout"])
        kernel.frames = outer.frames + kernel.frames
        return kernel, user

    def _user(self):
        user = code64.Machine(self.user_write, self.thread._user_stack()[1] - 0x50, self.seed)
        user.read = lambda va: int.from_bytes(self.process.space.read(va, 8), "little")
        outer = (["ntdll.dll!RtlUserThreadStart", "wow64.dll!Wow64LdrpInitialize", "wow64.dll!RunCpuSimulation"]
                 if self.process.wow64 else
                 ["ntdll.dll!RtlUserThreadStart", "kernel32.dll!BaseThreadInitThunk", "exe!WorkerThread"])
        inner = [] if self.interrupted == "user" else ["ntdll.dll!NtWaitForSingleObject"]
        if inner and not self.process.wow64:
            inner.insert(0, "kernel32.dll!WaitForSingleObjectEx")
        self.run(user, outer + self.recipe.get("user", []) + inner, "exe")
        user.pc = self.place(user) if self.interrupted == "user" else user.at(modules.STUB64_AT)
        return user

    def _enter(self, kernel, user, told, names=()):
        """From user mode: the processor, or the first instructions of the handler, put a machine frame at the top."""
        interrupted = self.interrupted == "user"
        kernel.regs.update({r: user.regs[r] for r in code64.REGS if r != "rsp"})
        if not interrupted:  # what the instruction syscall does
            kernel.regs.update(rcx=user.pc, r11=FLAGS)
        kept = dict(kernel.regs)
        user.frame(user.pc)
        for value in (0x2B, user.regs["rsp"], FLAGS, 0x33, user.pc):
            kernel.push(value)
        kernel.enter(self.system.code["nt"], "KiDpcInterrupt" if interrupted else "KiSystemCall64")
        if kernel.regs["rbp"] != self.trap + 0x80:
            raise ValueError("the trap frame is not where the thread says")
        self._trap_frame(self.trap, kept, INTERRUPT if interrupted else SERVICE).put("PreviousMode", 1)
        volatile = ["rax", "rcx", "rdx", "r8", "r9", "r10", "r11"]
        user.regs.update({r: kept[r] for r in volatile})
        surely = ["rbp", "rsp"] + (volatile if interrupted else ["rbx", "rsi", "rdi"])
        told["user_registers"] = registers(user, surely, [r for r in code64.REGS if r not in surely], rip=user.pc,
                                           rflags=FLAGS, cs=0x33, ss=0x2B)
        if not interrupted:
            self.run(kernel, names or self.recipe.get("kernel") or ["NtWaitForSingleObject"], "nt")

    def _trap_frame(self, va, regs, active):
        """What the entry code stores besides rbp: of a service what must be kept, of an interrupt or an exception what
        need not be; the rest is then in the frames of the functions that it calls (ReactOS, amd64/trap.S)."""
        frame = self.system.object(va, "_KTRAP_FRAME")
        volatile, kept = ["Rax", "Rcx", "Rdx", "R8", "R9", "R10", "R11"], ["Rbx", "Rdi", "Rsi"]
        for name in volatile + kept:  # what it does not store is what was there before
            stored = (name in kept) == (active == SERVICE)
            frame.put(name, regs[name.lower()] if stored else 0xDEAD0000 + frame.place(name)[0])
        frame.put("MxCsr", 0x1F80)
        frame.put("ExceptionActive", active)
        return frame

    def _leave(self, kernel, told):
        """It runs in the kernel, was interrupted there, or called its way to KiSwapContext."""
        nt = self.system.code["nt"]
        if self.running:
            pc = self.place(kernel)
            if self.recipe.get("nmi"):
                pc = self._nmi(kernel, pc)
            kernel.frame(pc)
            self.live(dict(kernel.regs, rip=pc, rflags=FLAGS, cs=0x10, ss=0x18), told, "kernel_registers")
            return None
        if self.interrupted == "kernel":
            self._interrupt(kernel, self.place(kernel))
        kernel.call(nt, "KiQuantumEnd" if self.interrupted and not self.recipe.get("by") else "KeWaitForSingleObject")
        kernel.call(nt, "KiSwapThread")
        kernel.call(nt, "KiSwapContext")
        back = kernel.at(kernel.now[1].sites[0])
        kernel.frame(back, None)
        told["kernel_registers"] = registers(kernel, ["rsp", "rbp"], ["rbx", "rsi", "rdi", "r12", "r13", "r14", "r15"],
                                             rip=back)
        kernel.push(back)
        kernel.push(kernel.regs["rbp"])
        kernel.regs["rsp"] -= 0x30
        self.kernel_write(kernel.regs["rsp"] + 0x28, b"\1")  # ApcBypass
        return kernel.regs["rsp"]

    def _nmi(self, kernel, pc):
        """An NMI: the processor takes the stack that its task state segment names (KTSS64.Ist at 1c, KPCR.TssBase)."""
        system, nt = self.system, self.system.code["nt"]
        stack, tss = system.take_pages("stacks", 0x7000), system.take_pages("stacks", PAGE)
        system.kernel.map(stack, length=0x6000)
        system.kernel.map(tss)
        system.labels.put(system.kernel, system.pcr[self.thread.truth["running_on"]].va + 8, 8, tss)
        for number, top in ((2, stack + 0x3000), (3, stack + 0x6000)):
            system.labels.put(system.kernel, tss + 0x1C + 8 * number, 8, top)
        kernel.frame(pc)
        rsp, kernel.regs["rsp"] = kernel.regs["rsp"], stack + 0x6000
        for value in (0x18, rsp, FLAGS, 0x10, pc):
            kernel.push(value)
        kernel.enter(nt, "KiNmiInterrupt")
        kernel.call(nt, "KiProcessNMI")
        return kernel.at(kernel.now[1].sites[0] - 5)

    def _interrupt(self, kernel, pc):
        """by = "KiPageFault": an exception, whose machine frame has an error code; else an interrupt."""
        by = self.recipe.get("by", "KiDpcInterrupt")
        fault = by == "KiPageFault"
        kernel.interrupt(pc, 0x10, 0x18, FLAGS, fault)
        kept = dict(kernel.regs)
        kernel.enter(self.system.code["nt"], by)
        self._trap_frame(kernel.regs["rsp"], kept, EXCEPTION if fault else INTERRUPT)
        if fault:
            kernel.call(self.system.code["nt"], "MmAccessFault")


# ---------------------------------------------------------------- x86

class User32(Stacks):
    """The 32-bit user side, of a 32-bit system's thread or of WoW64."""

    def user32(self, top, suffix=""):
        user = code32.Machine(self.user_write, lambda va, n: self.process.space.read(va, n), top, self.seed + 2)
        ntdll, interrupted = "ntdll.dll" + suffix, self.interrupted == "user" and not suffix
        names = [ntdll + "!RtlUserThreadStart", "exe!WorkerThread"]
        if not suffix:
            names.insert(1, "kernel32.dll!BaseThreadInitThunk")
        names += self.recipe.get("user32" if suffix else "user", [])
        if not interrupted:
            names += ([] if suffix else ["kernel32.dll!WaitForSingleObjectEx"]) + [ntdll + "!NtWaitForSingleObject"]
        for text in names:
            module, name, site = self.named(text, "exe")
            user.call(module, name)
            user.site = site
        if interrupted:
            user.pc = self.place(user)
        elif suffix:  # the stub's call of wow64cpu comes back there
            user.pc = user.at(user.now[1].sites[0])
        else:
            user.call(self.process.code[ntdll], "KiFastSystemCallRet", args=0)
            user.pc = user.at(0)
        user.frame(user.pc)
        return user


class Stacks32(User32):
    def make(self):
        thread, told = self.thread, {}
        user = self.user32(thread._user_stack()[1] - 0x50) if thread.user else None
        kernel = code32.Machine(self.kernel_write, self.system.kernel.read, self.initial - 0x210, self.seed + 1)
        segments = {"cs": 0x1B, "ss": 0x23}
        if user and self.interrupted == "user" and self.running:
            self.live(dict(user.regs, eip=user.pc, eflags=FLAGS, **segments), told, "user_registers")
            self.finish(None, user, told)
            return None
        if user:
            surely = ["ebx", "ebp", "esi", "edi", "esp"] + (["eax", "ecx", "edx"] if self.interrupted == "user" else [])
            told["user_registers"] = registers(user, surely, [r for r in code32.REGS if r not in surely],
                                               eip=user.pc, eflags=FLAGS, **segments)
            self._enter(kernel, user)
            if "callout" in self.recipe:
                kernel, user = self._call_out(kernel, told)
            elif "expand" in self.recipe:
                self._calls(kernel, ["KeExpandKernelStackAndCalloutEx"])
                kernel.regs["esp"] = thread.next_segment(kernel.regs["esp"], False)[0] - 0x250
                self._calls(kernel, self.recipe["expand"])
        else:
            idle = thread.recipe.get("idle")
            start = ["KiIdleLoop", "PoIdle"] if idle else ["KiThreadStartup", "PspSystemThreadStartup"]
            self._calls(kernel, start + self.recipe.get("kernel", [] if idle else ["ExpWorkerThread"]))
        back = self._leave(kernel, told)
        self.finish(kernel, user, told)
        return back

    def _call_out(self, kernel, told):
        """As in Stacks64."""
        outer = kernel
        self._calls(outer, ["KeUserModeCallback", "KiCallUserMode"])
        self.initial, self.trap = self.thread.next_segment(outer.regs["esp"], True)
        user = self.user32(self.thread._user_stack()[1] - 0x1050)
        told["user_registers"] = registers(user, ["ebx", "ebp", "esi", "edi", "esp"], ["eax", "ecx", "edx"],
                                           eip=user.pc, eflags=FLAGS, cs=0x1B, ss=0x23)
        kernel = code32.Machine(self.kernel_write, self.system.kernel.read, self.initial - 0x210, self.seed + 6)
        self._enter(kernel, user, self.recipe["callout"])
        kernel.frames = outer.frames + kernel.frames
        return kernel, user

    def _calls(self, kernel, names):
        for text in names:
            module, name, site = self.named(text, "nt")
            kernel.call(module, name, args=0 if name in ("KiIdleLoop", "KiThreadStartup") else 2)
            kernel.site = site

    def _enter(self, kernel, user, names=()):
        interrupted = self.interrupted == "user"
        kernel.regs.update({r: user.regs[r] for r in code32.REGS if r != "esp"})
        frame = self._trap_frame(self.trap, user.regs, user.pc, 0x1B, user.regs["esp"], interrupted)
        frame.put("HardwareEsp", user.regs["esp"])
        frame.put("HardwareSegSs", 0x23)
        frame.put("PreviousPreviousMode", 1)
        kernel.regs.update(esp=self.trap, ebp=self.trap)
        kernel.enter(self.system.code["nt"], "KiDispatchInterrupt" if interrupted else "KiFastCallEntry")
        if not interrupted:
            self._calls(kernel, names or self.recipe.get("kernel") or ["NtWaitForSingleObject"])

    def _trap_frame(self, va, regs, pc, cs, esp, everything):
        frame = self.system.object(va, "_KTRAP_FRAME")
        names = ["Ebx", "Ebp", "Esi", "Edi"] + (["Eax", "Ecx", "Edx"] if everything else [])
        for name in names:
            frame.put(name, regs[name.lower()])
        for name, value in (("DbgEbp", regs["ebp"]), ("DbgEip", pc), ("DbgArgMark", 0xBADB0D00), ("DbgArgPointer", esp),
                            ("Eip", pc), ("SegCs", cs), ("EFlags", FLAGS), ("SegFs", 0x3B), ("SegDs", 0x23),
                            ("SegEs", 0x23), ("ExceptionList", 0xFFFFFFFF)):
            frame.put(name, value)
        return frame

    def _leave(self, kernel, told):
        nt = self.system.code["nt"]
        if self.running:
            pc = self.place(kernel)
            kernel.frame(pc)
            self.live(dict(kernel.regs, eip=pc, eflags=FLAGS, cs=8, ss=0x10), told, "kernel_registers")
            return None
        if self.interrupted == "kernel":
            self._interrupt(kernel, self.place(kernel))
        kernel.call(nt, "KiQuantumEnd" if self.interrupted and not self.recipe.get("by") else "KeWaitForSingleObject")
        kernel.call(nt, "KiSwapThread", args=0)
        kernel.call(nt, "KiSwapContext", args=0)
        back = kernel.at(kernel.now[1].sites[0])
        kernel.frame(back, None)
        told["kernel_registers"] = registers(kernel, ["esp", "ebp"], ["ebx", "esi", "edi"], eip=back)
        for value in (back, 0, 0xFFFFFFFF):  # ApcBypass, ExceptionList
            kernel.push(value)
        return kernel.regs["esp"]

    def _interrupt(self, kernel, pc):
        """In the kernel the processor pushes no stack pointer: it is where HardwareEsp would be."""
        fault = self.recipe.get("by") == "KiPageFault"
        kernel.frame(pc)
        esp = kernel.regs["esp"]
        place = self.system.places["structs"]["_KTRAP_FRAME"]["members"]["HardwareEsp"][0]
        self._trap_frame(esp - place, kernel.regs, pc, 8, esp, True)
        kernel.regs.update(esp=esp - place, ebp=esp - place)
        kernel.enter(self.system.code["nt"], "KiTrap0E" if fault else "KiDispatchInterrupt")
        if fault:
            kernel.call(self.system.code["nt"], "MmAccessFault")


# ---------------------------------------------------------------- WoW64

def wow64(thread):
    """The 32-bit half: its stack, and its registers in the CPU area that TLS slot 1 of the 64-bit TEB leads to."""
    system, process = thread.system, thread.process
    top = WOW64_STACK + thread.index * 0x100000 - 0x40
    stacks = User32(thread, 0, 0)
    stacks.interrupted = None
    user = stacks.user32(top, "32")
    at = system.recipe.get("wow64_context", 4)  # 2003's place of it is not known: any
    area = process.take_user(at + system.struct_size("_CONTEXT32"), 16)
    process.space.write(area, bytes([0, 0, 0x4C, 1]))  # Flags, Machine: i386
    context = system.object(area + at, "_CONTEXT32", space=process.space)
    values = dict(user.regs, eip=user.pc, eflags=FLAGS, cs=0x23, ss=0x2B, ds=0x2B, es=0x2B, fs=0x53, gs=0x2B)
    names = {"eip": "Eip", "eflags": "EFlags", **{s: "Seg" + s.title() for s in ("cs", "ss", "ds", "es", "fs", "gs")}}
    for name, value in values.items():
        place = context.place(names.get(name, name.title()))
        system.labels.put(process.space, context.va + place[0], 4, value)
    system.labels.put(process.space, context.va, 4, 0x1003F)
    thread.tell("wow64_registers", {name: hex(value) for name, value in values.items()})
    thread.tell("wow64_stack", user.frames[::-1])
    return area
