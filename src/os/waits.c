/* SPDX-License-Identifier: MIT */
/*
 * Chains and deadlocks. Nodes are the threads, then the processes that must end (each leads to all of its threads),
 * then the processes that must answer (which lead nowhere: any thread may). An edge is sure where nothing else would
 * end the wait. A deadlock is a strongly connected part of the sure edges; a chain follows, from each thread that
 * nobody waits for, the edge behind which most threads stand.
 */
#include "waits.h"

#include <stdlib.h>

#include "../base/error.h"
#include "wait_graph.h"

struct maker {
        struct stasis_arena *arena;
        const struct wait_input *in;
        struct graph graph;
        struct graph_edge *edge;
        size_t edges, edge_capacity;
        size_t nodes;
        size_t *part, parts; /* by all edges */
        size_t *sure, sures; /* by sure ones */
        size_t *depth;       /* of each part: threads from it on */
        size_t *next;        /* edge of each node that its chain follows; SIZE_MAX: it ends there */
        size_t *deadlock;    /* of each node; SIZE_MAX: in none */
        size_t *told;        /* chain that a node stands in already; SIZE_MAX: none */
        struct stasis_waits *out;
};

static void maker_free(struct maker *m)
{
        graph_free(&m->graph);
        free(m->edge);
        free(m->part);
        free(m->sure);
        free(m->depth);
        free(m->next);
        free(m->deadlock);
        free(m->told);
}

static bool is_thread(const struct maker *m, size_t node) { return node < m->in->threads; }

static size_t end_of(const struct maker *m, size_t process) { return m->in->threads + process; }
static size_t answer_of(const struct maker *m, size_t process) { return m->in->threads + m->in->processes + process; }

/* ---------------------------------------------------------------- edges */

static bool add_edge(struct maker *m, size_t from, size_t to, size_t wait, bool sure)
{
        if (!stasis_grow(&m->edge, &m->edge_capacity, m->edges + 1, sizeof *m->edge))
                return false;
        m->edge[m->edges++] = (struct graph_edge){ from, to, wait, sure };
        return true;
}

static bool add_wait(struct maker *m, size_t i, bool *ending)
{
        const struct stasis_wait *wait = &m->in->wait[i];
        for (size_t k = 0; k < wait->owner_count; k++)
                if (!add_edge(m, wait->thread, wait->owner[k], i, wait->alone))
                        return false;
        if (wait->process == SIZE_MAX)
                return true;
        if (wait->ends)
                ending[wait->process] = true;
        return add_edge(m, wait->thread, wait->ends ? end_of(m, wait->process) : answer_of(m, wait->process), i,
                        wait->alone);
}

static bool add_edges(struct maker *m)
{
        bool *ending = calloc(m->in->processes + 1, sizeof *ending), ok = ending != NULL;
        for (size_t i = 0; i < m->in->count && ok; i++)
                ok = add_wait(m, i, ending);
        for (size_t i = 0; i < m->in->threads && ok; i++) {
                size_t process = m->in->process_of[i];
                if (process != SIZE_MAX && ending[process])
                        ok = add_edge(m, end_of(m, process), i, SIZE_MAX, true);
        }
        free(ending);
        return ok && graph_make(&m->graph, m->nodes, m->edge, m->edges);
}

/* ---------------------------------------------------------------- depths */

/* Nodes by their part, those of the lowest first: what a part leads to is before it. */
static size_t *by_part(const struct maker *m)
{
        size_t *place = calloc(m->parts + 1, sizeof *place), *order = calloc(m->nodes + 1, sizeof *order);
        for (size_t i = 0; place && order && i < m->nodes; i++)
                place[m->part[i] + 1 < m->parts ? m->part[i] + 1 : m->parts]++;
        for (size_t i = 1; place && order && i <= m->parts; i++)
                place[i] += place[i - 1];
        for (size_t i = 0; place && order && i < m->nodes; i++)
                order[place[m->part[i]]++] = i;
        if (!place) {
                free(order);
                order = NULL;
        }
        free(place);
        return order;
}

