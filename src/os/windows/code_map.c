/* SPDX-License-Identifier: MIT */
#include "code_map.h"

#include <string.h>

#include "stand.h"
#include "symbol_files.h"

#define SECTION_EXECUTABLE 0x20000020u /* IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_CNT_CODE */

static const struct windows_module *module_of(struct windows *w, uint32_t process, uint64_t pc)
{
        const struct windows_module *module = NULL;
        if (is_kernel_address(w, pc) || process == UINT32_MAX)
                return modules_find(&w->modules, pc);
        const struct modules *user = windows_user_modules(w, process);
        if (user)
                module = modules_find(user, pc);
        return module;
}

static struct stasis_space *space_of(struct windows *w, uint32_t process)
{
        return process == UINT32_MAX ? w->kernel : windows_user_space(w, process);
}

/* A kernel without a list of modules is at least itself. */
static bool find_base(struct windows *w, uint32_t process, uint64_t pc, uint64_t *ret_base)
{
        const struct windows_module *module = module_of(w, process, pc);
        if (module)
                *ret_base = module->base;
        else if (w->has_pe && pc >= w->pe.base && pc - w->pe.base < w->pe.size)
                *ret_base = w->pe.base;
        return module || (w->has_pe && pc >= w->pe.base && pc - w->pe.base < w->pe.size);
}

static void read_image(struct windows *w, struct code_image *c)
{
        struct stasis_space *space = space_of(w, c->process);
        c->is_open = space && pe_open(space, c->pe.base, &c->pe) == STASIS_OK;
}

static struct code_image *image_at(struct windows *w, uint32_t process, uint64_t base)
{
        struct frames *f = frames_get(w);
        if (!f)
                return NULL;
        struct code_image *oldest = &f->image[0];
        for (size_t i = 0; i < FRAMES_IMAGES; i++) {
                struct code_image *c = &f->image[i];
                if (c->used && c->base == base && c->process == process) {
                        c->used = ++f->clock;
                        return c;
                }
                if (c->used < oldest->used)
                        oldest = c;
        }
        *oldest = (struct code_image){ .base = base, .process = process, .used = ++f->clock, .pe.base = base };
        read_image(w, oldest);
        return oldest;
}

/* A driver of a session (win32k.sys) is in the kernel's list, and mapped in processes of the session alone. */
static struct code_image *image_of(struct windows *w, uint32_t process, uint64_t pc)
{
        uint64_t base;
        if (!find_base(w, process, pc, &base))
                return NULL;
        if (!is_kernel_address(w, base))
                return image_at(w, process, base);
        struct code_image *c = image_at(w, UINT32_MAX, base);
        return !c || c->is_open || process == UINT32_MAX || is_virtual(w) ? c : image_at(w, process, base);
}

enum code_kind code_kind(struct windows *w, uint32_t process, uint64_t pc)
{
        const struct code_image *c = image_of(w, process, pc);
        if (!c)
                return CODE_NONE;
        if (!c->is_open || c->pe.section_count == 0)
                return CODE_MODULE;
        for (size_t i = 0; i < c->pe.section_count; i++) {
                const struct pe_section *s = &c->pe.section[i];
                if (s->flags & SECTION_EXECUTABLE && pc - c->base >= s->rva && pc - c->base - s->rva < s->size)
                        return CODE_EXECUTABLE;
        }
        return CODE_NONE;
}

enum x64_found code_function(struct windows *w, uint32_t process, uint64_t pc, struct x64_function *ret_function)
{
        struct code_image *c = image_of(w, process, pc);
        struct pe_function one;
        if (!c || !c->is_open || !c->pe.exception_len)
                return X64_NO_TABLE;
        struct stasis_space *space = space_of(w, c->process);
        enum stasis_status status = space ? pe_function_below(space, &c->pe, pc - c->base, &one) : STASIS_ABSENT;
        if (status == STASIS_ABSENT)
                return X64_NO_TABLE;
        if (status != STASIS_OK || pc - c->base >= one.end)
                return X64_NO_FUNCTION;
        *ret_function = (struct x64_function){ c->base, one.begin, one.end, one.unwind };
        return X64_FUNCTION;
}

/* A standard frame goes by EBP, and what a trap or a task switch is, the trap frame tells. */
bool code_fpo(struct windows *w, uint32_t process, uint64_t pc, struct x86_fpo *ret_fpo)
{
        const struct code_image *c = w->symbol_files ? image_of(w, process, pc) : NULL;
        struct pdb_frame f;
        if (!c || !c->is_open || !c->pe.pdb_known)
                return false;
        struct module_symbols symbols = symbol_files_find(w->symbol_files, c->pe.pdb_name, &c->pe.pdb);
        if (!symbols.pdb || !pdb_frame_at(symbols.pdb, pc - c->base, &f) || f.form != 0)
                return false;
        *ret_fpo = (struct x86_fpo){ .begin = (uint32_t)c->base + f.rva,
                                     .size = f.len,
                                     .locals = f.locals,
                                     .params = f.params,
                                     .prologue = (uint8_t)(f.prologue < 255 ? f.prologue : 255),
                                     .saved = f.saved,
                                     .uses_ebp = f.uses_bp,
                                     .program = f.program };
        return true;
}

/* E8 and four bytes, or FF /2 with any of its lengths. Source: Intel SDM volume 2, CALL. */
enum code_call code_behind_call(struct stasis_space *space, uint64_t pc)
{
        uint8_t code[7];
        if (pc < sizeof code)
                return CALL_NONE;
        if (stasis_space_read(space, pc - sizeof code, code, sizeof code) != STASIS_OK)
                return CALL_UNREADABLE;
        if (code[2] == 0xe8)
                return CALL_THERE;
        for (unsigned len = 2; len <= 7; len++)
                if (code[7 - len] == 0xff && (code[8 - len] >> 3 & 7) == 2)
                        return CALL_THERE;
        return CALL_NONE;
}
