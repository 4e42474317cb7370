/* SPDX-License-Identifier: MIT */
/*
 * Which built-in layout is the kernel's. The build number is not enough: servicing moved members inside one build
 * (src/os/layouts/README.md). Evidence, strongest first: PDB identity, PE identity, sizes and places in KDBG, build.
 */
#include <string.h>

#include "layouts/table.h"

/* Builds that are another one's kernel with a switch thrown: the same file line, another number. */
static const struct {
        uint32_t build, line;
} enabled[] = {
        { 6003, 6002 },   { 18363, 18362 }, { 19042, 19041 }, { 19043, 19041 },
        { 19044, 19041 }, { 19045, 19041 }, { 22631, 22621 }, { 26200, 26100 },
};

static uint32_t line_of(uint32_t build)
{
        for (size_t i = 0; i < sizeof enabled / sizeof *enabled; i++)
                if (enabled[i].build == build)
                        return enabled[i].line;
        return build;
}

/* Service packs that share a build number; of the others the build tells. */
static const struct {
        uint16_t build, revision, service_pack;
} service_packs[] = { { 3790, 0, 0 }, { 3790, 1830, 1 }, { 3790, 3959, 2 } };

struct candidate {
        const struct stasis_layout *layout;
        enum stasis_match match;
        bool pack;         /* its service pack is the one that was told */
        bool whole;        /* its processor block is described whole */
        uint8_t agree;     /* how much of KDBG agrees */
        bool same_build;   /* not only the same line */
        uint32_t distance; /* from the revision told by PE or by the file version */
        uint32_t revision;
};

struct question {
        const struct stasis_kernel_id *id;
        uint32_t build, revision[4]; /* revision: zeros where not told */
        uint16_t nearest;            /* layout for revision, LAYOUT_NONE where not told */
        uint32_t told;  /* the revision to be near to: by PE, else by the file version; 0 where neither told */
        uint32_t lower; /* nearest lower line with layouts, where build has none; else 0 */
};

static uint8_t pointer_size_of(uint16_t machine) { return machine == 0x14c ? 4 : machine == 0x8664 ? 8 : 0; }

static bool pack_agrees(const struct stasis_layout *layout, uint32_t service_pack)
{
        for (size_t i = 0; i < sizeof service_packs / sizeof *service_packs; i++)
                if (service_packs[i].build == layout->version[2] && service_packs[i].revision == layout->version[3])
                        return service_packs[i].service_pack == service_pack;
        return true;
}

/* ---- KDBG */

static uint32_t offset_of(const struct stasis_layout *layout, const char *path)
{
        struct stasis_member member;
        return stasis_layout_member(layout, path, &member) ? member.offset : UINT32_MAX;
}

/* The processor block of some sources ends where the published part does. */
static bool prcb_whole(const struct stasis_layout *layout) { return stasis_layout_sizeof(layout, "_KPRCB") > 0x700; }

#define KDBG_ALL 7

/* How many of the sizes and places in KDBG this layout has. */
static uint8_t kdbg_agrees(const struct stasis_layout *layout, const struct stasis_kernel_id *id)
{
        return (uint8_t)((stasis_layout_sizeof(layout, "_ETHREAD") == id->size_ethread) +
                         (stasis_layout_sizeof(layout, "_EPROCESS") == id->size_eprocess) +
                         (!prcb_whole(layout) || stasis_layout_sizeof(layout, "_KPRCB") == id->size_prcb) +
                         (offset_of(layout, "_KTHREAD.State") == id->kthread_state) +
                         (offset_of(layout, "_KTHREAD.Teb") == id->kthread_teb) +
                         (offset_of(layout, "_KTHREAD.NextProcessor") == id->kthread_next_processor) +
                         (offset_of(layout, "_EPROCESS.Peb") == id->eprocess_peb));
}

/* ---- PE */

static const struct layout_pe *pe_find(uint32_t timestamp, uint32_t image_size)
{
        size_t low = 0, high = layout_pe_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (layout_pes[middle].timestamp < timestamp)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < layout_pe_count && layout_pes[low].timestamp == timestamp; low++)
                if (layout_pes[low].pages == (image_size + 0xfff) >> 12)
                        return &layout_pes[low];
        return NULL;
}

/* The layout seen in the highest revision at or below this one, else in the lowest above; of a build of this line. */
static uint16_t layout_nearest(uint32_t build, uint32_t revision, uint8_t pointer_size)
{
        uint16_t best = LAYOUT_NONE;
        for (size_t i = 0; i < layout_cover_count; i++) {
                const struct layout_cover *cover = &layout_covers[i];
                if (cover->build != build || layout_builtin[cover->layout].pointer_size != pointer_size)
                        continue;
                if (cover->revision <= revision || best == LAYOUT_NONE)
                        best = cover->layout;
        }
        return best;
}

/* ---- putting it together */

static bool line_known(uint32_t build, uint8_t pointer_size)
{
        for (size_t i = 0; i < layout_builtin_count; i++) {
                const struct stasis_layout *layout = &layout_builtin[i];
                if (line_of(layout->version[2]) == line_of(build) &&
                    (!pointer_size || layout->pointer_size == pointer_size))
                        return true;
        }
        return false;
}

static uint32_t line_below(uint32_t build, uint8_t pointer_size)
{
        uint32_t best = 0;
        for (size_t i = 0; i < layout_builtin_count; i++) {
                const struct stasis_layout *layout = &layout_builtin[i];
                uint32_t line = line_of(layout->version[2]);
                if (line < build && line > best && (!pointer_size || layout->pointer_size == pointer_size))
                        best = line;
        }
        return best;
}

