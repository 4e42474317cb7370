/* SPDX-License-Identifier: MIT */
#include "handle_table.h"

#include <stddef.h>
#include <string.h>

#include "../../base/bytes.h"

#define LEVEL_MASK 3u          /* of TableCode: levels of pointers above the entries */
#define FLAGS_MASK UINT64_C(7) /* of an entry's pointer until 7 */
#define ACCESS_MASK 0x1ffffffu /* the bits above are the table's own: ObpAccessProtectCloseBit and its like */
#define ATTRIBUTES_MASK 6u     /* OBJ_INHERIT, OBJ_AUDIT_OBJECT_CLOSE */
#define LA57_BITS 57
#define LA57_OBJECT_BIT 11 /* facts/windows/REPORT.md, 6.2 */
#define LA57_ATTRIBUTES_BIT 8
#define ARRAY_BEGIN 0xc /* of NT 4.0's table */
#define ARRAY_END 0x10
#define LAYERS_TOP 8 /* of 2000's */
#define LAYER 256
#define LAYERS_LOCK UINT32_C(0x80000000)
#define OLD_BODY 0x18 /* of an object of 32 bits behind its header, since 3.50 (G. Chappell, OBJECT_HEADER) */

/* ---------------------------------------------------------------- the format */

static const struct place_row handle_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct handle_format, name), { __VA_ARGS__ } \
        }
        PLACE(code, "_HANDLE_TABLE.TableCode"),
        PLACE(process_id, "_HANDLE_TABLE.UniqueProcessId"),
        PLACE(quota_process, "_HANDLE_TABLE.QuotaProcess"),
        PLACE(list, "_HANDLE_TABLE.HandleTableList"),
        PLACE(object, "_HANDLE_TABLE_ENTRY.ObjectPointerBits", "_HANDLE_TABLE_ENTRY.Object"),
        PLACE(access, "_HANDLE_TABLE_ENTRY.GrantedAccessBits", "_HANDLE_TABLE_ENTRY.GrantedAccess"),
        PLACE(attributes, "_HANDLE_TABLE_ENTRY.Attributes"),
#undef PLACE
};

/* A bit-field that five-level kernels have elsewhere. */
static void bind_la57(struct handle_format *f)
{
        f->object.bit = LA57_OBJECT_BIT;
        f->object.bits = 64 - LA57_OBJECT_BIT;
        if (f->attributes.has)
                f->attributes.bit = LA57_ATTRIBUTES_BIT;
}

static bool fits(const struct handle_format *f, const struct place *place)
{
        return !place->has || (place->size <= 8 && place->offset <= f->entry_size - (uint32_t)place->size);
}

bool handle_format_bind(const struct stasis_layout *layout, const struct stasis_paging *paging,
                        struct handle_format *ret_format)
{
        struct handle_format f = { .pointer_size = stasis_layout_pointer_size(layout), .step = 4 };
        struct stasis_member body;
        places_bind(layout, handle_rows, sizeof handle_rows / sizeof *handle_rows, &f);
        f.entry_size = (uint8_t)(2 * f.pointer_size);
        if (!f.code.has || !f.object.has || stasis_layout_sizeof(layout, "_HANDLE_TABLE_ENTRY") != f.entry_size ||
            !fits(&f, &f.object) || !fits(&f, &f.access) || !fits(&f, &f.attributes))
                return false;
        if (f.object.bits && f.pointer_size == 8 && paging->va_bits == LA57_BITS)
                bind_la57(&f);
        f.shift = f.pointer_size == 8 ? 4 : 3;
        f.va_bits = (uint8_t)(f.object.bits + f.shift);
        if (stasis_layout_member(layout, "_OBJECT_HEADER.Body", &body))
                f.body = body.offset;
        *ret_format = f;
        return true;
}

bool handle_format_old(uint32_t build, struct handle_format *ret_format)
{
        const struct handle_format array = { .form = HANDLE_ARRAY, .step = 1 };
        const struct handle_format layers = { .form = HANDLE_LAYERS, .step = 4 };
        if (build != 1381 && build != 2195)
                return false;
        *ret_format = build == 1381 ? array : layers;
        ret_format->pointer_size = 4;
        ret_format->entry_size = 8;
        ret_format->object = (struct place){ .has = true, .size = 4 };
        return true;
}

bool handle_format_of_process(const struct stasis_layout *layout, const struct stasis_paging *paging, uint32_t build,
                              struct handle_format *ret_format)
{
        if (handle_format_bind(layout, paging, ret_format))
                return true;
        if (!handle_format_old(build, ret_format))
                return false;
        ret_format->step = 4;
        ret_format->body = OLD_BODY;
        ret_format->access = (struct place){ .offset = 4, .size = 4, .has = true };
        return true;
}

/* ---------------------------------------------------------------- one entry */

static uint64_t field(const uint8_t *bytes, const struct place *place)
{
        uint64_t value = load_le(bytes + place->offset, place->size);
        return place->bits ? value >> place->bit & UINT64_MAX >> (64 - place->bits) : value;
}

