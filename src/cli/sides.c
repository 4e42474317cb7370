/* SPDX-License-Identifier: MIT */
#include "sides.h"

#include <string.h>

#include "cli.h"
#include "text.h"

#define VALUE_COLUMN 32

/* Behind `first` columns. */
static void put_side(FILE *out, const struct side *side, size_t title_width, size_t first)
{
        struct text line = { 0 };

        text_printf(&line, "%-*s", (int)title_width, side->title);
        text_safe(&line, side->value ? side->value : "not there");
        fprintf(out, "%*s", (int)(VALUE_COLUMN - first), "");
        text_put_wrapped(out, text_get(&line), VALUE_COLUMN, VALUE_COLUMN + title_width, CLI_WIDTH);
        text_free(&line);
}

void put_sides(FILE *out, const char *path, size_t indent, const struct side side[static 2])
{
        struct text safe = { 0 };
        size_t one = strlen(side[0].title), other = strlen(side[1].title),
               title_width = (one > other ? one : other) + 1;

        text_safe(&safe, path);
        fprintf(out, "%*s%s", (int)indent, "", text_get(&safe));
        size_t first = indent + text_width(text_get(&safe));
        if (first + 2 > VALUE_COLUMN) {
                fputc('\n', out);
                first = 0;
        }
        put_side(out, &side[0], title_width, first);
        put_side(out, &side[1], title_width, 0);
        text_free(&safe);
}