static struct question question_of(const struct stasis_kernel_id *id)
{
        struct question q = { .id = id, .build = id->build, .nearest = LAYOUT_NONE, .told = id->revision };
        uint8_t pointer_size = pointer_size_of(id->machine);
        const struct layout_pe *pe = pointer_size == 4 ? NULL : pe_find(id->timestamp, id->image_size);
        if (pe) {
                q.build = pe->build;
                q.told = pe->revision;
                memcpy(q.revision, (uint32_t[]){ 10, 0, pe->build, pe->revision }, sizeof q.revision);
                q.nearest = layout_nearest(pe->build, pe->revision, 8);
                pointer_size = 8;
        }
        if (q.build != 0 && !line_known(q.build, pointer_size))
                q.lower = line_below(q.build, pointer_size);
        return q;
}

static enum stasis_match match_of(const struct question *q, const struct candidate *c)
{
        uint32_t line = line_of(c->layout->version[2]);
        bool kdbg = q->id->kdbg_sizes && c->agree == KDBG_ALL;
        if (c->layout->number == q->nearest)
                return STASIS_MATCH_PE;
        if (q->build == 0)
                return kdbg ? STASIS_MATCH_KDBG : STASIS_MATCH_NONE;
        if (line == line_of(q->build))
                return kdbg ? STASIS_MATCH_KDBG : STASIS_MATCH_BUILD;
        if (q->lower == 0) /* a build that we know: others do not come into question */
                return STASIS_MATCH_NONE;
        return kdbg ? STASIS_MATCH_KDBG : line == q->lower ? STASIS_MATCH_NEAREST : STASIS_MATCH_NONE;
}

/* Servicing only adds: a layout seen at or below the revision serves before any seen above it. */
static uint32_t distance_of(uint32_t told, uint32_t seen)
{
        if (told == 0)
                return 0;
        return seen > told ? (seen - told) | 0x80000000u : told - seen;
}

static struct candidate candidate_of(const struct question *q, const struct stasis_layout *layout)
{
        const uint32_t *version = layout->version;
        uint32_t told = line_of(version[2]) == line_of(q->build) ? q->told : 0; /* of other builds it says nothing */
        struct candidate c = {
                .layout = layout,
                .pack = pack_agrees(layout, q->id->service_pack),
                .whole = prcb_whole(layout),
                .agree = q->id->kdbg_sizes ? kdbg_agrees(layout, q->id) : 0,
                .same_build = version[2] == q->build,
                .distance = distance_of(told, version[3]),
                .revision = version[3],
        };
        c.match = match_of(q, &c);
        return c;
}

static bool better(const struct candidate *a, const struct candidate *b)
{
        if (a->match != b->match)
                return a->match > b->match;
        if (a->pack != b->pack)
                return a->pack;
        if (a->agree != b->agree)
                return a->agree > b->agree;
        if (a->whole != b->whole)
                return a->whole;
        if (a->same_build != b->same_build)
                return a->same_build;
        if (a->distance != b->distance)
                return a->distance < b->distance;
        if (a->revision != b->revision)
                return a->revision > b->revision;
        return a->layout->number < b->layout->number;
}

/* Adds in order; of layouts that serve alike only the better one stays. A worse one at the end falls off. */
static size_t candidates_add(struct candidate *list, size_t count, size_t max, const struct candidate *c)
{
        for (size_t i = 0; i < count; i++) {
                if (list[i].layout->profile != c->layout->profile)
                        continue;
                if (!better(c, &list[i]))
                        return count;
                memmove(&list[i], &list[i + 1], (--count - i) * sizeof *list);
                break;
        }
        size_t at = count;
        while (at > 0 && better(c, &list[at - 1]))
                at--;
        if (at == max)
                return count;
        if (count == max)
                count--;
        memmove(&list[at + 1], &list[at], (count - at) * sizeof *list);
        list[at] = *c;
        return count + 1;
}

/* Where the service pack was told and one agrees, the equally well matched ones that contradict it go. */
static size_t packs_settle(struct candidate *list, size_t count, uint32_t service_pack)
{
        size_t kept = 0;
        if (service_pack == 0 || count == 0 || !list[0].pack)
                return count;
        for (size_t i = 0; i < count; i++)
                if (list[i].pack || list[i].match != list[0].match)
                        list[kept++] = list[i];
        return kept;
}

#define CANDIDATES_MAX 64

size_t stasis_layout_choose(const struct stasis_kernel_id *id, struct stasis_layout_choice *ret_choice, size_t max)
{
        struct candidate list[CANDIDATES_MAX];
        size_t count = 0;
        struct stasis_layout_choice exact = { .match = STASIS_MATCH_PDB };
        uint8_t pointer_size = pointer_size_of(id->machine);
        if (max == 0 || (id->machine != 0 && pointer_size == 0))
                return 0;
        exact.layout = layout_of_pdb(id->pdb, exact.revision);
        if (exact.layout) {
                ret_choice[0] = exact;
                return 1;
        }
        struct question q = question_of(id);
        for (size_t i = 0; i < layout_builtin_count; i++) {
                const struct stasis_layout *layout = &layout_builtin[i];
                if (layout->derived || (pointer_size && layout->pointer_size != pointer_size))
                        continue;
                struct candidate c = candidate_of(&q, layout);
                if (c.match != STASIS_MATCH_NONE)
                        count = candidates_add(list, count, CANDIDATES_MAX, &c);
        }
        count = packs_settle(list, count, id->service_pack);
        for (size_t i = 0; i < count && i < max; i++) {
                ret_choice[i] = (struct stasis_layout_choice){ .layout = list[i].layout, .match = list[i].match };
                memcpy(ret_choice[i].revision, q.revision, sizeof q.revision);
        }
        return count < max ? count : max;
}
