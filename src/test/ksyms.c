/* SPDX-License-Identifier: MIT */
#include "ksyms.h"

#include <string.h>

struct out {
        uint8_t *at;
        size_t len, room;
        bool full;
};

static void put(struct out *o, const void *bytes, size_t len)
{
        if (len > o->room - o->len) {
                o->full = true;
                return;
        }
        memcpy(o->at + o->len, bytes, len);
        o->len += len;
}

static void put_u(struct out *o, uint64_t value, size_t size)
{
        uint8_t bytes[8];
        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)(value >> 8 * i);
        put(o, bytes, size);
}

static void align(struct out *o, size_t to)
{
        while (o->len % to && !o->full)
                put_u(o, 0, 1);
}

/* Characters of names stand for themselves; three codes stand for more, and the rest for what no name here has. */
static const char *token(unsigned code, char buf[static 4])
{
        bool plain = (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z') ||
                     code == '_' || code == '.' || code == '?';
        if (code == 0)
                return "init_";
        if (code == 0x80)
                return "Tsys_";
        if (code == 0xff)
                return "_tail";
        buf[0] = plain ? (char)code : '$';
        buf[1] = plain ? '\0' : (char)('a' + code % 26);
        buf[2] = '\0';
        return buf;
}

/* As few codes as the three tokens allow; returns how many. */
static size_t encode(const struct ksyms_symbol *s, uint8_t *codes)
{
        size_t count = 0;
        const char *at = s->name;
        if (s->type == 'T' && strncmp(at, "sys_", 4) == 0) {
                codes[count++] = 0x80;
                at += 4;
        } else {
                codes[count++] = (uint8_t)s->type;
        }
        while (*at)
                if (strncmp(at, "init_", 5) == 0) {
                        codes[count++] = 0;
                        at += 5;
                } else if (strcmp(at, "_tail") == 0) {
                        codes[count++] = 0xff;
                        at += 5;
                } else {
                        codes[count++] = (uint8_t)*at++;
                }
        return count;
}

#define MARKERS_MAX 4096

static unsigned alignment(const struct ksyms *k) { return k->order == KSYMS_PLACE ? 4 : k->pointer; }

static void put_names(struct ksyms *k, struct out *o)
{
        uint64_t marker[MARKERS_MAX];
        size_t markers = 0;
        align(o, alignment(k));
        k->num_syms = o->len;
        put_u(o, k->count, k->order == KSYMS_ABSOLUTE ? k->pointer : 4);
        align(o, alignment(k));
        k->names = o->len;
        for (size_t i = 0; i < k->count; i++) {
                uint8_t codes[512];
                size_t count = encode(&k->symbol[i], codes);
                if (i % 256 == 0 && markers < MARKERS_MAX)
                        marker[markers++] = o->len - k->names;
                if (count >= 0x80)
                        put_u(o, (count & 0x7f) | 0x80, 1);
                put_u(o, count >= 0x80 ? count >> 7 : count, 1);
                put(o, codes, count);
        }
        align(o, alignment(k));
        k->markers = o->len;
        for (size_t i = 0; i < markers; i++)
                put_u(o, marker[i], k->wide_markers ? k->pointer : 4);
        align(o, alignment(k));
        for (size_t i = 0; i < k->count && k->sequence && k->order == KSYMS_BEFORE; i++)
                put_u(o, (i * 7919) % k->count, 3);
        align(o, alignment(k));
}

static void put_tokens(struct ksyms *k, struct out *o)
{
        uint16_t index[256];
        char buf[4];
        k->token_table = o->len;
        for (unsigned i = 0; i < 256; i++) {
                const char *text = token(i, buf);
                index[i] = (uint16_t)(o->len - k->token_table);
                if (i == '0')
                        k->digits = o->len;
                put(o, text, strlen(text) + 1);
        }
        align(o, alignment(k));
        k->token_index = o->len;
        for (unsigned i = 0; i < 256; i++)
                put_u(o, index[i], 2);
}

static void put_addresses(struct ksyms *k, struct out *o)
{
        align(o, alignment(k));
        k->addresses = o->len;
        for (size_t i = 0; i < k->count; i++) {
                uint64_t address = k->symbol[i].address;
                if (k->order == KSYMS_ABSOLUTE)
                        put_u(o, address, k->pointer);
                else if (k->order == KSYMS_PLACE)
                        put_u(o, address - (k->base + o->len), 4);
                else if (!k->percpu)
                        put_u(o, address - k->base, 4);
                else
                        put_u(o, address < k->base ? address : k->base - 1 - address, 4);
        }
        align(o, alignment(k));
        if (k->order == KSYMS_BEFORE || k->order == KSYMS_BEHIND)
                put_u(o, k->base, k->pointer);
}

size_t ksyms_write(struct ksyms *k, uint8_t *out, size_t room)
{
        struct out o = { .at = out, .room = room };
        if (k->order < KSYMS_BEHIND)
                put_addresses(k, &o);
        put_names(k, &o);
        put_tokens(k, &o);
        if (k->order >= KSYMS_BEHIND) {
                put_addresses(k, &o);
                for (size_t i = 0; i < k->count && k->sequence; i++)
                        put_u(&o, (i * 7919) % k->count, 3);
        }
        k->len = o.len;
        return o.full ? 0 : o.len;
}
