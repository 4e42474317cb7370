/* SPDX-License-Identifier: MIT */
/*
 * Windows crash dumps as they lie in the file; all numbers little-endian. Member places: the project's fact tables
 * (Volatility 2 crash_vtypes, Volatility 3 crash_common.json, kdmp-parser, rizin dmp_specs.h, ReactOS ndk), and the
 * headers of two real dumps (Windows 10 19041 x64, Windows 11 22000 ARM64). Space that the writer did not fill holds
 * the letters "PAGE" over and over. The NT 4.0 and 2000 forms are known from these tables alone: no real file was seen.
 */
#ifndef STASIS_FORMATS_DMP_WIRE_H
#define STASIS_FORMATS_DMP_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define DMP_MAGIC32 "PAGEDUMP"
#define DMP_MAGIC64 "PAGEDU64"
enum { DMP_TYPE_TRIAGE = 4 };
#define DMP_FILLER 0x45474150U /* "PAGE" */

enum { DMP_MACHINE_X86 = 0x14c, DMP_MACHINE_IA64 = 0x200, DMP_MACHINE_X64 = 0x8664, DMP_MACHINE_ARM64 = 0xaa64 };

struct dmp_header32 {
        uint8_t magic[8], major[4], minor[4], directory_table_base[4], pfn_database[4];
        uint8_t loaded_module_list[4], active_process_head[4], machine[4], processors[4];
        uint8_t bugcheck[4], parameter[4][4];
        uint8_t version_user[32], pae_enabled[1], secondary_version[1], version_user2[2], debugger_data[4];
        uint8_t run_count[4], page_count[4], runs[692];
        uint8_t context[1200], exception[80], comment[128], attributes[4], boot_id[4], filler[1760];
        uint8_t dump_type[4], minidump_fields[4], secondary_state[4], product_type[4], suite_mask[4], writer_status[4];
        uint8_t required_space[8], filler2[16], up_time[8], system_time[8], filler3[56];
};
static_assert(offsetof(struct dmp_header32, major) == 0x8, "");
static_assert(offsetof(struct dmp_header32, directory_table_base) == 0x10, "");
static_assert(offsetof(struct dmp_header32, pfn_database) == 0x14, "");
static_assert(offsetof(struct dmp_header32, loaded_module_list) == 0x18, "");
static_assert(offsetof(struct dmp_header32, active_process_head) == 0x1c, "");
static_assert(offsetof(struct dmp_header32, machine) == 0x20, "");
static_assert(offsetof(struct dmp_header32, processors) == 0x24, "");
static_assert(offsetof(struct dmp_header32, bugcheck) == 0x28, "");
static_assert(offsetof(struct dmp_header32, parameter) == 0x2c, "");
static_assert(offsetof(struct dmp_header32, version_user) == 0x3c, "");
static_assert(offsetof(struct dmp_header32, pae_enabled) == 0x5c, "");
static_assert(offsetof(struct dmp_header32, debugger_data) == 0x60, "");
static_assert(offsetof(struct dmp_header32, run_count) == 0x64, "");
static_assert(offsetof(struct dmp_header32, runs) == 0x6c, "");
static_assert(offsetof(struct dmp_header32, context) == 0x320, "");
static_assert(offsetof(struct dmp_header32, exception) == 0x7d0, "");
static_assert(offsetof(struct dmp_header32, comment) == 0x820, "");
static_assert(offsetof(struct dmp_header32, attributes) == 0x8a0, "");
static_assert(offsetof(struct dmp_header32, dump_type) == 0xf88, "");
static_assert(offsetof(struct dmp_header32, product_type) == 0xf94, "");
static_assert(offsetof(struct dmp_header32, suite_mask) == 0xf98, "");
static_assert(offsetof(struct dmp_header32, up_time) == 0xfb8, "");
static_assert(offsetof(struct dmp_header32, system_time) == 0xfc0, "");
static_assert(sizeof(struct dmp_header32) == 0x1000, "");
enum { DMP_CONTEXT32_LEN = 0x2cc };

struct dmp_header64 {
        uint8_t magic[8], major[4], minor[4], directory_table_base[8], pfn_database[8];
        uint8_t loaded_module_list[8], active_process_head[8], machine[4], processors[4];
        uint8_t bugcheck[4], pad[4], parameter[4][8], version_user[32], debugger_data[8];
        uint8_t run_count[4], pad2[4], page_count[8], runs[688];
        uint8_t context[3000], exception[152], dump_type[4], pad3[4], required_space[8], system_time[8];
        uint8_t comment[128], up_time[8], minidump_fields[4], secondary_state[4], product_type[4], suite_mask[4];
        uint8_t writer_status[4], unused[1], secondary_version[1], unused2[2], attributes[4], boot_id[4];
        uint8_t filler[4008];
};
static_assert(offsetof(struct dmp_header64, directory_table_base) == 0x10, "");
static_assert(offsetof(struct dmp_header64, pfn_database) == 0x18, "");
static_assert(offsetof(struct dmp_header64, loaded_module_list) == 0x20, "");
static_assert(offsetof(struct dmp_header64, active_process_head) == 0x28, "");
static_assert(offsetof(struct dmp_header64, machine) == 0x30, "");
static_assert(offsetof(struct dmp_header64, bugcheck) == 0x38, "");
static_assert(offsetof(struct dmp_header64, parameter) == 0x40, "");
static_assert(offsetof(struct dmp_header64, debugger_data) == 0x80, "");
static_assert(offsetof(struct dmp_header64, run_count) == 0x88, "");
static_assert(offsetof(struct dmp_header64, runs) == 0x98, "");
static_assert(offsetof(struct dmp_header64, context) == 0x348, "");
static_assert(offsetof(struct dmp_header64, exception) == 0xf00, "");
static_assert(offsetof(struct dmp_header64, dump_type) == 0xf98, "");
static_assert(offsetof(struct dmp_header64, system_time) == 0xfa8, "");
static_assert(offsetof(struct dmp_header64, comment) == 0xfb0, "");
static_assert(offsetof(struct dmp_header64, up_time) == 0x1030, "");
static_assert(offsetof(struct dmp_header64, product_type) == 0x1040, "");
static_assert(offsetof(struct dmp_header64, suite_mask) == 0x1044, "");
static_assert(offsetof(struct dmp_header64, attributes) == 0x1050, "");
static_assert(sizeof(struct dmp_header64) == 0x2000, "");
enum { DMP_CONTEXT64_LEN = 0x4d0 };

