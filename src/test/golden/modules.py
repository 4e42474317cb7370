# SPDX-License-Identifier: MIT
"""The code that golden modules have: what a thread of each width goes through, by the names of Windows' own functions.

Their bodies are made up (code64.py, code32.py); what they do to the stack, and the unwind data that says so, is not.
"""
import code32
import code64

TEXT, PDATA, XDATA = 0x1500, 0x2800, 0x2A00  # in a small module; one page each of .text and .rdata
TRAP = [("alloc", 8), ("push", "rbp"), ("alloc", 0x158), ("frame", "rbp", 0x80)]


class Module:
    def __init__(self, name, base, code):
        self.name, self.base, self.code = name, base, code


def _exception_frame(system):
    """KiSwapContext saves what must be kept in a KEXCEPTION_FRAME, its return address the last member."""
    shape = system.places["structs"].get("_KEXCEPTION_FRAME")
    size, first = (shape["size"], shape["members"]["Rbp"][0]) if shape else (0x180, 0x138)  # 2003 SP1 has SP2's
    steps = [("alloc", size - 8)] + [("xmm", 6 + i, 0x30 + 0x10 * i) for i in range(10)]
    kept = ("rbp", "rbx", "rdi", "rsi", "r12", "r13", "r14", "r15")  # in this order in every version
    return steps + [("save", name, first + 8 * i) for i, name in enumerate(kept)]


def kernel64(system):
    f = code64.Function
    return [
        f("KiSystemCall64", [("machine", 0)] + TRAP + [("dynamic", 0x30)]),
        f("KiDpcInterrupt", [("machine", 0)] + TRAP),
        f("KiPageFault", [("machine", 1)] + TRAP[1:]),
        f("KiSwapContext", _exception_frame(system)),
        f("KiSwapThread", [("push", "rbx"), ("push", "rsi"), ("push", "rdi"), ("alloc", 0x30)]),
        f("KeWaitForSingleObject", [("push", "rbp"), ("push", "r12"), ("alloc", 0x60), ("frame", "rbp", 0x20),
                                    ("save", "rsi", 0x48)]),
        f("NtWaitForSingleObject", [("push", "rbx"), ("alloc", 0x40)]),
        f("NtReadFile", [("push", "r14"), ("push", "r15"), ("alloc", 0x88)], handler=True),
        f("KiQuantumEnd", [("push", "rdi"), ("alloc", 0x28)]),
        f("MmAccessFault", [("push", "r13"), ("alloc", 0xA0), ("save", "rbx", 0x90)], version=2),
        f("KiStartSystemThread", [("alloc", 0x28)]),
        f("PspSystemThreadStartup", [("push", "rbx"), ("alloc", 0x20)]),
        f("ExpWorkerThread", [("push", "rbp"), ("push", "r12"), ("push", "r13"), ("push", "r14"), ("push", "r15"),
                              ("alloc", 0x50)]),
        f("KiIdleLoop", [("alloc", 0x28)]),
        f("PoIdle", [("push", "rbx"), ("alloc", 0x20)]),
    ] + (more_stacks64() if system.recipe.get("segments") else [])


def more_stacks64():
    """What leaves a stack for another one; a stack of its own has also what NMI interrupts."""
    f = code64.Function
    return [
        f("KeUserModeCallback", [("push", "rbx"), ("push", "r12"), ("alloc", 0x48)]),
        f("KiCallUserMode", [("push", "rbp"), ("push", "rsi"), ("alloc", 0x138)]),
        f("KeExpandKernelStackAndCalloutInternal", [("push", "rbx"), ("alloc", 0x40)]),
        f("KiSwitchKernelStackAndCallout", [("push", "rbp"), ("alloc", 0x20), ("frame", "rbp", 0x20)]),
        f("KiNmiInterrupt", [("machine", 0)] + TRAP),
        f("KiProcessNMI", [("push", "rdi"), ("alloc", 0x30)]),
    ]


def driver64():
    f = code64.Function
    return [
        f("DrvFrame", [("push", "rbp"), ("alloc", 0x50), ("frame", "rbp", 0x30), ("dynamic", 0x70)]),
        f("DrvLarge", [("push", "rbx"), ("alloc", 0x1008)]),
        f("DrvLong", [("push", "r12"), ("large", 0x90)]),
        f("DrvSaved", [("alloc", 0xA8), ("save", "rbx", 0xB0), ("save", "rsi", 0xB8), ("far", "r14", 0x98),
                       ("xmm", 6, 0x20), ("xmm", 12, 0x30)], handler=True),
        f("DrvChained", [("push", "rsi"), ("push", "rdi"), ("alloc", 0x28)], chained=True),
        f("DrvEpilogue", [("push", "rbx"), ("push", "r12"), ("push", "r15"), ("alloc", 0x20)]),
        f("DrvEpilogue2", [("push", "rsi"), ("push", "r13"), ("alloc", 0x28)], version=2),
        f("DrvLeaf", leaf=b"\x8b\x01\x03\xc2\x90\xc3"),
    ]


