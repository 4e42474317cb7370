/* SPDX-License-Identifier: MIT */
/* stasis translate: virtual addresses to physical ones, and the table entries on the way. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "address.h"
#include "out.h"

struct translate {
        struct cli *cli;
        struct stasis_space *space;
        struct json json;
        size_t levels;
        uint64_t asked;
};

/* ---- words */

static size_t mode_levels(const char *mode)
{
        static const struct {
                const char *name;
                size_t levels;
        } modes[] = { { "x86", 2 }, { "pae", 3 }, { "x64", 4 }, { "la57", 5 } };

        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (strcmp(modes[i].name, mode) == 0)
                        return modes[i].levels;
        return 0;
}

/* Bits that mean the same in every mode (Intel SDM vol. 3, 4.3 to 4.5). Bit 7 is "large" but in the last level. */
static void entry_bits(struct text *text, uint64_t value)
{
        static const struct {
                uint8_t bit;
                const char *name;
        } bits[] = { { 0, "present" },  { 1, "writable" },   { 2, "user" },  { 3, "write-through" },
                     { 4, "uncached" }, { 5, "accessed" },   { 6, "dirty" }, { 7, "large/PAT" },
                     { 8, "global" },   { 63, "no-execute" } };

        if (!(value & 1)) {
                text_str(text, "not present");
                return;
        }
        for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
                if (value >> bits[i].bit & 1)
                        text_printf(text, "%s%s", i ? " " : "", bits[i].name);
}

/* ---- one answer in each format */

/* The table that an entry should be in is not in the image: then the entry has no value. */
static bool entry_lost(const struct stasis_address *address, size_t i)
{
        return address->status == STASIS_IO && address->pa == STASIS_NOWHERE && !address->pte_count &&
               i + 1 == address->walk.depth;
}

static void explain(struct translate *t, const struct stasis_address *address)
{
        static const char *const name[] = { "PTE", "PDE", "PDPTE", "PML4E", "PML5E" };
        const struct stasis_walk *walk = &address->walk;
        struct cli *cli = t->cli;

        for (size_t i = 0; i < walk->depth && i < STASIS_LEVELS_MAX; i++) {
                struct text bits = { 0 };
                entry_bits(&bits, walk->entry[i].value);
                fprintf(cli->out, "    %-5s at 0x%012" PRIx64, i < t->levels ? name[t->levels - 1 - i] : "entry",
                        walk->entry[i].pa);
                if (entry_lost(address, i))
                        fputs("  not in the image\n", cli->out);
                else
                        fprintf(cli->out, "  0x%016" PRIx64 "  %s\n", walk->entry[i].value, text_get(&bits));
                text_free(&bits);
        }
        address_explain(cli->out, address);
}

/* "0x...  0x...  4 KiB page, transition, at 0x... in the file", or what there is instead. */
static void answer_text(struct translate *t, const struct stasis_address *address)
{
        const char *word = address_word(t->cli->image, address);
        FILE *out = t->cli->out;
        struct text size = { 0 }, more = { 0 };
        uint64_t off = 0;

        address_words(address, &more);
        fprintf(out, "0x%016" PRIx64, address->walk.va);
        if (stasis_image_is_virtual(t->cli->image) && address->status == STASIS_OK) {
                if (stasis_image_offset(t->cli->image, address->pa, &off) == STASIS_OK)
                        fprintf(out, "  at 0x%" PRIx64 " in the file", off);
        } else if (address->pa != STASIS_NOWHERE) {
                size_text(&size, address->walk.page_size);
                fprintf(out, "  0x%012" PRIx64 "  %s page", address->pa, text_get(&size));
                if (strcmp(word, "present") != 0)
                        fprintf(out, ", %s", word);
                if (stasis_image_offset(t->cli->image, address->pa, &off) == STASIS_OK)
                        fprintf(out, ", at 0x%" PRIx64 " in the file", off);
                else
                        fputs(", not in the image", out);
        } else {
                fprintf(out, "  %s%s", word, text_get(&more));
        }
        putc('\n', out);
        if (t->cli->explain)
                explain(t, address);
        text_free(&size);
        text_free(&more);
}

static void answer_json(struct translate *t, const struct stasis_address *address)
{
        const struct stasis_walk *walk = &address->walk;
        bool somewhere = address->pa != STASIS_NOWHERE;
        struct json *json = &t->json;
        uint64_t off;

        json_begin(json, NULL, '{');
        json_put_hex(json, "va", walk->va);
        if (somewhere && !stasis_image_is_virtual(t->cli->image)) {
                json_put_hex(json, "pa", address->pa);
                json_put_number(json, "page_size", walk->page_size);
        } else {
                json_put_null(json, "pa");
                json_put_null(json, "page_size");
        }
        json_put_text(json, "status", address_status(t->cli->image, address));
        if (somewhere && stasis_image_offset(t->cli->image, address->pa, &off) == STASIS_OK)
                json_put_hex(json, "off", off);
        else
                json_put_null(json, "off");
        json_begin(json, "entries", '[');
        for (size_t i = 0; i < walk->depth && i < STASIS_LEVELS_MAX; i++) {
                json_begin(json, NULL, '{');
                json_put_hex(json, "pa", walk->entry[i].pa);
                if (entry_lost(address, i))
                        json_put_null(json, "value");
                else
                        json_put_hex(json, "value", walk->entry[i].value);
                json_end(json);
        }
        json_end(json);
        address_json(json, address);
        json_end(json);
        if (t->cli->format == CLI_JSONL)
                json_line(json);
}

