/* SPDX-License-Identifier: MIT */
/* One record of facts as a JSON object. */
#include <stdio.h>
#include <string.h>

#include "hints.h"
#include "json.h"
#include "value.h"

#define _object_cleanup_ __attribute__((cleanup(object_putp)))

static void object_putp(struct json_object **object) { json_object_put(*object); }

static struct json_object *steal(struct json_object **object)
{
        struct json_object *stolen = *object;

        *object = NULL;
        return stolen;
}

/* Takes value over; false where value (or memory) is not there. */
static bool array_add(struct json_object *array, struct json_object *value)
{
        if (!value)
                return false;
        if (json_object_array_add(array, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

static struct json_object *flags(const struct stasis_column *column, uint64_t value)
{
        _object_cleanup_ struct json_object *object = json_object_new_object();
        _object_cleanup_ struct json_object *names = json_object_new_array();
        struct text flag = { 0 };
        bool good = object && names && json_add(object, "value", json_hex(value));

        for (size_t i = 0; good && i < column->name_count; i++) {
                text_reset(&flag);
                if (value_flag(&column->names[i], value, &flag))
                        good = array_add(names, json_text(text_get(&flag)));
        }
        text_free(&flag);
        if (!good || !json_add(object, "names", steal(&names)))
                return NULL;
        return steal(&object);
}

static struct json_object *texts(const char *list)
{
        _object_cleanup_ struct json_object *array = json_object_new_array();

        while (array && *list) {
                struct text element = { 0 };
                size_t len = strcspn(list, "\n");
                text_add(&element, list, len);
                bool good = array_add(array, json_text(text_get(&element)));
                text_free(&element);
                if (!good)
                        return NULL;
                list += len + (list[len] == '\n');
        }
        return steal(&array);
}

/* ---- stacks and registers */

static bool add_null(struct json_object *object, const char *key)
{
        return json_object_object_add(object, key, NULL) == 0;
}

static bool add_hex_or_null(struct json_object *object, const char *key, bool known, uint64_t value_of)
{
        return known ? json_add(object, key, json_hex(value_of)) : add_null(object, key);
}

static bool add_text_or_null(struct json_object *object, const char *key, const char *text)
{
        return text ? json_add(object, key, json_text(text)) : add_null(object, key);
}

static struct json_object *frame(const struct stasis_frame *f)
{
        _object_cleanup_ struct json_object *object = json_object_new_object();
        bool named = f->symbol || f->module;

        if (!object || !json_add(object, "pc", json_hex(f->pc)) || !add_text_or_null(object, "symbol", f->symbol) ||
            !(named ? json_add(object, "offset", json_object_new_uint64(f->offset)) : add_null(object, "offset")) ||
            !add_text_or_null(object, "module", f->module) || !json_add(object, "sp", json_hex(f->sp)) ||
            !add_hex_or_null(object, "slot", f->slot != STASIS_NOWHERE, f->slot) ||
            !json_add(object, "how", json_text(stasis_how_name(f->how))) ||
            !json_add(object, "trust", json_text(stasis_trust_name(f->trust))) ||
            !json_add(object, "exact", json_object_new_boolean(f->exact)) ||
            (f->symbol_from && !json_add(object, "symbol_from", json_text(f->symbol_from))))
                return NULL;
        return steal(&object);
}

struct json_object *json_frames(const struct stasis_fact *fact)
{
        _object_cleanup_ struct json_object *array = json_object_new_array();

        for (uint64_t i = 0; array && i < fact->value; i++)
                if (!array_add(array, frame(&fact->frame[i])))
                        return NULL;
        return steal(&array);
}

static bool add_selectors(struct json_object *object, const struct stasis_registers *r)
{
        const struct {
                const char *name;
                uint16_t value;
        } selectors[] = { { "cs", r->cpu.cs }, { "ss", r->cpu.ss }, { "ds", r->cpu.ds },
                          { "es", r->cpu.es }, { "fs", r->cpu.fs }, { "gs", r->cpu.gs } };
        size_t count = r->width == 4 || r->cpu.known & STASIS_CPU_SEGMENT ? 6 : 2;

        for (size_t i = 0; i < count; i++)
                if (!add_hex_or_null(object, selectors[i].name,
                                     i < 2 ? r->known & STASIS_REGISTERS_SELECTORS : r->cpu.known & STASIS_CPU_SEGMENT,
                                     selectors[i].value))
                        return false;
        return true;
}

static bool add_debug(struct json_object *object, const struct stasis_cpu *cpu)
{
        static const uint8_t number[] = { 0, 1, 2, 3, 6, 7 };
        char name[8];

        for (size_t i = 0; i < sizeof(number); i++) {
                snprintf(name, sizeof(name), "dr%u", number[i]);
                if (!json_add(object, name, json_hex(cpu->dr[number[i]])))
                        return false;
        }
        return true;
}

static struct json_object *xmm(const uint8_t bytes[16])
{
        struct text text = { 0 };

        xmm_text(&text, bytes);
        struct json_object *object = text_get(&text) ? json_object_new_string(text_get(&text)) : NULL;
        text_free(&text);
        return object;
}

/* As 128-bit numbers; null where one is not known. */
static bool add_xmm(struct json_object *object, const struct stasis_registers *r)
{
        _object_cleanup_ struct json_object *array = json_object_new_array();
        size_t count = r->width == 4 ? 8 : 16;

        for (size_t i = 0; array && i < count; i++) {
                if (r->xmm_known >> i & 1 ? !array_add(array, xmm(r->cpu.xmm[i]))
                                          : json_object_array_add(array, NULL) != 0)
                        return false;
        }
        return array && json_add(object, "xmm", steal(&array));
}

/* Debug and vector registers, where some are known. */
static bool add_rest(struct json_object *object, const struct stasis_registers *r)
{
        if (r->cpu.known & STASIS_CPU_DEBUG && !add_debug(object, &r->cpu))
                return false;
        if (r->cpu.known & STASIS_CPU_VECTOR && !json_add(object, "mxcsr", json_hex(r->cpu.mxcsr)))
                return false;
        return r->xmm_known == 0 || add_xmm(object, r);
}

/* Every register that such a machine has; null where it is not known. */
static struct json_object *registers(const struct stasis_registers *r)
{
        _object_cleanup_ struct json_object *object = json_object_new_object();
        const char *name;

        if (!object || !add_text_or_null(object, "origin", r->cpu.origin))
                return NULL;
        for (unsigned i = 0; i < STASIS_REGISTERS; i++) {
                name = stasis_register_name(r->width, i);
                if (name && !add_hex_or_null(object, name, r->known >> i & 1, stasis_register_value(r, i)))
                        return NULL;
        }
        return add_selectors(object, r) && add_rest(object, r) ? steal(&object) : NULL;
}

/* Each row is a record of its own. */
static struct json_object *list(const struct stasis_list *rows, const struct stasis_image *evidence)
{
        _object_cleanup_ struct json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < rows->rows; i++) {
                const struct stasis_record row = { .column = rows->column,
                                                   .fact = rows->fact + i * rows->columns,
                                                   .count = rows->columns };
                if (!array_add(array, json_record(&row, evidence)))
                        return NULL;
        }
        return steal(&array);
}

static struct json_object *value(const struct stasis_column *column, const struct stasis_fact *fact,
                                 const struct stasis_image *evidence)
{
        struct text text = { 0 };
        struct json_object *object = NULL;

        switch (column->kind) {
        case STASIS_KIND_NUMBER: return json_object_new_uint64(fact->value);
        case STASIS_KIND_SIGNED: return json_object_new_int64((int64_t)fact->value);
        case STASIS_KIND_BOOL: return json_object_new_boolean(fact->value != 0);
        case STASIS_KIND_FLAGS: return flags(column, fact->value);
        case STASIS_KIND_TEXTS: return texts(fact->text ? fact->text : "");
        case STASIS_KIND_STACK: return json_frames(fact);
        case STASIS_KIND_REGISTERS: return registers(fact->registers);
        case STASIS_KIND_LIST: return list(fact->list, evidence);
        default: break;
        }
        value_text(column, fact, &text);
        object = json_object_new_string(text_get(&text));
        text_free(&text);
        return object;
}

/* Beside a code address: "start_address_symbol", null where the module is not known. */
static bool add_symbol(struct json_object *object, const struct stasis_column *column, const struct stasis_fact *fact)
{
        struct text key = { 0 }, symbol = { 0 };

        text_printf(&key, "%s_symbol", column->key);
        bool known = fact->absence == STASIS_PRESENT && value_symbol(fact, &symbol);
        bool good = known ? json_add(object, text_get(&key), json_text(text_get(&symbol)))
                          : json_object_object_add(object, text_get(&key), NULL) == 0;
        text_free(&key);
        text_free(&symbol);
        return good;
}

static bool add_place(struct json_object *object, const char *key, bool known, uint64_t value_at)
{
        return add_hex_or_null(object, key, known, value_at);
}

static bool add_evidence(struct json_object *evidence, const char *key, const struct stasis_fact *fact,
                         const struct stasis_image *image)
{
        uint64_t off = 0;

        if (fact->va == STASIS_NOWHERE && fact->pa == STASIS_NOWHERE)
                return true; /* derived from other facts */
        struct json_object *place = json_object_new_object();
        if (!json_add(evidence, key, place))
                return false;
        bool held = value_offset(image, fact, &off);
        bool elsewhere = fact->backing == STASIS_BACKING_PAGEFILE || fact->backing == STASIS_BACKING_STORE;
        return add_place(place, "va", fact->va != STASIS_NOWHERE, fact->va) &&
               add_place(place, "pa", fact->pa != STASIS_NOWHERE, fact->pa) && add_place(place, "off", held, off) &&
               (!elsewhere || (json_add(place, "pagefile", json_object_new_uint64(fact->pagefile)) &&
                               json_add(place, "pagefile_off", json_hex(fact->off))));
}

static bool add_fact(struct json_object *object, struct json_object *absent, const struct stasis_column *column,
                     const struct stasis_fact *fact, const struct stasis_image *evidence)
{
        if (fact->absence == STASIS_PRESENT) {
                if (!json_add(object, column->key, value(column, fact, evidence)))
                        return false;
        } else {
                if (json_object_object_add(object, column->key, NULL) != 0 ||
                    !json_add(absent, column->key, json_text(stasis_absence_name(fact->absence))))
                        return false;
        }
        return column->kind != STASIS_KIND_CODE || add_symbol(object, column, fact);
}

struct json_object *json_record(const struct stasis_record *record, const struct stasis_image *evidence)
{
        _object_cleanup_ struct json_object *object = json_object_new_object();
        _object_cleanup_ struct json_object *absent = json_object_new_object();
        _object_cleanup_ struct json_object *places = json_object_new_object();

        if (!object || !absent || !places)
                return NULL;
        for (size_t i = 0; i < record->count; i++) {
                if (!add_fact(object, absent, &record->column[i], &record->fact[i], evidence))
                        return NULL;
                if (evidence && !add_evidence(places, record->column[i].key, &record->fact[i], evidence))
                        return NULL;
        }
        if (!json_add(object, "absent", steal(&absent)))
                return NULL;
        if (evidence && !json_add(object, "evidence", steal(&places)))
                return NULL;
        return steal(&object);
}
