/* SPDX-License-Identifier: MIT */
/* pdb_dump FILE: everything that the reader says of a PDB, one fact a line, for pdb_llvm.py to compare. */
#include <inttypes.h>
#include <stdio.h>

#include "../base/map.h"
#include "../os/pdb_internal.h"

#define NAMES_MAX 64

static void put_member(const struct layout_walk *walk)
{
        const struct stasis_member *m = &walk->member;

        printf(" member %s at %u size %u count %u bit %u bits %u type %d\n", walk->name, m->offset, m->size, m->count,
               m->bit, m->bits, (int)m->type);
}

static void put_type(const struct pdb *pdb, const char *name)
{
        const struct stasis_layout *layout = pdb_layout(pdb);
        struct stasis_name names[NAMES_MAX];
        struct layout_walk walk = { 0 };
        size_t count = stasis_layout_enum(layout, name, names, NAMES_MAX);

        if (count)
                printf("enum %s\n", name);
        for (size_t i = 0; i < count && i < NAMES_MAX; i++)
                printf(" value %s = %u\n", names[i].name, names[i].value);
        if (!layout->backend->open(layout, name, strlen(name), &walk.view))
                return;
        printf("struct %s size %u\n", name, walk.view.size);
        while (layout->backend->next(&walk))
                put_member(&walk);
}

static void put_frames(const struct pdb *pdb)
{
        struct pdb_frame f;

        for (size_t at = 0; at < pdb->new_fpo.bytes.len; at += 32)
                if (pdb_frame_at(pdb, load_le32(pdb->new_fpo.bytes.at + at), &f))
                        printf("frame %08X %u %u %u %u %u %d %s\n", f.rva, f.len, f.locals, f.params, f.prologue,
                               f.saved, f.seh, f.program ? f.program : "");
}

static void put_symbol(const struct pdb_symbol *symbol)
{
        if (symbol->flags & PDB_PRIVATE)
                printf("private %s rva %x\n", symbol->name, symbol->rva);
        else
                printf("public %s rva %x flags %u\n", symbol->name, symbol->rva, symbol->flags);
}

int main(int argc, char **argv)
{
        struct stasis_error err = { 0 };
        struct stasis_pdb_id id;
        struct stasis_map map;
        struct pdb *pdb;

        if (argc != 2 || stasis_map_open(argv[1], &map, &err) != STASIS_OK)
                return 1;
        if (pdb_identify(map.bytes, argv[1], &id, &err) != STASIS_OK ||
            pdb_open(map.bytes, argv[1], &pdb, &err) != STASIS_OK) {
                fprintf(stderr, "%s\n", err.text);
                stasis_map_close(&map);
                return 2;
        }
        printf("guid ");
        for (unsigned i = 0; i < 16; i++) /* as a GUID is written: a number of 32 bits, two of 16, bytes */
                printf("%02X", id.guid[i < 4 ? 3 - i : i < 8 ? i ^ 1 : i]);
        printf(" age %u\n", id.age);
        for (size_t i = 0; i < pdb->symbol_count; i++)
                put_symbol(pdb_symbol_at(pdb, i));
        for (size_t i = 0; i < pdb->name_count; i++)
                put_type(pdb, pdb->name[i].name);
        put_frames(pdb);
        pdb_close(pdb);
        stasis_map_close(&map);
        return 0;
}
