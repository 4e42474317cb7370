/* SPDX-License-Identifier: MIT */
/*
 * What a worker that was taken over may send to its parent: byte 0 says what it was given and how it ends, the rest are
 * frames. Whatever they are, the entry is sound: it goes through the journal and back, its lines of the answer are
 * JSON, there is a result exactly where the entry says so, and nothing besides.
 */
#include "fuzz_answer.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "../cli/batch_slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMBER = 1, INNER = 2, BY_CONTENT = 4, SMALL = 8, SIGNALLED = 16, NO_MEMORY = 32 };

/* A process that has ended and is not waited for: it can be killed as often as one likes. */
static pid_t ended_process(void)
{
        static pid_t pid;

        siginfo_t ended;

        if (!pid && (pid = fork()) == 0)
                _exit(0);
        promise(pid > 0 && waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) == 0);
        return pid;
}

static int file_of(const void *bytes, size_t len)
{
        int fd = memfd_create("frames", MFD_CLOEXEC);

        promise(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

static void begin(struct batch *batch, struct slot *slot, uint8_t flags, const uint8_t *frames, size_t len)
{
        static uint8_t frame[FRAME_MAX + 1];
        const char *message = flags & NO_MEMORY ? "out of memory" : "";

        *slot = (struct slot){ .pid = ended_process(), .ended = -1, .result = -1, .stopped = VERDICTS, .frame = frame };
        slot->out = file_of(frames, len);
        slot->messages = file_of(message, strlen(message));
        items_add(&batch->items, "a", NULL, NULL);
        entry_init(&slot->entry);
        entry_set(&slot->entry.path, "a", 1);
        entry_set(&slot->entry.member, flags & (MEMBER | INNER) ? "m" : NULL, 1);
        entry_set(&slot->entry.inner, flags & INNER ? "i" : NULL, 1);
}

/* To the journal and back, and to the answer. */
static void check_entry(const struct entry *entry)
{
        struct text line = { 0 }, again = { 0 };
        struct entry back;
        char *bytes = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&bytes, &len);

        entry_line(entry, &line);
        promise(strchr(line.at, '\n') == line.at + line.len - 1);
        promise(entry_parse(line.at, line.len - 1, &back));
        entry_line(&back, &again);
        promise(strcmp(line.at, again.at) == 0 && entry_compare(entry, &back) == 0);
        promise(out != NULL);
        entry_summary(&back, entry, out);
        entry_worker(&back, out);
        fclose(out);
        promise(answer_lines(bytes, len) == 2);
        free(bytes);
        entry_free(&back);
        text_free(&line);
        text_free(&again);
}

/* Takes them away, too. */
static void check_results(const struct entry *entry)
{
        char path[128], wanted[DIGEST_HEX + 8] = "";
        DIR *dir = opendir(answer_path("out/results", path));
        bool there = false;

        promise(dir != NULL);
        if (verdict_has_result((enum verdict)entry->verdict))
                snprintf(wanted, sizeof(wanted), "%s.json", entry->sha256);
        for (struct dirent *e; (e = readdir(dir));) {
                if (*e->d_name == '.')
                        promise(strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
                else
                        promise(strcmp(e->d_name, wanted) == 0 && unlinkat(dirfd(dir), e->d_name, 0) == 0);
                there |= *e->d_name != '.';
        }
        closedir(dir);
        promise(there == (*wanted != '\0'));
}

static void check_items(const struct batch *batch, const struct entry *entry)
{
        uint64_t told = entry->members == STASIS_NOWHERE ? 0 : entry->members;

        promise(batch->items.count == 1 + told && batch->total == told);
        for (size_t i = 1; i < batch->items.count; i++)
                promise(batch->items.at[i].root == 0 && batch->items.at[i].member &&
                        strcmp(batch->items.at[i].path, "a") == 0);
}

static void run(struct batch *batch, uint8_t flags, const uint8_t *frames, size_t len)
{
        const struct rusage used = { 0 };
        struct slot slot;

        begin(batch, &slot, flags, frames, len);
        for (size_t i = 0; i < len / FRAME_HEADER + 2 && slot.out >= 0; i++)
                slot_read(batch, &slot);
        slot_read_messages(&slot);
        promise(slot.out < 0);
        slot_settle(batch, &slot, flags & SIGNALLED ? SIGKILL : 0, &used);
        promise(slot.entry.verdict < VERDICTS && slot.pid == 0 && !slot.error);
        check_items(batch, &slot.entry);
        check_entry(&slot.entry);
        check_results(&slot.entry);
        batch_told(batch, &slot.entry);
        promise(batch_out_is_done(&batch->out, &slot.entry));
        entry_free(&slot.entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct cli cli = { .err = stderr, .quiet = true };
        struct batch batch = { .cli = &cli };
        char out[128];

        if (!size || size > 1 << 17)
                return 0;
        answer_enter();
        (void)ended_process(); /* before there is a lock, of which it would have a share */
        promise(batch_out_open(&cli, answer_path("out", out), "{\"shard\":null}\n", &batch.out) == CLI_COMPLETE);
        promise(ftruncate(batch.out.journal, 0) == 0);
        cli.err = fopen("/dev/null", "we"); /* of workers that died it is said at once */
        promise(cli.err != NULL);
        if (data[0] & BY_CONTENT)
                batch.shard = (struct shard){ 1, 2, SHARD_BY_CONTENT };
        cli.output_limit = (struct cli_number){ (data[0] & SMALL) != 0, 16 };
        run(&batch, data[0], data + 1, size - 1);
        fclose(cli.err);
        items_free(&batch.items);
        batch_out_close(&batch.out);
        return 0;
}
