/* SPDX-License-Identifier: MIT */
/* Names of addresses, by modules and exports. What was read of a module is kept while it is used. */
#include "symbolize.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../layout_internal.h"
#include "symbol_files.h"
#include "text.h"
#include "unloaded_user.h"

#define TABLES_MAX 64    /* export tables kept at a time: at most 512 KiB each */
#define MEMO_MAX 4096    /* names given last; a power of two */
#define TEXTS_MAX 65536  /* different texts; a power of two */
#define TEXT_LEN_MAX 512 /* a longer name of an export is cut */

/* The export table of one module, read through the space of one process. */
struct table {
        uint64_t base;
        uint64_t used;    /* when it was asked last; 0: empty */
        uint32_t process; /* UINT32_MAX: the kernel's space */
        bool is_open;     /* its headers are there */
        struct pe_image pe;
        struct pe_exports exports;
        struct module_symbols symbols;
};

struct memo {
        uint64_t va;
        uint32_t process;
        bool known;
        struct windows_name name;
};

struct symbolizer {
        struct table table[TABLES_MAX];
        struct memo memo[MEMO_MAX];
        const char *text[TEXTS_MAX]; /* open addressing */
        size_t text_count;
        uint64_t clock;
};

void symbolize_free(struct symbolizer *s)
{
        for (size_t i = 0; s && i < TABLES_MAX; i++)
                pe_exports_free(&s->table[i].exports);
        free(s);
}

static bool symbolizer_ready(struct windows *w)
{
        if (!w->symbolizer)
                w->symbolizer = calloc(1, sizeof *w->symbolizer);
        return w->symbolizer != NULL;
}

static const struct windows_module *module_of(struct windows *w, uint32_t process, uint64_t va)
{
        if (is_kernel_address(w, va))
                return modules_find(&w->modules, va);
        return process < w->process_count ? modules_find(windows_user_modules(w, process), va) : NULL;
}

/* ---------------------------------------------------------------- texts, each once */

/* NULL where memory, or the number of different texts, is exhausted. */
static const char *intern(struct windows *w, const char *text)
{
        struct symbolizer *s = w->symbolizer;
        uint32_t hash = 2166136261u;

        for (const char *c = text; *c; c++)
                hash = (hash ^ (uint8_t)*c) * 16777619u;
        for (uint32_t i = hash;; i++) {
                const char **slot = &s->text[i % TEXTS_MAX];

                if (*slot && strcmp(*slot, text) == 0)
                        return *slot;
                if (*slot)
                        continue;
                if (s->text_count >= TEXTS_MAX / 4 * 3)
                        return NULL;
                *slot = stasis_arena_strndup(&w->system->arena, text, strlen(text));
                s->text_count += *slot != NULL;
                return *slot;
        }
}

/* ---------------------------------------------------------------- tables of modules */

static struct stasis_space *space_of(struct windows *w, uint32_t process)
{
        return process == UINT32_MAX ? w->kernel : windows_user_space(w, process);
}

static void table_read(struct windows *w, struct table *t)
{
        struct stasis_space *space = space_of(w, t->process);

        t->is_open = space && pe_open(space, t->base, &t->pe) == STASIS_OK;
        if (t->is_open && t->pe.pdb_known)
                t->symbols = symbol_files_find(w->symbol_files, t->pe.pdb_name, &t->pe.pdb);
        if (t->is_open && pe_exports_read(space, &t->pe, &t->exports) != STASIS_OK)
                pe_exports_free(&t->exports);
}

static struct table *table_of(struct windows *w, uint32_t process, uint64_t base)
{
        struct symbolizer *s = w->symbolizer;
        struct table *oldest = &s->table[0];

        for (size_t i = 0; i < TABLES_MAX; i++) {
                struct table *t = &s->table[i];

                if (t->used && t->base == base && t->process == process) {
                        t->used = ++s->clock;
                        return t;
                }
                if (t->used < oldest->used)
                        oldest = t;
        }
        pe_exports_free(&oldest->exports);
        *oldest = (struct table){ .base = base, .process = process, .used = ++s->clock };
        table_read(w, oldest);
        return oldest;
}

/* A driver of a session (win32k.sys) is in the kernel's list, and mapped in processes of the session alone. */
static struct table *table_find(struct windows *w, uint32_t process, const struct windows_module *module)
{
        if (!is_kernel_address(w, module->base))
                return table_of(w, process, module->base);
        struct table *t = table_of(w, UINT32_MAX, module->base);
        return t->is_open || process == UINT32_MAX || is_virtual(w) ? t : table_of(w, process, module->base);
}

/* ---------------------------------------------------------------- which symbol */

/* Who tells symbols of a module: its PDB or ISF file, and its exports. */
enum teller { TELLER_FILE, TELLER_EXPORTS };

