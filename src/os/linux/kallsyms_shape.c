/* SPDX-License-Identifier: MIT */
/*
 * Finding kallsyms' tables by their shape. The tokens of the digits lie in a row in the token table, as symbols' names
 * contain every digit; around them are 256 strings, behind these 256 rising offsets of 2 bytes. Backwards from there a
 * number is searched that counts exactly as many names as lie behind it, up to the markers, which must say where every
 * 256th of them starts. So strong a check needs no other evidence.
 */
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "kallsyms_internal.h"

#define SYMBOLS_MIN 256
#define SYMBOLS_MAX (1u << 20)
#define BACK_MAX (24u << 20)          /* names, markers and addresses of so many symbols */
#define FORWARD_MAX (SYMBOLS_MAX * 4) /* offsets, where they lie behind */
#define STEP (256u << 10)

const uint8_t kallsyms_digits[20] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

/* ---------------------------------------------------------------- tokens */

/* 256 strings, each where the index says that it starts and of the length that it says. */
static bool tokens_agree(const struct kallsyms *k)
{
        if (k->token_index[0] != 0)
                return false;
        for (size_t i = 0; i < 256; i++) {
                size_t at = k->token_index[i], end = i < 255 ? k->token_index[i + 1] : k->token_len;
                if (at >= end || end > k->token_len || strnlen(k->token + at, end - at) + 1 != end - at)
                        return false;
        }
        return true;
}

static bool tokens_try(struct kallsyms *k, const uint8_t *bytes, size_t len, size_t digits, size_t index)
{
        if (index + 512 > len)
                return false;
        for (size_t i = 0; i < 256; i++)
                k->token_index[i] = load_le16(bytes + index + 2 * i);
        size_t start = digits - k->token_index['0'];
        if (k->token_index['0'] > digits || index - start > KALLSYMS_TOKENS_MAX)
                return false;
        size_t last = start + k->token_index[255];
        if (last >= index)
                return false;
        k->token_len = last + strnlen((const char *)bytes + last, index - last) + 1 - start;
        if (start + k->token_len > index)
                return false;
        memcpy(k->token, bytes + start, k->token_len);
        return tokens_agree(k);
}

/* The bytes around the digits: TOKENS_MAX before them and what may follow, less where memory begins or ends there. */
struct around {
        uint8_t bytes[2 * KALLSYMS_TOKENS_MAX + 512];
        uint64_t low; /* physical address of bytes[0] */
        size_t digits, len;
};

/* How much of [pa, pa+max), or below pa of [pa-max, pa), is held in one piece; read to buf. */
static size_t read_most(const struct stasis_image *image, uint64_t pa, bool below, uint8_t *buf, size_t max)
{
        size_t good = 0, bad = max + 1;
        while (bad - good > 1) {
                size_t try = bad - good > max ? max : good + (bad - good) / 2;
                if (stasis_image_read(image, below ? pa - try : pa, buf, try) == STASIS_OK)
                        good = try;
                else
                        bad = try;
        }
        return good && stasis_image_read(image, below ? pa - good : pa, buf, good) == STASIS_OK ? good : 0;
}

static bool read_around(struct around *a, const struct stasis_image *image, uint64_t digits_pa)
{
        size_t before = digits_pa < KALLSYMS_TOKENS_MAX ? (size_t)digits_pa : KALLSYMS_TOKENS_MAX;
        before = read_most(image, digits_pa, true, a->bytes, before);
        size_t behind = read_most(image, digits_pa, false, a->bytes + before, sizeof a->bytes - before);
        a->low = digits_pa - before;
        a->digits = before;
        a->len = before + behind;
        return behind != 0;
}

