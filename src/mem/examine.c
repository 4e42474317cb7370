/* SPDX-License-Identifier: MIT */
/* What an address comes to, in words. Beyond what tables say, the soft-fault hook knows. */
#include "space.h"

static const char *const verdict_names[] = {
        [STASIS_VERDICT_PRESENT] = "present",         [STASIS_VERDICT_TRANSITION] = "transition",
        [STASIS_VERDICT_PROTOTYPE] = "prototype",     [STASIS_VERDICT_DEMAND_ZERO] = "demand-zero",
        [STASIS_VERDICT_PAGED_OUT] = "paged out",     [STASIS_VERDICT_COMPRESSED] = "compressed store",
        [STASIS_VERDICT_MAPPED_FILE] = "mapped file", [STASIS_VERDICT_NOT_CAPTURED] = "not captured",
        [STASIS_VERDICT_INVALID] = "invalid",         [STASIS_VERDICT_NOT_PRESENT] = "not present",
};

const char *stasis_verdict_name(enum stasis_verdict verdict)
{
        size_t i = (size_t)verdict;
        return i < sizeof verdict_names / sizeof *verdict_names ? verdict_names[i] : "?";
}

static const char *const backing_names[] = {
        [STASIS_BACKING_NONE] = "none",
        [STASIS_BACKING_IMAGE] = "image",
        [STASIS_BACKING_PAGEFILE] = "page file",
        [STASIS_BACKING_STORE] = "compressed store",
};

const char *stasis_backing_name(enum stasis_backing backing)
{
        size_t i = (size_t)backing;
        return i < sizeof backing_names / sizeof *backing_names ? backing_names[i] : "?";
}

/* A frame that was named: does the image hold this byte of it? */
static void look_in_image(const struct stasis_space *space, struct stasis_address *address)
{
        address->pa = address->walk.pa;
        address->backing = STASIS_BACKING_IMAGE;
        uint8_t byte;
        if (stasis_image_read(space->image, address->pa, &byte, 1) == STASIS_OK)
                return;
        address->status = STASIS_IO;
        address->verdict = STASIS_VERDICT_NOT_CAPTURED;
        address->why = "the page is not in the image";
}

void stasis_space_examine(struct stasis_space *space, uint64_t va, struct stasis_address *ret_address)
{
        struct stasis_soft_fault fault = { .walk = &ret_address->walk, .detail = ret_address };
        *ret_address = (struct stasis_address){ .verdict = STASIS_VERDICT_NOT_PRESENT, .pa = STASIS_NOWHERE };
        ret_address->status = stasis_space_resolve(space, va, &fault);
        bool flat = !space->paging->levels, plain = !fault.host;
        switch (ret_address->status) {
        case STASIS_OK:
                if (ret_address->verdict == STASIS_VERDICT_NOT_PRESENT)
                        ret_address->verdict = STASIS_VERDICT_PRESENT;
                if (plain)
                        look_in_image(space, ret_address);
                break;
        case STASIS_IO:
                ret_address->verdict = STASIS_VERDICT_NOT_CAPTURED;
                if (!ret_address->why)
                        ret_address->why = flat ? "it is not in the image" : "a table is not in the image";
                break;
        case STASIS_CORRUPT:
                ret_address->verdict = STASIS_VERDICT_INVALID;
                ret_address->why = "not canonical";
                break;
        default: break; /* the hook's word, or none */
        }
}