struct candidate {
        uint64_t rva;
        const char *text; /* NULL: an export's, which is in the image at */
        uint32_t name;    /* this RVA */
        bool plain;       /* text is the source's, without decoration */
};

static bool below(const struct table *t, enum teller teller, uint64_t rva, struct candidate *ret_candidate)
{
        *ret_candidate = (struct candidate){ 0 };
        if (teller == TELLER_FILE && t->symbols.pdb) {
                const struct pdb_symbol *symbol = pdb_symbol_below(t->symbols.pdb, rva);
                if (symbol)
                        *ret_candidate =
                                (struct candidate){ symbol->rva, symbol->name, 0, symbol->flags & PDB_PRIVATE };
                return symbol != NULL;
        }
        if (teller == TELLER_FILE)
                return t->symbols.layout &&
                       layout_isf_symbol_below(t->symbols.layout, rva, &ret_candidate->text, &ret_candidate->rva);
        const struct pe_exported *export = pe_exports_below(&t->exports, rva);
        if (export)
                *ret_candidate = (struct candidate){ export->rva, NULL, export->name, false };
        return export != NULL;
}

static const struct pe_section *section_of(const struct pe_image *pe, uint64_t rva)
{
        for (size_t i = 0; i < pe->section_count; i++)
                if (rva >= pe->section[i].rva && rva - pe->section[i].rva < pe->section[i].size)
                        return &pe->section[i];
        return NULL;
}

/* What the table of functions says of the nearest symbol below rva. */
enum verdict { CONFIRMED, DENIED, SILENT };

static enum verdict ask_functions(struct stasis_space *space, const struct table *t, enum teller teller, uint64_t rva,
                                  bool found, struct candidate *symbol)
{
        struct pe_function part, whole;
        enum stasis_status status = pe_function_below(space, &t->pe, rva, &part);

        if (status != STASIS_OK)
                return SILENT;
        if (rva >= part.end) /* in none: a function without a frame of its own, behind that one */
                return found && symbol->rva < part.end ? DENIED : SILENT;
        if (found && symbol->rva >= part.begin)
                return CONFIRMED;
        if (pe_function_primary(space, &t->pe, &part, &whole) != STASIS_OK || whole.begin > rva)
                return DENIED;
        return below(t, teller, whole.begin, symbol) && symbol->rva == whole.begin ? CONFIRMED : DENIED;
}

/* "push ebp; mov ebp, esp" behind the end of what stands before: a return, or what fills up to the next function. */
static bool is_prologue(const uint8_t *code, size_t at)
{
        bool frame = code[at] == 0x55 &&
                     ((code[at + 1] == 0x8b && code[at + 2] == 0xec) || (code[at + 1] == 0x89 && code[at + 2] == 0xe5));
        if (frame && at >= 2 && code[at - 2] == 0x8b && code[at - 1] == 0xff) /* mov edi, edi: room for a patch */
                at -= 2;
        return frame && at >= 3 &&
               (code[at - 1] == 0xc3 || code[at - 1] == 0xcc || code[at - 1] == 0x90 ||
                (code[at - 3] == 0xc2 && code[at - 1] == 0)); /* ret with the bytes of its parameters */
}

/* x86 has no table of functions; but code that is there shows where another one begins. */
static bool another_begins(struct stasis_space *space, const struct table *t, uint64_t from, uint64_t rva)
{
        uint8_t code[SYMBOLIZE_NEAR];
        size_t len = (size_t)(rva - from);

        if (len > sizeof(code) || stasis_space_read(space, t->base + from, code, len) != STASIS_OK)
                return false;
        for (size_t at = 3; at + 3 <= len; at++)
                if (is_prologue(code, at))
                        return true;
        return false;
}

/* NULL: none; else how it is known. */
static const char *choose_of(struct stasis_space *space, const struct table *t, enum teller teller, uint64_t rva,
                             struct candidate *symbol)
{
        bool found = below(t, teller, rva, symbol), all = teller == TELLER_FILE;
        const char *from = !all ? "export" : t->symbols.pdb ? "pdb" : "isf";
        enum verdict verdict = SILENT;

        if (found && symbol->rva == rva)
                return from;
        if (t->pe.is64)
                verdict = ask_functions(space, t, teller, rva, found, symbol);
        if (verdict == CONFIRMED)
                return from;
        if (!found || verdict == DENIED || section_of(&t->pe, rva) != section_of(&t->pe, symbol->rva))
                return NULL;
        if (all) /* it knows every function */
                return from;
        if (t->exports.torn || rva - symbol->rva >= SYMBOLIZE_NEAR ||
            (!t->pe.is64 && another_begins(space, t, symbol->rva, rva)))
                return NULL;
        return "nearest-export";
}

