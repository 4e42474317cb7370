# SPDX-License-Identifier: MIT
"""KDDEBUGGER_DATA64, plain or as 64-bit kernels from Windows 8 on encode it while no debugger is connected.

Places: the public wdbgexts.h block (facts/windows/REPORT.md section 4), spelled out here and not shared with the
reader.
"""
import struct

POINTERS = {
    "KernBase": 0x18, "PsLoadedModuleList": 0x48, "PsActiveProcessHead": 0x50, "PspCidTable": 0x58,
    "ExpSystemResourcesList": 0x60,
    "KeTimeIncrement": 0x78,
    "KiBugcheckData": 0x88, "ObpRootDirectoryObject": 0x98, "MmPfnDatabase": 0xC0, "MmHighestUserAddress": 0x1C8,
    "MmSystemRangeStart": 0x1D0, "MmUserProbeAddress": 0x1D8, "MmLoadedUserImageList": 0x200, "NtBuildLab": 0x208,
    "KiProcessorBlock": 0x218, "MmUnloadedDrivers": 0x220, "CmNtCSDVersion": 0x268, "MmPhysicalMemoryBlock": 0x270,
}
MM_PAGE_SIZE = 0x138
PTE_BASE = 0x360
# u16 members: (place, structure or None, member or "size")
PLACES_16 = [
    (0x298, "_KTHREAD", "NextProcessor"), (0x29A, "_KTHREAD", "Teb"), (0x29C, "_KTHREAD", "KernelStack"),
    (0x29E, "_KTHREAD", "InitialStack"), (0x2A0, "_KTHREAD", "ApcState.Process"), (0x2A2, "_KTHREAD", "State"),
    (0x2A8, "_EPROCESS", "size"), (0x2AA, "_EPROCESS", "Peb"), (0x2AC, "_EPROCESS", "InheritedFromUniqueProcessId"),
    (0x2AE, "_KPROCESS", "DirectoryTableBase"), (0x2B0, "_KPRCB", "size"), (0x2B2, "_KPRCB", "DpcRoutineActive"),
    (0x2B4, "_KPRCB", "CurrentThread"), (0x2B6, "_KPRCB", "MHz"), (0x2B8, "_KPRCB", "CpuType"),
    (0x2BA, "_KPRCB", "VendorString"), (0x2BC, "_KPRCB", "ProcessorState.ContextFrame"), (0x2BE, "_KPRCB", "Number"),
    (0x2C0, "_ETHREAD", "size"), (0x2E0, "_KPCR", "size"), (0x2E4, "_KPCR", "CurrentPrcb"), (0x2E6, "_KPCR", "Prcb"),
    (0x2E6, "_KPCR", "PrcbData"), (0x2F2, "_KPRCB", "ProcessorState.SpecialRegisters"), (0x338, "_KPRCB", "Context"),
    (0x350, "_KPRCB", "IdleThread"), (0x35C, "_KTHREAD", "WaitReason"),
]
PLACES_32 = [
    (0x340, "_KTHREAD", "StackLimit"), (0x344, "_KTHREAD", "StackBase"), (0x348, "_KTHREAD", "QueueListEntry"),
    (0x34C, "_ETHREAD", "IrpList"),
]


def block(places, size, values, list_link):
    """The plain bytes. values: {member: address}; sign-extended by the caller where the kernel has 32 bits."""
    out = bytearray(size)
    pointer = places["pointer_size"]
    out[0:2 * pointer] = (list_link & (1 << 8 * pointer) - 1).to_bytes(pointer, "little") * 2
    out[0x10:0x18] = b"KDBG" + struct.pack("<I", size)
    for name, value in values.items():
        at = POINTERS.get(name, PTE_BASE if name == "PteBase" else None)
        if at is not None and at + 8 <= size:
            struct.pack_into("<Q", out, at, value & (1 << 64) - 1)
    struct.pack_into("<Q", out, MM_PAGE_SIZE, 0x1000)
    for table, code in ((PLACES_16, "<H"), (PLACES_32, "<I")):
        for at, name, member in table:
            value = _place(places, name, member)
            if value is not None and at + struct.calcsize(code) <= size:
                struct.pack_into(code, out, at, value & 0xFFFF if code == "<H" else value)
    return bytes(out)


def _place(places, name, member):
    found = places["structs"].get(name)
    if not found:
        return None
    if member == "size":
        return found["size"]
    return found["members"].get(member, [None])[0]


def _rol(value, count):
    count &= 63
    return (value << count | value >> (64 - count)) & (1 << 64) - 1


def encode(plain, wait_never, wait_always, encoded_flag_va):
    """The inverse of what KdCopyDataBlock does to every quadword."""
    out = bytearray()
    for (value,) in struct.iter_unpack("<Q", plain):
        x = int.from_bytes((value ^ wait_always).to_bytes(8, "little"), "big")
        x ^= encoded_flag_va | 0xFFFF000000000000
        out += struct.pack("<Q", _rol(x, 64 - (wait_never & 63)) ^ wait_never)
    return bytes(out)
