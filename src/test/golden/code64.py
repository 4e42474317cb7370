# SPDX-License-Identifier: MIT
"""x64 functions put together by hand, with the unwind data that describes them, and what running them does.

A function is a list of prologue steps. assemble() makes its bytes and its UNWIND_INFO; run() does to registers and
stack what the processor would do, up to any instruction of prologue or epilogue: that, and not the unwind data, is the
truth about a stack. Microsoft, "x64 exception handling" (struct UNWIND_INFO, UNWIND_CODE); Intel SDM volume 2 for the
bytes. Steps:

    ("push", reg)  ("alloc", bytes)  ("large", bytes): the long form though the short one would do
    ("frame", reg, offset)  ("save", reg, offset)  ("far", reg, offset)  ("xmm", number, offset)
    ("machine", error): the processor pushed it before the first instruction  ("dynamic", bytes): like alloca
"""
import struct

REGS = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"]
NUMBER = {name: i for i, name in enumerate(REGS)}
KEPT = ["rbx", "rbp", "rsi", "rdi", "r12", "r13", "r14", "r15"]
EHANDLER, CHAINED = 1, 4
PUSH, LARGE, SMALL, FRAME, SAVE, FAR, EPILOG, XMM, MACHINE = 0, 1, 2, 3, 4, 5, 6, 8, 10


def _push(reg):
    n = NUMBER[reg]
    return bytes([0x41, 0x50 + n - 8]) if n > 7 else bytes([0x50 + n])


def _pop(reg):
    n = NUMBER[reg]
    return bytes([0x41, 0x58 + n - 8]) if n > 7 else bytes([0x58 + n])


def _sub(count):
    return b"\x48\x83\xec" + bytes([count]) if count < 0x80 else b"\x48\x81\xec" + struct.pack("<I", count)


def _add(count):
    return b"\x48\x83\xc4" + bytes([count]) if count < 0x80 else b"\x48\x81\xc4" + struct.pack("<I", count)


def _lea(to, base, offset):
    """lea to, [base+disp32]; rsp as base wants a SIB byte."""
    t, b = NUMBER[to], NUMBER[base]
    rex = 0x48 | (t >> 3) << 2 | b >> 3
    sib = b"\x24" if b & 7 == 4 else b""
    return bytes([rex, 0x8D, 0x80 | (t & 7) << 3 | b & 7]) + sib + struct.pack("<i", offset)


def _store(reg, offset):
    """mov [rsp+disp32], reg."""
    n = NUMBER[reg]
    return bytes([0x48 | (n >> 3) << 2, 0x89, 0x84 | (n & 7) << 3, 0x24]) + struct.pack("<I", offset)


def _load(reg, offset):
    n = NUMBER[reg]
    return bytes([0x48 | (n >> 3) << 2, 0x8B, 0x84 | (n & 7) << 3, 0x24]) + struct.pack("<I", offset)


def _store_xmm(number, offset):
    """movaps [rsp+disp32], xmm."""
    rex = b"\x44" if number > 7 else b""
    return rex + bytes([0x0F, 0x29, 0x84 | (number & 7) << 3, 0x24]) + struct.pack("<I", offset)


