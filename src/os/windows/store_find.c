/* SPDX-License-Identifier: MIT */
/* Where the store manager is, whose memory its stores are, and which page file it stands for. */
#include <inttypes.h>
#include <string.h>

#include "../../base/bytes.h"
#include "store_internal.h"

#define OWNER_NAME "MemCompression" /* _EPROCESS.ImageFileName, since 1607 */

/* However many words of a hostile kernel's variables look like a manager, no more of them are looked at closely. */
#define CANDIDATES_MAX (1u << 18)

static bool kernel_pointer(const struct store *store, uint64_t va, uint64_t align)
{
        return is_kernel_address(store->w, va) && va % align == 0;
}

/* ---------------------------------------------------------------- stores and their owner */

enum stasis_status store_of_index(struct store *store, uint32_t index, uint64_t *ret_smkm)
{
        uint64_t array, smkm, self;
        if (stasis_space_u(&store->kernel, store->manager + MGR_METADATA + index / 32 * 8, 8, &array) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the array of stores is not readable");
        if (!kernel_pointer(store, array, 8))
                return store_refuse(store, STASIS_CORRUPT, "no store has this index");
        if (stasis_space_u(&store->kernel, array + index % 32 * METADATA_LEN + METADATA_STORE, 8, &smkm) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the array of stores is not readable");
        if (!kernel_pointer(store, smkm, STORE_PAGE_SIZE))
                return store_refuse(store, STASIS_CORRUPT, "no store has this index");
        if (stasis_space_u(&store->kernel, smkm + STORE_SELF, 8, &self) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the store's SMKM_STORE is not readable");
        if (self != smkm)
                return store_refuse(store, STASIS_CORRUPT, "what should be its SMKM_STORE does not point to itself");
        *ret_smkm = smkm;
        return STASIS_OK;
}

static bool is_owner(const struct store *store, uint64_t object)
{
        char name[16] = "";
        return !windows_process_refused(store->w, object) && store->w->at.process_name.has &&
               stasis_space_read(store->w->kernel, object + store->w->at.process_name.offset, name, 15) == STASIS_OK &&
               strcmp(name, OWNER_NAME) == 0;
}

enum stasis_status store_enter_owner(struct store *store, uint64_t smkm)
{
        const struct windows *w = store->w;
        uint64_t object, dtb;
        if (stasis_space_u(&store->kernel, smkm + store->at->owner, 8, &object) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the store's owner is not readable");
        if (object && object == store->owner_object)
                return STASIS_OK;
        if (!is_owner(store, object))
                return store_refuse(store, STASIS_CORRUPT, "the store's owner is not the process " OWNER_NAME);
        if (read_place(w->kernel, object, &w->at.process_dtb, &dtb) != STASIS_OK ||
            !(dtb & w->kernel->paging->root_mask))
                return store_refuse(store, STASIS_IO, "the page tables of " OWNER_NAME " are not known");
        stasis_space_init(&store->owner, w->image, w->kernel->paging, dtb & w->kernel->paging->root_mask);
        pager_attach(w->pager, &store->owner, object, &store->owner_view);
        store->owner_object = object;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- the manager */

/* Has it a tree, and a store that points to itself and belongs to MemCompression? */
static bool is_manager(struct store *store, uint64_t manager)
{
        uint64_t tree, array, smkm;
        if (!kernel_pointer(store, manager, 8) ||
            stasis_space_u(&store->kernel, manager + MGR_GLOBAL_TREE, 8, &tree) != STASIS_OK ||
            !kernel_pointer(store, tree, STORE_PAGE_SIZE) ||
            stasis_space_u(&store->kernel, manager + MGR_METADATA, 8, &array) != STASIS_OK ||
            !kernel_pointer(store, array, 8))
                return false;
        store->manager = manager;
        store->global_tree = tree;
        for (uint32_t i = 0; i < 32; i++)
                if (store_of_index(store, i, &smkm) == STASIS_OK && store_enter_owner(store, smkm) == STASIS_OK)
                        return true;
        store->manager = 0;
        return false;
}

/* As SmGlobals, at this address, leads to it. */
static bool manager_from(struct store *store, uint64_t globals)
{
        uint64_t manager;
        if (!store->at->link)
                return is_manager(store, globals);
        return stasis_space_u(&store->kernel, globals + store->at->link, 8, &manager) == STASIS_OK &&
               is_manager(store, manager - store->at->back);
}

static bool by_symbol(struct store *store)
{
        static const char *const name[] = { "SmGlobals", "?SmGlobals@@3U_SM_GLOBALS@@A" };
        for (size_t i = 0; i < 2; i++) {
                uint64_t va;
                if (!windows_symbol(store->w, name[i], &va))
                        continue;
                bool found = manager_from(store, va);
                system_trace(store->w->system, "store", found, "%s at 0x%" PRIx64 " (symbol): %s", name[i], va,
                             found ? "leads to a store of " OWNER_NAME : "no store manager there");
                return found;
        }
        return false;
}

/* The first words of a manager, or what points behind one, as far as a look at the page tells. */
static bool looks_like(const struct store *store, const uint8_t *at, size_t len)
{
        return kernel_pointer(store, load_le64(at), 8) &&
               (store->at->link || len < MGR_GLOBAL_TREE + 8 ||
                kernel_pointer(store, load_le64(at + MGR_GLOBAL_TREE), STORE_PAGE_SIZE));
}

static bool search_part(struct store *store, uint64_t va, uint64_t end, unsigned *candidates)
{
        while (va < end) {
                struct stasis_bytes page = stasis_space_view(
                        &store->kernel, va, (size_t)(end - va < STORE_PAGE_SIZE ? end - va : STORE_PAGE_SIZE));
                for (size_t i = 0; i + 8 <= page.len; i += 8) {
                        if (!looks_like(store, page.at + i, page.len - i))
                                continue;
                        if (++*candidates > CANDIDATES_MAX)
                                return false;
                        if (manager_from(store, va + i - store->at->link))
                                return true;
                }
                va = (va | (STORE_PAGE_SIZE - 1)) + 1;
        }
        return false;
}

/* Through the kernel's variables. */
static bool by_search(struct store *store)
{
        const struct windows *w = store->w;
        struct pe_part part = { 0 };
        unsigned candidates = 0;
        bool found = false;
        while (!found && w->has_pe && pe_next_part(&w->pe, PE_WRITABLE, &part))
                found = search_part(store, part.va, part.end, &candidates);
        if (found)
                system_trace(w->system, "store", true,
                             "store manager at 0x%" PRIx64
                             ": found in the kernel's variables, by a store of " OWNER_NAME " that points to itself",
                             store->manager);
        else
                system_trace(
                        w->system, "store", false,
                        "no store manager in the kernel's variables: %u candidates, none with a store of " OWNER_NAME,
                        candidates);
        return found;
}

/* ---------------------------------------------------------------- the page file's number */

/* One _MMPAGING_FILE: its number must be its place in the array, and its pool block tagged "Mm  ". */
static bool is_paging_file(struct store *store, uint64_t file, unsigned number, bool *ret_virtual)
{
        uint64_t tag, flags;
        if (!kernel_pointer(store, file, 16) || stasis_space_u(&store->kernel, file - 12, 4, &tag) != STASIS_OK ||
            tag != 0x20206d4d || stasis_space_u(&store->kernel, file + PAGING_FILE_NUMBER, 1, &flags) != STASIS_OK ||
            (flags & 15) != number)
                return false;
        *ret_virtual = flags & PAGING_FILE_VIRTUAL;
        return true;
}

/* An array of pointers to them, of which one is the virtual store; behind the last nothing. */
static bool paging_files_at(struct store *store, const uint8_t *at, size_t len)
{
        bool is_virtual_store, found = false;
        unsigned number = 0;
        for (; number < PAGING_FILES_MAX && number * 8 + 8 <= len; number++) {
                uint64_t file = load_le64(at + number * 8);
                if (!file)
                        break;
                if (!is_paging_file(store, file, number, &is_virtual_store) || (found && is_virtual_store))
                        return false;
                if (is_virtual_store)
                        store->pagefile = number;
                found |= is_virtual_store;
        }
        return found;
}

/* MiSystemPartition.Vp.PagingFile lies in the kernel's variables, within one page or over two. */
static bool paging_files_in(struct store *store, uint64_t va, uint64_t end, unsigned *candidates)
{
        uint8_t array[PAGING_FILES_MAX * 8];
        while (va < end) {
                struct stasis_bytes page = stasis_space_view(
                        &store->kernel, va, (size_t)(end - va < STORE_PAGE_SIZE ? end - va : STORE_PAGE_SIZE));
                for (size_t i = 0; i + 8 <= page.len; i += 8) {
                        bool is_virtual_store;
                        if (!kernel_pointer(store, load_le64(page.at + i), 16) || ++*candidates > CANDIDATES_MAX ||
                            !is_paging_file(store, load_le64(page.at + i), 0, &is_virtual_store))
                                continue;
                        if (stasis_space_read(&store->kernel, va + i, array, sizeof array) == STASIS_OK &&
                            paging_files_at(store, array, sizeof array))
                                return true;
                }
                va = (va | (STORE_PAGE_SIZE - 1)) + 1;
        }
        return false;
}

static bool number_by_paging_files(struct store *store)
{
        struct pe_part part = { 0 };
        unsigned candidates = 0;
        while (store->w->has_pe && pe_next_part(&store->w->pe, PE_WRITABLE, &part))
                if (paging_files_in(store, part.va, part.end, &candidates))
                        return true;
        return false;
}

/* The keys of the tree say it, but in 24H2; there, and where the tree is empty, the memory manager's page files do. */
static bool find_number(struct store *store)
{
        uint32_t key;
        if (store->at->number_in_key && store_tree_first(&store->kernel, store->global_tree, &key) == STASIS_OK) {
                store->pagefile = key >> 28;
                system_trace(store->w->system, "store", true, "the virtual store is page file %u: its keys say so",
                             store->pagefile);
                return true;
        }
        bool found = number_by_paging_files(store);
        if (found)
                system_trace(store->w->system, "store", true,
                             "the virtual store is page file %u: _MMPAGING_FILE.VirtualStorePagefile", store->pagefile);
        else
                system_trace(store->w->system, "store", false, "which page file is the virtual store is not known");
        return found;
}

enum stasis_status store_find(struct store *store)
{
        if (!by_symbol(store) && !by_search(store))
                return STASIS_ABSENT;
        return find_number(store) ? STASIS_OK : STASIS_UNSUPPORTED;
}