/* The address whose upper bits were left out: a kernel's, so the highest one kept says what they were. */
static uint64_t unpacked(const struct handle_format *f, uint64_t bits)
{
        uint64_t va = bits << f->shift;
        if (f->pointer_size == 4 || f->va_bits >= 64)
                return f->pointer_size == 4 ? va & UINT32_MAX : va;
        return va >> (f->va_bits - 1) & 1 ? va | UINT64_MAX << f->va_bits : va;
}

bool handle_entry_decode(const struct handle_format *format, const uint8_t *bytes, struct handle_entry *ret_entry)
{
        uint64_t packed = field(bytes, &format->object), attributes = 0;
        uint64_t object = format->object.bits ? unpacked(format, packed) : packed & ~FLAGS_MASK;
        if (!object)
                return false;
        if (format->form == HANDLE_LAYERS)
                object |= LAYERS_LOCK;
        if (format->attributes.has)
                attributes = field(bytes, &format->attributes) << 1; /* without the lowest, which is the lock's place */
        else if (!format->object.bits)
                attributes = packed;
        ret_entry->object = object;
        ret_entry->attributes = (uint8_t)(attributes & ATTRIBUTES_MASK);
        ret_entry->access = format->access.has ? (uint32_t)field(bytes, &format->access) & ACCESS_MASK : 0;
        return true;
}

/* ---------------------------------------------------------------- a table */

/* TableCode taken apart. */
struct table {
        const struct handle_format *f;
        uint64_t top; /* entries, or pointers to pages, or pointers to pages of pointers */
        unsigned level;
        size_t per_leaf, per_page; /* entries, pointers */
        uint64_t end;              /* of an array; 0: it is none */
};

static enum stasis_status open_array(struct stasis_space *space, const struct handle_format *f, uint64_t table,
                                     struct table *ret_table)
{
        uint64_t begin, end;
        enum stasis_status status = stasis_space_u(space, table + ARRAY_BEGIN, 4, &begin);
        if (status == STASIS_OK)
                status = stasis_space_u(space, table + ARRAY_END, 4, &end);
        if (status != STASIS_OK)
                return status;
        *ret_table = (struct table){ .f = f, .top = begin, .end = end, .per_leaf = HANDLE_TABLE_PAGE / f->entry_size };
        bool upper = begin >> 31 && end > begin, fits = (end - begin) / f->entry_size <= HANDLES_MAX;
        return !upper || !fits || begin % 8 || end % 8 ? STASIS_CORRUPT : STASIS_OK;
}

static enum stasis_status open_layers(struct stasis_space *space, const struct handle_format *f, uint64_t table,
                                      struct table *ret_table)
{
        uint64_t top;
        enum stasis_status status = stasis_space_u(space, table + LAYERS_TOP, 4, &top);
        if (status != STASIS_OK)
                return status;
        *ret_table = (struct table){ .f = f, .top = top, .level = 2, .per_leaf = LAYER, .per_page = LAYER };
        return top % 8 || !(top >> 31) ? STASIS_CORRUPT : STASIS_OK;
}

static enum stasis_status open_table(struct stasis_space *space, const struct handle_format *f, uint64_t table,
                                     struct table *ret_table)
{
        uint64_t code;
        if (f->form == HANDLE_ARRAY)
                return open_array(space, f, table, ret_table);
        if (f->form == HANDLE_LAYERS)
                return open_layers(space, f, table, ret_table);
        enum stasis_status status = read_place(space, table, &f->code, &code);
        if (status != STASIS_OK)
                return status;
        *ret_table = (struct table){ .f = f,
                                     .top = code & ~(uint64_t)LEVEL_MASK,
                                     .level = (unsigned)(code & LEVEL_MASK),
                                     .per_leaf = HANDLE_TABLE_PAGE / f->entry_size,
                                     .per_page = HANDLE_TABLE_PAGE / f->pointer_size };
        bool upper = ret_table->top >> (8 * f->pointer_size - 1);
        return ret_table->level > 2 || ret_table->top % 8 || !upper ? STASIS_CORRUPT : STASIS_OK;
}

/* Pages of entries that the table can have. Its top page is shorter than one: 24 bits of index fill no third level. */
static size_t leaves(const struct table *t)
{
        if (t->end)
                return (size_t)((t->end - t->top + HANDLE_TABLE_PAGE - 1) / HANDLE_TABLE_PAGE);
        return t->level == 0 ? 1 : t->level == 1 ? t->per_page : HANDLES_MAX / t->per_leaf;
}

/* Bytes of it: of an array, what is left. */
static size_t leaf_len(const struct table *t, uint64_t leaf)
{
        if (t->end && t->end - leaf < HANDLE_TABLE_PAGE)
                return (size_t)(t->end - leaf);
        return t->per_leaf * t->f->entry_size;
}

/* Has page number n of entries this one? The first of each page is the page's own, of the older tables the very first.
 */