/* The edge out of its part behind which most stand; in a ring without a way out one that stays. */
static void choose_next(struct maker *m, size_t node)
{
        size_t best = SIZE_MAX;
        for (size_t i = m->graph.first[node]; i < m->graph.first[node + 1]; i++) {
                size_t to = m->part[m->graph.edge[i].to];
                if (best == SIZE_MAX ||
                    (to != m->part[node] && (m->part[m->graph.edge[best].to] == m->part[node] ||
                                             m->depth[to] > m->depth[m->part[m->graph.edge[best].to]])))
                        best = i;
        }
        m->next[node] = best;
}

static bool find_depths(struct maker *m)
{
        size_t *order = by_part(m), *behind = calloc(m->parts + 1, sizeof *behind);
        bool ok = order && behind;
        for (size_t i = 0; i < m->nodes && ok; i++) {
                size_t node = order[i], part = m->part[node];
                m->depth[part] += is_thread(m, node);
                for (size_t k = m->graph.first[node]; k < m->graph.first[node + 1]; k++) {
                        size_t to = m->part[m->graph.edge[k].to];
                        if (to != part && m->depth[to] > behind[part])
                                behind[part] = m->depth[to];
                }
                if (i + 1 == m->nodes || m->part[order[i + 1]] != part)
                        m->depth[part] += behind[part];
        }
        free(order);
        free(behind);
        for (size_t i = 0; i < m->nodes && ok; i++)
                choose_next(m, i);
        return ok;
}

/* ---------------------------------------------------------------- steps */

static struct stasis_wait_step step_at(const struct maker *m, size_t node, size_t wait)
{
        const struct wait_input *in = m->in;
        if (is_thread(m, node))
                return (struct stasis_wait_step){ node, in->process_of[node], wait };
        return (struct stasis_wait_step){ SIZE_MAX, (node - in->threads) % in->processes, SIZE_MAX };
}

/* ---------------------------------------------------------------- deadlocks */

/* The first sure edge that stays in the part. */
static size_t inner_edge(const struct maker *m, size_t node)
{
        for (size_t i = m->graph.first[node]; i < m->graph.first[node + 1]; i++)
                if (m->graph.edge[i].sure && m->sure[m->graph.edge[i].to] == m->sure[node])
                        return i;
        return SIZE_MAX;
}

/* From a node of the part on until one comes again: what lies between is a cycle. visited: 0, or the order plus one. */
static bool take_cycle(struct maker *m, size_t node, size_t *visited, struct stasis_deadlock *deadlock)
{
        size_t count = 0, at = node;
        for (; !visited[at]; at = m->graph.edge[inner_edge(m, at)].to)
                visited[at] = ++count;
        size_t length = count - visited[at] + 1;
        struct stasis_wait_step *step = arena_array(m->arena, struct stasis_wait_step, length);
        if (!step)
                return false;
        for (size_t i = 0; i < length; i++) {
                const struct graph_edge *edge = &m->graph.edge[inner_edge(m, at)];
                step[i] = step_at(m, at, edge->label);
                deadlock->timed |= edge->label != SIZE_MAX && m->in->wait[edge->label].timed;
                at = edge->to;
        }
        deadlock->step = step;
        deadlock->count = length;
        return true;
}

/* How many nodes each part of the sure edges has; one alone is a deadlock where it waits for itself. */
static bool is_deadlock(const struct maker *m, const size_t *size, size_t node)
{
        size_t inner = inner_edge(m, node);
        return inner != SIZE_MAX && (size[m->sure[node]] > 1 || m->graph.edge[inner].to == node);
}

