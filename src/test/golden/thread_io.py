# SPDX-License-Identifier: MIT
"""What a thread has queued: IRPs with their device, driver and file, APCs of every kind, timers with an APC routine.

Stack locations lie in an array behind the IRP, the last one used first (wdm.h, IoGetNextIrpStackLocation). An ETIMER is
{KTIMER, since 8 a lock, KAPC, KDPC, link} (ReactOS, ntoskrnl/include/internal/ex.h).
"""
# (major, minor, control code) of the IRPs, in turn.
REQUESTS = [(3, 0, None, "IRP_MJ_READ", None), (14, 0, 0x70050, "IRP_MJ_DEVICE_CONTROL", None),
            (12, 2, None, "IRP_MJ_DIRECTORY_CONTROL", "IRP_MN_NOTIFY_CHANGE_DIRECTORY")]
STACK_COUNT = 3
QUEUES = {"special": (0, "kernel", "special kernel"), "kernel": (0, "kernel", "kernel"), "user": (1, "user", "user")}


class Devices:
    """A driver with one named device, made when it is first asked for, and a file opened on it."""

    def __init__(self, system):
        self.system, self.device = system, None

    def _make(self):
        system = self.system
        make, root = system.executive.make, system.executive.directory
        driver = system.object(make("Driver", system.struct_size("_DRIVER_OBJECT"), "Disk", directory=root("\\Driver")),
                               "_DRIVER_OBJECT")
        device = system.object(make("Device", system.struct_size("_DEVICE_OBJECT"), "GoldenDisk0",
                                    directory=root("\\Device")), "_DEVICE_OBJECT")
        for o, number, values in ((driver, 4, {"DeviceObject": device.va, "DriverStart": system.code["disk.sys"].base,
                                               "DriverSize": 0x5000}),
                                  (device, 3, {"DriverObject": driver.va, "DeviceType": 7, "StackSize": STACK_COUNT})):
            o.put("Type", number)
            o.put("Size", system.struct_size(o.structs[0]))
            for member, value in values.items():
                o.put(member, value)
        driver.string("DriverName", "\\Driver\\Disk")
        self.driver, self.device = driver.va, device.va

    def file(self, name):
        """(device, driver, file object)."""
        if not self.device:
            self._make()
        system = self.system
        file = system.object(system.executive.make("File", system.struct_size("_FILE_OBJECT")), "_FILE_OBJECT")
        file.put("Type", 5)
        file.put("Size", system.struct_size("_FILE_OBJECT"))
        file.put("DeviceObject", self.device)
        file.string("FileName", name)
        return self.device, self.driver, file.va


