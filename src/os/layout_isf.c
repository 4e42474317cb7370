/* SPDX-License-Identifier: MIT */
/* Answers from an ISF file, and its life: read, unpack, close. */
#include "layout_isf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif

#include "../base/error.h"
#include "../base/guard.h"

#define TEXT_MAX (UINT64_C(1) << 30) /* of JSON: the largest seen (Linux with every type) has less than a tenth */
#define LZMA_MEMORY_MAX (UINT64_C(1) << 28) /* xz -9e needs a quarter */

const void *isf_find(const void *items, size_t count, size_t item_size, const char *name, size_t len)
{
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const char *const *item = (const void *)((const char *)items + middle * item_size);
                int order = strncmp(*item, name, len);
                if (order == 0 && (*item)[len] == '\0')
                        return item;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

static const struct isf *isf_of(const struct stasis_layout *layout) { return (const struct isf *)layout; }

bool layout_isf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_struct *s = isf_find(isf->structs.at, isf->structs.count, sizeof *isf->structs.at, name, len);
        if (!s)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = s->size, .isf = s };
        return true;
}

bool layout_isf_next(struct layout_walk *walk)
{
        const struct isf *isf = isf_of(walk->view.layout);
        if (walk->at >= walk->view.isf->count)
                return false;
        const struct isf_member *m = &isf->members.at[walk->view.isf->first + walk->at++];
        walk->name = m->name;
        walk->member = m->member;
        return true;
}

size_t layout_isf_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_enum *e = isf_find(isf->enums.at, isf->enums.count, sizeof *isf->enums.at, name, strlen(name));
        if (!e)
                return 0;
        for (size_t i = 0; i < e->count && i < max; i++)
                names[i] = isf->values.at[e->first + i];
        return e->count;
}

bool layout_isf_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_symbol *s =
                isf_find(isf->symbols.at, isf->symbols.count, sizeof *isf->symbols.at, symbol, strlen(symbol));
        if (!s)
                return false;
        *ret_rva = s->address;
        return true;
}

bool layout_isf_pdb(const struct stasis_layout *layout, struct stasis_pdb_id *ret_pdb)
{
        const struct isf *isf = layout->builtin ? NULL : isf_of(layout);
        if (!isf || !isf->pdb_known)
                return false;
        *ret_pdb = isf->pdb;
        return true;
}

void layout_isf_close(struct stasis_layout *layout)
{
        struct isf *isf = (struct isf *)layout;
        free(isf->bases.at);
        free(isf->structs.at);
        free(isf->members.at);
        free(isf->enums.at);
        free(isf->values.at);
        free(isf->symbols.at);
        stasis_arena_free(&isf->names);
        free(isf);
}

/* ---- the file */

#ifdef HAVE_LZMA
static enum stasis_status lzma_failed(lzma_ret ret, const char *name, struct stasis_error *err)
{
        if (ret == LZMA_MEM_ERROR)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory to unpack it", name);
        if (ret == LZMA_MEMLIMIT_ERROR)
                return stasis_fail(err, STASIS_LIMIT, "%s: unpacking needs more than %u MiB", name,
                                   (unsigned)(LZMA_MEMORY_MAX >> 20));
        return stasis_fail(err, STASIS_CORRUPT, "%s: damaged xz data", name);
}

static void lzma_endp(lzma_stream *stream) { lzma_end(stream); }

/* *ret_text is the caller's to free also on failure. */
static enum stasis_status unpack(struct stasis_bytes packed, const char *name, struct stasis_bytes *ret_bytes,
                                 char **ret_text, struct stasis_error *err)
{
        _cleanup_(lzma_endp) lzma_stream stream = LZMA_STREAM_INIT;
        size_t capacity = 1 << 20;
        lzma_ret ret = lzma_stream_decoder(&stream, LZMA_MEMORY_MAX, LZMA_CONCATENATED);
        stream.next_in = packed.at;
        stream.avail_in = packed.len;
        while (ret == LZMA_OK) {
                char *text = stream.total_out < TEXT_MAX ? realloc(*ret_text, capacity) : NULL;
                if (!text)
                        return stream.total_out < TEXT_MAX
                                       ? stasis_fail(err, STASIS_NOMEM, "%s: no memory to unpack it", name)
                                       : stasis_fail(err, STASIS_LIMIT, "%s: unpacks to more than 1 GiB", name);
                *ret_text = text;
                stream.next_out = (uint8_t *)text + stream.total_out;
                stream.avail_out = capacity - (size_t)stream.total_out;
                ret = lzma_code(&stream, LZMA_FINISH);
                capacity *= 2;
        }
        if (ret != LZMA_STREAM_END)
                return lzma_failed(ret, name, err);
        *ret_bytes = (struct stasis_bytes){ (const uint8_t *)*ret_text, (size_t)stream.total_out };
        return STASIS_OK;
}
#else
static enum stasis_status unpack(struct stasis_bytes packed, const char *name, struct stasis_bytes *ret_bytes,
                                 char **ret_text, struct stasis_error *err)
{
        (void)packed, (void)ret_bytes, (void)ret_text;
        return stasis_fail(err, STASIS_UNSUPPORTED, "%s: built without liblzma: unpack it first (xz -d)", name);
}
#endif

enum stasis_status layout_isf_parse(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                    struct stasis_error *err)
{
        _cleanup_free_ char *text = NULL;
        if (bytes.len >= 6 && memcmp(bytes.at,
                                     "\xfd"
                                     "7zXZ",
                                     6) == 0) {
                enum stasis_status status = unpack(bytes, name, &bytes, &text, err);
                if (status != STASIS_OK)
                        return status;
        }
        return layout_isf_parse_text(bytes, name, ret_layout, err);
}

enum stasis_status stasis_layout_open_isf(const char *path, struct stasis_layout **ret_layout, struct stasis_error *err)
{
        _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;
        if (fd < 0 || fstat(fd, &st) < 0)
                return stasis_fail(err, STASIS_IO, "%s: %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return stasis_fail(err, STASIS_USAGE, "%s: not a regular file", path);
        if ((uint64_t)st.st_size > TEXT_MAX)
                return stasis_fail(err, STASIS_LIMIT, "%s: larger than 1 GiB", path);
        size_t len = 0, size = (size_t)st.st_size;
        _cleanup_free_ uint8_t *bytes = malloc(size + 1);
        if (!bytes)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", path);
        while (len < size) {
                ssize_t got = read(fd, bytes + len, size - len);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return stasis_fail(err, STASIS_IO, "%s: %s", path, strerror(errno));
                if (got == 0)
                        break;
                len += (size_t)got;
        }
        return layout_isf_parse((struct stasis_bytes){ bytes, len }, path, ret_layout, err);
}