static bool take_members(struct maker *m, const size_t *size)
{
        struct stasis_deadlock *deadlock = (struct stasis_deadlock *)(uintptr_t)m->out->deadlock;
        size_t **thread = calloc(m->out->deadlock_count + 1, sizeof *thread);
        bool ok = thread != NULL;
        for (size_t i = 0; i < m->in->threads && ok; i++) {
                size_t k = m->deadlock[i];
                if (k == SIZE_MAX)
                        continue;
                if (!thread[k])
                        thread[k] = arena_array(m->arena, size_t, size[m->sure[i]]);
                ok = thread[k] != NULL;
                if (ok)
                        thread[k][deadlock[k].thread_count++] = i;
        }
        for (size_t i = 0; i < m->out->deadlock_count && ok; i++)
                deadlock[i].thread = thread[i];
        free(thread);
        return ok;
}

static bool find_deadlocks(struct maker *m)
{
        size_t *size = calloc(m->sures + 1, sizeof *size), *number = calloc(m->sures + 1, sizeof *number);
        size_t *visited = calloc(m->nodes + 1, sizeof *visited), count = 0;
        struct stasis_deadlock *deadlock = NULL;
        bool ok = size && number && visited;
        for (size_t i = 0; i < m->nodes && ok; i++)
                size[m->sure[i]]++;
        for (size_t i = 0; i < m->nodes && ok; i++) { /* threads come first: numbered by the first thread */
                size_t *of = &number[m->sure[i]];
                if (is_deadlock(m, size, i) && !*of)
                        *of = ++count;
                m->deadlock[i] = *of ? *of - 1 : SIZE_MAX;
        }
        if (ok)
                deadlock = arena_array(m->arena, struct stasis_deadlock, count + 1);
        ok = ok && deadlock;
        for (size_t i = 0; i < m->nodes && ok; i++)
                if (m->deadlock[i] != SIZE_MAX && !deadlock[m->deadlock[i]].step)
                        ok = take_cycle(m, i, visited, &deadlock[m->deadlock[i]]);
        m->out->deadlock = deadlock;
        m->out->deadlock_count = ok ? count : 0;
        ok = ok && take_members(m, size);
        free(size);
        free(number);
        free(visited);
        return ok;
}

/* ---------------------------------------------------------------- chains */

/* Where chains begin: one thread of each part that no other leads to and that leads somewhere. */
static bool find_roots(struct maker *m, size_t **ret_root, size_t *ret_count)
{
        bool *entered = calloc(m->parts + 1, sizeof *entered);
        size_t *root = calloc(m->nodes + 1, sizeof *root), count = 0;
        *ret_root = root;
        if (!entered || !root) {
                free(entered);
                return false;
        }
        for (size_t i = 0; i < m->graph.edges; i++)
                if (m->part[m->graph.edge[i].from] != m->part[m->graph.edge[i].to])
                        entered[m->part[m->graph.edge[i].to]] = true;
        for (size_t i = 0; i < m->in->threads; i++) {
                if (entered[m->part[i]] || m->next[i] == SIZE_MAX || m->deadlock[i] != SIZE_MAX)
                        continue;
                entered[m->part[i]] = true;
                root[count++] = i;
        }
        free(entered);
        *ret_count = count;
        return true;
}

struct rooted {
        size_t depth, node;
};

static int by_depth(const void *a, const void *b)
{
        const struct rooted *x = a, *y = b;
        return x->depth != y->depth ? (x->depth < y->depth) - (x->depth > y->depth)
                                    : (x->node > y->node) - (x->node < y->node);
}

