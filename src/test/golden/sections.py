# SPDX-License-Identifier: MIT
"""Critical sections, in a process's own memory, and how a thread waits for one.

RTL_CRITICAL_SECTION {DebugInfo, LockCount, RecursionCount, OwningThread, LockSemaphore, SpinCount} and its debug
information {Type, CreatorBackTraceIndex, CriticalSection, ProcessLocksList, ...} (winnt.h). Who waits does so on the
event whose handle is LockSemaphore until 2003, with the section as the key of a keyed event until 7, and since 8 by
NtWaitForAlertByThreadId, which leaves the address that it was given, LockCount's, as the wait block's object. Since
2003 SP1 LockCount is -2 less 4 for each who waits. The loader's lock, which the PEB names, is on the process's list.
"""
import struct


class Address:
    """What such a wait is for: no object, nothing that a wait block is linked to."""
    kind, kind_name, type, path, owner, header = "address", None, None, None, None, None

    def __init__(self, va):
        self.va, self.waiters = va, []

    def told(self):
        return {"object": None, "kind": None, "object_type": None, "name": None}


class Sections:
    """Of one process."""

    def __init__(self, process):
        self.process, self.system, self.debug = process, process.system, []
        self.list = process.take_user(2 * self.system.pointer, 16)  # RtlCriticalSectionList
        loader = self.make(0)
        peb = self.system.object(process.peb, "_PEB", space=process.space)
        peb.put("LoaderLock", loader)

    @staticmethod
    def of(process):
        if "sections" not in process.__dict__:
            process.sections = Sections(process)
        return process.sections

    def make(self, owner, bare=False, semaphore=0):
        """Its address; owner 0: free."""
        process, pointer = self.process, self.system.pointer
        section = process.take_user(4 * pointer + 8 + 8, 16)
        word = "<Q" if pointer == 8 else "<I"
        count = (-6 if self.system.build >= 3790 else 1) if owner else -1
        process.space.write(section, struct.pack(word, 2 ** (8 * pointer) - 1) + struct.pack("<iI", count, bool(owner))
                            + struct.pack(word, owner) + struct.pack(word, semaphore % 2 ** (8 * pointer)))
        if not bare:
            self._debug(section)
        return section

    def _debug(self, section):
        process, pointer = self.process, self.system.pointer
        put = self.system.labels.put
        debug = process.take_user(6 * pointer, 16)
        put(process.space, section, pointer, debug)
        put(process.space, debug + pointer, pointer, section)
        self.debug.append(debug + 2 * pointer)
        self.system.link(self.list, self.debug, process.space)

    def event(self, waits, section):
        """An event in the process's handle table, and its handle in the section."""
        process, executive, pointer = self.process, self.system.executive, self.system.pointer
        thing = waits.thing("synchronization event")
        handle = process._open("Event", thing.va, 0x1F0003)
        process.space.write(section + 2 * pointer + 8, handle.to_bytes(pointer, "little"))
        return thing

    def count_of(self, section):
        return section + self.system.pointer
