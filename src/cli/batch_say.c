/* SPDX-License-Identifier: MIT */
/* How far it is: one line that changes on a terminal, a plain line from time to time in a log. */
#include <time.h>
#include <unistd.h>

#include "batch.h"

enum { TERMINAL_MS = 200, LOG_MS = 10000 };

static int64_t milliseconds(void)
{
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void add_time(struct text *line, uint64_t seconds)
{
        if (seconds >= 3600)
                text_printf(line, "%llu h ", (unsigned long long)(seconds / 3600));
        if (seconds >= 60)
                text_printf(line, "%llu min ", (unsigned long long)(seconds / 60 % 60));
        if (seconds < 3600)
                text_printf(line, "%llu s ", (unsigned long long)(seconds % 60));
        text_str(line, "left");
}

/* What an archive holds is counted once it was listed: the total grows, and the time left is a guess. */
static void add_rate(const struct batch *batch, int64_t now, struct text *line)
{
        size_t done = batch->finished - batch->before;
        double seconds = (double)(now - batch->begun) / 1000;

        if (done == 0 || seconds < 0.5)
                return;
        double rate = (double)done / seconds;
        text_printf(line, ", %.*f a second, ", rate < 10 ? 1 : 0, rate);
        add_time(line, (uint64_t)((double)(batch->total - batch->finished) / rate + 0.5));
}

void batch_say(struct batch *batch, bool now)
{
        struct cli *cli = batch->cli;
        int64_t at = milliseconds();
        struct text line = { 0 };

        if (cli->quiet || (!now && at - batch->said < (batch->terminal ? TERMINAL_MS : LOG_MS)))
                return;
        batch->said = at;
        text_printf(&line, "%zu of %zu", batch->finished, batch->total);
        add_rate(batch, at, &line);
        size_t trouble = 0;
        for (int i = 0; i < VERDICTS; i++)
                trouble += verdict_is_trouble((enum verdict)i) ? batch->counts[i] : 0;
        if (trouble)
                text_printf(&line, ", %zu not complete", trouble);
        if (batch->terminal) {
                fprintf(cli->err, "\r\033[Kstasis: %s", text_get(&line));
                cli->progress_shown = true;
        } else {
                fprintf(cli->err, "stasis: %s\n", text_get(&line));
        }
        fflush(cli->err);
        text_free(&line);
}

/* Each image that killed its worker has a line at once: a long run need not be over for somebody to look. */
void batch_say_trouble(struct batch *batch, const struct entry *entry)
{
        struct text name = { 0 };

        if (entry->verdict < VERDICT_CRASHED || entry->verdict > VERDICT_FAILED)
                return;
        entry_name(entry, &name);
        cli_warn(batch->cli, "%s: %s%s%s%s%s%s%s", text_get(&name), verdict_titles[entry->verdict],
                 entry->end ? " (" : "", entry->end ? entry->end : "", entry->end ? ")" : "",
                 entry->phase ? ", at " : "", entry->phase ? entry->phase : "", "");
        text_free(&name);
}
