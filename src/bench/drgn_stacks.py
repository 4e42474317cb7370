# SPDX-License-Identifier: MIT
"""
drgn_stacks.py VMCORE VMLINUX: every task of a Linux kernel, with the names in its kernel stack, as drgn tells them. Run
by bench_linux.py with the interpreter that drgn was installed for.
"""
import sys

import drgn
from drgn.helpers.linux.pid import for_each_task

program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
for task in for_each_task(program):
    print(task.pid.value_(), task.comm.string_())
    try:
        for frame in program.stack_trace(task):
            print("   ", hex(frame.pc), frame.name)
    except (ValueError, LookupError, drgn.FaultError) as error:
        print("   ", error)
