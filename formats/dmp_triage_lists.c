/* SPDX-License-Identifier: MIT */
/* What a triage dump lists beside its memory: drivers, drivers that were unloaded, the one that is blamed. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/utf.h"
#include "dmp_triage.h"

#define DRIVERS_MAX 4096
#define UNLOADED_MAX 256 /* the kernel remembers 50 */
#define PATH_UNITS_MAX 1024

/* UTF-8 in the image's arena, one line: NUL and control characters become U+FFFD. NULL where memory is exhausted. */
static const char *text_of(struct triage *t, struct stasis_bytes utf16)
{
        size_t units = utf16.len / 2, len = 0;
        char *text = stasis_arena_alloc(&t->image->arena, units * 4 + 1);
        for (size_t at = 0; text && at < units;) {
                uint32_t code = utf16_next(utf16.at, units, &at);
                char out[4];
                size_t n = utf8_put(code < ' ' || code == 0x7f ? UTF_REPLACEMENT : code, out);
                memcpy(text + len, out, n);
                len += n;
        }
        if (text)
                text[len] = '\0';
        return text;
}

/* A number of entries that the file has room for, at most max; with a remark where more are counted. */
static enum stasis_status kept_of(struct triage *t, const char *what, uint64_t count, uint64_t off, size_t size,
                                  size_t max, size_t *ret_kept)
{
        uint64_t held = off < t->file.len ? (t->file.len - off) / size : 0;
        uint64_t most = held < max ? held : max;
        *ret_kept = (size_t)(count < most ? count : most);
        return count > *ret_kept ? stasis_image_remark(t->image, "%" PRIu64 " %s are counted, %zu can be read", count,
                                                       what, *ret_kept)
                                 : STASIS_OK;
}

/* ---------------------------------------------------------------- drivers */

static struct stasis_bytes driver_path(const struct triage *t, uint64_t off)
{
        struct stasis_bytes count = off ? bytes_slice(t->file, off, 4) : (struct stasis_bytes){ NULL, 0 };
        uint32_t units = count.len ? load_le32(count.at) : 0;
        if (!units || units > PATH_UNITS_MAX)
                return (struct stasis_bytes){ NULL, 0 };
        return bytes_slice(t->file, off + 4, (uint64_t)units * 2);
}

static enum stasis_status read_drivers(struct triage *t)
{
        const struct triage_width *width = t->width;
        struct stasis_hints *hints = &t->image->hints;
        uint64_t count = triage_head(t, width->driver_count), off = triage_head(t, width->drivers);
        size_t kept;
        if (kept_of(t, "drivers", count, off ? off : t->file.len, width->driver_size, DRIVERS_MAX, &kept) != STASIS_OK)
                return STASIS_NOMEM;
        if (!kept)
                return STASIS_OK;
        struct stasis_driver *driver = arena_array(&t->image->arena, struct stasis_driver, kept);
        if (!driver)
                return STASIS_NOMEM;
        for (size_t i = 0; i < kept; i++) {
                const uint8_t *at = t->file.at + off + i * width->driver_size;
                driver[i] = (struct stasis_driver){ .base = triage_get(at, width->base),
                                                    .entry_point = triage_get(at, width->entry_point),
                                                    .size = (uint32_t)triage_get(at, width->image_size),
                                                    .timestamp = (uint32_t)triage_get(at, width->timestamp),
                                                    .path = driver_path(t, triage_get(at, width->name)) };
        }
        hints->driver = driver;
        hints->driver_count = kept;
        hints->known |= STASIS_HINT_DRIVERS;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- drivers that were unloaded, and the blamed one */

static bool read_unloaded_one(struct triage *t, uint64_t off, struct stasis_unloaded *one)
{
        const struct triage_width *width = t->width;
        const uint8_t *at = t->file.at + off;
        uint64_t len = triage_get(at, width->gone_name_len);
        struct stasis_bytes name = { at + width->gone_name.at,
                                     len < width->gone_name.size ? len & ~UINT64_C(1) : width->gone_name.size };
        *one = (struct stasis_unloaded){ .name = text_of(t, name),
                                         .start = triage_get(at, width->gone_start),
                                         .end = triage_get(at, width->gone_end),
                                         .va = STASIS_NOWHERE,
                                         .off = off };
        return one->name;
}

static enum stasis_status read_unloaded(struct triage *t)
{
        const struct triage_width *width = t->width;
        struct stasis_hints *hints = &t->image->hints;
        uint64_t off = triage_head(t, width->unloaded);
        struct stasis_bytes count = off ? bytes_slice(t->file, off, 4) : (struct stasis_bytes){ NULL, 0 };
        size_t kept;
        if (!count.len)
                return STASIS_OK;
        off += width->gone_first;
        if (kept_of(t, "unloaded drivers", load_le32(count.at), off, width->gone_size, UNLOADED_MAX, &kept) !=
            STASIS_OK)
                return STASIS_NOMEM;
        hints->known |= STASIS_HINT_UNLOADED;
        if (!kept)
                return STASIS_OK;
        struct stasis_unloaded *unloaded = arena_array(&t->image->arena, struct stasis_unloaded, kept);
        for (size_t i = 0; unloaded && i < kept; i++)
                if (!read_unloaded_one(t, off + i * width->gone_size, &unloaded[i]))
                        return STASIS_NOMEM;
        hints->unloaded = unloaded;
        hints->unloaded_count = unloaded ? kept : 0;
        return unloaded ? STASIS_OK : STASIS_NOMEM;
}

static enum stasis_status read_broken(struct triage *t)
{
        struct stasis_hints *hints = &t->image->hints;
        struct stasis_bytes path = driver_path(t, triage_head(t, t->width->broken));
        if (!path.len)
                return STASIS_OK;
        hints->broken_driver = text_of(t, path);
        hints->known |= hints->broken_driver ? STASIS_HINT_BROKEN_DRIVER : 0;
        return hints->broken_driver ? STASIS_OK : STASIS_NOMEM;
}

enum stasis_status triage_read_lists(struct triage *t)
{
        enum stasis_status status = read_drivers(t);
        if (status == STASIS_OK)
                status = read_unloaded(t);
        return status == STASIS_OK ? read_broken(t) : status;
}
