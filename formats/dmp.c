/* SPDX-License-Identifier: MIT */
/* Windows crash dumps, 32 and 64 bit: which kind it is, and who reads that kind. docs/formats/dmp.md. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "dmp.h"
#include "dmp_wire.h"
#include "format.h"

/* What the header tells is all that is read. */
static enum stasis_status read_nothing(struct dmp *dmp, struct stasis_error *err)
{
        (void)err;
        dmp->image->bare = true;
        return STASIS_OK;
}

/* A new kind of dump is one row. */
static const struct type {
        uint32_t type;
        const char *name;
        enum stasis_status (*read)(struct dmp *, struct stasis_error *);
        bool only_wide; /* known from 64-bit dumps alone */
} types[] = {
        { 1, "full", dmp_read_runs, false },
        { 2, "kernel summary", dmp_read_summary, false },
        { 3, "header only", read_nothing, false },
        { DMP_TYPE_TRIAGE, "triage", dmp_read_triage, false },
        { 5, "full, bitmap", dmp_read_bitmap, false },
        { 6, "kernel, bitmap", dmp_read_bitmap, false },
        { 7, "automatic, bitmap", dmp_read_bitmap, false },
        { 8, "kernel, ranges", dmp_read_ranges, true },
        { 9, "kernel and user, ranges", dmp_read_ranges, true },
        { 10, "full, ranges", dmp_read_ranges, true },
};
/* NT 4.0 and 2000 wrote no type: nothing but full dumps, until a bitmap header says otherwise. */
static const struct type untyped_full = { 0, "full, no type in the header", dmp_read_runs, false };
static const struct type untyped_bitmap = { 0, "bitmap, no type in the header", dmp_read_summary, false };

/* The name that people know a build by; each row holds from its build up to the next row's. */
static const struct {
        uint32_t build;
        const char *name;
} systems[] = {
        { 0, "Windows" },        { 1057, "Windows NT 3.51" }, { 1381, "Windows NT 4.0" }, { 2195, "Windows 2000" },
        { 2600, "Windows XP" },  { 3790, "Windows 2003" },    { 6000, "Windows Vista" },  { 7600, "Windows 7" },
        { 9200, "Windows 8" },   { 9600, "Windows 8.1" },     { 10240, "Windows 10" },    { 20348, "Windows 2022" },
        { 22000, "Windows 11" },
};

static const char *system_name(uint32_t build)
{
        const char *name = systems[0].name;
        for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
                if (build >= systems[i].build)
                        name = systems[i].name;
        return name;
}

static const char *machine_name(enum stasis_machine machine)
{
        switch (machine) {
        case STASIS_MACHINE_X86: return "x86";
        case STASIS_MACHINE_X64: return "x64";
        case STASIS_MACHINE_ARM64: return "ARM64";
        case STASIS_MACHINE_UNKNOWN: break;
        }
        return "unknown machine";
}

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        if (head.len < 8)
                return 0;
        return memcmp(head.at, DMP_MAGIC32, 8) == 0 || memcmp(head.at, DMP_MAGIC64, 8) == 0 ? 100 : 0;
}

/* "Windows 10 build 19041, x64, bug check 0x1000007e": what the header tells even where nothing else is read. */
static void describe(const struct stasis_hints *hints, char *buf, size_t len)
{
        size_t at = (size_t)snprintf(buf, len, "%s", system_name(hints->build));
        if (hints->known & STASIS_HINT_BUILD)
                at += (size_t)snprintf(buf + at, len - at, " build %" PRIu32, hints->build);
        at += (size_t)snprintf(buf + at, len - at, ", %s", machine_name(hints->machine));
        if (hints->known & STASIS_HINT_BUGCHECK)
                (void)snprintf(buf + at, len - at, ", bug check 0x%" PRIx32, hints->bugcheck);
}

static enum stasis_status unsupported(const struct dmp *dmp, const struct type *type, uint32_t number,
                                      struct stasis_error *err)
{
        char header[160];
        describe(&dmp->image->hints, header, sizeof header);
        return stasis_fail(err, STASIS_UNSUPPORTED, "%s%sdump (type %" PRIu32 "): not read by this version; header: %s",
                           type ? type->name : "", type ? " " : "", number, header);
}

