/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "result.h"

/* ---- what always changes, and is counted only; --all shows it too */

static const char *const volatile_paths[] = {
        "threads[*].*_time",
        "threads[*].wait_age",
        "threads[*].context_switches",
        "threads[*].*voluntary_switches",
        "threads[*].priority_decrement",
        "threads[*].saturation",
        "threads[*].next_processor",
        "threads[*].ideal_processor",
        "threads[*].running_on",
        "threads[*].cpu",
        "threads[*].*_registers",
        "threads[*].kernel_stack",
        "threads[*].trap_frame",
        "threads[*].*stack[*].sp",
        "threads[*].*stack[*].slot",
        "threads[*].*stack[*].how",
        "threads[*].*stack[*].trust",
        "threads[*].*stack[*].exact",
        "threads[*].*stack[*].symbol_from",
        "threads[*].wait_objects[*].block",
        "threads[*].timers[*].due*",
        "threads[*].*message_id",
        "threads[*].active_fault_count",
        "threads[*].sources",
        "threads[*].unseen_by",
        "threads[*].scan_bits",
        "threads[*].object_pa",
        "processes[*].object_pa",
        "processes[*].sources",
        "processes[*].handles",
        "processes[*].threads",
        "processes[*].active_threads",
        "processes[*].*_time",
        "system.*_time",
};

/* Times that do not go on by themselves. */
static const char *const steady_paths[] = {
        "threads[*].create_time", "threads[*].start_time",   "threads[*].exit_time", "processes[*].create_time",
        "processes[*].exit_time", "processes[*].start_time", "**.evidence",
};

static bool add_paths(struct diff *d, const char *const *paths, size_t count, enum rule_kind kind, struct text *why)
{
        for (size_t i = 0; i < count; i++)
                if (!rules_add_kind(&d->compare.rules, paths[i], kind, why))
                        return false;
        return true;
}

/* --columns: nothing of threads and processes but these. */
static bool add_columns(struct diff *d, struct text *why)
{
        static const char *const lists[] = { "threads", "processes" };
        struct text path = { 0 };

        for (size_t i = 0; i < 2; i++) {
                text_reset(&path);
                text_printf(&path, "%s[*].*", lists[i]);
                rules_add_kind(&d->compare.rules, text_get(&path), RULE_IGNORE, why);
                for (const char *key = d->cli->columns; *key && !why->len;) {
                        size_t len = strcspn(key, ",");
                        text_reset(&path);
                        text_printf(&path, "%s[*].%.*s", lists[i], (int)len, key);
                        rules_add_kind(&d->compare.rules, text_get(&path), RULE_EXACT, why);
                        key += len + (key[len] == ',');
                }
        }
        text_free(&path);
        return why->len == 0;
}

static bool make_rules(struct diff *d, struct text *why)
{
        size_t count = sizeof(volatile_paths) / sizeof(volatile_paths[0]);
        bool good = d->cli->all || add_paths(d, volatile_paths, count, RULE_IGNORE, why);

        good = good && add_paths(d, steady_paths, sizeof(steady_paths) / sizeof(steady_paths[0]) - 1, RULE_EXACT, why);
        good = good && add_paths(d, &steady_paths[6], 1, RULE_IGNORE, why);
        good = good && (!d->cli->columns || add_columns(d, why));
        return good && rules_ready(&d->compare.rules);
}

/* ---- the two documents */

static enum cli_exit load(struct diff *d)
{
        struct cli own = *d->cli; /* further files of one image would be those of both */

        own.more_count = own.also.count = 0;
        for (size_t i = 0; i < 2; i++) {
                enum cli_exit failed = result_load(&own, d->path[i], RESULT_ANSWERS, &d->side[i]);
                if (failed)
                        return failed;
        }
        return CLI_COMPLETE;
}

