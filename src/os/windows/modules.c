/* SPDX-License-Identifier: MIT */
#include "modules.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../base/arena.h"
#include "../../base/bytes.h"
#include "kernel.h"
#include "../list.h"
#include "text.h"

#define PAGE_LEN UINT64_C(0x1000)

/* ---------------------------------------------------------------- places */

/*
 * LDR_DATA_TABLE_ENTRY and, in the kernel, KLDR_DATA_TABLE_ENTRY: they begin with the same members at the same places
 * in every version from NT 4.0 to 11. The timestamp is another matter, and the kernel's is in the symbols since 8 only.
 */
struct ldr_places {
        uint8_t pointer;
        uint32_t base, entry_point, size, path, name, flags;
        uint32_t timestamp; /* 0: not known */
        uint32_t peb_ldr, ldr_list;
};

static const struct ldr_places places32 = { 4, 0x18, 0x1c, 0x20, 0x24, 0x2c, 0x34, 0x44, 0x0c, 0x0c };
static const struct ldr_places places64 = { 8, 0x30, 0x38, 0x40, 0x48, 0x58, 0x68, 0x80, 0x18, 0x10 };

static void place(const struct stasis_layout *layout, const char *structure, const char *member, uint32_t *place)
{
        struct stasis_member found;
        char path[64];

        snprintf(path, sizeof(path), "%s.%s", structure, member);
        if (stasis_layout_member(layout, path, &found))
                *place = found.offset;
}

static struct ldr_places places_of(const struct stasis_space *space, const struct stasis_layout *layout, bool kernel)
{
        struct ldr_places p = space->paging->sign_extended ? places64 : places32;
        const char *entry = kernel ? "_KLDR_DATA_TABLE_ENTRY" : "_LDR_DATA_TABLE_ENTRY";

        if (kernel)
                p.timestamp = 0;
        if (!layout || stasis_layout_pointer_size(layout) != p.pointer)
                return p;
        place(layout, entry, "DllBase", &p.base);
        place(layout, entry, "EntryPoint", &p.entry_point);
        place(layout, entry, "SizeOfImage", &p.size);
        place(layout, entry, "FullDllName", &p.path);
        place(layout, entry, "BaseDllName", &p.name);
        place(layout, entry, "Flags", &p.flags);
        place(layout, entry, "TimeDateStamp", &p.timestamp);
        place(layout, "_PEB", "Ldr", &p.peb_ldr);
        place(layout, "_PEB_LDR_DATA", "InLoadOrderModuleList", &p.ldr_list);
        return p;
}

/* ---------------------------------------------------------------- one list */

struct loader {
        struct stasis_space *space;
        struct ldr_places places;
        bool kernel, wow64;
};

/* A 32-bit process of a system booted with /3GB reaches up to here, into what is the kernel's half elsewhere. */
#define X86_USER_END UINT64_C(0xc0000000)

static bool same_half(const struct loader *loader, uint64_t va)
{
        if (loader->kernel)
                return kernel_half(loader->space, va);
        return va && (loader->space->paging->sign_extended ? !kernel_half(loader->space, va) : va < X86_USER_END);
}

static bool read_at(const struct loader *loader, uint64_t va, size_t size, uint64_t *ret_value)
{
        return stasis_space_u(loader->space, va, size, ret_value) == STASIS_OK;
}

/* A loader's entry names an image at a page of its own half. One whose body is not in memory may still link on. */
static bool is_entry(void *ctx, uint64_t entry)
{
        const struct loader *loader = (const struct loader *)ctx;
        uint64_t base;

        if (!same_half(loader, entry))
                return false;
        return !read_at(loader, entry + loader->places.base, loader->places.pointer, &base) ||
               (same_half(loader, base) && base % PAGE_LEN == 0);
}

static bool decode(const struct loader *loader, uint64_t entry, struct windows_module *module)
{
        const struct ldr_places *p = &loader->places;
        uint64_t value;

        memset(module, 0, sizeof(*module));
        module->entry = entry;
        module->wow64 = loader->wow64;
        if (!read_at(loader, entry + p->base, p->pointer, &module->base) ||
            !read_at(loader, entry + p->size, 4, &value))
                return false;
        module->size = value;
        if (read_at(loader, entry + p->entry_point, p->pointer, &value))
                module->entry_point = value;
        if (read_at(loader, entry + p->flags, 4, &value))
                module->flags = (uint32_t)value;
        if (p->timestamp && read_at(loader, entry + p->timestamp, 4, &value))
                module->timestamp = (uint32_t)value;
        if (text_unicode_string(loader->space, entry + p->path, p->pointer, module->path, sizeof(module->path)) !=
            STASIS_OK)
                module->path[0] = '\0';
        if (text_unicode_string(loader->space, entry + p->name, p->pointer, module->name, sizeof(module->name)) !=
            STASIS_OK)
                snprintf(module->name, sizeof(module->name), "%.*s", (int)sizeof(module->name) - 1,
                         text_basename(module->path));
        return true;
}

static int by_base(const void *a, const void *b)
{
        const struct windows_module *left = (const struct windows_module *)a;
        const struct windows_module *right = (const struct windows_module *)b;

        if (left->base != right->base)
                return left->base < right->base ? -1 : 1;
        return (left->entry > right->entry) - (left->entry < right->entry);
}