static const struct type *find_type(const struct dmp *dmp, uint32_t *ret_number)
{
        uint64_t number;
        *ret_number = 0;
        if (!dmp_get(dmp, dmp->width->dump_type, &number) || number == 0)
                return dmp_has_bitmap(dmp) ? &untyped_bitmap : &untyped_full;
        *ret_number = (uint32_t)number;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
                if (types[i].type == number)
                        return &types[i];
        return NULL;
}

/*
 * Bug checks that are none: these codes "can never be used for a real bug check", they name live dumps (Microsoft's
 * bug check reference). A live dump of the system's own also has an attribute for it.
 */
static bool taken_live(const struct dmp *dmp)
{
        static const uint32_t codes[] = {
                0x15e, /* BUGCODE_NDIS_DRIVER_LIVE_DUMP */
                0x161, /* LIVE_SYSTEM_DUMP */
                0x193, /* VIDEO_DXGKRNL_LIVEDUMP */
                0x198, /* UFX_LIVEDUMP */
                0x1a8, /* VIDEO_DXGKRNL_BLACK_SCREEN_LIVEDUMP */
                0x1b0, /* VIDEO_MINIPORT_FAILED_LIVEDUMP */
        };
        const struct stasis_hints *hints = &dmp->image->hints;
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if ((hints->known & STASIS_HINT_BUGCHECK) && hints->bugcheck == codes[i])
                        return true;
        return dmp->attributes & DMP_ATTRIBUTE_LIVE;
}

static enum stasis_status read_pages(struct dmp *dmp, struct stasis_error *err)
{
        uint32_t number;
        const struct type *type = find_type(dmp, &number);
        const bool foreign = dmp->image->hints.machine == STASIS_MACHINE_ARM64;
        if (!type || (type->only_wide && dmp->width->bits != 64))
                return unsupported(dmp, type, number, err);
        if (dmp->attributes & DMP_ATTRIBUTE_ENCRYPTED)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "the header says that the dump is encrypted: decrypt it first");
        stasis_image_set_title(dmp->image, "Windows crash dump, %d-bit, %s%s%s", dmp->width->bits, type->name,
                               taken_live(dmp) ? ", taken live" : "", foreign ? ", of an ARM64 machine" : "");
        if (!foreign)
                return type->read(dmp, err);
        dmp->end = number == DMP_TYPE_TRIAGE ? dmp_triage_end(dmp) : 0;
        return read_nothing(dmp, err);
}

static enum stasis_status dmp_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        (void)priv;
        struct dmp dmp = { .image = image, .file = image->map.bytes };
        image->trim_overlap = true;
        if (dmp.file.len >= 8 && memcmp(dmp.file.at, DMP_MAGIC64, 8) == 0)
                dmp.width = &dmp_width64;
        else if (dmp.file.len >= 8 && memcmp(dmp.file.at, DMP_MAGIC32, 8) == 0)
                dmp.width = &dmp_width32;
        else
                return stasis_fail(err, STASIS_CORRUPT, "no crash dump header (PAGEDUMP, PAGEDU64)");
        if (dmp.file.len < dmp.width->header_size)
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the header: 0x%zx of 0x%x bytes", dmp.file.len,
                                   dmp.width->header_size);
        enum stasis_status status = dmp_read_header(&dmp);
        if (status == STASIS_OK)
                status = dmp_read_attributes(&dmp);
        if (status == STASIS_OK)
                status = read_pages(&dmp, err);
        if (status == STASIS_OK && dmp.end)
                status = dmp_read_secondary(&dmp, dmp.end);
        return status == STASIS_NOMEM ? stasis_fail(err, STASIS_NOMEM, "out of memory") : status;
}

const struct stasis_format stasis_format_dmp = {
        .name = "dmp",
        .title = "Windows crash dump",
        .probe = probe,
        .open = dmp_open,
};