/* What both documents have; with --columns lists of what has columns. */
static bool take_parts(struct diff *d)
{
        static const char *const members[] = { "threads", "processes", "modules", "system" };
        size_t count = d->cli->columns ? 2 : 4;
        struct json_object *value[2];

        for (size_t i = 0; i < 2; i++)
                d->part[i] = json_object_new_object();
        for (size_t m = 0; m < count && d->part[0] && d->part[1]; m++) {
                if (!json_object_object_get_ex(d->side[0].document, members[m], &value[0]) ||
                    !json_object_object_get_ex(d->side[1].document, members[m], &value[1]))
                        continue;
                if (m < DIFF_LISTS)
                        d->list[d->list_count++] =
                                (struct diff_list){ .name = members[m], .side = { value[0], value[1] } };
                for (size_t i = 0; i < 2; i++)
                        d->bad |= json_object_object_add(d->part[i], members[m], json_object_get(value[i])) != 0;
        }
        return d->part[0] && d->part[1] && !d->bad;
}

/* ---- of one machine? */

static struct json_object *fact(const struct diff *d, size_t side, const char *key)
{
        struct json_object *system = NULL, *value = NULL;

        if (json_object_object_get_ex(d->side[side].document, "system", &system) &&
            json_object_is_type(system, json_type_object))
                json_object_object_get_ex(system, key, &value);
        return value;
}

static void remark(struct diff *d, const char *what, struct json_object *a, struct json_object *b)
{
        struct text text = { 0 };

        text_printf(&text, "%s: ", what);
        value_words(a, NULL, NULL, &text);
        text_str(&text, " and ");
        value_words(b, NULL, NULL, &text);
        if (d->remark_count < DIFF_REMARKS_MAX)
                d->remark[d->remark_count++] = text.at;
        else
                text_free(&text);
}

/* When the machine was started, in 100 ns; Linux tells it, Windows by how long it has been up. */
static bool boot_time(const struct diff *d, size_t side, uint64_t *ret_time)
{
        bool negative, time;
        uint64_t up;

        if (value_number(fact(d, side, "boot_time"), &negative, ret_time, &time) && time)
                return true;
        if (!value_number(fact(d, side, "system_time"), &negative, ret_time, &time) || !time ||
            !value_number(fact(d, side, "up_time"), &negative, &up, &time) || time || negative ||
            up > *ret_time / 10000)
                return false;
        *ret_time -= up * 10000;
        return true;
}

#define BOOT_APART (UINT64_C(60) * 10000000) /* a clock that was set meanwhile moves the boot too: a minute of it */

static void look_at_machines(struct diff *d)
{
        static const struct {
                const char *key, *what;
        } same[] = { { "machine", "other machines" },
                     { "version", "other versions of the system" },
                     { "pdb_guid", "other kernels" },
                     { "kernel_timestamp", "other kernels" },
                     { "kernel_base", "other boots, as the kernel lies elsewhere" } };
        uint64_t boot[2];

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
                struct json_object *a = fact(d, 0, same[i].key), *b = fact(d, 1, same[i].key);
                if (a && b && !value_same(a, b))
                        remark(d, same[i].what, a, b);
        }
        if (boot_time(d, 0, &boot[0]) && boot_time(d, 1, &boot[1]) &&
            (boot[0] > boot[1] ? boot[0] - boot[1] : boot[1] - boot[0]) > BOOT_APART)
                remark(d, "other boots, by system time and time since then", fact(d, 0, "system_time"),
                       fact(d, 1, "system_time"));
}

/* ---- what the findings come to */

/* Not a change of the machine: one of the images does not have the page. */
static bool is_unknown(const struct finding *f)
{
        static const char *const reasons[] = { "paged out",   "not in this image", "demand-zero", "compressed store",
                                               "mapped file", "not mapped",        "not known" };
        char key[64];
        size_t len = strcspn(f->path, ".[");

        if (f->kind != FIND_VALUE || len >= sizeof(key))
                return false;
        memcpy(key, f->path, len);
        key[len] = '\0';
        const char *reason[2] = { reason_of(f->want, key), reason_of(f->found, key) };
        for (size_t i = 0; i < 2; i++)
                for (size_t r = 0; reason[i] && r < sizeof(reasons) / sizeof(reasons[0]); r++)
                        if (strcmp(reason[i], reasons[r]) == 0)
                                return true;
        return false;
}

static void finding_free(struct finding *f)
{
        free(f->who);
        free(f->path);
        free(f->wanted);
        free(f->told);
}

