/* SPDX-License-Identifier: MIT */
/* A PDB file: opened, and everything asked of it that can be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../os/pdb_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept, const char *what)
{
        if (kept)
                return;
        fprintf(stderr, "broken: %s\n", what);
        abort();
}

static void ask_types(const struct pdb *pdb)
{
        const struct stasis_layout *layout = pdb_layout(pdb);
        struct stasis_name names[16];

        for (size_t i = 0; i < pdb->name_count && i < 256; i++) {
                struct layout_walk walk = { 0 };
                const char *name = pdb->name[i].name;
                (void)stasis_layout_enum(layout, name, names, 16);
                if (!layout->backend->open(layout, name, strlen(name), &walk.view))
                        continue;
                for (unsigned k = 0; k < 1000 && layout->backend->next(&walk); k++) {
                        struct layout_view inner;
                        promise(walk.name && walk.member.count <= UINT32_MAX, "a member has a name");
                        promise(walk.member.bits == 0 || walk.member.bit + walk.member.bits <= walk.member.size * 8,
                                "a bit-field lies in its word");
                        if (walk.member.type == STASIS_TYPE_STRUCT)
                                (void)layout->backend->enter(&walk, &inner);
                        (void)strlen(walk.member.target ? walk.member.target : "");
                }
        }
}

static void ask_symbols(const struct pdb *pdb)
{
        const struct pdb_symbol *symbol, *before = NULL;
        struct pdb_frame frame;
        char text[64];
        uint32_t rva;

        for (size_t i = 0; (symbol = pdb_symbol_at(pdb, i)); i++) {
                promise(!before || before->rva <= symbol->rva, "symbols are sorted");
                promise(pdb_symbol_rva(pdb, symbol->name, &rva), "a name is found");
                promise(pdb_symbol_below(pdb, symbol->rva)->rva == symbol->rva, "an address is found");
                pdb_undecorate(symbol->name, text, sizeof text);
                before = symbol;
        }
        (void)pdb_symbol_rva(pdb, "Alpha", &rva);
        for (uint64_t at = 0; at < 0x2000; at += 7)
                if (pdb_frame_at(pdb, at, &frame)) {
                        promise(at >= frame.rva && at - frame.rva < frame.len, "a frame record holds its address");
                        (void)strlen(frame.program ? frame.program : "");
                }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct stasis_error err = { 0 };
        struct stasis_pdb_id id;
        struct pdb *pdb;
        /* what lies behind the file is not ours: a copy of just its length */
        uint8_t *copy = malloc(size + !size);

        if (!copy)
                return 0;
        memcpy(copy, data, size);
        struct stasis_bytes file = { copy, size };
        (void)pdb_probe(file);
        if (pdb_identify(file, "fuzz", &id, &err) != STASIS_OK)
                promise(err.text[0] && !strchr(err.text, '\n'), "a refusal is one line");
        if (pdb_open(file, "fuzz", &pdb, &err) == STASIS_OK) {
                ask_types(pdb);
                ask_symbols(pdb);
                pdb_close(pdb);
        } else {
                promise(err.text[0] && !strchr(err.text, '\n'), "a refusal is one line");
        }
        free(copy);
        return 0;
}
