/* SPDX-License-Identifier: MIT */
/*
 * RTL_CRITICAL_SECTION and RTL_CRITICAL_SECTION_DEBUG (winnt.h of the Windows SDK: public, and the same since NT 3.51;
 * ReactOS has the same in sdk/include/ndk/rtltypes.h), which no kernel's PDB holds, in either width; and where a 32-bit
 * PEB has its LoaderLock (winternl documentation, "PEB": 0xa0 in every version).
 *
 *   struct _RTL_CRITICAL_SECTION {
 *       PRTL_CRITICAL_SECTION_DEBUG DebugInfo; LONG LockCount; LONG RecursionCount;
 *       HANDLE OwningThread; HANDLE LockSemaphore; ULONG_PTR SpinCount; }
 *   struct _RTL_CRITICAL_SECTION_DEBUG {
 *       WORD Type; WORD CreatorBackTraceIndex; struct _RTL_CRITICAL_SECTION *CriticalSection;
 *       LIST_ENTRY ProcessLocksList; ... }
 *
 * LockCount since 2003 SP1 (Debugger documentation, "Displaying a Critical Section"): bit 0 is 0 while the section is
 * taken, bit 1 is 0 once a waiter was woken, what is above is the complement of how many wait. Since 8 DebugInfo is all
 * ones until somebody has to wait, and for good where it was made with RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO.
 */
#ifndef STASIS_OS_WINDOWS_CRITICAL_SECTION_WIRE_H
#define STASIS_OS_WINDOWS_CRITICAL_SECTION_WIRE_H

#include <stdint.h>

struct critical_section_wire {
        uint8_t debug, count, recursion, owner, semaphore; /* of the section */
        uint8_t section, list;                             /* of its debug information */
};
static const struct critical_section_wire critical_section_32 = { 0x00, 0x04, 0x08, 0x0c, 0x10, 0x04, 0x08 };
static const struct critical_section_wire critical_section_64 = { 0x00, 0x08, 0x0c, 0x10, 0x18, 0x08, 0x10 };

#define PEB32_LOADER_LOCK 0xa0

#endif
