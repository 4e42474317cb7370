/* SPDX-License-Identifier: MIT */
/* Streams out of a multi-stream file: superblock, the map of the directory, the directory. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"

/* The superblock (MSF_HDR of msf.cpp; "SuperBlock" in LLVM): block size at 32, blocks of the file at 40, bytes of the
 * directory at 44, then at 52 the blocks of the list of the directory's blocks. */
enum { MAGIC_LEN = 32, BLOCK_SIZE_AT = 32, BLOCK_COUNT_AT = 40, DIRECTORY_LEN_AT = 44, MAP_AT = 52 };
static const char magic[MAGIC_LEN] = "Microsoft C/C++ MSF 7.00\r\n\x1a"
                                     "DS\0\0";
static const char magic_old[] = "Microsoft C/C++ program database 2.00\r\n\x1aJG";

#define BLOCK_SIZE_MIN 512u
#define BLOCK_SIZE_MAX 65536u
#define DELETED UINT32_MAX

enum stasis_status msf_damage(const struct msf *msf, uint32_t index, const char *what, struct stasis_error *err,
                              const char *fmt, ...)
{
        char text[160];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        return stasis_fail(err, STASIS_CORRUPT, "%s: stream %u (%s): %s", msf->name, index, what, text);
}

static bool begins(struct stasis_bytes file, const void *bytes, size_t len)
{
        return file.len >= len && memcmp(file.at, bytes, len) == 0;
}

bool pdb_probe(struct stasis_bytes file)
{
        return begins(file, magic, sizeof magic) || begins(file, magic_old, sizeof magic_old - 1) ||
               begins(file, "MSCF", 4) || begins(file, "SZDD\x88\xf0\x27\x33", 8) || begins(file, "BSJB", 4);
}

static enum stasis_status refuse(struct stasis_bytes file, const char *name, struct stasis_error *err)
{
        if (begins(file, "MSCF", 4) || begins(file, "SZDD\x88\xf0\x27\x33", 8))
                return stasis_fail(
                        err, STASIS_UNSUPPORTED,
                        "%s: compressed, as a symbol server keeps it (.pd_): unpack it first, with cabextract "
                        "or expand",
                        name);
        if (begins(file, magic_old, sizeof magic_old - 1))
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "%s: a PDB of format 2.00 (before Visual C++ 7), which has no GUID to be matched by",
                                   name);
        if (begins(file, "BSJB", 4))
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: a portable PDB (.NET), which no kernel has", name);
        return stasis_fail(err, STASIS_CORRUPT, "%s: no PDB: it does not begin with the name of the format", name);
}

/* The 4-byte number `word` of block `block`. */
static uint32_t word_of(const struct msf *msf, uint32_t block, uint32_t word)
{
        return load_le32(msf->file.at + (uint64_t)block * msf->block_size + UINT64_C(4) * word);
}

static uint32_t blocks_of(const struct msf *msf, uint64_t len)
{
        return (uint32_t)((len + msf->block_size - 1) / msf->block_size);
}

static uint32_t directory_word(const struct msf *msf, uint64_t word) { return load_le32(msf->directory + 4 * word); }

static uint32_t stream_len(const struct msf *msf, uint32_t index)
{
        uint32_t len = directory_word(msf, UINT64_C(1) + index);
        return len == DELETED ? 0 : len;
}

static enum stasis_status read_streams(struct msf *msf, struct stasis_error *err)
{
        uint32_t count = directory_word(msf, 0);
        uint64_t word = UINT64_C(1) + count;

        if (word > msf->directory_words)
                return stasis_fail(err, STASIS_CORRUPT, "%s: directory: %u streams in %zu bytes", msf->name, count,
                                   4 * msf->directory_words);
        msf->first = malloc((count + 1) * sizeof *msf->first);
        if (!msf->first)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", msf->name);
        for (uint32_t i = 0; i < count; i++) {
                msf->first[i] = (uint32_t)word;
                word += blocks_of(msf, stream_len(msf, i));
                if (word > msf->directory_words)
                        return stasis_fail(err, STASIS_CORRUPT,
                                           "%s: directory: stream %u of %u has more blocks than "
                                           "are named",
                                           msf->name, i, count);
        }
        msf->stream_count = count;
        return STASIS_OK;
}

/* The directory is a stream whose blocks are named in further blocks, which the superblock names. */
static enum stasis_status read_directory(struct msf *msf, struct stasis_error *err)
{
        uint32_t len = load_le32(msf->file.at + DIRECTORY_LEN_AT), per_block = msf->block_size / 4;
        uint32_t count = blocks_of(msf, len), maps = (count + per_block - 1) / per_block;

