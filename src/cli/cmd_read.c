/* SPDX-License-Identifier: MIT */
/* stasis read: bytes at an address. What cannot be read is marked, never zero (but in raw output, where it is said). */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "address.h"
#include "hints.h"
#include "out.h"

#define PAGE 4096u
#define VIRTUAL_MAX (UINT64_C(4) << 30) /* one walk a page: a million of them is the most that one question costs */
#define ROW 16u

/* A stretch of the answer: bytes, or why there are none. */
struct piece {
        uint64_t at, len;
        const uint8_t *bytes; /* NULL: a gap */
        const char *why;      /* a word or two, */
        const char *more;     /* and what makes it so, or NULL */
};

struct reader {
        struct cli *cli;
        struct stasis_space *space; /* NULL: physical */
        uint64_t at, len;
        uint8_t page[PAGE];
        bool gaps;
};

/* ---- pieces */

/* Physical memory (in a virtual image: virtual memory, which its runs name) from pa on, at most len: bytes, or a gap up
 * to where the image begins to hold something. */
static struct piece physical_piece(struct reader *reader, uint64_t pa, uint64_t len)
{
        uint64_t part = len < PAGE - pa % PAGE ? len : PAGE - pa % PAGE, end;

        struct stasis_bytes view = stasis_image_view(reader->cli->image, pa, (size_t)part);
        if (view.len)
                return (struct piece){ .at = pa, .len = view.len, .bytes = view.at };
        if (stasis_image_read(reader->cli->image, pa, reader->page, (size_t)part) == STASIS_OK)
                return (struct piece){ .at = pa, .len = part, .bytes = reader->page };
        const char *why = image_why_absent(reader->cli->image, pa, &end);
        return (struct piece){ .at = pa, .len = len < end - pa ? len : end - pa, .why = why };
}

static struct piece virtual_piece(struct reader *reader, uint64_t va, uint64_t len)
{
        struct stasis_address address;
        uint64_t part = len < PAGE - va % PAGE ? len : PAGE - va % PAGE;

        stasis_space_examine(reader->space, va, &address);
        struct piece piece = { .at = va,
                               .len = part,
                               .why = address_word(reader->cli->image, &address),
                               .more = address.pte_count ? address.why : NULL };
        if (address.pa != STASIS_NOWHERE) {
                piece = physical_piece(reader, address.pa, part);
                piece.at = va;
        } else if (address.status == STASIS_OK &&
                   stasis_space_read(reader->space, va, reader->page, (size_t)part) == STASIS_OK) {
                piece.bytes = reader->page; /* from a page file, or decompressed */
        }
        return piece;
}

