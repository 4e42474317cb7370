# SPDX-License-Identifier: MIT
"""x86 functions put together by hand, and what running them does to registers and stack.

Most set up EBP as a frame pointer, as the code of Windows does since XP SP2; the stubs of system calls, KiSwapContext
and the entry into the kernel do not, and a function may have been compiled without one (Intel SDM volume 2 for the
bytes; ReactOS, ke/i386, for what the kernel's own do). Styles of a function:

    "frame": push ebp; mov ebp, esp; sub esp, locals; push esi; push edi     "bare": no frame pointer
    "swap": KiSwapContext, which keeps ebx, esi, edi and ebp below itself    "stub": a system call in ntdll
    "entry": EBP is the trap frame                                           "leaf": bytes as given
"""
import struct

REGS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"]
KEPT = ["ebx", "ebp", "esi", "edi"]
CALL = b"\xe8"


class Function:
    def __init__(self, name, style="frame", space=0x20, leaf=b""):
        self.name, self.style, self.space, self.leaf = name, style, space, leaf
        self.code, self.sites, self.prologue, self.epilogue = b"", [], [0], []
        getattr(self, "_" + style)()

    def _call(self):
        self.code += CALL + struct.pack("<i", -5 - len(self.code))
        self.sites.append(len(self.code))

    def _frame(self):
        for part in (b"\x8b\xff", b"\x55", b"\x8b\xec", b"\x83\xec" + bytes([self.space]), b"\x56", b"\x57"):
            self.code += part
            self.prologue.append(len(self.code))
        self._call()
        self.code += b"\x90"
        self._call()
        self.epilogue = [len(self.code)]
        for part in (b"\x5f", b"\x5e", b"\xc9", b"\xc3"):
            self.code += part
            self.epilogue.append(len(self.code))

    def _bare(self):
        self.code = b"\x83\xec" + bytes([self.space]) + b"\x53"
        self._call()
        self.code += b"\x5b\x83\xc4" + bytes([self.space]) + b"\xc3"

    def _swap(self):
        self.code = (b"\x83\xec\x10\x89\x5c\x24\x0c\x89\x74\x24\x08\x89\x7c\x24\x04\x89\x2c\x24")
        self._call()
        self.code += b"\x8b\x2c\x24\x8b\x7c\x24\x04\x8b\x74\x24\x08\x8b\x5c\x24\x0c\x83\xc4\x10\xc3"

    def _stub(self):
        self.code = b"\xb8\x10\x01\x00\x00\xba\x00\x03\xfe\x7f\xff\x12"  # mov eax, N; mov edx, 7ffe0300; call [edx]
        self.sites = [len(self.code)]
        self.code += b"\xc2\x0c\x00"

    def _entry(self):
        self.code = b"\x90" * 0x40 + b"\xff\xd3"  # call ebx
        self.sites = [len(self.code)]
        self.code += b"\x8b\xe5" + b"\x90" * 16 + b"\xcf"

    def _leaf(self):
        self.code = self.leaf


class Code:
    def __init__(self, functions, rva, _unused=0):
        self.rva, self.functions, self.pdata, self.xdata = rva, {}, b"", b""
        text = b""
        for f in functions:
            text += b"\xcc" * (-len(text) % 16)
            f.rva = rva + len(text)
            text += f.code
            self.functions[f.name] = f
        self.text = text


class Machine:
    def __init__(self, write, read, esp, seed):
        self.write, self.read_bytes, self.seed = write, read, seed
        self.regs = {name: self._fresh() for name in REGS}
        self.regs.update(esp=esp, ebp=0)
        self.frames, self.now, self.site = [], None, 0

    def _fresh(self):
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return self.seed >> 16 & 0x0FFF0FFF | 0x1000

    def push(self, value):
        self.regs["esp"] -= 4
        self.write(self.regs["esp"], struct.pack("<I", value & 0xFFFFFFFF))

    def read(self, va):
        return int.from_bytes(self.read_bytes(va, 4), "little")

    def at(self, offset):
        module, function = self.now
        return module.base + function.rva + offset

    def frame(self, pc, exact=True):
        module, function = self.now
        told = {} if exact is None else {"exact": exact}  # of what a switch saved either can be said
        self.frames.append({"pc": hex(pc), "sp": hex(self.regs["esp"]), "module": module.name,
                            "symbol": function.name, "offset": pc - module.base - function.rva, **told})

    def call(self, module, name, site=0, args=2):
        if self.now:
            for i in range(args):
                self.push(self._fresh())
            back = self.at(self.now[1].sites[self.site])
            self.frame(back, False)
            self.push(back)
        else:
            self.push(0)
        self.enter(module, name, site)

    def enter(self, module, name, site=0):
        self.now, self.site = (module, module.code.functions[name]), site
        style, regs = self.now[1].style, self.regs
        if style == "frame":
            self.push(regs["ebp"])
            regs["ebp"] = regs["esp"]
            regs["esp"] -= self.now[1].space
            self.push(regs["esi"])
            self.push(regs["edi"])
        elif style == "bare":
            regs["esp"] -= self.now[1].space
            self.push(regs["ebx"])
        elif style == "swap":
            for name in ("ebx", "esi", "edi", "ebp"):
                self.push(regs[name])
        for name in ("esi", "edi", "eax", "ecx", "edx") if style == "frame" else ("eax", "ecx", "edx"):
            regs[name] = self._fresh()
