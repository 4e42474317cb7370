/* SPDX-License-Identifier: MIT */
/* How far it is: one line that changes on a terminal, a plain line from time to time in a log. */
#include <time.h>
#include <unistd.h>

#include "batch.h"

enum { TERMINAL_MS = 200, LOG_MS = 10000, UNREADABLE_MAX = 10 };

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

/* How it ended, or which option allows more, and what it was at. */
static void add_end(const struct entry *entry, struct text *line)
{
        static const char *const allows[VERDICTS] = {
                [VERDICT_TIMEOUT] = "--timeout", [VERDICT_MEMORY] = "--memory", [VERDICT_OUTPUT] = "--output-limit"
        };
        const char *option = allows[entry->verdict];

        if (entry->end && !option)
                text_printf(line, " (%s)", entry->end);
        if (entry->phase)
                text_printf(line, ", at %s", entry->phase);
        if (option)
                text_printf(line, "; '%s' allows more, with '--retry' to look again", option);
}

/*
 * Each image that killed its worker has a line at once: a long run need not be over for somebody to look. Of what
 * cannot be read the first ones have, so that a name that was mistyped or a disk that is gone is seen.
 */
void batch_say_trouble(struct batch *batch, const struct entry *entry)
{
        struct text line = { 0 };

        if (!verdict_may_change((enum verdict)entry->verdict))
                return;
        if (entry->verdict == VERDICT_UNREADABLE && batch->unreadable_said++ >= UNREADABLE_MAX) {
                if (batch->unreadable_said == UNREADABLE_MAX + 1)
                        cli_warn(batch->cli, "more that is unreadable is not told here, but in the summary");
                return;
        }
        entry_name(entry, &line);
        text_printf(&line, ": %s", verdict_titles[entry->verdict]);
        if (entry->verdict != VERDICT_UNREADABLE)
                add_end(entry, &line);
        else if (entry->error)
                text_printf(&line, ": %s", entry->error);
        cli_warn(batch->cli, "%s", text_get(&line));
        text_free(&line);
}