static bool is_handle(const struct table *t, size_t number, size_t i)
{
        return i || (t->f->form != HANDLE_CODED && number);
}

/* A free entry of an array leads to others. */
static bool is_link(const struct table *t, const struct handle_entry *entry)
{
        return t->end && entry->object >= (t->top & ~FLAGS_MASK) && entry->object < t->end;
}

/* Address of page number i of entries; 0: there is none, and *ret_skip tells how many such follow, this one counted. */
static enum stasis_status leaf_at(struct stasis_space *space, const struct table *t, size_t i, uint64_t *ret_leaf,
                                  size_t *ret_skip)
{
        uint64_t page = t->end ? t->top + i * HANDLE_TABLE_PAGE : t->top;
        enum stasis_status status = STASIS_OK;
        *ret_skip = 1;
        if (t->level == 2) {
                status = stasis_space_u(space, page + i / t->per_page * t->f->pointer_size, t->f->pointer_size, &page);
                if (status != STASIS_OK || !page)
                        *ret_skip = t->per_page - i % t->per_page;
        }
        if (t->level >= 1 && status == STASIS_OK && page)
                status = stasis_space_u(space, page + i % t->per_page * t->f->pointer_size, t->f->pointer_size, &page);
        *ret_leaf = page;
        return status;
}

static void count_missing(struct handle_walk *walk, uint64_t at)
{
        if (!walk->missing++)
                walk->missing_at = at;
}

static enum stasis_status walk_leaf(const struct table *t, size_t number, uint64_t va, const uint8_t *bytes,
                                    handle_entry_fn *fn, void *ctx, struct handle_walk *walk)
{
        enum stasis_status status = STASIS_OK;
        size_t count = leaf_len(t, va) / t->f->entry_size;
        for (size_t i = 0; i < count && status == STASIS_OK; i++) {
                struct handle_entry entry = { .handle = t->f->step * (uint64_t)(number * t->per_leaf + i),
                                              .va = va + i * t->f->entry_size };
                if (!is_handle(t, number, i) || !handle_entry_decode(t->f, bytes + i * t->f->entry_size, &entry) ||
                    is_link(t, &entry))
                        continue;
                walk->entries++;
                status = fn(ctx, &entry);
        }
        return status;
}

enum stasis_status handle_table_walk(struct stasis_space *space, const struct handle_format *format, uint64_t table,
                                     size_t max_pages, handle_entry_fn *fn, void *ctx, struct handle_walk *ret_walk)
{
        uint8_t bytes[HANDLE_TABLE_PAGE];
        struct table t;
        *ret_walk = (struct handle_walk){ 0 };
        enum stasis_status status = open_table(space, format, table, &t);
        for (size_t i = 0, skip = 1, end = status == STASIS_OK ? leaves(&t) : 0; i < end; i += skip) {
                uint64_t leaf;
                if (leaf_at(space, &t, i, &leaf, &skip) != STASIS_OK) {
                        count_missing(ret_walk, t.top);
                        continue;
                }
                if (!leaf)
                        continue;
                if (max_pages && ret_walk->pages + ret_walk->missing >= max_pages) {
                        ret_walk->cut = true;
                        break;
                }
                if (leaf % 8 || stasis_space_read(space, leaf, bytes, leaf_len(&t, leaf)) != STASIS_OK) {
                        count_missing(ret_walk, leaf);
                        continue;
                }
                ret_walk->pages++;
                status = walk_leaf(&t, i, leaf, bytes, fn, ctx, ret_walk);
                if (status != STASIS_OK)
                        break;
        }
        return status;
}

enum stasis_status handle_table_lookup(struct stasis_space *space, const struct handle_format *format, uint64_t table,
                                       uint64_t handle, struct handle_entry *ret_entry)
{
        uint8_t bytes[16];
        struct table t;
        uint64_t leaf;
        size_t skip;
        enum stasis_status status = open_table(space, format, table, &t);
        if (status != STASIS_OK)
                return status;
        uint64_t index = handle / format->step;
        if (index / t.per_leaf >= leaves(&t) || !is_handle(&t, (size_t)(index / t.per_leaf), index % t.per_leaf) ||
            (t.end && index >= (t.end - t.top) / format->entry_size))
                return STASIS_ABSENT;
        status = leaf_at(space, &t, (size_t)(index / t.per_leaf), &leaf, &skip);
        if (status != STASIS_OK || !leaf)
                return status != STASIS_OK ? status : STASIS_ABSENT;
        struct handle_entry entry = { .handle = index * format->step,
                                      .va = leaf + index % t.per_leaf * format->entry_size };
        status = stasis_space_read(space, entry.va, bytes, format->entry_size);
        if (status != STASIS_OK)
                return status;
        if (!handle_entry_decode(format, bytes, &entry) || is_link(&t, &entry))
                return STASIS_ABSENT;
        *ret_entry = entry;
        return STASIS_OK;
}