        if (!count || len % 4 || count > msf->block_count || UINT64_C(4) * maps > msf->block_size - MAP_AT)
                return stasis_fail(err, STASIS_CORRUPT, "%s: superblock: a directory of %u bytes", msf->name, len);
        msf->directory = malloc((size_t)count * msf->block_size);
        if (!msf->directory)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", msf->name);
        msf->directory_words = len / 4;
        for (uint32_t i = 0; i < count; i++) {
                uint32_t map = load_le32(msf->file.at + MAP_AT + UINT64_C(4) * (i / per_block));
                uint32_t block = map < msf->block_count ? word_of(msf, map, i % per_block) : UINT32_MAX;
                if (block >= msf->block_count)
                        return stasis_fail(err, STASIS_CORRUPT, "%s: the map of the directory names block %u of %u",
                                           msf->name, map < msf->block_count ? block : map, msf->block_count);
                memcpy(msf->directory + (size_t)i * msf->block_size, msf->file.at + (uint64_t)block * msf->block_size,
                       msf->block_size);
        }
        return read_streams(msf, err);
}

/* Reads all: the superblock leads to the directory, and that to the streams. */
static enum stasis_status read_superblock(struct msf *msf, struct stasis_error *err)
{
        struct stasis_bytes file = msf->file;

        if (!begins(file, magic, sizeof magic))
                return refuse(file, msf->name, err);
        if (file.len < MAP_AT + 4)
                return stasis_fail(err, STASIS_CORRUPT, "%s: cut off in the superblock", msf->name);
        msf->block_size = load_le32(file.at + BLOCK_SIZE_AT);
        msf->block_count = load_le32(file.at + BLOCK_COUNT_AT);
        if (msf->block_size < BLOCK_SIZE_MIN || msf->block_size > BLOCK_SIZE_MAX ||
            msf->block_size & (msf->block_size - 1))
                return stasis_fail(err, STASIS_CORRUPT, "%s: superblock: blocks of %u bytes", msf->name,
                                   msf->block_size);
        if ((uint64_t)msf->block_count * msf->block_size > file.len || !msf->block_count)
                return stasis_fail(err, STASIS_CORRUPT, "%s: cut off: %u blocks of %u bytes, and %zu bytes in the file",
                                   msf->name, msf->block_count, msf->block_size, file.len);
        return read_directory(msf, err);
}

enum stasis_status msf_open(struct stasis_bytes file, const char *name, struct msf *ret_msf, struct stasis_error *err)
{
        struct msf msf = { .file = file, .name = name, .budget = file.len };
        enum stasis_status status = read_superblock(&msf, err);

        if (status == STASIS_OK)
                *ret_msf = msf;
        else
                msf_close(&msf);
        return status;
}

void msf_close(struct msf *msf)
{
        free(msf->directory);
        free(msf->first);
        msf->directory = NULL;
        msf->first = NULL;
}

void msf_release(struct msf *msf, struct msf_stream *stream)
{
        msf->budget += stream->bytes.len;
        free(stream->copy);
        *stream = (struct msf_stream){ { NULL, 0 }, NULL };
}

/* ---- one stream */

static bool in_a_row(const struct msf *msf, uint32_t index, uint32_t count)
{
        for (uint32_t i = 1; i < count; i++)
                if (directory_word(msf, msf->first[index] + i) != directory_word(msf, msf->first[index]) + i)
                        return false;
        return true;
}

static enum stasis_status gather(struct msf *msf, uint32_t index, uint32_t len, struct msf_stream *ret_stream,
                                 struct stasis_error *err)
{
        uint8_t *copy = malloc(len);

        if (!copy)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", msf->name);
        for (uint32_t done = 0, i = 0; done < len; i++) {
                uint32_t part = len - done < msf->block_size ? len - done : msf->block_size;
                uint64_t block = directory_word(msf, msf->first[index] + UINT64_C(0) + i);
                memcpy(copy + done, msf->file.at + block * msf->block_size, part);
                done += part;
        }
        *ret_stream = (struct msf_stream){ { copy, len }, copy };
        return STASIS_OK;
}

enum stasis_status msf_stream(struct msf *msf, uint32_t index, const char *what, struct msf_stream *ret_stream,
                              struct stasis_error *err)
{
        if (index >= msf->stream_count)
                return msf_damage(msf, index, what, err, "not there: the file has %u streams", msf->stream_count);
        uint32_t len = stream_len(msf, index), count = blocks_of(msf, len);
        for (uint32_t i = 0; i < count; i++)
                if (directory_word(msf, msf->first[index] + i) >= msf->block_count)
                        return msf_damage(msf, index, what, err, "block %u of it is number %u of %u", i,
                                          directory_word(msf, msf->first[index] + i), msf->block_count);
        if (len > msf->budget)
                return msf_damage(msf, index, what, err, "the streams together are longer than the file");
        msf->budget -= len;
        if (len && !in_a_row(msf, index, count))
                return gather(msf, index, len, ret_stream, err);
        uint64_t at = count ? (uint64_t)directory_word(msf, msf->first[index]) * msf->block_size : 0;
        *ret_stream = (struct msf_stream){ .bytes = { msf->file.at + at, len } };
        return STASIS_OK;
}
