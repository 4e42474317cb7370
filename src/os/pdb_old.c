/* SPDX-License-Identifier: MIT */
/*
 * Records of older compilers, whose names begin with their length (cvinfo.h, LF_..._ST): each takes as many bytes as a
 * terminated one, so that a copy of the stream becomes what newer compilers write.
 */
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"
#include "pdb_wire.h"

static const struct {
        uint16_t old, new;
} leaves[] = {
        { 0x0403, LF_ENUMERATE },  { 0x1003, LF_ARRAY },        { 0x1004, LF_CLASS },     { 0x1005, LF_STRUCTURE },
        { 0x1006, LF_UNION },      { 0x1007, LF_ENUM },         { 0x1403, LF_FRIENDFCN }, { 0x1405, LF_MEMBER },
        { 0x1406, LF_STMEMBER },   { 0x1407, LF_METHOD },       { 0x1408, LF_NESTTYPE },  { 0x140b, LF_ONEMETHOD },
        { 0x140d, LF_NESTTYPEEX }, { 0x140e, LF_MEMBERMODIFY },
};

/* 0: it is none. */
static uint16_t new_leaf(uint16_t kind)
{
        for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
                if (leaves[i].old == kind)
                        return leaves[i].new;
        return 0;
}

static void put_leaf(uint8_t *at, uint16_t leaf)
{
        at[0] = (uint8_t)leaf;
        at[1] = (uint8_t)(leaf >> 8);
}

/* The text at the cursor becomes a terminated one. */
static bool terminate(uint8_t *stream, const uint8_t *from, struct stasis_cursor *c)
{
        size_t len = c->left.len ? c->left.at[0] : 0;
        if (!c->left.len || len > c->left.len - 1)
                return false;
        uint8_t *at = stream + (c->left.at - from);
        memmove(at, at + 1, len);
        at[len] = 0;
        (void)cursor_take(c, len + 1);
        return true;
}

static bool old_fields(uint8_t *bytes, size_t len)
{
        struct stasis_cursor c = { .left = { bytes, len } };
        struct pdb_field f;
        while (c.left.len) {
                if (c.left.at[0] >= 0xf0) {
                        (void)cursor_take(&c, 1);
                        continue;
                }
                uint8_t *at = bytes + (c.left.at - bytes);
                uint16_t leaf = c.left.len >= 2 ? new_leaf(load_le16(at)) : 0;
                if (leaf)
                        put_leaf(at, leaf);
                bool named = pdb_field_head(&c, &f);
                if (c.bad || (named && !(leaf ? terminate(bytes, bytes, &c) : pdb_text(&c) != NULL)))
                        return false;
        }
        return true;
}

/* bytes: behind the length. False: its name is cut off. */
static bool old_record(uint8_t *bytes, size_t len)
{
        uint16_t kind = load_le16(bytes), leaf = new_leaf(kind);
        struct stasis_cursor c = { .left = { bytes + 2, len - 2 } };
        if (kind == LF_FIELDLIST)
                return old_fields(bytes + 2, len - 2);
        if (!leaf)
                return true;
        put_leaf(bytes, leaf);
        if (leaf == LF_ARRAY) {
                uint64_t size;
                (void)cursor_take(&c, 8);
                return pdb_numeric(&c, &size) && terminate(bytes, bytes, &c);
        }
        return pdb_udt_head(leaf, &c) && terminate(bytes, bytes, &c);
}

static bool is_old(struct stasis_bytes bytes, uint32_t at, uint32_t end)
{
        while (end - at >= 4) {
                uint16_t len = load_le16(bytes.at + at), kind = load_le16(bytes.at + at + 2);
                if (len < 2 || len > end - at - 2)
                        return false; /* said by whoever indexes them */
                if (kind != LF_FIELDLIST && new_leaf(kind))
                        return true;
                at += 2u + len;
        }
        return false;
}

enum stasis_status pdb_old_types(struct pdb *pdb, uint32_t at, uint32_t end, struct stasis_error *err)
{
        struct msf_stream *types = &pdb->types;
        if (!is_old(types->bytes, at, end))
                return STASIS_OK;
        if (!types->copy) {
                uint8_t *copy = malloc(types->bytes.len);
                if (!copy)
                        return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
                memcpy(copy, types->bytes.at, types->bytes.len);
                *types = (struct msf_stream){ { copy, types->bytes.len }, copy };
        }
        for (uint32_t type = pdb->type_begin; end - at >= 4; type++) {
                uint16_t len = load_le16(types->bytes.at + at);
                if (len < 2 || len > end - at - 2)
                        return STASIS_OK;
                if (!old_record(types->copy + at + 2, len))
                        return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "type 0x%x has no size or name", type);
                at += 2u + len;
        }
        return STASIS_OK;
}