class Function:
    """sites: offsets behind its calls. prologue, epilogue: offsets after 0, 1, 2 ... of their instructions."""

    def __init__(self, name, steps=(), leaf=b"", version=1, handler=False, chained=False, tail=False):
        self.name, self.steps, self.leaf, self.version, self.handler = name, list(steps), leaf, version, handler
        self.chained, self.tail = chained, tail
        self.code, self.codes = b"", []
        self.sites, self.prologue, self.epilogue = [], [], []
        self.fragment = 0
        self._assemble()

    def _assemble(self):
        if self.leaf:
            self.code = self.leaf
            return
        self.prologue = [0]
        for step in self.steps:
            if step[0] == "machine":
                self.codes.append((0, MACHINE, step[1], b""))
            elif step[0] != "dynamic":
                self._step(*step)
        self.prologue_size = len(self.code)
        for step in self.steps:
            if step[0] == "dynamic":
                self.code += _sub(step[1])
        for _ in range(2):
            self.code += b"\x90\xe8" + struct.pack("<i", -6 - len(self.code))  # a call of itself: nobody runs it
            self.sites.append(len(self.code))
        if self.chained:  # what follows has a RUNTIME_FUNCTION of its own, which leads back to this one's
            self.code += b"\x90" * 6
            self.fragment = len(self.code)
            self.code += b"\x90\xe8" + struct.pack("<i", -6 - len(self.code))
            self.sites.append(len(self.code))
        self._epilogue()

    def _step(self, kind, first, second=0):
        extra, info = b"", 0
        if kind == "push":
            self.code += _push(first)
            op, info = PUSH, NUMBER[first]
        elif kind == "alloc" and first <= 128:
            self.code += _sub(first)
            op, info = SMALL, first // 8 - 1
        elif kind in ("alloc", "large"):
            self.code += _sub(first)
            op, info = LARGE, int(first >= 8 * 0x10000 or kind == "large")
            extra = struct.pack("<I", first) if info else struct.pack("<H", first // 8)
        elif kind == "frame":
            self.code += _lea(first, "rsp", second)
            op = FRAME
        elif kind in ("save", "far"):
            self.code += _store(first, second)
            op, info = (SAVE, NUMBER[first]) if kind == "save" else (FAR, NUMBER[first])
            extra = struct.pack("<H", second // 8) if kind == "save" else struct.pack("<I", second)
        else:
            self.code += _store_xmm(first, second)
            op, info, extra = XMM, first, struct.pack("<H", second // 16)
        self.codes.append((len(self.code), op, info, extra))
        self.prologue.append(len(self.code))

    def _allocated(self):
        """What lies between the pushes and rsp, but for what is dynamic."""
        return sum(s[1] for s in self.steps if s[0] in ("alloc", "large"))

    def _epilogue(self):
        for step in self.steps:
            if step[0] in ("save", "far"):
                self.code += _load(step[1], step[2])
        self.epilogue_at = len(self.code)
        self.epilogue = [len(self.code)]
        frame = next((s for s in self.steps if s[0] == "frame"), None)
        if self._allocated():
            self.code += _lea("rsp", frame[1], self._allocated() - frame[2]) if frame else _add(self._allocated())
            self.epilogue.append(len(self.code))
        self.epilogue_2 = len(self.code)  # version 2 describes what is left from here on
        for step in reversed(self.steps):
            if step[0] == "push":
                self.code += _pop(step[1])
                self.epilogue.append(len(self.code))
        self.code += b"\xc3"

    def unwind_info(self, rva, chained_to=None):
        """UNWIND_INFO; chained_to: (begin, end, unwind) of the function that a fragment belongs to."""
        if chained_to:
            return struct.pack("<BBBB", 1 | CHAINED << 3, 0, 0, 0) + struct.pack("<III", *chained_to)
        codes = b""
        if self.version == 2:  # one epilogue, at the function's end: its size says where it begins
            codes += struct.pack("<BBBB", len(self.code) - self.epilogue_2, EPILOG | 1 << 4, 0, EPILOG)
        for at, op, info, extra in reversed(self.codes):
            codes += struct.pack("<BB", at, op | info << 4) + extra
        count = len(codes) // 2
        codes += b"\0\0" * (count & 1)
        frame = next((s for s in self.steps if s[0] == "frame"), None)
        register = NUMBER[frame[1]] | frame[2] // 16 << 4 if frame else 0
        flags = EHANDLER if self.handler else 0
        out = struct.pack("<BBBB", self.version | flags << 3, self.prologue_size, count, register) + codes
        if self.handler:
            out += struct.pack("<III", rva, 1, 0x1234)  # some handler and what it is told
        return out


class Code:
    """Functions in a module's text, from rva on, and the tables of them."""

    def __init__(self, functions, rva, xdata_rva):
        self.rva, self.functions = rva, {}
        text, rows, xdata = b"", [], b""
        for f in functions:
            text += b"\xcc" * (-len(text) % 16)
            f.rva = rva + len(text)
            text += f.code
            self.functions[f.name] = f
            if f.leaf:
                continue
            main = (f.rva, f.rva + (f.fragment or len(f.code)), xdata_rva + len(xdata))
            rows.append(main)
            xdata += f.unwind_info(f.rva)
            xdata += bytes(-len(xdata) % 4)
            if f.fragment:
                rows.append((f.rva + f.fragment, f.rva + len(f.code), xdata_rva + len(xdata)))
                xdata += f.unwind_info(f.rva, main)
        self.text, self.xdata = text, xdata
        self.pdata = b"".join(struct.pack("<III", *row) for row in sorted(rows))


class Machine:
    """Registers and a stack; what calls do to them."""

    def __init__(self, write, rsp, seed):
        self.write, self.seed = write, seed
        self.regs = {name: self._fresh() for name in REGS}
        self.regs["rsp"] = rsp
        self.frames, self.now = [], None

    def _fresh(self):
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return self.seed >> 8 & 0x7FFF0FFF0FFF | 0x1000  # no address of anything

    def push(self, value):
        self.regs["rsp"] -= 8
        self.write(self.regs["rsp"], struct.pack("<Q", value & (1 << 64) - 1))

    def at(self, offset):
        module, function = self.now
        return module.base + function.rva + offset

    def frame(self, pc, exact=True):
        """Where this function stands, for the truth; the innermost is told last."""
        module, function = self.now
        told = {} if exact is None else {"exact": exact}  # of what a switch saved either can be said
        self.frames.append({"pc": hex(pc), "sp": hex(self.regs["rsp"]), "module": module.name,
                            "symbol": function.name, "offset": pc - module.base - function.rva, **told})

    def call(self, module, name, site=0, upto=None):
        """From where it stands into a function; upto: only so many of its prologue's instructions."""
        if self.now:
            back = self.at(self.now[1].sites[self.site])
            self.frame(back, False)
            self.push(back)
        else:
            self.push(0)
        self.enter(module, name, site, upto)

    def enter(self, module, name, site=0, upto=None):
        self.now, self.site = (module, module.code.functions[name]), site
        done = 0
        for step in self.now[1].steps:
            if step[0] == "dynamic" and upto is None:
                self.regs["rsp"] -= step[1]
            elif step[0] not in ("machine", "dynamic") and (upto is None or done < upto):
                self._do(*step)
                done += 1
        if upto is None and name != "KiSwapContext":  # who resumes there has the registers that it saved
            self._clobber(self.now[1])

    def _do(self, kind, first, second=0):
        rsp = self.regs["rsp"]
        if kind == "push":
            self.push(self.regs[first])
        elif kind in ("alloc", "large"):
            self.regs["rsp"] -= first
        elif kind == "frame":
            self.regs[first] = rsp + second
        elif kind in ("save", "far"):
            self.write(rsp + second, struct.pack("<Q", self.regs[first]))
        elif kind == "xmm":
            self.write(rsp + second, struct.pack("<QQ", self._fresh(), self._fresh()))

    def _clobber(self, function):
        """A function uses what it saved, and whatever need not be kept."""
        frame = next((s[1] for s in function.steps if s[0] == "frame"), None)
        saved = [s[1] for s in function.steps if s[0] in ("push", "save", "far")]
        for name in saved + [r for r in REGS if r not in KEPT and r != "rsp"]:
            if name != frame:
                self.regs[name] = self._fresh()

    def epilogue(self, done):
        """The function is at its end: so many instructions of its epilogue are done. Returns the pc."""
        function = self.now[1]
        frame = next((s for s in function.steps if s[0] == "frame"), None)
        for step in function.steps:
            if step[0] in ("save", "far"):
                self.regs[step[1]] = self.saved(step)
        allocated = function._allocated()
        if allocated and done:
            self.regs["rsp"] = (self.regs[frame[1]] - frame[2] if frame else self.regs["rsp"]) + allocated
            done -= 1
        for step in [s for s in reversed(function.steps) if s[0] == "push"][:done]:
            self.regs[step[1]] = self.read(self.regs["rsp"])
            self.regs["rsp"] += 8

    def saved(self, step):
        return self.read(self.regs["rsp"] + step[2])

    def interrupt(self, pc, cs, ss, rflags, error=False):
        """The processor pushes a machine frame; whoever handles it is entered next."""
        self.frame(pc)
        rsp = self.regs["rsp"]
        self.regs["rsp"] &= -16
        for value in (ss, rsp, rflags, cs, pc):
            self.push(value)
        if error:
            self.push(0)
