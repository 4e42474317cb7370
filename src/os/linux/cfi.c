/* SPDX-License-Identifier: MIT */
/* Bytes, and the entries of .eh_frame: CIE and FDE. */
#include "cfi.h"

#include "../../base/bytes.h"

/* rax rbx rcx rdx rsi rdi rbp rsp r8 .. r15; kept by a function: rbx rbp rsp r12 .. r15. */
const struct cfi_machine cfi_x64 = { .word = 8,
                                     .sp = 7,
                                     .bp = 6,
                                     .ra = 16,
                                     .saved = 1u << 3 | 1u << 6 | 1u << 7 | 0xfu << 12,
                                     .number = { 0, 3, 2, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
                                     .registers = 16 };
/* eax ebx ecx edx esi edi ebp esp; kept: ebx ebp esi edi esp. */
const struct cfi_machine cfi_x86 = {
        .word = 4, .sp = 4, .bp = 5, .ra = 8, .saved = 0xf8, .number = { 0, 3, 1, 2, 6, 7, 5, 4 }, .registers = 8
};

/* ---------------------------------------------------------------- bytes */

void cfi_reader_start(struct cfi_reader *r, struct stasis_space *space, uint64_t at, uint64_t len)
{
        *r = (struct cfi_reader){ .space = space, .at = at, .end = at + len };
        if (r->end < at)
                r->end = UINT64_MAX;
}

/* Never over the end of a page, so that what is there can be read although the next page is not. */
static bool fill(struct cfi_reader *r)
{
        uint64_t len = 4096 - (r->at & 4095);
        len = len < sizeof r->bytes ? len : sizeof r->bytes;
        len = len < r->end - r->at ? len : r->end - r->at;
        r->from = r->at;
        r->have = (uint8_t)len;
        r->status = stasis_space_read(r->space, r->at, r->bytes, (size_t)len);
        return r->status == STASIS_OK;
}

static uint8_t byte(struct cfi_reader *r)
{
        if (r->status != STASIS_OK)
                return 0;
        if (r->at >= r->end) {
                r->status = STASIS_CORRUPT;
                return 0;
        }
        if ((r->have == 0 || r->at < r->from || r->at - r->from >= r->have) && !fill(r))
                return 0;
        return r->bytes[r->at++ - r->from];
}

uint64_t cfi_u(struct cfi_reader *r, size_t size)
{
        uint64_t value = 0;
        for (size_t i = 0; i < size; i++)
                value |= (uint64_t)byte(r) << 8 * i;
        return r->status == STASIS_OK ? value : 0;
}

/* Seven bits a byte, the lowest first; what does not fit into 64 bits is lost. */
static uint64_t leb(struct cfi_reader *r, unsigned *ret_shift, bool *ret_negative)
{
        uint64_t value = 0;
        unsigned shift = 0;
        uint8_t b;
        do {
                b = byte(r);
                if (shift < 64)
                        value |= (uint64_t)(b & 0x7f) << shift;
                shift += 7;
        } while (b & 0x80 && shift < 140);
        *ret_shift = shift;
        *ret_negative = b & 0x40;
        return r->status == STASIS_OK ? value : 0;
}

uint64_t cfi_uleb(struct cfi_reader *r)
{
        unsigned shift;
        bool negative;
        return leb(r, &shift, &negative);
}

int64_t cfi_sleb(struct cfi_reader *r)
{
        unsigned shift;
        bool negative;
        uint64_t value = leb(r, &shift, &negative);
        if (r->status == STASIS_OK && negative && shift < 64)
                value |= UINT64_MAX << shift;
        return (int64_t)value;
}

void cfi_skip(struct cfi_reader *r, uint64_t len)
{
        if (r->status == STASIS_OK && len > r->end - r->at)
                r->status = STASIS_CORRUPT;
        if (r->status == STASIS_OK)
                r->at += len;
}

/* ---------------------------------------------------------------- encoded pointers */

/* Low four bits: what is stored; then three: what it is relative to; the highest: indirect. (LSB, "DWARF Extensions")
 */
#define ENCODING_OMIT 0xff
#define ENCODING_PCREL 0x10
#define ENCODING_ALIGNED 0x50

static uint64_t stored(struct cfi_reader *r, uint8_t encoding, uint8_t word)
{
        switch (encoding & 0xf) {
        case 0x0: return cfi_u(r, word);
        case 0x1: return cfi_uleb(r);
        case 0x2: return cfi_u(r, 2);
        case 0x3: return cfi_u(r, 4);
        case 0x4: return cfi_u(r, 8);
        case 0x9: return (uint64_t)cfi_sleb(r);
        case 0xa: return (uint64_t)(int64_t)(int16_t)cfi_u(r, 2);
        case 0xb: return (uint64_t)(int64_t)(int32_t)cfi_u(r, 4);
        case 0xc: return cfi_u(r, 8);
        default: r->status = r->status == STASIS_OK ? STASIS_UNSUPPORTED : r->status; return 0;
        }
}

static uint64_t cut(uint64_t value, uint8_t word) { return word == 4 ? value & UINT32_MAX : value; }

/* An address of code. Nobody writes it relative to anything but its own place, or indirect. */
static uint64_t code_pointer(struct cfi_reader *r, uint8_t encoding, uint8_t word)
{
        uint64_t at = r->at, value = stored(r, encoding, word);
        if (encoding & 0x80 || ((encoding & 0x70) != 0 && (encoding & 0x70) != ENCODING_PCREL))
                r->status = r->status == STASIS_OK ? STASIS_UNSUPPORTED : r->status;
        return cut(encoding & ENCODING_PCREL ? at + value : value, word);
}

/* ---------------------------------------------------------------- CIE and FDE */

/* The length that every entry begins with, and its end; the extended form (more than 4 GiB) is refused. */
static bool start_entry(struct cfi_reader *r, struct stasis_space *space, uint64_t va)
{
        cfi_reader_start(r, space, va, 4);
        uint64_t len = cfi_u(r, 4);
        if (r->status == STASIS_OK && (len < 4 || len > CFI_BYTES_MAX))
                r->status = len == UINT32_MAX ? STASIS_UNSUPPORTED : STASIS_CORRUPT;
        r->end = r->at + len;
        return r->status == STASIS_OK;
}

/* Not wanted, only how long it is. */
static void personality(struct cfi_reader *r, uint8_t word)
{
        uint8_t encoding = (uint8_t)cfi_u(r, 1);
        if ((encoding & 0x70) == ENCODING_ALIGNED)
                r->status = r->status == STASIS_OK ? STASIS_UNSUPPORTED : r->status;
        if (encoding != ENCODING_OMIT)
                (void)stored(r, encoding, word);
}

/* "zR", "zPLR", "zRS": the letters tell what is in the data behind them. */
static void augmentation(struct cfi_reader *r, const struct cfi_machine *machine, const uint8_t *letters,
                         struct cfi_entry *e)
{
        uint64_t len = cfi_uleb(r), end = r->at + len;
        if (len > r->end - r->at)
                r->status = r->status == STASIS_OK ? STASIS_CORRUPT : r->status;
        for (; *letters && r->status == STASIS_OK; letters++)
                switch (*letters) {
                case 'R': e->encoding = (uint8_t)cfi_u(r, 1); break;
                case 'L': (void)cfi_u(r, 1); break;
                case 'P': personality(r, machine->word); break;
                case 'S': e->signal = true; break;
                default: r->status = STASIS_UNSUPPORTED;
                }
        if (r->status == STASIS_OK && r->at > end)
                r->status = STASIS_CORRUPT;
        r->at = end;
}

static enum stasis_status read_common(struct stasis_space *space, const struct cfi_machine *machine, uint64_t va,
                                      struct cfi_entry *e)
{
        struct cfi_reader r;
        uint8_t letters[9] = { 0 };
        size_t count = 0;
        if (!start_entry(&r, space, va))
                return r.status;
        uint64_t id = cfi_u(&r, 4), version = cfi_u(&r, 1);
        if (r.status == STASIS_OK && (id != 0 || (version != 1 && version != 3)))
                return STASIS_CORRUPT;
        do {
                if (count == sizeof letters)
                        return STASIS_UNSUPPORTED;
                letters[count] = (uint8_t)cfi_u(&r, 1);
        } while (letters[count++] != 0);
        e->code_align = cfi_uleb(&r);
        e->data_align = cfi_sleb(&r);
        uint64_t ra = version == 1 ? cfi_u(&r, 1) : cfi_uleb(&r);
        if (letters[0] == 'z')
                augmentation(&r, machine, letters + 1, e);
        else if (letters[0])
                return STASIS_UNSUPPORTED;
        if (r.status == STASIS_OK && ra >= CFI_REGISTERS)
                return STASIS_CORRUPT;
        e->ra = (uint8_t)ra;
        e->common_at = r.at;
        e->common_len = r.end - r.at;
        return r.status;
}

enum stasis_status cfi_entry_read(struct stasis_space *space, const struct cfi_machine *machine, uint64_t va,
                                  struct cfi_entry *ret_entry)
{
        struct cfi_entry e = { .ra = 0 };
        struct cfi_reader r;
        if (!start_entry(&r, space, va))
                return r.status;
        uint64_t at = r.at, back = cfi_u(&r, 4);
        if (r.status == STASIS_OK && (back == 0 || back > at))
                return STASIS_CORRUPT; /* 0: a CIE */
        enum stasis_status status = r.status == STASIS_OK ? read_common(space, machine, at - back, &e) : r.status;
        if (status != STASIS_OK)
                return status;
        e.start = code_pointer(&r, e.encoding, machine->word);
        e.end = cut(e.start + stored(&r, e.encoding & 0xf, machine->word), machine->word);
        uint8_t z = 0; /* the CIE's first letter tells whether there is data here too */
        status = stasis_space_read(space, at - back + 9, &z, 1);
        if (status == STASIS_OK && z == 'z')
                cfi_skip(&r, cfi_uleb(&r));
        e.at = r.at;
        e.len = r.end - r.at;
        if (status == STASIS_OK && r.status == STASIS_OK)
                *ret_entry = e;
        return status == STASIS_OK ? r.status : status;
}

/* ---------------------------------------------------------------- .eh_frame_hdr */

#define HEADER_TABLE 0x3b /* pairs of 32 bits, relative to the header: what every linker writes */

static enum stasis_status pair(struct stasis_space *space, uint64_t header, uint64_t at, uint64_t *ret_value)
{
        uint64_t value = 0;
        enum stasis_status status = stasis_space_u(space, at, 4, &value);
        *ret_value = header + (uint64_t)(int64_t)(int32_t)value;
        return status;
}

enum stasis_status cfi_find(struct stasis_space *space, uint64_t header, uint64_t len, uint64_t pc, uint64_t *ret_va)
{
        struct cfi_reader r;
        cfi_reader_start(&r, space, header, len);
        uint64_t version = cfi_u(&r, 1), frame = cfi_u(&r, 1), counted = cfi_u(&r, 1), table = cfi_u(&r, 1);
        (void)stored(&r, (uint8_t)frame, 8);
        uint64_t low = 0, high = stored(&r, (uint8_t)counted, 8); /* the first above pc */
        if (r.status != STASIS_OK)
                return r.status;
        if (version != 1 || table != HEADER_TABLE || counted == ENCODING_OMIT || high > (r.end - r.at) / 8)
                return STASIS_UNSUPPORTED;
        uint64_t mask = header > UINT32_MAX ? UINT64_MAX : UINT32_MAX, start;
        while (low < high) {
                uint64_t middle = low + (high - low) / 2;
                enum stasis_status status = pair(space, header, r.at + middle * 8, &start);
                if (status != STASIS_OK)
                        return status;
                if ((start & mask) <= pc)
                        low = middle + 1;
                else
                        high = middle;
        }
        uint64_t va = 0;
        enum stasis_status status = low ? pair(space, header, r.at + (low - 1) * 8 + 4, &va) : STASIS_OK;
        if (status == STASIS_OK)
                *ret_va = va & mask;
        return status;
}
