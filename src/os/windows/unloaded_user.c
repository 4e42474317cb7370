/* SPDX-License-Identifier: MIT */
/*
 * RTL_UNLOAD_EVENT_TRACE (Microsoft, "RtlGetUnloadEventTrace"): BaseAddress, SizeOfImage, Sequence, TimeDateStamp,
 * CheckSum, ImageName of 32 letters; later versions have two more words behind (Version; System Informer, ntrtl.h). The
 * array is a variable of ntdll.dll, a ring: an event lies at the place that its number comes to. Until XP it has 16
 * entries, later 64. Its address is what the export RtlGetUnloadEventTrace returns, and does nothing else.
 */
#include "unloaded_user.h"

#include <stdlib.h>
#include <strings.h>

#include "../../base/bytes.h"
#include "../pdb.h"
#include "symbol_files.h"
#include "text.h"

enum { EVENTS_MAX = 64, EVENTS_OLD = 16, NAME_UNITS = 32, EVENT_LEN_MAX = 0x68, CODE_LEN = 24 };

struct gone {
        struct stasis_unloaded at;
        uint64_t order; /* of its sequence */
        char name[NAME_UNITS * 3 + 1];
};

struct unloaded_user {
        uint32_t process;
        bool known;
        size_t count;
        struct gone gone[2 * EVENTS_MAX]; /* of ntdll.dll, and of the one of 32 bits */
        struct stasis_unloaded told[2 * EVENTS_MAX];
};

/* ---- where the array is */

/* x86: mov eax, ARRAY; x64: lea rax, [rip + ARRAY]; and a return, perhaps within a frame (Intel SDM volume 2). */
static bool address_returned(const uint8_t *code, uint64_t va, uint8_t word, uint64_t *ret_at)
{
        for (size_t i = 0; i + 8 <= CODE_LEN; i++) {
                bool lea = word == 8 && code[i] == 0x48 && code[i + 1] == 0x8d && code[i + 2] == 0x05;
                bool mov = word == 4 && code[i] == 0xb8;
                size_t len = lea ? 7 : 5;
                if (!lea && !mov)
                        continue;
                if (code[i + len] != 0xc3 && code[i + len] != 0xc9 && code[i + len] != 0x5d)
                        return false;
                *ret_at = lea ? va + i + len + (uint64_t)(int64_t)(int32_t)load_le32(code + i + 3)
                              : load_le32(code + i + 1);
                return true;
        }
        return false;
}

static bool find_array(struct windows *w, struct stasis_space *space, const struct windows_module *ntdll, uint8_t word,
                       uint64_t *ret_at)
{
        struct pe_image pe;
        uint8_t code[CODE_LEN];
        uint64_t va;
        uint32_t rva;
        if (pe_open(space, ntdll->base, &pe) != STASIS_OK)
                return false;
        struct module_symbols symbols =
                pe.pdb_known ? symbol_files_find(w->symbol_files, pe.pdb_name, &pe.pdb) : (struct module_symbols){ 0 };
        if (symbols.pdb && pdb_symbol_rva(symbols.pdb, "RtlpUnloadEventTrace", &rva)) {
                *ret_at = ntdll->base + rva;
                return pe_holds(&pe, rva, 1);
        }
        return pe_export(space, &pe, "RtlGetUnloadEventTrace", &va) == STASIS_OK &&
               stasis_space_read(space, va, code, sizeof code) == STASIS_OK &&
               address_returned(code, va, word, ret_at) && *ret_at > ntdll->base && *ret_at - ntdll->base < ntdll->size;
}

/* ---- its entries */

/* A place that was never used is zero; one that is no such event is left out. */
static bool read_event(const struct windows *w, struct stasis_space *space, uint64_t va, unsigned index, uint8_t word,
                       struct gone *ret_gone)
{
        uint8_t b[EVENT_LEN_MAX];
        if (stasis_space_read(space, va, b, 2u * word + 12 + 2 * NAME_UNITS) != STASIS_OK)
                return false;
        uint64_t base = load_le(b, word), size = load_le(b + word, word);
        uint32_t sequence = load_le32(b + 2 * word);
        bool here = sequence % EVENTS_MAX == index || (index < EVENTS_OLD && sequence % EVENTS_OLD == index);
        if (!base || base % 0x1000 || is_kernel_address(w, base) || !size || size > INT32_MAX || !here)
                return false;
        *ret_gone = (struct gone){ .at = { .start = base, .end = base + size, .va = va, .off = STASIS_NOWHERE },
                                   .order = sequence };
        const uint8_t *name = b + 2 * word + 12;
        size_t units = 0;
        while (units < NAME_UNITS && load_le16(name + 2 * units))
                units++;
        return text_utf16(name, units, ret_gone->name, sizeof ret_gone->name) > 0;
}

/* The length of an event is the one under which more of the ring is events. */
static size_t read_array(struct windows *w, struct stasis_space *space, uint64_t at, uint8_t word,
                         struct gone *ret_gone)
{
        const unsigned len[] = { word == 8 ? 0x60 : 0x54, word == 8 ? 0x68 : 0x5c };
        size_t count[2] = { 0 };
        struct gone one;
        for (unsigned k = 0; k < 2; k++)
                for (unsigned i = 0; i < EVENTS_MAX; i++)
                        count[k] += read_event(w, space, at + (uint64_t)i * len[k], i, word, &one);
        unsigned best = count[1] > count[0], kept = 0;
        for (unsigned i = 0; i < EVENTS_MAX; i++)
                if (read_event(w, space, at + (uint64_t)i * len[best], i, word, &ret_gone[kept]))
                        kept++;
        for (unsigned i = 0; i < kept; i++) {
                uint64_t pa;
                if (stasis_space_pa(space, ret_gone[i].at.va, &pa) == STASIS_OK)
                        (void)!stasis_image_offset(w->image, pa, &ret_gone[i].at.off);
        }
        return kept;
}

static int newest_first(const void *a, const void *b)
{
        const struct gone *p = a, *q = b;
        return p->order != q->order ? (p->order < q->order) - (p->order > q->order)
                                    : (p->at.va > q->at.va) - (p->at.va < q->at.va);
}

static void read_process(struct windows *w, struct unloaded_user *u)
{
        const struct modules *modules = windows_user_modules(w, u->process);
        struct stasis_space *space = windows_user_space(w, u->process);
        uint64_t at;
        for (size_t i = 0; space && modules && i < modules->count && u->count <= EVENTS_MAX; i++) {
                const struct windows_module *m = &modules->module[i];
                uint8_t word = m->wow64 ? 4 : w->pointer_size;
                if (strcasecmp(m->name, "ntdll.dll") == 0 && find_array(w, space, m, word, &at))
                        u->count += read_array(w, space, at, word, u->gone + u->count);
        }
        if (u->count)
                qsort(u->gone, u->count, sizeof *u->gone, newest_first);
        for (size_t i = 0; i < u->count; i++) {
                u->told[i] = u->gone[i].at;
                u->told[i].name = u->gone[i].name;
        }
}

const struct stasis_unloaded *unloaded_user(struct windows *w, uint32_t process, size_t *ret_count)
{
        *ret_count = 0;
        if (process >= w->process_count)
                return NULL;
        if (!w->unloaded_user && !(w->unloaded_user = calloc(1, sizeof *w->unloaded_user)))
                return NULL;
        struct unloaded_user *u = w->unloaded_user;
        if (!u->known || u->process != process) {
                *u = (struct unloaded_user){ .process = process, .known = true };
                read_process(w, u);
        }
        *ret_count = u->count;
        return u->told;
}
