/* SPDX-License-Identifier: MIT */
/*
 * Pages of files: an address_space keeps them by their number in an XArray (since 4.20, i_pages), in a radix tree
 * before (page_tree until 4.16), and leads to the struct page, whose place in the array of all of them is the number of
 * the page frame. What a process has not touched yet is there all the same.
 */
#include "../../base/bytes.h"
#include "user.h"

#define SLOTS 64 /* of a node: RADIX_TREE_MAP_SHIFT is 6 in every kernel but tiny ones */
#define DEPTH_MAX 12
#define LARGE_MAX 512 /* pages of one large page that its first stands for */
#define PAGE UINT64_C(4096)

/*
 * Where the array of struct page was before 4.8 moved it about (Documentation/x86/x86_64/mm.txt; since 2.6.31, before),
 * and is with five levels where nothing moves it: believed where it has the page that the kernel's text begins in.
 */
static bool page_array_fixed(struct linux_system *l, uint64_t *ret_pages)
{
        static const uint64_t places[] = { UINT64_C(0xffffea0000000000), UINT64_C(0xffffe20000000000),
                                           UINT64_C(0xffd4000000000000) };
        uint64_t size = l->layout ? stasis_layout_sizeof(l->layout, "page") : 0, word;
        for (size_t i = 0; l->is64 && size && l->place.known && i < sizeof places / sizeof *places; i++)
                if (linux_read_pointer(l, places[i] + l->place.text_pa / PAGE * size, &word) == STASIS_OK) {
                        *ret_pages = places[i];
                        return true;
                }
        return false;
}

bool linux_page_array(struct linux_system *l, uint64_t *ret_pages)
{
        static const char *const names[] = { "vmemmap_base", "mem_map" };
        uint64_t symbol;
        for (size_t i = 0; i < 2; i++)
                if (linux_symbol_find(l, names[i], &symbol) && linux_read_pointer(l, symbol, ret_pages) == STASIS_OK &&
                    linux_is_kernel_address(l, *ret_pages))
                        return true;
        return page_array_fixed(l, ret_pages);
}

void user_file_bind(struct linux_user *user)
{
        const struct user_places *at = &user->at;
        bool xarray = at->xa_head.has && at->xa_slots.has && at->xa_shift.has;
        bool radix = (at->rnode.has || at->page_rnode.has) && at->radix_slots.has &&
                     (at->radix_shift.has || at->radix_height.has);
        user->cache = user->vmas && at->file.has && at->page.has && at->mapping.has && at->page_mapping.has &&
                      at->page_index.has && user->at.page_size && (xarray || radix) &&
                      linux_page_array(user->l, &user->pages);
}

uint64_t user_file_mapping(struct linux_user *user, uint64_t file)
{
        uint64_t mapping;
        if (!user->cache || !file || read_place(user->l->kernel, file, &user->at.mapping, &mapping) != STASIS_OK)
                return 0;
        return mapping;
}

/* ---------------------------------------------------------------- the tree */

struct tree {
        bool xarray, tagged; /* tagged: pointers to nodes are marked at every level, and not in the root alone */
        const struct place *head, *slots, *shift;
};

static struct tree tree_of(const struct user_places *at)
{
        if (at->xa_head.has)
                return (struct tree){ true, true, &at->xa_head, &at->xa_slots, &at->xa_shift };
        return (struct tree){ false, at->radix_shift.has, at->rnode.has ? &at->rnode : &at->page_rnode,
                              &at->radix_slots, &at->radix_shift };
}

static bool is_node(const struct tree *t, uint64_t entry)
{
        return t->xarray ? (entry & 3) == 2 && entry > 4096 : (entry & 3) == 1;
}

/* How far the page's number is shifted at the root; before 4.7 its height tells, later each node by itself. */
static bool first_shift(struct linux_user *user, uint64_t mapping, uint64_t *ret_shift)
{
        uint64_t height;
        if (read_place(user->l->kernel, mapping, &user->at.radix_height, &height) != STASIS_OK || height == 0 ||
            height > DEPTH_MAX)
                return false;
        *ret_shift = 6 * (height - 1);
        return true;
}