/* The index lies behind the 208 strings from "0" on, at the next multiple of a pointer's size. */
static bool tokens_find(struct kallsyms *k, const struct stasis_image *image, uint64_t digits_pa, uint64_t *ret_end)
{
        struct around a;
        if (!read_around(&a, image, digits_pa))
                return false;
        size_t at = a.digits;
        for (unsigned i = '0'; i < 256; i++) {
                const uint8_t *nul = memchr(a.bytes + at, 0, a.len - at);
                if (!nul)
                        return false;
                at = (size_t)(nul - a.bytes) + 1;
        }
        for (size_t align = 4; align <= 8; align += 4) {
                size_t index = at + (size_t)(-(a.low + at) & (align - 1));
                if (tokens_try(k, a.bytes, a.len, a.digits, index)) {
                        k->token_pa = digits_pa - k->token_index['0'];
                        *ret_end = a.low + index + 512;
                        return true;
                }
        }
        return false;
}

/* ---------------------------------------------------------------- names, backwards from the tokens */

/* A copy of the physical memory below the token table, filled from its end downwards as far as it was needed. */
struct window {
        const struct stasis_image *image;
        uint8_t *bytes; /* BACK_MAX, then FORWARD_MAX */
        uint64_t end;   /* physical address of bytes + BACK_MAX */
        size_t low;     /* bytes[low..BACK_MAX) is filled */
        bool stopped;   /* memory ends there */
};

static bool window_fill(struct window *w, size_t low)
{
        while (w->low > low && !w->stopped) {
                size_t step = w->low < STEP ? w->low : STEP;
                if (w->end < BACK_MAX - w->low + step ||
                    stasis_image_read(w->image, w->end - (BACK_MAX - w->low) - step, w->bytes + w->low - step, step) !=
                            STASIS_OK) {
                        w->stopped = true;
                        break;
                }
                w->low -= step;
        }
        for (; w->low > low && w->low >= 64; w->low -= 64) /* the last part before memory ends */
                if (w->end < BACK_MAX - w->low + 64 || stasis_image_read(w->image, w->end - (BACK_MAX - w->low) - 64,
                                                                         w->bytes + w->low - 64, 64) != STASIS_OK)
                        break;
        return w->low <= low;
}

/* Types that nm prints; others mean that the names were not where we thought. */
static bool is_type(char type) { return type && strchr("TtDdBbRrVvWwAaUuNnCcGgSsIi?", type); }

static bool names_plausible(const struct kallsyms *k)
{
        const uint8_t *code;
        size_t at = 0, count;
        for (unsigned i = 0; i < 8; i++)
                if (!kallsyms_next(k, &at, &code, &count) || !is_type(k->token[k->token_index[code[0]]]))
                        return false;
        return true;
}

/* Own markers: where every 256th symbol starts; names_len becomes the true one. */
static bool names_count(struct kallsyms *k)
{
        const uint8_t *code;
        size_t at = 0, count;
        uint32_t *marker = malloc(((size_t)k->count / KALLSYMS_MARKER + 1) * sizeof *marker);
        if (!marker)
                return false;
        free(k->marker);
        k->marker = marker;
        for (uint32_t i = 0; i < k->count; i++) {
                if (i % KALLSYMS_MARKER == 0)
                        marker[i / KALLSYMS_MARKER] = (uint32_t)at;
                if (!kallsyms_next(k, &at, &code, &count))
                        return false;
        }
        k->names_len = at;
        return true;
}

/* Markers of a pointer's size before 4.20, of 4 bytes since; aligned as pointers are. */
static bool markers_agree(const struct kallsyms *k, const uint8_t *end, size_t left, uint64_t pa)
{
        size_t count = ((size_t)k->count + KALLSYMS_MARKER - 1) / KALLSYMS_MARKER;
        for (size_t align = 4; align <= 8; align += 4)
                for (size_t size = 4; size <= 8; size += 4) {
                        size_t at = (size_t)(-pa & (align - 1)), i = 0;
                        if (at > left || count * size > left - at)
                                continue;
                        while (i < count && load_le(end + at + i * size, size) == k->marker[i])
                                i++;
                        if (i == count)
                                return true;
                }
        return false;
}