static bool same_words(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* The piece at `done` bytes into the answer; false at its end. Neighbours of a gap for the same reason are joined. */
static bool next_piece(struct reader *reader, uint64_t done, struct piece *ret_piece)
{
        bool walk = reader->space && !stasis_image_is_virtual(reader->cli->image);
        struct piece (*piece_at)(struct reader *, uint64_t, uint64_t) = walk ? virtual_piece : physical_piece;

        if (done >= reader->len)
                return false;
        *ret_piece = piece_at(reader, reader->at + done, reader->len - done);
        done += ret_piece->len;
        while (!ret_piece->bytes && done < reader->len) {
                struct piece next = piece_at(reader, reader->at + done, reader->len - done);
                if (next.bytes || !same_words(next.why, ret_piece->why) || !same_words(next.more, ret_piece->more))
                        break;
                ret_piece->len += next.len;
                done += next.len;
        }
        reader->gaps |= !ret_piece->bytes;
        return true;
}

/* ---- text: rows of 16 bytes that begin at multiples of 16 */

struct row {
        FILE *out;
        uint64_t at;       /* of its first place */
        int16_t byte[ROW]; /* -1: outside the answer, -2: cannot be read */
        bool some;
};

static void row_clear(struct row *row, uint64_t at)
{
        row->at = at & ~(uint64_t)(ROW - 1);
        row->some = false;
        for (size_t i = 0; i < ROW; i++)
                row->byte[i] = -1;
}

static void row_put(struct row *row)
{
        if (!row->some)
                return;
        fprintf(row->out, "%016" PRIx64 " ", row->at);
        for (size_t i = 0; i < ROW; i++) {
                fputs(i == ROW / 2 ? "  " : " ", row->out);
                if (row->byte[i] >= 0)
                        fprintf(row->out, "%02x", (unsigned)row->byte[i]);
                else
                        fputs(row->byte[i] == -2 ? "??" : "  ", row->out);
        }
        fputs("  |", row->out);
        for (size_t i = 0; i < ROW; i++) {
                int c = row->byte[i];
                putc(c == -1 ? ' ' : c == -2 ? '?' : c >= 0x20 && c < 0x7f ? c : '.', row->out);
        }
        fputs("|\n", row->out);
}

static void row_add(struct row *row, uint64_t at, int byte)
{
        if (at - row->at >= ROW) {
                row_put(row);
                row_clear(row, at);
        }
        row->byte[at % ROW] = (int16_t)byte;
        row->some = true;
}

/* Whole rows of a gap become one line. */
static void gap_rows(struct row *row, const struct piece *piece)
{
        uint64_t at = piece->at, left = piece->len;

        for (; left && at % ROW; left--)
                row_add(row, at++, -2);
        uint64_t whole = left - left % ROW;
        if (whole) {
                row_put(row);
                fprintf(row->out, "%016" PRIx64 "  <%s%s%s%s: %" PRIu64 " bytes>\n", at, piece->why,
                        piece->more ? " (" : "", piece->more ? piece->more : "", piece->more ? ")" : "", whole);
                at += whole;
                left -= whole;
                row_clear(row, at);
        }
        for (; left; left--)
                row_add(row, at++, -2);
}

static void read_text(struct reader *reader)
{
        struct row row = { .out = reader->cli->out };
        struct piece piece;

        row_clear(&row, reader->at);
        for (uint64_t done = 0; !ferror(row.out) && next_piece(reader, done, &piece); done += piece.len) {
                for (uint64_t i = 0; piece.bytes && i < piece.len; i++)
                        row_add(&row, piece.at + i, piece.bytes[i]);
                if (!piece.bytes)
                        gap_rows(&row, &piece);
        }
        row_put(&row);
}

/* ---- raw */

static void read_raw(struct reader *reader)
{
        static const uint8_t zeros[PAGE];
        FILE *out = reader->cli->out;
        struct piece piece;

        for (uint64_t done = 0; !ferror(out) && next_piece(reader, done, &piece); done += piece.len) {
                if (piece.bytes) {
                        fwrite(piece.bytes, 1, (size_t)piece.len, out);
                        continue;
                }
                for (uint64_t left = piece.len; left && !ferror(out);) {
                        size_t part = left < PAGE ? (size_t)left : PAGE;
                        fwrite(zeros, 1, part, out);
                        left -= part;
                }
                cli_fail(reader->cli, "%s: 0x%" PRIx64 ": %s: %" PRIu64 " bytes are written as zeros",
                         reader->cli->image_path, piece.at, piece.why, piece.len);
        }
}

/* ---- JSON */

static void json_bytes(struct reader *reader, struct json *json)
{
        struct piece piece;

        json_string_begin(json, "bytes");
        for (uint64_t done = 0; !ferror(json->out) && next_piece(reader, done, &piece); done += piece.len)
                for (uint64_t i = 0; i < piece.len && !ferror(json->out); i++) {
                        if (piece.bytes)
                                fprintf(json->out, "%02x", piece.bytes[i]);
                        else
                                fputs("??", json->out);
                }
        json_string_end(json);
}

/* Walked again, so that however many gaps there are, none is kept. */
static void json_gaps(struct reader *reader, struct json *json)
{
        struct piece piece;

        json_begin(json, "gaps", '[');
        for (uint64_t done = 0; !ferror(json->out) && next_piece(reader, done, &piece); done += piece.len) {
                if (piece.bytes)
                        continue;
                json_begin(json, NULL, '{');
                json_put_hex(json, reader->space ? "va" : "pa", piece.at);
                json_put_number(json, "len", piece.len);
                json_put_text(json, "why", piece.why);
                json_put_text(json, "more", piece.more);
                json_end(json);
        }
        json_end(json);
}

static bool read_json(struct reader *reader)
{
        struct json json = { .out = reader->cli->out, .pretty = true };

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/read/1");
        json_image(&json, reader->cli->image, false);
        if (reader->space) {
                json_put_text(&json, "mode", stasis_space_mode(reader->space));
                json_put_hex(&json, "root", stasis_space_root(reader->space));
        }
        json_put_hex(&json, reader->space ? "va" : "pa", reader->at);
        json_put_number(&json, "len", reader->len);
        json_bytes(reader, &json);
        json_gaps(reader, &json);
        json_end(&json);
        json_line(&json);
        return !json.bad;
}

/* ---- the verb */

static enum cli_exit check_range(struct cli *cli, struct reader *reader)
{
        if (!cli_parse_address(cli->arg[0], &reader->at))
                return cli_usage(cli, "read: '%s' is not an address (hexadecimal, with or without 0x)", cli->arg[0]);
        if (!cli_parse_number(cli->arg[1], &reader->len) || reader->len == 0)
                return cli_usage(cli, "read: '%s' is not a length (decimal, or hexadecimal with 0x; at least 1)",
                                 cli->arg[1]);
        if (reader->len - 1 > UINT64_MAX - reader->at)
                return cli_usage(cli, "read: the range runs past the last address");
        if (!cli->physical && reader->len > VIRTUAL_MAX)
                return cli_usage(cli, "read: at most 4 GiB of virtual memory at a time");
        if (cli->physical && (cli->root.known || cli->mode || cli->process.known))
                return cli_usage(cli, "read: --physical needs no --root, --mode or --process");
        return CLI_COMPLETE;
}

enum cli_exit cmd_read(struct cli *cli)
{
        struct reader reader = { .cli = cli };
        struct cli_space space = { 0 };
        bool good = true;

        enum cli_exit failed = check_range(cli, &reader);
        if (!failed && cli->physical && stasis_image_is_virtual(cli->image))
                failed = cli_usage(cli, "read: this file holds virtual memory only: leave out --physical");
        if (!failed && !cli->physical)
                failed = cli_open_space(cli, &space);
        if (failed)
                return failed;
        reader.space = space.space;
        if (cli->format == CLI_RAW)
                read_raw(&reader);
        else if (cli->format == CLI_JSON)
                good = read_json(&reader);
        else
                read_text(&reader);
        cli_close_space(&space);
        if (!good)
                return cli_fail(cli, "out of memory: the answer is not whole");
        return reader.gaps ? CLI_PARTIAL : CLI_COMPLETE;
}