/* The program of a WoW64 process stands in both of its lists. */
static void merge(struct windows_module *into, const struct windows_module *other)
{
        into->wow64 = into->wow64 || other->wow64;
        if (!into->name[0])
                memcpy(into->name, other->name, sizeof(into->name));
        if (!into->path[0])
                memcpy(into->path, other->path, sizeof(into->path));
}

void modules_sort(struct modules *modules)
{
        size_t kept = 0;

        if (!modules->count)
                return;
        qsort(modules->module, modules->count, sizeof(*modules->module), by_base);
        for (size_t i = 1; i < modules->count; i++) {
                if (modules->module[i].base == modules->module[kept].base)
                        merge(&modules->module[kept], &modules->module[i]);
                else
                        modules->module[++kept] = modules->module[i];
        }
        modules->count = kept + 1;
}

static enum stasis_status add_list(const struct loader *loader, uint64_t head, struct modules *into)
{
        const struct list_options options = {
                .pointer_size = loader->places.pointer, .max = MODULES_MAX, .accept = is_entry, .ctx = (void *)loader
        };
        struct list_walk walk;
        enum stasis_status status = list_walk(loader->space, head, &options, &walk);

        if (status != STASIS_OK)
                return status == STASIS_NOMEM ? STASIS_NOMEM : STASIS_ABSENT;
        if (!stasis_grow(&into->module, &into->capacity, into->count + walk.count, sizeof(*into->module))) {
                list_free(&walk);
                return STASIS_NOMEM;
        }
        into->torn = into->torn || !list_whole(&walk);
        into->unreadable += (size_t)(walk.forward == LIST_UNREADABLE) +
                            (size_t)(walk.backward == LIST_UNREADABLE && walk.backward_at != walk.forward_at);
        for (size_t i = 0; i < walk.count; i++) {
                if (decode(loader, walk.entry[i], &into->module[into->count]))
                        into->count++;
                else
                        into->unreadable++;
        }
        list_free(&walk);
        modules_sort(into);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- the lists there are */

enum stasis_status modules_kernel(struct stasis_space *space, const struct stasis_layout *layout, uint64_t list_head,
                                  struct modules *ret_modules)
{
        const struct loader loader = { space, places_of(space, layout, true), true, false };

        memset(ret_modules, 0, sizeof(*ret_modules));
        return add_list(&loader, list_head, ret_modules);
}

static enum stasis_status add_process(const struct loader *loader, uint64_t peb, struct modules *into)
{
        uint64_t ldr;

        if (!read_at(loader, peb + loader->places.peb_ldr, loader->places.pointer, &ldr) || !same_half(loader, ldr))
                return STASIS_ABSENT;
        return add_list(loader, ldr + loader->places.ldr_list, into);
}

enum stasis_status modules_user(struct stasis_space *space, const struct stasis_layout *layout, uint64_t peb,
                                struct modules *into)
{
        const struct loader loader = { space, places_of(space, layout, false), false, false };

        return add_process(&loader, peb, into);
}

enum stasis_status modules_user32(struct stasis_space *space, const struct stasis_layout *layout, uint64_t peb32,
                                  struct modules *into)
{
        const struct loader loader = { space, places32, false, true };

        (void)layout; /* 64-bit symbols do not describe the 32-bit loader; its places have never moved */
        return add_process(&loader, peb32, into);
}

const struct windows_module *modules_find(const struct modules *modules, uint64_t address)
{
        size_t low = 0, high = modules->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (modules->module[middle].base <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (!low || address - modules->module[low - 1].base >= modules->module[low - 1].size)
                return NULL;
        return &modules->module[low - 1];
}

void modules_free(struct modules *modules)
{
        free(modules->module);
        memset(modules, 0, sizeof(*modules));
}

/* ---------------------------------------------------------------- the head by its shape */

static bool is_head(const struct loader *loader, const struct pe_image *kernel, uint64_t head, uint64_t first)
{
        uint8_t size = loader->places.pointer;
        uint64_t last, back, base, forth;

        return first != head && first % size == 0 && same_half(loader, first) &&
               read_at(loader, head + size, size, &last) && last % size == 0 && same_half(loader, last) &&
               read_at(loader, first + size, size, &back) && back == head &&
               read_at(loader, first + loader->places.base, size, &base) && base == kernel->base &&
               read_at(loader, last, size, &forth) && forth == head;
}

static bool find_head(const struct loader *loader, const struct pe_image *kernel, const struct pe_part *part,
                      uint64_t *ret_head)
{
        size_t size = loader->places.pointer;

        for (uint64_t va = (part->va + size - 1) / size * size; va < part->end; va = (va | (PAGE_LEN - 1)) + 1) {
                struct stasis_bytes view = stasis_space_view(loader->space, va, part->end - va);

                for (size_t i = 0; i + size <= view.len; i += size) {
                        if (is_head(loader, kernel, va + i, load_le(view.at + i, size))) {
                                *ret_head = va + i;
                                return true;
                        }
                }
        }
        return false;
}

enum stasis_status modules_head_by_shape(struct stasis_space *space, const struct pe_image *kernel,
                                         const struct stasis_layout *layout, uint64_t *ret_head)
{
        static const enum pe_group order[] = { PE_WRITABLE, PE_CONSTANT };
        const struct loader loader = { space, places_of(space, layout, true), true, false };

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
                for (struct pe_part part = { 0 }; pe_next_part(kernel, order[i], &part);)
                        if (find_head(&loader, kernel, &part, ret_head))
                                return STASIS_OK;
        return STASIS_ABSENT;
}
