/* SPDX-License-Identifier: MIT */
/*
 * B_TREE of the store manager: pages of the pool, each a node. u16 count, u8 level, u8 leaf, pointer to the leftmost
 * child, then {u32 key, u32 value} in a leaf and {u32 key, pointer to the child with keys from this one on} elsewhere.
 * Places: F, M (store_internal.h).
 */
#include "../../base/bytes.h"
#include "store_internal.h"

enum { NODE_LEN = 0x1000, NODE_LEAF = 0x3, NODE_LEFT = 0x8, NODE_ENTRIES = 0x10, LEAF_ENTRY = 8, INNER_ENTRY = 16 };

/* Keys are 32 bits and a node has room for 255 of them: no real tree is deeper than four. */
#define DEPTH_MAX 8

struct node {
        uint8_t raw[NODE_LEN];
        size_t count, entry_len;
        bool leaf;
};

static uint32_t key_at(const struct node *node, size_t i)
{
        return load_le32(node->raw + NODE_ENTRIES + i * node->entry_len);
}

static bool ascending(const struct node *node)
{
        for (size_t i = 1; i < node->count; i++)
                if (key_at(node, i - 1) >= key_at(node, i))
                        return false;
        return true;
}

static enum stasis_status node_read(struct stasis_space *space, uint64_t va, struct node *node)
{
        if (va % NODE_LEN || !kernel_half(space, va))
                return STASIS_CORRUPT;
        if (stasis_space_read(space, va, node->raw, NODE_LEN) != STASIS_OK)
                return STASIS_IO;
        node->count = load_le16(node->raw);
        node->leaf = node->raw[NODE_LEAF] != 0;
        node->entry_len = node->leaf ? LEAF_ENTRY : INNER_ENTRY;
        if (node->count > (NODE_LEN - NODE_ENTRIES) / node->entry_len || !ascending(node))
                return STASIS_CORRUPT;
        return STASIS_OK;
}

/* How many keys are not above key: the entry before that is the one to take. */
static size_t entries_to(const struct node *node, uint32_t key)
{
        size_t low = 0, high = node->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (key < key_at(node, middle))
                        high = middle;
                else
                        low = middle + 1;
        }
        return low;
}

static uint64_t child_of(const struct node *node, uint32_t key)
{
        size_t i = entries_to(node, key);
        return load_le64(i ? node->raw + NODE_ENTRIES + (i - 1) * INNER_ENTRY + 8 : node->raw + NODE_LEFT);
}

/* The leaf that holds key, if one does. */
static enum stasis_status leaf_of(struct stasis_space *space, uint64_t root, uint32_t key, struct node *leaf)
{
        for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
                enum stasis_status status = node_read(space, root, leaf);
                if (status != STASIS_OK || leaf->leaf)
                        return status;
                root = child_of(leaf, key);
        }
        return STASIS_CORRUPT;
}

enum stasis_status store_tree_find(struct stasis_space *space, uint64_t root, uint32_t key, uint32_t *ret_value)
{
        struct node leaf;
        enum stasis_status status = leaf_of(space, root, key, &leaf);
        if (status != STASIS_OK)
                return status;
        size_t i = entries_to(&leaf, key);
        if (!i || key_at(&leaf, i - 1) != key)
                return STASIS_ABSENT;
        *ret_value = load_le32(leaf.raw + NODE_ENTRIES + (i - 1) * LEAF_ENTRY + 4);
        return STASIS_OK;
}

enum stasis_status store_tree_first(struct stasis_space *space, uint64_t root, uint32_t *ret_key)
{
        struct node leaf;
        enum stasis_status status = leaf_of(space, root, 0, &leaf);
        if (status != STASIS_OK)
                return status;
        if (!leaf.count)
                return STASIS_ABSENT;
        *ret_key = key_at(&leaf, 0);
        return STASIS_OK;
}
