/* SPDX-License-Identifier: MIT */
/* What a module's image says of its PDB, and why it does not. */
#include <string.h>

#include "../../base/error.h"
#include "debug_info.h"
#include "symbol_files.h"

#define SPACES_TRIED_MAX 64 /* processes that a driver of a session is looked for in */

/* A driver of a session is in no other space than those of its processes. */
static struct stasis_space *space_with(struct windows *w, uint32_t process, uint64_t base, struct pe_image *ret_pe,
                                       enum stasis_status *ret_status)
{
        struct stasis_space *space = process == UINT32_MAX ? w->kernel : windows_user_space(w, process);

        *ret_status = space ? pe_open(space, base, ret_pe) : STASIS_ABSENT;
        if (*ret_status != STASIS_ABSENT || process != UINT32_MAX || is_virtual(w) ||
            windows_walk(w, NULL) != STASIS_OK)
                return space;
        for (uint32_t i = 0; i < w->process_count && i < SPACES_TRIED_MAX && *ret_status == STASIS_ABSENT; i++) {
                space = windows_user_space(w, i);
                *ret_status = space ? pe_open(space, base, ret_pe) : STASIS_ABSENT;
        }
        return space;
}

static const char *why_not(struct stasis_space *space, const struct pe_image *pe)
{
        uint8_t byte;

        if (!pe->debug_len)
                return "it names no PDB";
        if (stasis_space_read(space, pe->base + pe->debug_rva, &byte, 1) != STASIS_OK)
                return "its debug directory is not in the image";
        return pe->pdb_name[0] ? "an old record (NB10), without a GUID" : "its debug record is not in the image";
}

void windows_module_debug(struct windows *w, uint32_t process, const struct windows_module *module,
                          struct stasis_debug *ret_debug)
{
        struct pe_image pe = { 0 };
        enum stasis_status status;
        struct stasis_space *space = space_with(w, process, module->base, &pe, &status);

        *ret_debug = (struct stasis_debug){ 0 };
        if (status != STASIS_OK) {
                ret_debug->why =
                        status == STASIS_CORRUPT ? "no PE lies at its base" : "its headers are not in the image";
                return;
        }
        memcpy(ret_debug->pdb, pe.pdb_name, sizeof ret_debug->pdb);
        if (!pe.pdb_known) {
                ret_debug->why = why_not(space, &pe);
                return;
        }
        ret_debug->known = true;
        memcpy(ret_debug->guid, pe.pdb.guid, sizeof ret_debug->guid);
        ret_debug->age = pe.pdb.age;
        ret_debug->found = symbol_files_find(w->symbol_files, pe.pdb_name, &pe.pdb).path;
}
