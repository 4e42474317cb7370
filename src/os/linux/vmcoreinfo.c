/* SPDX-License-Identifier: MIT */
#include "vmcoreinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stasis_bytes vmcoreinfo_line(struct stasis_bytes text, const char *key)
{
        size_t want = strlen(key);
        for (size_t at = 0; at < text.len;) {
                const uint8_t *line = text.at + at, *end = memchr(line, '\n', text.len - at);
                size_t len = end ? (size_t)(end - line) : text.len - at;
                if (len > want && line[want] == '=' && memcmp(line, key, want) == 0)
                        return (struct stasis_bytes){ line + want + 1, len - want - 1 };
                at += len + 1;
        }
        return (struct stasis_bytes){ NULL, 0 };
}

static bool value(struct stasis_bytes text, const char *kind, const char *name, char *buf, size_t len)
{
        char key[128];
        snprintf(key, sizeof key, "%s(%s)", kind, name);
        struct stasis_bytes line = vmcoreinfo_line(text, key);
        if (!line.len || line.len >= len)
                return false;
        memcpy(buf, line.at, line.len);
        buf[line.len] = '\0';
        return true;
}

bool vmcoreinfo_symbol(struct stasis_bytes text, const char *name, uint64_t *ret_va)
{
        char digits[32], *end;
        if (!value(text, "SYMBOL", name, digits, sizeof digits))
                return false;
        uint64_t va = strtoull(digits, &end, 16);
        if (*end || !va)
                return false;
        *ret_va = va;
        return true;
}

/* Decimal: QEMU reads phys_base as a hexadecimal number, and is wrong. */
bool vmcoreinfo_number(struct stasis_bytes text, const char *name, int64_t *ret_value)
{
        char digits[32], *end;
        if (!value(text, "NUMBER", name, digits, sizeof digits))
                return false;
        int64_t number = strtoll(digits, &end, 10);
        if (*end)
                return false;
        *ret_value = number;
        return true;
}

static bool count(struct stasis_bytes text, const char *kind, const char *name, uint64_t *ret_value)
{
        char digits[32], *end;
        if (!value(text, kind, name, digits, sizeof digits))
                return false;
        uint64_t number = strtoull(digits, &end, 10);
        if (*end)
                return false;
        *ret_value = number;
        return true;
}

bool vmcoreinfo_size(struct stasis_bytes text, const char *name, uint64_t *ret_value)
{
        return count(text, "SIZE", name, ret_value);
}

bool vmcoreinfo_offset(struct stasis_bytes text, const char *member, uint64_t *ret_value)
{
        return count(text, "OFFSET", member, ret_value);
}

size_t vmcoreinfo_length(struct stasis_bytes text)
{
        size_t at = 0;
        while (at < text.len && at < VMCOREINFO_MAX &&
               (text.at[at] == '\n' || (text.at[at] >= ' ' && text.at[at] < 0x7f)))
                at++;
        while (at && text.at[at - 1] != '\n')
                at--;
        return at > 10 && memcmp(text.at, "OSRELEASE=", 10) == 0 && text.at[10] >= '0' && text.at[10] <= '9' ? at : 0;
}