static void drop_unknown(struct diff *d)
{
        struct findings *f = &d->compare.findings;
        size_t kept = 0;

        for (size_t i = 0; i < f->count; i++)
                if (!d->cli->all && is_unknown(&f->at[i])) {
                        finding_free(&f->at[i]);
                        d->unknown++;
                        f->total--;
                } else {
                        f->at[kept++] = f->at[i];
                }
        f->count = kept;
}

static bool begins_record(const struct findings *f, size_t i)
{
        return i == 0 || f->at[i - 1].want != f->at[i].want || f->at[i - 1].found != f->at[i].found;
}

static void count_list(const struct diff *d, struct diff_list *list)
{
        const struct findings *f = &d->compare.findings;

        for (size_t i = 0; i < f->count; i++) {
                if (!f->at[i].list || strcmp(f->at[i].list, list->name) != 0)
                        continue;
                if (!list->end)
                        list->first = i;
                list->end = i + 1;
                list->gone += !f->at[i].found;
                list->born += !f->at[i].want;
                list->changed += f->at[i].want && f->at[i].found && begins_record(f, i);
        }
}

#define REUSE_LOOKS 4096 /* at records that are gone, for one that was born */

const char *diff_reuse(const struct diff *diff, const struct diff_list *list, const struct finding *finding)
{
        static const char *const keys[][2] = { { "object", "its object was that of one that is gone" },
                                               { "tid", "its id was that of one that is gone" },
                                               { "pid", "its id was that of one that is gone" } };
        bool thread = strcmp(list->name, "threads") == 0;
        const struct findings *f = &diff->compare.findings;
        struct json_object *mine, *other;

        size_t looks = 0;

        for (size_t k = 0; k < 3; k++) {
                if ((k == 1 && !thread) || (k == 2 && thread) ||
                    !json_object_object_get_ex(finding->found, keys[k][0], &mine) || !mine)
                        continue;
                for (size_t i = list->first; i < list->end && looks < REUSE_LOOKS; i++, looks++)
                        if (f->at[i].want && !f->at[i].found &&
                            json_object_object_get_ex(f->at[i].want, keys[k][0], &other) && value_same(mine, other))
                                return keys[k][1];
        }
        return NULL;
}

/* ---- the verb */

static enum cli_exit run(struct diff *d)
{
        struct text why = { 0 };

        if (!take_parts(d) || !make_rules(d, &why)) {
                enum cli_exit failed = why.len ? cli_usage(d->cli, "--columns: %s", text_get(&why))
                                               : cli_fail(d->cli, "out of memory");
                text_free(&why);
                return failed;
        }
        if (!d->list_count)
                return cli_fail(d->cli, "%s and %s have no list in common: one has threads, the other processes",
                                d->path[0], d->path[1]);
        d->compare.lives = d->compare.count_skipped = true;
        d->compare.findings.max = DIFF_FINDINGS_MAX;
        compare_documents(&d->compare, d->part[0], d->part[1]);
        if (d->compare.bad)
                return cli_fail(d->cli, "out of memory");
        drop_unknown(d);
        for (size_t i = 0; i < d->list_count; i++)
                count_list(d, &d->list[i]);
        look_at_machines(d);
        cli_progress_end(d->cli);
        if (d->cli->format == CLI_JSON)
                diff_put_json(d);
        else
                diff_put_text(d);
        if (d->compare.findings.total)
                return CLI_DIFFERENT;
        bool partial = d->side[0].status == CLI_PARTIAL || d->side[1].status == CLI_PARTIAL;
        return partial ? CLI_PARTIAL : CLI_COMPLETE;
}

enum cli_exit cmd_diff(struct cli *cli)
{
        struct diff d = { .cli = cli, .path = { cli->image_path, cli->arg[0] } };

        enum cli_exit status = load(&d);
        if (!status)
                status = run(&d);
        compare_free(&d.compare);
        for (size_t i = 0; i < 2; i++) {
                json_object_put(d.part[i]);
                result_free(&d.side[i]);
        }
        for (size_t i = 0; i < d.remark_count; i++)
                free(d.remark[i]);
        return status;
}
