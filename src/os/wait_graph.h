/* SPDX-License-Identifier: MIT */
/* A directed graph, and what of it is strongly connected: no recursion, linear. */
#ifndef STASIS_OS_WAIT_GRAPH_H
#define STASIS_OS_WAIT_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

struct graph_edge {
        size_t from, to;
        size_t label;
        bool sure;
};

/* Edges sorted by where they leave: those of node n are edge[first[n] .. first[n + 1]). */
struct graph {
        size_t nodes, edges;
        size_t *first;
        struct graph_edge *edge;
};

/* A copy of these edges; false where memory is exhausted (nothing to free then). */
bool graph_make(struct graph *ret_graph, size_t nodes, const struct graph_edge *edge, size_t edges);
void graph_free(struct graph *graph);

/*
 * component[n] of each node: an edge between two of them leads from the higher number to the lower. sure: only such
 * edges count. False where memory is exhausted.
 */
bool graph_components(const struct graph *graph, bool sure, size_t *component, size_t *ret_count);

#endif