/* Its own steps: up to the first node that stands elsewhere already, or in a deadlock, which is the last one. */
static bool follow(struct maker *m, size_t root, size_t number, struct stasis_wait_chain *chain)
{
        size_t count = 0, node = root;
        *chain =
                (struct stasis_wait_chain){ .depth = m->depth[m->part[root]], .deadlock = SIZE_MAX, .joins = SIZE_MAX };
        for (bool more = true; more; count++) {
                more = m->told[node] == SIZE_MAX && m->deadlock[node] == SIZE_MAX && m->next[node] != SIZE_MAX;
                chain->joins = m->told[node];
                if (m->told[node] == SIZE_MAX)
                        m->told[node] = number;
                chain->deadlock = m->deadlock[node];
                if (more)
                        node = m->graph.edge[m->next[node]].to;
        }
        if (chain->deadlock != SIZE_MAX)
                chain->joins = SIZE_MAX;
        struct stasis_wait_step *step = arena_array(m->arena, struct stasis_wait_step, count);
        if (!step)
                return false;
        node = root;
        for (size_t i = 0; i < count; i++) {
                bool last = i + 1 == count;
                const struct graph_edge *edge = last ? NULL : &m->graph.edge[m->next[node]];
                step[i] = step_at(m, node, edge ? edge->label : SIZE_MAX);
                node = edge ? edge->to : node;
        }
        chain->step = step;
        chain->count = count;
        return true;
}

static bool find_chains(struct maker *m)
{
        size_t *root, count = 0;
        bool ok = find_roots(m, &root, &count);
        struct rooted *rooted = ok ? calloc(count + 1, sizeof *rooted) : NULL;
        struct stasis_wait_chain *chain = rooted ? arena_array(m->arena, struct stasis_wait_chain, count + 1) : NULL;
        ok = rooted && chain;
        for (size_t i = 0; i < count && ok; i++)
                rooted[i] = (struct rooted){ m->depth[m->part[root[i]]], root[i] };
        if (ok && count)
                qsort(rooted, count, sizeof *rooted, by_depth);
        for (size_t i = 0; i < count && ok; i++)
                ok = follow(m, rooted[i].node, i, &chain[i]);
        m->out->chain = chain;
        m->out->chain_count = ok ? count : 0;
        free(rooted);
        free(root);
        return ok;
}

/* ---------------------------------------------------------------- all of it */

static bool start(struct maker *m)
{
        m->nodes = m->in->threads + 2 * m->in->processes;
        size_t **const arrays[] = { &m->part, &m->sure, &m->depth, &m->next, &m->deadlock, &m->told };
        for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
                *arrays[i] = calloc(m->nodes + 1, sizeof **arrays[i]);
                if (!*arrays[i])
                        return false;
        }
        for (size_t i = 0; i < m->nodes; i++)
                m->told[i] = SIZE_MAX;
        m->out = arena_new(m->arena, struct stasis_waits);
        return m->out != NULL;
}

enum stasis_status waits_make(struct stasis_arena *arena, const struct wait_input *input,
                              const struct stasis_waits **ret_waits)
{
        struct maker m = { .arena = arena, .in = input };
        bool ok = start(&m) && add_edges(&m) && graph_components(&m.graph, false, m.part, &m.parts) &&
                  graph_components(&m.graph, true, m.sure, &m.sures) && find_depths(&m) && find_deadlocks(&m) &&
                  find_chains(&m);
        if (ok) {
                m.out->wait = input->wait;
                m.out->wait_count = input->count;
                m.out->waiting = input->waiting;
                m.out->cut = input->cut;
                *ret_waits = m.out;
        }
        maker_free(&m);
        return ok ? STASIS_OK : STASIS_NOMEM;
}

enum stasis_status stasis_system_waits(struct stasis_system *system, const struct stasis_waits **ret_waits,
                                       struct stasis_error *err)
{
        struct wait_input input = { 0 };
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        if (!system->os->waits)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "%s does not keep who holds what its threads wait for; what each waits in is a fact "
                                   "of the thread",
                                   system->os->title);
        if (!system->waits) {
                enum stasis_status status = system->os->waits(system->priv, &input, err);
                if (status != STASIS_OK)
                        return status;
                if (waits_make(&system->arena, &input, &system->waits) != STASIS_OK)
                        return stasis_fail(err, STASIS_NOMEM, "out of memory");
        }
        *ret_waits = system->waits;
        return STASIS_OK;
}
