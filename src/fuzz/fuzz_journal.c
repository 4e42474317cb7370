/* SPDX-License-Identifier: MIT */
/*
 * One or two journals, separated by a byte of zero: read as a batch that goes on reads its own, and made a summary of
 * as merge does. A line that is taken is written back as it will be read; the summary is JSON, a line for each entry.
 */
#include "fuzz_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *line, size_t len)
{
        struct text first = { 0 }, second = { 0 };
        struct entry entry, again;

        if (!entry_parse(line, len, &entry))
                return;
        promise(entry.path && entry.verdict < VERDICTS && (entry.member || !entry.inner));
        entry_line(&entry, &first);
        promise(entry_parse(first.at, first.len - 1, &again));
        entry_line(&again, &second);
        promise(strcmp(first.at, second.at) == 0 && entry_compare(&entry, &again) == 0);
        entry_free(&entry);
        entry_free(&again);
        text_free(&first);
        text_free(&second);
}

static void check_lines(const char *bytes, size_t len)
{
        for (size_t at = 0; at < len;) {
                const char *end = memchr(bytes + at, '\n', len - at);
                size_t line = end ? (size_t)(end - bytes) - at : len - at;
                check_line(bytes + at, line);
                at += line + 1;
        }
}

/* As it is found by who goes on. Cut where its last line is. */
static void go_on(struct cli *cli, const char *folder, const char *journal, struct batch_out *ret_out)
{
        char path[128], name[128];

        snprintf(name, sizeof(name), "%s/journal", folder);
        (void)mkdir(answer_path(folder, path), 0700);
        answer_write(name, journal, strlen(journal));
        promise(batch_out_open(cli, path, "{\"shard\":null}\n", ret_out) == CLI_COMPLETE);
}

static void sum_up(struct cli *cli, const char *const *journals, size_t count, const struct batch_out *out)
{
        struct batch_answer answer;
        uint64_t sum = 0;

        batch_finish_here(cli, journals, count, out, &answer);
        promise(answer.error == 0 && answer.tables.status == STASIS_OK);
        for (int i = 0; i < VERDICTS; i++)
                sum += answer.totals.counts[i];
        promise(sum == answer.totals.entries && answer.totals.contents <= sum && answer.totals.inputs <= sum);
        promise(answer.totals.counts[VERDICT_SAME] == 0 && answer.totals.counts[VERDICT_ELSEWHERE] == 0);
        promise(answer_file_lines("a/summary.jsonl") == sum);
        promise(answer_file_lines("a/workers.jsonl") <= sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct cli cli = { .err = stderr, .quiet = true };
        struct batch_out a, b;
        const char *piece;
        char journal[2][128], path[128];

        if (size > 1 << 16)
                return 0;
        answer_enter();
        for (int i = 0; i < 2; i++) {
                size_t len = answer_piece(&data, &size, &piece);
                char *text = strndup(len ? piece : "", len);
                promise(text != NULL);
                check_lines(text, len);
                go_on(&cli, i ? "b" : "a", text, i ? &b : &a);
                free(text);
        }
        snprintf(journal[0], sizeof(journal[0]), "%s", answer_path("a/journal", path));
        snprintf(journal[1], sizeof(journal[1]), "%s", answer_path("b/journal", path));
        sum_up(&cli, (const char *const[]){ journal[0], journal[1] }, 1, &a);
        sum_up(&cli, (const char *const[]){ journal[0], journal[1] }, 2, &a);
        batch_out_close(&a);
        batch_out_close(&b);
        return 0;
}
