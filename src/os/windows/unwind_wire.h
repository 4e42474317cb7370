/* SPDX-License-Identifier: MIT */
/*
 * x64 unwind data as it lies in an image. Source of every claim: Microsoft, "x64 exception handling"
 * (learn.microsoft.com, cpp/build/exception-handling-x64); of version 2, the epilogue codes, and of entries that refer
 * to another entry: Microsoft's own unwinder as published in .NET (dotnet/runtime,
 * src/coreclr/unwinder/amd64/unwinder.cpp).
 *
 * The exception directory of a PE is an array of RUNTIME_FUNCTION, sorted by address; all addresses are relative to the
 * image's base. UNWIND_INFO is a header, then codes of two bytes, an even number of places for them, and, with the flag
 * CHAININFO, a RUNTIME_FUNCTION. What a code needs more than its byte of operation follows it in places of its own.
 */
#ifndef STASIS_OS_WINDOWS_UNWIND_WIRE_H
#define STASIS_OS_WINDOWS_UNWIND_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct unwind_wire_function {
        uint8_t BeginAddress[4], EndAddress[4];
        uint8_t UnwindData[4]; /* bit 0 set: of another RUNTIME_FUNCTION that serves here too */
};
static_assert(offsetof(struct unwind_wire_function, UnwindData) == 8, "");
static_assert(sizeof(struct unwind_wire_function) == 12, "");

#define UNWIND_FUNCTION_INDIRECT 1u

struct unwind_wire_info {
        uint8_t VersionFlags; /* bits 0-2 version, 3-7 flags */
        uint8_t SizeOfProlog;
        uint8_t CountOfCodes;
        uint8_t Frame; /* bits 0-3 register, 0: none; 4-7 offset / 16 */
};
static_assert(sizeof(struct unwind_wire_info) == 4, "");

#define UNWIND_FLAG_CHAININFO 4u

struct unwind_wire_code {
        uint8_t CodeOffset; /* behind the instruction that it is of, from the start of the function */
        uint8_t Operation;  /* bits 0-3 operation, 4-7 its information */
};
static_assert(sizeof(struct unwind_wire_code) == 2, "");

enum unwind_operation {
        UWOP_PUSH_NONVOL,     /* information: the register */
        UWOP_ALLOC_LARGE,     /* information 0: size / 8 in the next place; 1: size in the next two */
        UWOP_ALLOC_SMALL,     /* information: size / 8 - 1 */
        UWOP_SET_FPREG,       /* the header tells register and offset */
        UWOP_SAVE_NONVOL,     /* next place: offset / 8 */
        UWOP_SAVE_NONVOL_FAR, /* next two: offset */
        UWOP_EPILOG,          /* version 2; in version 1 a form of XMM saves that no compiler ever made */
        UWOP_SPARE,
        UWOP_SAVE_XMM128,     /* next place: offset / 16 */
        UWOP_SAVE_XMM128_FAR, /* next two: offset */
        UWOP_PUSH_MACHFRAME,  /* information 1: with an error code */
        UWOP_COUNT
};

#endif
