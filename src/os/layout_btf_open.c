/* SPDX-License-Identifier: MIT */
/* BTF: what is checked once (every type lies inside, strings end), and the index by name. */
#include <stdlib.h>

#include "../base/error.h"
#include "layout_btf.h"
#include "layout_names.h"

#define BTF_BLOB_MAX (UINT64_C(1) << 28) /* the largest seen has 7 MB */

/* Bytes behind the 12 of a type: fixed, and for each of vlen. */
static const struct {
        uint8_t fixed, each;
} extra[BTF_KINDS] = {
        [BTF_INT] = { 4, 0 },      [BTF_ARRAY] = { 12, 0 },     [BTF_STRUCT] = { 0, 12 }, [BTF_UNION] = { 0, 12 },
        [BTF_ENUM] = { 0, 8 },     [BTF_FUNC_PROTO] = { 0, 8 }, [BTF_VAR] = { 4, 0 },     [BTF_DATASEC] = { 0, 12 },
        [BTF_DECL_TAG] = { 4, 0 }, [BTF_ENUM64] = { 0, 12 },
};

struct sections {
        struct stasis_bytes types, strings;
};

static enum stasis_status sections_read(struct stasis_bytes blob, const char *name, struct sections *ret,
                                        struct stasis_error *err)
{
        const struct btf_wire_header *h = (const void *)blob.at;
        if (blob.len < sizeof *h)
                return stasis_fail(err, STASIS_CORRUPT, "%s: BTF: cut in its header", name);
        if (load_le16(h->magic) == 0x9feb)
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: BTF of a big-endian machine", name);
        if (load_le16(h->magic) != BTF_MAGIC || h->version[0] != 1)
                return stasis_fail(err, STASIS_CORRUPT, "%s: not BTF version 1", name);
        uint64_t from = load_le32(h->hdr_len);
        if (from < sizeof *h || blob.len > BTF_BLOB_MAX)
                return stasis_fail(err, STASIS_CORRUPT, "%s: BTF: its header has an impossible length", name);
        ret->types = bytes_slice(blob, from + load_le32(h->type_off), load_le32(h->type_len));
        ret->strings = bytes_slice(blob, from + load_le32(h->str_off), load_le32(h->str_len));
        if (!ret->types.at || !ret->strings.at)
                return stasis_fail(err, STASIS_CORRUPT, "%s: BTF: cut: types or strings end after byte %zu", name,
                                   blob.len);
        if (ret->strings.len == 0 || ret->strings.at[ret->strings.len - 1] != 0)
                return stasis_fail(err, STASIS_CORRUPT, "%s: BTF: the strings do not end", name);
        if (ret->strings.at[0] != 0) /* they continue those of the kernel, which start with an empty one */
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: BTF of a module, which needs that of its kernel",
                                   name);
        return STASIS_OK;
}

static uint32_t type_len(struct stasis_bytes types, size_t at)
{
        const struct btf_wire_type *t = (const void *)(types.at + at);
        uint32_t info = load_le32(t->info), kind = info >> 24 & 0x1f, vlen = info & 0xffff;
        if (kind == BTF_VOID || kind >= BTF_KINDS)
                return 0;
        return (uint32_t)sizeof *t + extra[kind].fixed + extra[kind].each * vlen;
}

/* Two passes: how many types, then where each is. */
static enum stasis_status types_read(struct btf *btf, struct stasis_error *err)
{
        size_t count = 1, at = 0;
        while (at < btf->types.len) {
                uint32_t len = btf->types.len - at < sizeof(struct btf_wire_type) ? 0 : type_len(btf->types, at);
                if (len == 0 || len > btf->types.len - at)
                        return stasis_fail(err, STASIS_CORRUPT, "%s: BTF: type %zu is of no kind known, or cut",
                                           btf->layout.name, count);
                at += len;
                count++;
        }
        btf->offset = malloc(count * sizeof *btf->offset);
        if (!btf->offset)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", btf->layout.name);
        btf->offset[0] = 0;
        btf->count = 1;
        for (at = 0; at < btf->types.len; at += type_len(btf->types, at))
                btf->offset[btf->count++] = (uint32_t)at;
        return STASIS_OK;
}

