/* SPDX-License-Identifier: MIT */
/*
 * Answers that somebody else's machine made, as merge takes them: pieces separated by bytes of zero, settings.json,
 * finished.json and the journal of one shard, then those of another. Either it says why not, or there is a whole
 * answer.
 */
#include "fuzz_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_shard(const char *folder, const uint8_t **data, size_t *size)
{
        static const char *const names[] = { "settings.json", "finished.json", "journal" };
        char path[128], name[64];
        const char *piece;

        (void)mkdir(answer_path(folder, path), 0700);
        snprintf(name, sizeof(name), "%s/results", folder);
        (void)mkdir(answer_path(name, path), 0700);
        for (int i = 0; i < 3; i++) {
                size_t len = answer_piece(data, size, &piece);
                snprintf(name, sizeof(name), "%s/%s", folder, names[i]);
                answer_write(name, len ? piece : "", len);
        }
}

/* What it says where it can write, and the process that makes the summary lives to its end. */
static void check_said(enum cli_exit status, const char *said)
{
        char path[128];
        bool finished = access(answer_path("whole/finished.json", path), F_OK) == 0;

        promise(!strstr(said, "the summary cannot be written"));
        promise(finished == (status == CLI_COMPLETE || status == CLI_PARTIAL));
        if (!finished)
                promise(strncmp(said, "stasis: ", 8) == 0);
        if (finished)
                promise(answer_file_lines("whole/summary.jsonl") < 1 << 16 &&
                        answer_file_lines("whole/finished.json") == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char a[128], b[128], whole[128], *said = NULL;
        char *words[] = { a, b };
        size_t len = 0;
        struct cli cli = { .quiet = true, .arg = words, .arg_count = 2, .output = whole };

        if (size > 1 << 14)
                return 0;
        answer_enter();
        (void)folder_remove(answer_path("whole", whole));
        answer_path("a", a);
        answer_path("b", b);
        write_shard("a", &data, &size);
        write_shard("b", &data, &size);
        cli.out = cli.err = open_memstream(&said, &len);
        promise(cli.err != NULL);
        enum cli_exit status = cmd_merge(&cli);
        fclose(cli.err);
        check_said(status, said);
        free(said);
        return 0;
}