/* A file that knows less than the exports do is asked first all the same, and the nearer of both is the answer. */
static const char *choose(struct stasis_space *space, const struct table *t, uint64_t rva, struct candidate *symbol)
{
        struct candidate exported;
        bool has_file = t->symbols.layout && stasis_layout_has_symbols(t->symbols.layout);
        const char *from = has_file ? choose_of(space, t, TELLER_FILE, rva, symbol) : NULL;

        if (from && symbol->rva == rva)
                return from;
        const char *other = choose_of(space, t, TELLER_EXPORTS, rva, &exported);
        if (!other || (from && exported.rva <= symbol->rva))
                return from;
        if (has_file && !from && strcmp(other, "nearest-export") == 0)
                return NULL; /* the file would know a function there */
        *symbol = exported;
        return other;
}

static void name_symbol(struct windows *w, uint32_t process, const struct windows_module *module, uint64_t va,
                        struct windows_name *name)
{
        struct table *t = table_find(w, process, module);
        struct stasis_space *space = space_of(w, t->process);
        struct candidate symbol;
        char text[TEXT_LEN_MAX];

        if (!t->is_open || !space || va - t->base >= t->pe.size)
                return;
        const char *from = choose(space, t, va - t->base, &symbol);
        if (!from)
                return;
        if (!symbol.text)
                (void)text_ascii(space, t->base + symbol.name, text, sizeof(text));
        else if (t->pe.is64 || symbol.plain)
                snprintf(text, sizeof(text), "%s", symbol.text);
        else
                pdb_undecorate(symbol.text, text, sizeof(text));
        for (char *c = text; *c; c++) /* a file is no better than an image */
                *c = *c >= 0x20 && *c < 0x7f ? *c : '?';
        name->symbol = text[0] ? intern(w, text) : NULL;
        if (!name->symbol)
                return;
        name->symbol_from = from;
        name->offset = va - t->base - symbol.rva;
}

bool windows_frame_data(struct windows *w, uint32_t process, uint64_t va, struct pdb_frame *ret_frame)
{
        const struct windows_module *module = module_of(w, process, va);
        struct table *t = module && symbolizer_ready(w) ? table_find(w, process, module) : NULL;

        return t && t->is_open && t->symbols.pdb && pdb_frame_at(t->symbols.pdb, va - t->base, ret_frame);
}

/* ---------------------------------------------------------------- which module */

/* As WinDbg says it; newest first, since addresses are used again. */
static void name_unloaded(struct windows *w, uint32_t process, uint64_t va, struct windows_name *name)
{
        size_t count;
        const struct stasis_unloaded *gone =
                is_kernel_address(w, va) ? windows_unloaded(w, &count) : unloaded_user(w, process, &count);
        char text[TEXT_LEN_MAX];

        for (size_t i = 0; i < count; i++) {
                if (va < gone[i].start || va >= gone[i].end || !gone[i].name)
                        continue;
                snprintf(text, sizeof(text), "<Unloaded_%s>", gone[i].name);
                name->module = intern(w, text);
                name->offset = name->module ? va - gone[i].start : 0;
                return;
        }
}

static void name_new(struct windows *w, uint32_t process, uint64_t va, struct windows_name *name)
{
        const struct windows_module *module = module_of(w, process, va);

        if (!module) {
                name_unloaded(w, process, va, name);
                return;
        }
        name->module = module->name[0] ? intern(w, module->name) : NULL;
        if (!name->module)
                return;
        name->offset = va - module->base;
        name_symbol(w, process, module, va, name);
}

void windows_name_address(struct windows *w, uint32_t process, uint64_t va, struct windows_name *ret_name)
{
        *ret_name = (struct windows_name){ 0 };
        if (!symbolizer_ready(w))
                return;
        struct memo *memo = &w->symbolizer->memo[(va * UINT64_C(0x9e3779b97f4a7c15) >> 40 ^ process) % MEMO_MAX];
        if (!memo->known || memo->va != va || memo->process != process) {
                *memo = (struct memo){ .va = va, .process = process, .known = true };
                name_new(w, process, va, &memo->name);
        }
        *ret_name = memo->name;
}

size_t windows_name_text(const struct windows_name *name, uint64_t va, char *buf, size_t len)
{
        char offset[24] = "";

        if (name->offset)
                snprintf(offset, sizeof(offset), "+0x%" PRIx64, name->offset);
        if (!name->module)
                return (size_t)snprintf(buf, len, "0x%" PRIx64, va);
        if (!name->symbol)
                return (size_t)snprintf(buf, len, "%s%s", name->module, offset);
        return (size_t)snprintf(buf, len, "%s!%s%s%s", name->module, name->symbol, offset,
                                strcmp(name->symbol_from, "nearest-export") == 0 ? "?" : "");
}
