/* SPDX-License-Identifier: MIT */
#include "wait_graph.h"

#include <stdint.h>
#include <stdlib.h>

bool graph_make(struct graph *ret_graph, size_t nodes, const struct graph_edge *edge, size_t edges)
{
        struct graph g = { .nodes = nodes, .edges = edges };
        g.first = calloc(nodes + 2, sizeof *g.first);
        g.edge = calloc(edges + 1, sizeof *g.edge);
        if (!g.first || !g.edge) {
                graph_free(&g);
                return false;
        }
        for (size_t i = 0; i < edges;
             i++) /* counted one further on, so that placing them moves it to where it begins */
                g.first[edge[i].from + 2]++;
        for (size_t i = 2; i < nodes + 2; i++)
                g.first[i] += g.first[i - 1];
        for (size_t i = 0; i < edges; i++)
                g.edge[g.first[edge[i].from + 1]++] = edge[i];
        *ret_graph = g;
        return true;
}

void graph_free(struct graph *graph)
{
        free(graph->first);
        free(graph->edge);
        *graph = (struct graph){ 0 };
}

/* Tarjan's algorithm with a stack of its own: as deep as the graph, which the image decides. */
struct search {
        const struct graph *graph;
        bool sure;
        size_t *component, count;
        size_t *number, *low; /* order in which nodes were met, from 1; the lowest that leads back from them */
        size_t *open, opened; /* nodes whose component is not known yet */
        size_t *path, depth;  /* nodes from the first one to where the search is, */
        size_t *next;         /* and the edge of each that is looked at next */
        size_t met;
};

static void enter(struct search *s, size_t node)
{
        s->number[node] = s->low[node] = ++s->met;
        s->next[node] = s->graph->first[node];
        s->open[s->opened++] = node;
        s->path[s->depth++] = node;
}

/* All nodes met since this one form a component where nothing leads back before it. */
static void leave(struct search *s, size_t node)
{
        s->depth--;
        if (s->low[node] == s->number[node]) {
                size_t top;
                do {
                        top = s->open[--s->opened];
                        s->component[top] = s->count;
                } while (top != node);
                s->count++;
        }
        if (s->depth) {
                size_t above = s->path[s->depth - 1];
                if (s->low[node] < s->low[above])
                        s->low[above] = s->low[node];
        }
}

static void step(struct search *s)
{
        size_t node = s->path[s->depth - 1];
        if (s->next[node] == s->graph->first[node + 1]) {
                leave(s, node);
                return;
        }
        const struct graph_edge *edge = &s->graph->edge[s->next[node]++];
        if (s->sure && !edge->sure)
                return;
        if (!s->number[edge->to])
                enter(s, edge->to);
        else if (s->component[edge->to] == SIZE_MAX && s->number[edge->to] < s->low[node])
                s->low[node] = s->number[edge->to];
}

bool graph_components(const struct graph *graph, bool sure, size_t *component, size_t *ret_count)
{
        size_t nodes = graph->nodes, *memory = calloc(nodes + 1, 5 * sizeof *memory);
        if (!memory)
                return false;
        struct search s = { .graph = graph,
                            .sure = sure,
                            .component = component,
                            .number = memory,
                            .low = memory + nodes,
                            .open = memory + 2 * nodes,
                            .path = memory + 3 * nodes,
                            .next = memory + 4 * nodes };
        for (size_t i = 0; i < nodes; i++)
                component[i] = SIZE_MAX;
        for (size_t i = 0; i < nodes; i++) {
                if (s.number[i])
                        continue;
                enter(&s, i);
                while (s.depth)
                        step(&s);
        }
        free(memory);
        *ret_count = s.count;
        return true;
}
