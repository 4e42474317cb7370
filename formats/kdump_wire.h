/* SPDX-License-Identifier: MIT */
/*
 * kdump-compressed files, as makedumpfile and QEMU write them. In blocks of block_size bytes: the header (1), the sub
 * header (sub_hdr_size), the bitmaps (bitmap_blocks: the first of what is RAM, the second of what is in the file), then
 * a descriptor for each page of the second bitmap, in the order of the pages, and the pages' data anywhere behind.
 * From makedumpfile (IMPLEMENTATION, diskdump_mod.h), crash (diskdump.h), QEMU (include/sysemu/dump.h: both widths,
 * packed); the 64-bit places were seen in files of makedumpfile 1.7.2 and QEMU, the 32-bit ones in no file.
 */
#ifndef STASIS_FORMATS_KDUMP_WIRE_H
#define STASIS_FORMATS_KDUMP_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KDUMP_SIGNATURE "KDUMP   "
enum { KDUMP_BLOCK = 4096 }; /* the only block, that is page, of x86 */

struct kdump_utsname {
        uint8_t sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

/* struct timeval is as wide, and aligned, as the machine that wrote the file has it. */
struct kdump_header64 {
        uint8_t signature[8], header_version[4];
        struct kdump_utsname utsname;
        uint8_t pad[6], timestamp[16], status[4], block_size[4], sub_hdr_size[4], bitmap_blocks[4], max_mapnr[4];
        uint8_t total_ram_blocks[4], device_blocks[4], written_blocks[4], current_cpu[4], nr_cpus[4];
};
static_assert(offsetof(struct kdump_header64, header_version) == 8, "");
static_assert(offsetof(struct kdump_header64, utsname) == 12, "");
static_assert(offsetof(struct kdump_header64, utsname.machine) == 272, "");
static_assert(offsetof(struct kdump_header64, status) == 424, "");
static_assert(offsetof(struct kdump_header64, block_size) == 428, "");
static_assert(offsetof(struct kdump_header64, sub_hdr_size) == 432, "");
static_assert(offsetof(struct kdump_header64, bitmap_blocks) == 436, "");
static_assert(offsetof(struct kdump_header64, max_mapnr) == 440, "");
static_assert(offsetof(struct kdump_header64, nr_cpus) == 460, "");

struct kdump_header32 {
        uint8_t signature[8], header_version[4];
        struct kdump_utsname utsname;
        uint8_t pad[2], timestamp[8], status[4], block_size[4], sub_hdr_size[4], bitmap_blocks[4], max_mapnr[4];
        uint8_t total_ram_blocks[4], device_blocks[4], written_blocks[4], current_cpu[4], nr_cpus[4];
};
static_assert(offsetof(struct kdump_header32, status) == 412, "");
static_assert(offsetof(struct kdump_header32, block_size) == 416, "");
static_assert(offsetof(struct kdump_header32, sub_hdr_size) == 420, "");
static_assert(offsetof(struct kdump_header32, bitmap_blocks) == 424, "");
static_assert(offsetof(struct kdump_header32, max_mapnr) == 428, "");
static_assert(offsetof(struct kdump_header32, nr_cpus) == 448, "");

/* In brackets the header_version from which on a member is there. */
struct kdump_sub_header64 {
        uint8_t phys_base[8], dump_level[4] /* 1 */, split[4] /* 2 */, start_pfn[8] /* 2 */, end_pfn[8] /* 2 */;
        uint8_t offset_vmcoreinfo[8] /* 3 */, size_vmcoreinfo[8] /* 3 */, offset_note[8] /* 4 */, size_note[8] /* 4 */;
        uint8_t offset_eraseinfo[8] /* 5 */, size_eraseinfo[8] /* 5 */;
        uint8_t start_pfn_64[8] /* 6 */, end_pfn_64[8] /* 6 */, max_mapnr_64[8] /* 6 */;
};
static_assert(offsetof(struct kdump_sub_header64, dump_level) == 8, "");
static_assert(offsetof(struct kdump_sub_header64, split) == 12, "");
static_assert(offsetof(struct kdump_sub_header64, start_pfn) == 16, "");
static_assert(offsetof(struct kdump_sub_header64, offset_vmcoreinfo) == 32, "");
static_assert(offsetof(struct kdump_sub_header64, offset_note) == 48, "");
static_assert(offsetof(struct kdump_sub_header64, size_eraseinfo) == 72, "");
static_assert(offsetof(struct kdump_sub_header64, start_pfn_64) == 80, "");
static_assert(offsetof(struct kdump_sub_header64, max_mapnr_64) == 96, "");

struct kdump_sub_header32 {
        uint8_t phys_base[4], dump_level[4], split[4], start_pfn[4], end_pfn[4], offset_vmcoreinfo[8];
        uint8_t size_vmcoreinfo[4], offset_note[8], size_note[4], offset_eraseinfo[8], size_eraseinfo[4];
        uint8_t start_pfn_64[8], end_pfn_64[8], max_mapnr_64[8];
};
static_assert(offsetof(struct kdump_sub_header32, offset_vmcoreinfo) == 20, "");
static_assert(offsetof(struct kdump_sub_header32, offset_note) == 32, "");
static_assert(offsetof(struct kdump_sub_header32, size_eraseinfo) == 52, "");
static_assert(offsetof(struct kdump_sub_header32, start_pfn_64) == 56, "");
static_assert(offsetof(struct kdump_sub_header32, max_mapnr_64) == 72, "");

struct kdump_desc {
        uint8_t offset[8], size[4], flags[4], page_flags[8];
};
static_assert(offsetof(struct kdump_desc, size) == 8, "");
static_assert(offsetof(struct kdump_desc, flags) == 12, "");
static_assert(sizeof(struct kdump_desc) == 24, "");

/* Of header.status and of desc.flags. */
enum { KDUMP_ZLIB = 0x1, KDUMP_LZO = 0x2, KDUMP_SNAPPY = 0x4, KDUMP_ZSTD = 0x20 };
/* Of header.status alone: the disk was full (makedumpfile), or page descriptors of the kernel were left out (-e). */
enum { KDUMP_INCOMPLETE = 0x8, KDUMP_EXCLUDED_VMEMMAP = 0x10 };

#endif