/* Does a number of names stand at bytes + at, and do so many names follow? */
static bool names_try(struct kallsyms *k, const struct window *w, size_t at, size_t header)
{
        k->count = load_le32(w->bytes + at);
        k->names = w->bytes + at + header;
        k->names_len = BACK_MAX - at - header;
        if (!names_plausible(k) || !names_count(k))
                return false;
        const uint8_t *end = k->names + k->names_len;
        size_t left = (size_t)(w->bytes + BACK_MAX - end);
        return markers_agree(k, end, left, w->end - left);
}

static bool names_find(struct kallsyms *k, struct window *w, size_t *ret_at)
{
        for (size_t at = BACK_MAX; at >= 8;) {
                at -= 4;
                if (at < w->low && !window_fill(w, at))
                        return false;
                uint32_t count = load_le32(w->bytes + at);
                if (count < SYMBOLS_MIN || count > SYMBOLS_MAX || BACK_MAX - at < 16 + 2 * (size_t)count)
                        continue;
                uint64_t pa = w->end - (BACK_MAX - at);
                bool wide = pa % 8 == 0 && load_le32(w->bytes + at + 4) == 0;
                *ret_at = at;
                if ((wide && names_try(k, w, at, 8)) || names_try(k, w, at, 4))
                        return true;
        }
        return false;
}

/* ---------------------------------------------------------------- addresses */

static bool is_base(uint64_t base, uint8_t size)
{
        return size == 8 ? base >= UINT64_C(0xffffffff80000000) : base >= 0x40000000 && base <= UINT32_MAX;
}

/* Sorted by address, and most of them different; what else may stand in their place is not. */
static bool addresses_rise(const struct kallsyms *k)
{
        uint32_t falls = 0, rises = 0;
        uint64_t before = 0;
        for (uint32_t i = 0; i < k->count; i++) {
                uint64_t address = kallsyms_address(k, i);
                falls += address < before;
                rises += address > before;
                before = address;
        }
        return falls <= k->count / 1000 && rises >= k->count / 2;
}

/* The same, and where a kernel runs. */
static bool addresses_agree(const struct kallsyms *k)
{
        return addresses_rise(k) && is_base(kallsyms_address(k, k->count - 1), k->pointer_size) &&
               is_base(kallsyms_address(k, k->count / 2), k->pointer_size);
}

static bool offsets_try(struct kallsyms *k, const uint8_t *offsets, uint64_t base, uint8_t size)
{
        k->form = (int32_t)load_le32(offsets + (size_t)(k->count / 2) * 4) < 0 ? KALLSYMS_PERCPU : KALLSYMS_OFFSET;
        k->address = offsets;
        k->base = base;
        k->pointer_size = size;
        k->placed = true;
        return is_base(base, size) && addresses_agree(k);
}

/* Before the number of symbols: whole addresses, or offsets and their base. */
static bool addresses_before(struct kallsyms *k, struct window *w, size_t at, uint8_t size)
{
        size_t offsets = ((size_t)k->count * 4 + size - 1) / size * size, whole = (size_t)k->count * size;
        if (at >= offsets + size && window_fill(w, at - offsets - size) &&
            offsets_try(k, w->bytes + at - size - offsets, load_le(w->bytes + at - size, size), size)) {
                k->shape = size == 8 ? "64 bit, offsets before the names" : "32 bit, offsets before the names";
                return true;
        }
        if (at < whole || !window_fill(w, at - whole))
                return false;
        k->form = KALLSYMS_WHOLE;
        k->placed = true;
        k->address = w->bytes + at - whole;
        k->pointer_size = size;
        k->shape = size == 8 ? "64 bit, whole addresses" : "32 bit, whole addresses";
        return addresses_agree(k);
}