/* ---- the index */

static bool is_named_type(const struct btf_type *t)
{
        return t->kind == BTF_STRUCT || t->kind == BTF_UNION || t->kind == BTF_ENUM || t->kind == BTF_ENUM64 ||
               t->kind == BTF_TYPEDEF;
}

/* Of several types of one name and kind the first one stays. */
static void index_add(struct btf *btf, uint32_t id, const struct btf_type *t)
{
        const char *name = btf_name(btf, t->name);
        size_t len = strnlen(name, BTF_NAME_MAX);
        if (len == 0 || len == BTF_NAME_MAX)
                return;
        uint32_t hash = layout_hash(name, len);
        for (uint32_t i = 0; i < BTF_PROBES_MAX; i++) {
                struct btf_slot *slot = &btf->slot[(hash + i) & (btf->slots - 1)];
                struct btf_type other;
                if (slot->id == 0) {
                        *slot = (struct btf_slot){ hash, id };
                        return;
                }
                if (slot->hash == hash && btf_type_at(btf, slot->id, &other) && other.kind == t->kind &&
                    strcmp(btf_name(btf, other.name), name) == 0)
                        return;
        }
}

static enum stasis_status index_make(struct btf *btf, struct stasis_error *err)
{
        uint32_t named = 0;
        struct btf_type t;
        for (uint32_t id = 1; id < btf->count; id++)
                named += btf_type_at(btf, id, &t) && is_named_type(&t);
        for (btf->slots = 64; btf->slots < 2 * named;)
                btf->slots *= 2;
        btf->slot = calloc(btf->slots, sizeof *btf->slot);
        if (!btf->slot)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", btf->layout.name);
        for (uint32_t id = 1; id < btf->count; id++)
                if (btf_type_at(btf, id, &t) && is_named_type(&t))
                        index_add(btf, id, &t);
        return STASIS_OK;
}

/* BTF does not say how wide a pointer is; "long" has its width on every Linux. */
static uint8_t pointer_size(const struct btf *btf)
{
        struct btf_type t;
        for (uint32_t id = 1; id < btf->count; id++) {
                if (!btf_type_at(btf, id, &t) || t.kind != BTF_INT || (t.size != 4 && t.size != 8))
                        continue;
                const char *name = btf_name(btf, t.name);
                if (strcmp(name, "long unsigned int") == 0 || strcmp(name, "long int") == 0 ||
                    strcmp(name, "unsigned long") == 0 || strcmp(name, "long") == 0) /* gcc's words, and clang's */
                        return (uint8_t)t.size;
        }
        return 0;
}

enum stasis_status stasis_layout_open_btf(struct stasis_bytes blob, const char *name, struct stasis_layout **ret_layout,
                                          struct stasis_error *err)
{
        struct sections sections = { 0 };
        enum stasis_status status = sections_read(blob, name, &sections, err);
        if (status != STASIS_OK)
                return status;
        struct btf *btf = calloc(1, sizeof *btf);
        char *kept = btf ? strdup(name) : NULL;
        if (!kept) {
                free(btf);
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        }
        btf->layout = (struct stasis_layout){ .name = kept, .backend = &layout_btf };
        btf->types = sections.types;
        btf->strings = sections.strings;
        status = types_read(btf, err);
        if (status == STASIS_OK)
                status = index_make(btf, err);
        btf->layout.pointer_size = status == STASIS_OK ? pointer_size(btf) : 0;
        if (status == STASIS_OK && btf->layout.pointer_size == 0)
                status = stasis_fail(err, STASIS_CORRUPT, "%s: BTF: no type 'long' of 4 or 8 bytes, as each kernel has",
                                     name);
        if (status == STASIS_OK)
                *ret_layout = &btf->layout;
        else
                stasis_layout_close(&btf->layout);
        return status;
}
