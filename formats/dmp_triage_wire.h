/* SPDX-License-Identifier: MIT */
/*
 * What follows the first header of a triage dump (type 4), and the entries that it leads to. Places: the project's fact
 * tables (rizin dmp_specs.h) and two real dumps (Windows 10 19041 x64, Windows 11 22000 ARM64). The 32-bit form is
 * known from the tables alone: no real file was seen.
 */
#ifndef STASIS_FORMATS_DMP_TRIAGE_WIRE_H
#define STASIS_FORMATS_DMP_TRIAGE_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAGE_VALID "TRGD"

/* All offsets count from the start of the file. */
struct dmp_triage32 {
        uint8_t service_pack[4], size_of_dump[4], valid[4], context[4], exception[4], mm[4], unloaded_drivers[4];
        uint8_t prcb[4], process[4], thread[4], call_stack[4], call_stack_len[4], drivers[4], driver_count[4];
        uint8_t strings[4], strings_len[4], broken_driver[4], options[4];
        uint8_t top_of_stack[4], page_va[4], page[4], page_len[4];
        uint8_t debugger_data[4], debugger_data_len[4], blocks[4], block_count[4];
};
static_assert(offsetof(struct dmp_triage32, prcb) == 0x1c, "");
static_assert(offsetof(struct dmp_triage32, drivers) == 0x30, "");
static_assert(offsetof(struct dmp_triage32, top_of_stack) == 0x48, "");
static_assert(offsetof(struct dmp_triage32, debugger_data) == 0x58, "");
static_assert(sizeof(struct dmp_triage32) == 0x68, "");

struct dmp_triage64 {
        uint8_t service_pack[4], size_of_dump[4], valid[4], context[4], exception[4], mm[4], unloaded_drivers[4];
        uint8_t prcb[4], process[4], thread[4], call_stack[4], call_stack_len[4], drivers[4], driver_count[4];
        uint8_t strings[4], strings_len[4], broken_driver[4], options[4];
        uint8_t top_of_stack[8], itanium[16], page_va[8], page[4], page_len[4];
        uint8_t debugger_data[4], debugger_data_len[4], blocks[4], block_count[4];
};
static_assert(offsetof(struct dmp_triage64, prcb) == 0x1c, "");
static_assert(offsetof(struct dmp_triage64, drivers) == 0x30, "");
static_assert(offsetof(struct dmp_triage64, top_of_stack) == 0x48, "");
static_assert(offsetof(struct dmp_triage64, page_va) == 0x60, "");
static_assert(offsetof(struct dmp_triage64, debugger_data) == 0x70, "");
static_assert(sizeof(struct dmp_triage64) == 0x80, "");

/* A data block: what lay at va is size bytes at off. */
struct dmp_block32 {
        uint8_t va[4], off[4], len[4];
};
struct dmp_block64 {
        uint8_t va[8], off[4], len[4];
};
static_assert(sizeof(struct dmp_block32) == 12 && sizeof(struct dmp_block64) == 16, "");

/* A driver: where its path is (u32 count of UTF-16 units, then they), and a copy of its KLDR_DATA_TABLE_ENTRY. */
struct dmp_driver32 {
        uint8_t name[4], links[8], unused[12], debug_info[4], base[4], entry_point[4], image_size[4];
        uint8_t full_name[8], base_name[8], flags[4], counts[4], unused2[4], checksum[4], timestamp[4];
};
static_assert(offsetof(struct dmp_driver32, base) == 4 + 0x18, "");
static_assert(offsetof(struct dmp_driver32, image_size) == 4 + 0x20, "");
static_assert(offsetof(struct dmp_driver32, timestamp) == 4 + 0x44, "");
static_assert(sizeof(struct dmp_driver32) == 0x4c, "");
struct dmp_driver64 {
        uint8_t name[4], pad[4], links[16], unused[24], debug_info[8], base[8], entry_point[8], image_size[4], pad2[4];
        uint8_t full_name[16], base_name[16], flags[4], counts[4], unused2[8], checksum[4], pad3[4], timestamp[4],
                pad4[4];
};
static_assert(offsetof(struct dmp_driver64, base) == 8 + 0x30, "");
static_assert(offsetof(struct dmp_driver64, image_size) == 8 + 0x40, "");
static_assert(offsetof(struct dmp_driver64, timestamp) == 8 + 0x80, "");
static_assert(sizeof(struct dmp_driver64) == 0x90, "");

/*
 * An unloaded driver: a count of four bytes stands before the first, in a slot as wide as a pointer. The
 * UNICODE_STRING's buffer is not filled: name holds its first 12 units. Places: the 19041 and 22000 dumps; 32-bit: the
 * same members.
 */
struct dmp_unloaded32 {
        uint8_t name_len[2], name_max[2], buffer[4], name[24], start[4], end[4];
};
static_assert(sizeof(struct dmp_unloaded32) == 0x28, "");
struct dmp_unloaded64 {
        uint8_t name_len[2], name_max[2], pad[4], buffer[8], name[24], start[8], end[8];
};
static_assert(offsetof(struct dmp_unloaded64, start) == 0x28 && sizeof(struct dmp_unloaded64) == 0x38, "");

/* KDDEBUGGER_DATA64, in the copy that the dump carries decoded: the same places in every version that has the member.
 */
enum {
        KDBG_TAG_AT = 0x10,
        KDBG_PROCESSOR_BLOCK = 0x218,
        KDBG_THREAD_APC_PROCESS = 0x2a0, /* u16, as those that follow */
        KDBG_SIZE_PROCESS = 0x2a8,
        KDBG_SIZE_PRCB = 0x2b0,
        KDBG_PRCB_CURRENT = 0x2b4,
        KDBG_SIZE_THREAD = 0x2c0
};

#endif