def exe64():
    return [code64.Function("wWinMain", [("push", "rbx"), ("alloc", 0x30)]),
            code64.Function("WorkerThread", [("push", "rsi"), ("push", "r14"), ("alloc", 0x28)])] + driver64()


STUB64 = b"\x4c\x8b\xd1\xb8\x04\x00\x00\x00\x0f\x05\xc3"  # mov r10, rcx; mov eax, 4; syscall; ret
STUB64_AT = 10


def ntdll64():
    return [code64.Function("RtlUserThreadStart", [("alloc", 0x48)]),
            code64.Function("NtWaitForSingleObject", leaf=STUB64)]


def kernel32_64():
    return [code64.Function("BaseThreadInitThunk", [("alloc", 0x28)]),
            code64.Function("WaitForSingleObjectEx", [("push", "rbx"), ("push", "rdi"), ("alloc", 0x98)])]


def wow64_64():
    return [code64.Function("Wow64LdrpInitialize", [("push", "rbp"), ("alloc", 0x40), ("frame", "rbp", 0x20)]),
            code64.Function("RunCpuSimulation", [("push", "rbx"), ("push", "r12"), ("alloc", 0x28)])]


def kernel32bit(system):
    f = code32.Function
    return [f("KiFastCallEntry", "entry"), f("KiDispatchInterrupt", "entry"), f("KiTrap0E", "entry"),
            f("KiSwapContext", "swap"), f("KiSwapThread", space=0x18), f("KeWaitForSingleObject", space=0x30),
            f("NtWaitForSingleObject", space=0x44), f("NtReadFile", space=0x64), f("KiQuantumEnd", space=0x10),
            f("MmAccessFault", space=0x28), f("KiThreadStartup", "bare", space=4),
            f("PspSystemThreadStartup", space=0x24), f("ExpWorkerThread", space=0x38),
            f("KiIdleLoop", "bare", space=8), f("PoIdle", space=8)] + (
                [f("KeUserModeCallback", space=0x44), f("KiCallUserMode", space=0x24),
                 f("KeExpandKernelStackAndCalloutEx", space=0x38)] if system.recipe.get("segments") else [])


def driver32():
    f = code32.Function
    return [f("DrvFrame", space=0x50), f("DrvLarge", space=0x70), f("DrvEpilogue", space=0x14),
            f("DrvLeaf", "leaf", leaf=b"\x8b\x44\x24\x04\x90\xc3")]


def exe32():
    return [code32.Function("wWinMain", space=0x30), code32.Function("WorkerThread", space=0x1C)] + driver32()


def ntdll32():
    return [code32.Function("RtlUserThreadStart", space=0x18), code32.Function("NtWaitForSingleObject", "stub"),
            code32.Function("KiFastSystemCallRet", "leaf", leaf=b"\xc3")]


def kernel32_32():
    return [code32.Function("BaseThreadInitThunk", space=0xC), code32.Function("WaitForSingleObjectEx", space=0x6C)]


USER = {8: {"exe": exe64, "ntdll.dll": ntdll64, "kernel32.dll": kernel32_64, "wow64.dll": wow64_64},
        4: {"exe": exe32, "ntdll.dll": ntdll32, "kernel32.dll": kernel32_32}}
DRIVERS = {8: driver64, 4: driver32}


def of_kernel(system, text, xdata):
    make = {8: (kernel64, code64), 4: (kernel32bit, code32)}[system.pointer]
    return make[1].Code(make[0](system), text, xdata)


def of_small(pointer, kind):
    """Code of a driver ("driver") or a user module by its name; what is no DLL is an executable."""
    functions = DRIVERS[pointer] if kind == "driver" else USER[pointer].get(kind) or USER[pointer]["exe"]
    code = {8: code64, 4: code32}[pointer].Code(functions(), TEXT, XDATA)
    if len(code.text) > 0x2000 - TEXT or len(code.pdata) > XDATA - PDATA or len(code.xdata) > 0x3000 - XDATA:
        raise ValueError("the code of a small module does not fit")
    return code