/* From a node to what stands in it for this page; of a large page only the first slot names it. */
static bool descend(struct linux_user *user, const struct tree *t, uint64_t node, uint64_t slot, uint64_t *ret_entry)
{
        uint8_t word = user->l->pointer_size;
        uint64_t slots = node + t->slots->offset;
        if (linux_read_pointer(user->l, slots + slot * word, ret_entry) != STASIS_OK)
                return false;
        if (t->xarray && (*ret_entry & 3) == 2 && *ret_entry < SLOTS << 2) /* xa_is_sibling */
                return linux_read_pointer(user->l, slots + (*ret_entry >> 2) * word, ret_entry) == STASIS_OK;
        return true;
}

/* The entry of this page: a struct page, or something else. */
static bool find_entry(struct linux_user *user, uint64_t mapping, uint64_t page, uint64_t *ret_entry)
{
        struct tree t = tree_of(&user->at);
        uint64_t entry, shift = 0;
        if (read_place(user->l->kernel, mapping, t.head, &entry) != STASIS_OK)
                return false;
        if (!is_node(&t, entry)) {
                *ret_entry = entry;
                return page == 0;
        }
        if (!t.tagged && !first_shift(user, mapping, &shift))
                return false;
        for (unsigned i = 0; i < DEPTH_MAX; i++) {
                uint64_t node = entry & ~UINT64_C(3);
                if ((t.tagged && read_place(user->l->kernel, node, t.shift, &shift) != STASIS_OK) || shift > 60 ||
                    (i == 0 && shift < 58 && page >> (shift + 6) != 0) ||
                    !descend(user, &t, node, page >> shift & (SLOTS - 1), &entry))
                        return false;
                bool more = t.tagged ? is_node(&t, entry) : shift != 0 && entry;
                if (!more) {
                        *ret_entry = entry;
                        return true;
                }
                shift -= shift ? 6 : 0;
        }
        return false;
}

/* The struct page of this very page: of a large one the tree may have the first. */
static bool find_page(struct linux_user *user, uint64_t mapping, uint64_t number, uint64_t *ret_page)
{
        struct stasis_space *s = user->l->kernel;
        uint64_t page, owner, index, head;
        if (!find_entry(user, mapping, number, &page) || !page || page & 3 ||
            read_place(s, page, &user->at.page_mapping, &owner) != STASIS_OK || owner != mapping ||
            read_place(s, page, &user->at.page_index, &index) != STASIS_OK || index > number ||
            number - index >= LARGE_MAX)
                return false;
        if (index != number) {
                head = page;
                page += (number - index) * user->at.page_size;
                if (!user->at.page_head.has || read_place(s, page, &user->at.page_head, &owner) != STASIS_OK ||
                    owner != (head | 1))
                        return false;
        }
        *ret_page = page;
        return true;
}

bool user_file_page(struct linux_user *user, uint64_t mapping, uint64_t number, uint64_t *ret_pa)
{
        uint64_t page;
        if (!user->cache || !mapping || !find_page(user, mapping, number, &page) || page < user->pages ||
            (page - user->pages) % user->at.page_size)
                return false;
        *ret_pa = (page - user->pages) / user->at.page_size * PAGE;
        return true;
}

bool user_file_read(struct linux_user *user, uint64_t mapping, uint64_t at, void *buf, size_t len)
{
        uint8_t *to = buf;
        while (len) {
                uint64_t pa, part = PAGE - at % PAGE;
                part = part < len ? part : len;
                if (at > UINT64_MAX - part || !user_file_page(user, mapping, at / PAGE, &pa) ||
                    stasis_image_read(user->l->image, pa + at % PAGE, to, (size_t)part) != STASIS_OK)
                        return false;
                to += part;
                at += part;
                len -= (size_t)part;
        }
        return true;
}

/* What the fault handler would do with a page of a file that the process has not touched: take it from the cache. */
enum stasis_status user_fault(void *ctx, struct stasis_space *space, struct stasis_soft_fault *fault)
{
        struct linux_user *user = ctx;
        struct stasis_walk *walk = fault->walk;
        struct user_vma vma;
        uint64_t pa;
        enum stasis_status status = linux_soft_fault(user->l, space, fault);
        if (status == STASIS_OK || !walk->depth || walk->entry[walk->depth - 1].value != 0 || !user->cache ||
            !user_vma_at(user, walk->va, &vma) || !vma.file ||
            !user_file_page(user, user_file_mapping(user, vma.file), vma.first_page + (walk->va - vma.start) / PAGE,
                            &pa))
                return status;
        walk->page_size = PAGE;
        walk->pa = pa | (walk->va & (PAGE - 1));
        return STASIS_OK;
}