class ThreadIo:
    # ------------------------------------------------------------ IRPs

    def _make_irps(self):
        """The objects; the truth of each where this version's tables know what stands behind an IRP."""
        system, told = self.system, []
        known = "_IO_STACK_LOCATION" in system.places["structs"]
        size, step = system.struct_size("_IRP", 0x70), system.struct_size("_IO_STACK_LOCATION")
        irps = []
        for i in range(self.recipe.get("irps", 0)):
            irp = system.object(system.take("pool", size + STACK_COUNT * step, "Irp "), "_IRP")
            for member, value in (("Type", 6), ("Size", size + STACK_COUNT * step), ("StackCount", STACK_COUNT),
                                  ("Tail.Overlay.Thread", self.object.va), ("RequestorMode", 1)):
                irp.put(member, value)
            irps.append(irp)
            if known:
                told.append(self._stack_location(irp, i, irp.va + size, step))
        if known and told:
            self.truth["irps"] = told
        return irps

    def _stack_location(self, irp, number, first, step):
        current = 1 + number % 2  # the driver below was called already, or not yet
        at = self.system.object(first + current * step, "_IO_STACK_LOCATION")
        major, minor, code, name, minor_name = REQUESTS[(self.index + number) % len(REQUESTS)]
        path = f"\\Users\\golden\\{self.tid}-{number}.log"
        device, driver, file = self.system.devices.file(path)
        irp.put("CurrentLocation", current + 1)
        irp.put("Tail.Overlay.CurrentStackLocation", at.va)
        irp.put("Tail.Overlay.OriginalFileObject", file)
        for member, value in (("MajorFunction", major), ("MinorFunction", minor), ("DeviceObject", device),
                              ("FileObject", file), ("Parameters.DeviceIoControl.IoControlCode", code or 0x5A5A5A5A)):
            at.put(member, value)
        return {"irp": hex(irp.va), "stack_location": hex(at.va), "major": name, "minor": minor_name,
                "control_code": hex(code) if code else None,
                "device": hex(device), "device_name": "\\Device\\GoldenDisk0",
                "driver": hex(driver), "driver_name": "\\Driver\\Disk", "file": hex(file), "file_name": path,
                "requestor_mode": "UserMode"}

    # ------------------------------------------------------------ APCs

    def _apc(self, va, kind, number):
        """One KAPC at an address: what is told of it."""
        system, nt = self.system, self.system.code["nt"]
        mode, queue, name = QUEUES[kind]
        apc = system.object(va, "_KAPC")
        kernel = nt.base + nt.code.functions["KiQuantumEnd"].rva
        normal = 0 if kind == "special" else nt.base + nt.code.functions["ExpWorkerThread"].rva
        if kind == "user":
            kernel32 = self.process.code.get("kernel32.dll") or self.process.code["wow64.dll"]
            normal = kernel32.base + next(iter(kernel32.code.functions.values())).rva
        context = 0x4000 + 0x10 * number + self.tid % 16
        for member, value in (("Type", 18), ("Size", system.struct_size("_KAPC")), ("Thread", self.object.va),
                              ("KernelRoutine", kernel), ("RundownRoutine", 0), ("NormalRoutine", normal),
                              ("NormalContext", context), ("SystemArgument1", context + 1),
                              ("SystemArgument2", context + 2), ("ApcMode", mode), ("Inserted", 1)):
            apc.put(member, value)
        return apc, {"apc": hex(va), "queue": queue, "kind": name, "kernel_routine": hex(kernel),
                     "normal_routine": hex(normal) if normal else None, "normal_context": hex(context),
                     "argument1": hex(context + 1), "argument2": hex(context + 2), "thread": hex(self.object.va)}

    def _queue_apcs(self):
        """apcs = ["special", "kernel", "user"]: kernel ones first, as their list is the first."""
        system, told = self.system, []
        heads = [self.object.at("ApcState.ApcListHead") + 2 * system.pointer * mode for mode in range(2)]
        entries = [[], []]
        for number, kind in enumerate(sorted(self.recipe.get("apcs", []), key=lambda k: QUEUES[k][0])):
            apc, one = self._apc(system.take("pool", system.struct_size("_KAPC"), "Kapc"), kind, number)
            entries[QUEUES[kind][0]].append(apc.at("ApcListEntry"))
            told.append(one)
        for head, links in zip(heads, entries):
            system.link(head, links)
        if told:
            self.truth["apcs"] = told

    # ------------------------------------------------------------ timers

    def _make_timers(self):
        """Links of its ETIMERs."""
        system, told, links = self.system, [], []
        sizes = [system.struct_size(name) for name in ("_KTIMER", "_KAPC", "_KDPC")]
        lock = system.pointer if system.build >= 9200 else 0
        for number in range(self.recipe.get("timers", 0)):
            va = system.executive.make("Timer", sum(sizes) + lock + 0x60)
            timer = system.object(va, "_KTIMER", "_DISPATCHER_HEADER")
            due = system.ticks * 156250 + 10_000_000 * (number + 3) + self.tid
            for member, value in (("Type", 8), ("DueTime", due), ("Period", 250 * number), ("Inserted", 1)):
                timer.put(member, value)
            timer.empty_list("WaitListHead")
            timer.empty_list("TimerListEntry")
            apc, one = self._apc(va + sizes[0] + lock, "user", number)
            apc.put("Inserted", 0)
            links.append(va + sizes[0] + lock + sizes[1] + sizes[2])
            told.append({"timer": hex(va), "due": due, "period": 250 * number, "routine": one["normal_routine"],
                         "context": one["normal_context"]})
        if told:
            self.truth["timers"] = told
        return links