/* Behind the index of the tokens, since 6.4. */
static bool addresses_behind(struct kallsyms *k, struct window *w, uint64_t index_end, uint8_t size)
{
        uint64_t start = (index_end + size - 1) / size * size;
        size_t len = ((size_t)k->count * 4 + size - 1) / size * size;
        uint8_t *to = w->bytes + BACK_MAX, base[8];
        if (stasis_image_read(w->image, start + len, base, size) != STASIS_OK || !is_base(load_le(base, size), size) ||
            stasis_image_read(w->image, start, to, len) != STASIS_OK || !offsets_try(k, to, load_le(base, size), size))
                return false;
        k->shape = size == 8 ? "64 bit, offsets behind the tokens (6.4 and later)"
                             : "32 bit, offsets behind the tokens (6.4 and later)";
        return true;
}

/*
 * There since 7.0, with no base behind them. Where the tables lie every symbol's physical place follows, and the
 * kernel's image lies around them: that is what the places are held against. No pointer tells its size; names of x86-64
 * do.
 */
static bool addresses_relative(struct kallsyms *k, struct window *w, uint64_t start)
{
        uint64_t address;
        uint8_t *to = w->bytes + BACK_MAX;
        if (stasis_image_read(w->image, start, to, (size_t)k->count * 4) != STASIS_OK)
                return false;
        k->form = KALLSYMS_RELATIVE;
        k->address = to;
        k->base = start;
        k->pointer_size = 8; /* physical addresses, so far */
        k->placed = false;
        uint64_t first = kallsyms_address(k, 0), last = kallsyms_address(k, k->count - 1);
        if (first >= k->token_pa || k->token_pa - first >= KALLSYMS_NEAR || last <= k->token_pa ||
            last - k->token_pa >= KALLSYMS_NEAR || !addresses_rise(k))
                return false;
        bool wide = kallsyms_find(k, "startup_64", &address) || kallsyms_find(k, "entry_SYSCALL_64", &address);
        k->pointer_size = wide ? 8 : 4;
        k->shape = wide ? "64 bit, offsets from where they stand (7.0 and later)"
                        : "32 bit, offsets from where they stand (7.0 and later)";
        return true;
}

static bool addresses_find(struct kallsyms *k, struct window *w, size_t at, uint64_t index_end)
{
        for (uint8_t size = 8; size >= 4; size /= 2)
                if (addresses_before(k, w, at, size) || addresses_behind(k, w, index_end, size))
                        return true;
        return addresses_relative(k, w, index_end); /* aligned as the index is, which ends where they begin */
}

/* ---------------------------------------------------------------- all of it */

static enum stasis_status find(struct kallsyms *k, const struct stasis_image *image, uint64_t digits_pa,
                               const char **ret_why)
{
        struct window w = { .image = image, .low = BACK_MAX };
        uint64_t index_end;
        size_t at;
        *ret_why = "no index of tokens behind the tokens";
        if (!tokens_find(k, image, digits_pa, &index_end))
                return STASIS_ABSENT;
        /* Only what is filled becomes resident. */
        k->bytes = w.bytes = malloc((size_t)BACK_MAX + FORWARD_MAX + 8);
        if (!w.bytes)
                return STASIS_NOMEM;
        w.end = k->token_pa;
        *ret_why = "a table of tokens, and no names before it";
        if (!names_find(k, &w, &at))
                return STASIS_ABSENT;
        *ret_why = "tokens and names, and no addresses beside them";
        return addresses_find(k, &w, at, index_end) ? STASIS_OK : STASIS_ABSENT;
}

enum stasis_status kallsyms_open(const struct stasis_image *image, uint64_t digits_pa, struct kallsyms **ret_kallsyms,
                                 const char **ret_why)
{
        struct kallsyms *k = calloc(1, sizeof *k);
        if (!k)
                return STASIS_NOMEM;
        enum stasis_status status = find(k, image, digits_pa, ret_why);
        if (status == STASIS_OK)
                *ret_kallsyms = k;
        else
                kallsyms_close(k);
        return status;
}
