/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

static const char *const status_name[] = {
        [STASIS_OK] = "ok",
        [STASIS_ABSENT] = "absent",
        [STASIS_CORRUPT] = "corrupt",
        [STASIS_UNSUPPORTED] = "unsupported",
        [STASIS_LIMIT] = "limit",
        [STASIS_IO] = "io",
        [STASIS_NOMEM] = "out of memory",
        [STASIS_USAGE] = "usage",
};

const char *stasis_status_name(enum stasis_status status)
{
        unsigned i = (unsigned)status;
        return i < sizeof status_name / sizeof *status_name ? status_name[i] : "unknown status";
}

/* Texts quote the input (paths, names in headers): whatever could break the promise of one line becomes '?'. */
static void keep_one_line(char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

enum stasis_status stasis_fail(struct stasis_error *err, enum stasis_status status, const char *fmt, ...)
{
        if (!err)
                return status;
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        keep_one_line(err->text);
        err->status = status;
        return status;
}

enum stasis_status stasis_fail_in(struct stasis_error *err, enum stasis_status fallback, const char *fmt, ...)
{
        static const char separator[] = ": ";
        if (!err)
                return fallback;
        char context[sizeof err->text];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(context, sizeof context - sizeof separator, fmt, ap);
        va_end(ap);
        strcat(context, separator);
        /* The reason is worth more than the context: what does not fit is cut from the context's end. */
        size_t len = strlen(err->text), room = sizeof err->text - 1 - len, cut = strlen(context);
        if (cut > room) {
                if (room < sizeof separator)
                        return err->status;
                memcpy(context + room - strlen(separator), separator, strlen(separator));
                cut = room;
        }
        memmove(err->text + cut, err->text, len + 1);
        memcpy(err->text, context, cut);
        keep_one_line(err->text);
        return err->status;
}