static void answer_csv(struct translate *t, const struct stasis_address *address)
{
        FILE *out = t->cli->out;

        fprintf(out, "0x%" PRIx64 ",", address->walk.va);
        if (address->pa != STASIS_NOWHERE && !stasis_image_is_virtual(t->cli->image))
                fprintf(out, "0x%" PRIx64 ",%" PRIu64 ",", address->pa, address->walk.page_size);
        else
                fputs(",,", out);
        fprintf(out, "%s,%s\r\n", address_status(t->cli->image, address), stasis_verdict_name(address->verdict));
}

static void answer(struct translate *t, uint64_t va)
{
        struct stasis_address address;

        stasis_space_examine(t->space, va, &address);
        t->asked++;
        if (address.status != STASIS_OK && address.status != STASIS_ABSENT && address.status != STASIS_CORRUPT &&
            address.pa == STASIS_NOWHERE)
                t->cli->partial = true;
        switch (t->cli->format) {
        case CLI_JSON:
        case CLI_JSONL: answer_json(t, &address); break;
        case CLI_CSV: answer_csv(t, &address); break;
        default: answer_text(t, &address); break;
        }
}

/* ---- which addresses */

/* The next word of the input, in word; false at its end. A word longer than any address is cut, and so refused. */
static bool next_word(FILE *in, char *word, size_t size)
{
        size_t len = 0;
        int c = getc(in);

        while (c != EOF && isspace(c))
                c = getc(in);
        if (c == EOF)
                return false;
        for (; c != EOF && !isspace(c); c = getc(in))
                if (len + 1 < size)
                        word[len++] = (char)c;
        word[len] = '\0';
        return true;
}

static enum cli_exit answer_word(struct translate *t, const char *word)
{
        uint64_t va;

        if (!cli_parse_address(word, &va))
                return cli_usage(t->cli, "translate: '%s' is not an address (hexadecimal, with or without 0x)", word);
        answer(t, va);
        return CLI_COMPLETE;
}

static enum cli_exit answer_input(struct translate *t)
{
        char word[64];
        enum cli_exit failed = CLI_COMPLETE;

        while (!failed && !ferror(t->cli->out) && next_word(t->cli->in, word, sizeof(word)))
                failed = answer_word(t, word);
        if (!failed && ferror(t->cli->in))
                return cli_fail(t->cli, "the standard input cannot be read");
        return failed;
}

static enum cli_exit answer_all(struct translate *t)
{
        enum cli_exit failed = CLI_COMPLETE;

        for (size_t i = 0; i < t->cli->arg_count && !failed && !ferror(t->cli->out); i++)
                failed = strcmp(t->cli->arg[i], "-") == 0 ? answer_input(t) : answer_word(t, t->cli->arg[i]);
        return failed;
}

/* ---- around them */

static void begin(struct translate *t)
{
        struct json *json = &t->json;

        *json = (struct json){ .out = t->cli->out, .pretty = t->cli->format == CLI_JSON };
        if (t->cli->format == CLI_CSV)
                fputs("va,pa,page_size,status,verdict\r\n", t->cli->out);
        if (t->cli->format != CLI_JSON && t->cli->format != CLI_JSONL)
                return;
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", "stasis/translate/1");
        json_image(json, t->cli->image, false);
        json_put_text(json, "mode", stasis_space_mode(t->space));
        json_put_hex(json, "root", stasis_space_root(t->space));
        if (t->cli->format == CLI_JSONL) {
                json_end(json);
                json_line(json);
        } else {
                json_begin(json, "translations", '[');
        }
}

static void end(struct translate *t)
{
        if (t->cli->format == CLI_JSON) {
                json_end(&t->json);
                json_end(&t->json);
                json_line(&t->json);
        } else if (t->cli->format == CLI_TEXT && t->asked == 0) {
                fputs("No address was given.\n", t->cli->out);
        }
}

/* Arguments are checked before anything is opened or printed; the input can only be checked as it comes. */
static enum cli_exit check_addresses(struct cli *cli)
{
        uint64_t va;

        for (size_t i = 0; i < cli->arg_count; i++)
                if (strcmp(cli->arg[i], "-") && !cli_parse_address(cli->arg[i], &va))
                        return cli_usage(cli, "translate: '%s' is not an address (hexadecimal, with or without 0x)",
                                         cli->arg[i]);
        return CLI_COMPLETE;
}

enum cli_exit cmd_translate(struct cli *cli)
{
        struct translate t = { .cli = cli };
        struct cli_space space = { 0 };

        if (cli->reverse)
                return cmd_reverse(cli);
        enum cli_exit failed = check_addresses(cli);
        if (!failed)
                failed = cli_open_space(cli, &space);
        if (failed)
                return failed;
        t.space = space.space;
        t.levels = mode_levels(stasis_space_mode(space.space));
        begin(&t);
        failed = answer_all(&t);
        end(&t);
        cli_close_space(&space);
        if (t.json.bad)
                return cli_fail(cli, "out of memory: the answer is not whole");
        return failed ? failed : cli->partial ? CLI_PARTIAL : CLI_COMPLETE;
}