/* DUMP_FILE_ATTRIBUTES of the SDK's mindumpdef.h, by bit. */
enum { DMP_ATTRIBUTE_LIVE = 1 << 4, DMP_ATTRIBUTE_ENCRYPTED = 1 << 8, DMP_ATTRIBUTES_KNOWN = 0x3ff };

/* The second header of the bitmap kinds, behind the first one; the same in both widths. */
#define DMP_SUMMARY_KERNEL "SDMPDUMP"
#define DMP_SUMMARY_FULL "FDMPDUMP"
struct dmp_summary {
        uint8_t magic[8], options[4], filler[20], header_size[8], pages[8], bits[8];
        /* bitmap: one bit a page frame, least significant first; pages follow at header_size in frame order */
};
static_assert(offsetof(struct dmp_summary, header_size) == 0x20, "");
static_assert(offsetof(struct dmp_summary, pages) == 0x28, "");
static_assert(offsetof(struct dmp_summary, bits) == 0x30, "");
static_assert(sizeof(struct dmp_summary) == 0x38, "");

/*
 * Its older form, of type 2 when it was new (Windows 2000): SUMMARY_DUMP64 in the Dump.h that Microsoft published with
 * Research Singularity, both widths in sdkgen's types of the WDK. When the newer form came is not known to us. The
 * bitmap repeats its number of bits: an RTL_BITMAP as it lay in memory, the pointer in it as wide as the system.
 */
struct dmp_summary_old32 {
        uint8_t magic[8], options[4], header_size[4], bits[4], pages[4], bits_again[4], reserved[4];
};
static_assert(offsetof(struct dmp_summary_old32, header_size) == 0xc, "");
static_assert(offsetof(struct dmp_summary_old32, bits) == 0x10, "");
static_assert(offsetof(struct dmp_summary_old32, pages) == 0x14, "");
static_assert(offsetof(struct dmp_summary_old32, bits_again) == 0x18, "");
static_assert(sizeof(struct dmp_summary_old32) == 0x20, "");

struct dmp_summary_old64 {
        uint8_t magic[8], options[4], header_size[4], bits[4], pages[4], bits_again[4], pad[4], reserved[8];
};
static_assert(offsetof(struct dmp_summary_old64, header_size) == 0xc, "");
static_assert(offsetof(struct dmp_summary_old64, bits_again) == 0x18, "");
static_assert(sizeof(struct dmp_summary_old64) == 0x28, "");

/*
 * The second header of types 8, 9 and 10, which the newer debugger writes (.dump /k, /ka, /f): kdmp-parser (C++, Rust).
 * Ranges of page frames follow it, up to the first page; a range of frame 0 ends them. counted and pages are filled by
 * type 10 alone. Known for 64 bits only.
 */
#define DMP_RANGES "RDMPDUMP"
enum { DMP_RANGES_MARKER = 0x40 };
struct dmp_ranges {
        uint8_t marker[4], magic[8], unused[4], metadata_size[8], first_page[8], counted[4], unknown[4], pages[8];
};
static_assert(offsetof(struct dmp_ranges, magic) == 0x4, "");
static_assert(offsetof(struct dmp_ranges, metadata_size) == 0x10, "");
static_assert(offsetof(struct dmp_ranges, first_page) == 0x18, "");
static_assert(offsetof(struct dmp_ranges, counted) == 0x20, "");
static_assert(offsetof(struct dmp_ranges, pages) == 0x28, "");
static_assert(sizeof(struct dmp_ranges) == 0x30, "");
struct dmp_range {
        uint8_t frame[8], count[8];
};
static_assert(sizeof(struct dmp_range) == 0x10, "");

/*
 * Secondary data, behind the last page (or the end of a triage dump): one file header, then blobs to the end of the
 * file. Seen in two real dumps, 19041 x64 and 22000 ARM64. A blob's data lies behind its header and pre_pad bytes; the
 * next header follows post_pad bytes behind the data.
 */
#define DMP_BLOBS "DumpBlob"
struct dmp_blob_file {
        uint8_t magic[8], header_size[4], build[4];
};
static_assert(offsetof(struct dmp_blob_file, header_size) == 0x8, "");
static_assert(sizeof(struct dmp_blob_file) == 0x10, "");
struct dmp_blob {
        uint8_t header_size[4], guid[16], data_size[4], pre_pad[4], post_pad[4];
};
static_assert(offsetof(struct dmp_blob, guid) == 0x4, "");
static_assert(offsetof(struct dmp_blob, data_size) == 0x14, "");
static_assert(offsetof(struct dmp_blob, pre_pad) == 0x18, "");
static_assert(offsetof(struct dmp_blob, post_pad) == 0x1c, "");
static_assert(sizeof(struct dmp_blob) == 0x20, "");

#endif
