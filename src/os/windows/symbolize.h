/* SPDX-License-Identifier: MIT */
/*
 * What an address is called: module, symbol, offset. Exports tell it offline, and they tell little: most functions are
 * not exported, so that the nearest export below an address is a neighbour and often not the function. How far a name
 * can be trusted is therefore part of it.
 *
 *   "export"          the address is the export's own, or the image's table of functions (x64, .pdata) says that the
 *                     function which the address lies in begins there
 *   "pdb", "isf"      a symbol of the module's own PDB or ISF file (--symbols), which name every function: the nearest
 *                     below in the same section, unless .pdata tells that the function begins elsewhere
 *   "nearest-export"  nobody says where the function begins: the nearest export below, in the same section and less
 *                     than SYMBOLIZE_NEAR bytes away; on x86 not where the code between shows that another begins
 *
 * Where .pdata tells that the function begins elsewhere, the export is not its name, and there is none.
 */
#ifndef STASIS_OS_WINDOWS_SYMBOLIZE_H
#define STASIS_OS_WINDOWS_SYMBOLIZE_H

#include "../pdb.h"
#include "windows.h"

#define SYMBOLIZE_NEAR 0x1000 /* half of a kernel's functions are below 0x100 bytes, hardly one is longer than this */

struct windows_name {
        const char *module;      /* "ntoskrnl.exe"; of an unloaded one "<Unloaded_foo.sys>"; NULL: it is in none */
        const char *symbol;      /* NULL: not known */
        uint64_t offset;         /* of the address in the symbol; without one in the module; without that 0 */
        const char *symbol_from; /* how the symbol is known, see above; static; NULL without one */
};

/*
 * Texts live as long as the system. process: its index, for its user modules and what is in its session only;
 * UINT32_MAX: the kernel's modules alone. The address behind a call may be that of the next function: whoever names a
 * return address asks for the byte before, and adds the one to the offset.
 */
void windows_name_address(struct windows *w, uint32_t process, uint64_t va, struct windows_name *ret_name);
/*
 * "ntoskrnl.exe!KeBugCheckEx+0x12", of a nearest export "ntoskrnl.exe!KeFoo+0x12?", "foo.sys+0x12",
 * "0xfffff80000001234". Returns the length that the whole text has, as snprintf does.
 */
size_t windows_name_text(const struct windows_name *name, uint64_t va, char *buf, size_t len);
/* Frame data of the code at va, from the PDB of its module; x86 code alone has such. False where there is none. */
bool windows_frame_data(struct windows *w, uint32_t process, uint64_t va, struct pdb_frame *ret_frame);
void symbolize_free(struct symbolizer *s); /* NULL is ignored */

#endif
