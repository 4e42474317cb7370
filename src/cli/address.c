/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <inttypes.h>

const char *address_status(const struct stasis_image *image, const struct stasis_address *address)
{
        if (address->status == STASIS_IO && stasis_image_is_virtual(image))
                return "not in image";
        if (address->verdict == STASIS_VERDICT_PRESENT)
                return "present";
        if (address->status == STASIS_CORRUPT)
                return "not canonical";
        if (address->verdict == STASIS_VERDICT_NOT_CAPTURED && !address->pte_count)
                return address->pa == STASIS_NOWHERE ? "table not in image" : "present";
        return "not present";
}

const char *address_word(const struct stasis_image *image, const struct stasis_address *address)
{
        if (address->verdict == STASIS_VERDICT_NOT_PRESENT || address->status == STASIS_CORRUPT ||
            (address->verdict == STASIS_VERDICT_NOT_CAPTURED && !address->pte_count))
                return address_status(image, address);
        return stasis_verdict_name(address->verdict);
}

bool backing_words(enum stasis_backing backing, unsigned pagefile, uint64_t off, struct text *ret_text)
{
        if (backing == STASIS_BACKING_PAGEFILE)
                text_printf(ret_text, "page file %u at 0x%" PRIx64, pagefile, off);
        else if (backing == STASIS_BACKING_STORE)
                text_printf(ret_text, "compressed store (page file %u) at 0x%" PRIx64, pagefile, off);
        return backing == STASIS_BACKING_PAGEFILE || backing == STASIS_BACKING_STORE;
}

void address_words(const struct stasis_address *address, struct text *ret_text)
{
        struct text where = { 0 };
        if (backing_words(address->backing, address->pagefile, address->off, &where))
                text_printf(ret_text, ", in %s", text_get(&where));
        if (address->why && address->pte_count)
                text_printf(ret_text, " (%s)", address->why);
        text_free(&where);
}

static void explain_pte(FILE *out, const struct stasis_pte *pte)
{
        fputs(pte->va == STASIS_NOWHERE ? "    entry" : "    prototype entry", out);
        if (pte->va != STASIS_NOWHERE)
                fprintf(out, " at va 0x%" PRIx64, pte->va);
        if (pte->pa != STASIS_NOWHERE)
                fprintf(out, " at pa 0x%" PRIx64, pte->pa);
        fprintf(out, "  0x%016" PRIx64, pte->value);
        if (pte->form)
                fprintf(out, "  %s", pte->form);
        for (size_t i = 0; i < pte->member_count; i++)
                fprintf(out, "%s %s 0x%" PRIx64, i ? "," : ":", pte->member[i].name, pte->member[i].value);
        putc('\n', out);
}

void address_explain(FILE *out, const struct stasis_address *address)
{
        for (size_t i = 0; i < address->pte_count; i++)
                explain_pte(out, &address->pte[i]);
        if (address->vad)
                fprintf(out, "    VAD at va 0x%" PRIx64 "\n", address->vad);
}

static void json_place(struct json *json, const char *key, bool known, uint64_t value)
{
        if (known)
                json_put_hex(json, key, value);
        else
                json_put_null(json, key);
}

static void json_pte(struct json *json, const struct stasis_pte *pte)
{
        json_begin(json, NULL, '{');
        json_place(json, "va", pte->va != STASIS_NOWHERE, pte->va);
        json_place(json, "pa", pte->pa != STASIS_NOWHERE, pte->pa);
        json_put_hex(json, "value", pte->value);
        json_put_text(json, "form", pte->form);
        json_begin(json, "members", '{');
        for (size_t i = 0; i < pte->member_count; i++)
                json_put_hex(json, pte->member[i].name, pte->member[i].value);
        json_end(json);
        json_end(json);
}

void address_json(struct json *json, const struct stasis_address *address)
{
        bool elsewhere = address->backing == STASIS_BACKING_PAGEFILE || address->backing == STASIS_BACKING_STORE;
        json_put_text(json, "verdict", stasis_verdict_name(address->verdict));
        json_put_text(json, "why", address->why);
        if (elsewhere)
                json_put_number(json, "pagefile", address->pagefile);
        else
                json_put_null(json, "pagefile");
        json_place(json, "pagefile_off", elsewhere, address->off);
        json_place(json, "vad", address->vad != 0, address->vad);
        json_begin(json, "software", '[');
        for (size_t i = 0; i < address->pte_count; i++)
                json_pte(json, &address->pte[i]);
        json_end(json);
}
