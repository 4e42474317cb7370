/* SPDX-License-Identifier: MIT */
/* Two documents and rules, and what is said of them: a line a difference. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compare.h"
#include "merge.h"

static struct compare compare;
static struct text said;
static struct json_object *want, *found;

static void teardown(void)
{
        compare_free(&compare);
        text_free(&said);
        json_object_put(want);
        json_object_put(found);
        want = found = NULL;
}

/* Tests are written with single quotes. */
static struct json_object *parse(const char *text)
{
        char *copy = strdup(text);

        ck_assert(copy != NULL);
        for (char *at = copy; *at; at++)
                if (*at == '\'')
                        *at = '"';
        struct json_object *object = json_tokener_parse(copy);
        ck_assert_msg(object != NULL, "%s", copy);
        free(copy);
        return object;
}

static void add_line(const struct finding *f)
{
        static const char *const kinds[] = { "", "missing ", "unexpected ", "ambiguous " };

        text_printf(&said, "%s%s%s%s%s", said.len ? "\n" : "", kinds[f->kind], f->who, *f->who && *f->path ? ": " : "",
                    f->path);
        if (f->wanted)
                text_printf(&said, " <%s>", f->wanted);
        if (f->told)
                text_printf(&said, " [%s]", f->told);
}

/* whole: the reference is everything that there is. */
static const char *run(const char *reference, const char *document, bool whole)
{
        struct text why = { 0 };

        teardown();
        want = parse(reference);
        found = parse(document);
        compare.subset = !whole;
        ck_assert(rules_add_kind(&compare.rules, "rules", RULE_IGNORE, &why));
        ck_assert(rules_add_kind(&compare.rules, "keys", RULE_IGNORE, &why));
        ck_assert(rules_add_kind(&compare.rules, "total", RULE_IGNORE, &why));
        ck_assert_msg(rules_of_reference(&compare.rules, want, &why), "%s", text_get(&why));
        ck_assert(rules_ready(&compare.rules));
        compare_documents(&compare, want, found);
        ck_assert(!compare.bad);
        for (size_t i = 0; i < compare.findings.count; i++)
                add_line(&compare.findings.at[i]);
        ck_assert_uint_eq(compare.findings.count, compare.findings.total);
        return text_get(&said);
}

static const struct case_of {
        const char *reference, *document, *says;
        bool whole;
} cases[] = {
        /* exact, whole: nothing missing, nothing besides */
        { "{'threads':[{'object':'0x1','tid':4}]}", "{'threads':[{'object':'0x1','tid':4}]}", "", true },
        { "{'threads':[{'object':'0x1','tid':4}]}", "{'threads':[{'object':'0x1','tid':5}]}", "thread 4: tid <4> [5]",
          true },
        { "{'threads':[{'object':'0x1','tid':4}]}", "{'threads':[{'object':'0x1','tid':4,'pid':8}]}",
          "unexpected thread 4: pid [8]", true },
        { "{'threads':[{'object':'0x1','tid':4,'pid':8}]}", "{'threads':[{'object':'0x1','tid':4}]}",
          "missing thread 4 (pid 8): pid <8>", true },
        { "{'threads':[{'object':'0x1','tid':4}]}", "{'threads':[{'object':'0x2','tid':4}]}",
          "missing thread 4\nunexpected thread 4", true },
        { "{'threads':[{'object':'0x1'},{'object':'0x2'}]}", "{'threads':[{'object':'0x2'},{'object':'0x1'}]}", "",
          true },
        { "{'threads':[{'object':'0x1'},{'object':'0x1'}]}", "{'threads':[{'object':'0x1'}]}", "missing thread 0x1",
          true },
        { "{'threads':[{'object':'0xAB'}]}", "{'threads':[{'object':'0xab'}]}", "", true },
        { "{'threads':[{'a':1},{'tid':4},{'a':2}]}", "{'threads':[{'tid':4},{'a':1},{'a':3}]}", "thread: a <2> [3]",
          true },
        { "{'modules':[{'base':'0x1','name':'a'}]}", "{'modules':[]}", "missing module a", true },
        { "{'processes':[{'object':'0x1','pid':4,'name':'System'}]}",
          "{'processes':[{'object':'0x1','pid':4,'name':'Sys'}]}", "process System (pid 4): name <System> [Sys]",
          true },
        { "{'system':{'name':'XP'}}", "{'system':{'name':'Vista'}}", "system.name <XP> [Vista]", true },
        { "{'system':{'name':'XP'}}", "{'system':null}", "system <{\"name\":\"XP\"}> [absent]", true },
        { "{'system':{'a':1}}", "{'threads':[]}", "missing system <{\"a\":1}>", true },
        { "{'a':true}", "{'a':1}", "a <true> [1]", true },
        { "{'a':1}", "{'a':'0x1'}", "", true },
        { "{'a':-1}", "{'a':1}", "a <-1> [1]", true },
        { "{'a':'x'}", "{'a':'X'}", "a <x> [X]", true },
        { "{'a':''}", "{'a':'X'}", "a <\"\"> [X]", true },
        { "{'a':18446744073709551615}", "{'a':'0xffffffffffffffff'}", "", true },
        { "{'a':18446744073709551615}", "{'a':18446744073709551614}", "a <18446744073709551615> [18446744073709551614]",
          true },

        /* absent, with its reason */
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}", "", true },
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'not known'}}]}",
          "thread 4: teb <absent: paged out> [absent: not known]", true },
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}",
          "{'threads':[{'tid':4,'teb':'0x7','absent':{}}]}", "thread 4: teb <absent: paged out> [0x7]", true },
        { "{'threads':[{'tid':4,'teb':null}]}", "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'not known'}}]}", "",
          false },
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'a'}}],'rules':{'threads[*].absent':'ignore'}}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'b'}}]}", "", true },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':'absent'}}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'b'}}]}", "", false },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':'absent'}}", "{'threads':[{'tid':4,'teb':0}]}",
          "thread 4: teb <absent> [0]", false },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':{'absent':'paged out'}}}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}", "", false },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':{'absent':'not known'}}}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'paged out'}}]}",
          "thread 4: teb <absent: not known> [absent: paged out]", false },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':'present'}}", "{'threads':[{'tid':4,'teb':'0x9'}]}",
          "", false },
        { "{'threads':[{'tid':4,'teb':0}],'rules':{'threads[*].teb':'present'}}", "{'threads':[{'tid':4,'teb':null}]}",
          "thread 4: teb <any value> [absent]", false },

        /* a subset: only what is named */
        { "{'threads':[{'tid':4}]}", "{'threads':[{'tid':4,'pid':8},{'tid':5,'pid':8}],'system':{}}", "", false },
        { "{'threads':[{'tid':4,'pid':9}]}", "{'threads':[{'tid':4,'pid':8}]}", "missing thread 4 (pid 9)", false },
        { "{'threads':[{'pid':8,'tid':4}]}", "{'threads':[{'tid':4,'pid':7},{'tid':4,'pid':8}]}", "", false },
        { "{'threads':[{'tid':4}]}", "{'threads':[{'tid':4,'pid':7},{'tid':4,'pid':8}]}", "ambiguous thread 4", false },
        { "{'threads':[{'tid':4}],'rules':{'threads':'exact'}}", "{'threads':[{'tid':4,'pid':8},{'tid':5}]}",
          "unexpected thread 5", false },
        { "{'threads':[{'state':'Waiting'}]}", "{'threads':[{'tid':4,'state':'Waiting'}]}", "missing thread", false },
        { "{'threads':[{'state':'W'}],'keys':{'threads':['state']}}", "{'threads':[{'tid':4,'state':'W'}]}", "",
          false },
        { "{'threads':[{'process':'a.exe','state':'W'},{'process':'a.exe','state':'R'}],"
          "'keys':{'threads':['process','state']}}",
          "{'threads':[{'process':'a.exe','state':'R','tid':1},{'process':'b','state':'W','tid':2}]}",
          "missing thread of a.exe", false },

        /* arrays: in order, in any order, some, first, count */
        { "{'threads':[{'tid':4,'sources':['a','b']}]}", "{'threads':[{'tid':4,'sources':['b','a']}]}",
          "thread 4: sources <2 elements: a, b> [2 elements: b, a]", true },
        { "{'threads':[{'tid':4,'sources':['a','b']}],'rules':{'threads[*].sources':'set'}}",
          "{'threads':[{'tid':4,'sources':['b','a']}]}", "", true },
        { "{'threads':[{'tid':4,'sources':['a','a']}],'rules':{'threads[*].sources':'set'}}",
          "{'threads':[{'tid':4,'sources':['a','b']}]}",
          "missing thread 4: sources[1] <a>\nunexpected thread 4: sources[1] [b]", true },
        { "{'threads':[{'tid':4,'sources':['b']}],'rules':{'threads[*].sources':'some'}}",
          "{'threads':[{'tid':4,'sources':['a','b']}]}", "", true },
        { "{'threads':[{'tid':4,'sources':['c']}],'rules':{'threads[*].sources':'some'}}",
          "{'threads':[{'tid':4,'sources':['a','b']}]}", "missing thread 4: sources[0] <c>", true },
        { "{'threads':[{'tid':4,'sources':['a']}],'rules':{'threads[*].sources':'first'}}",
          "{'threads':[{'tid':4,'sources':['a','b']}]}", "", true },
        { "{'threads':[{'tid':4,'sources':['b']}],'rules':{'threads[*].sources':'first'}}",
          "{'threads':[{'tid':4,'sources':['a','b']}]}", "thread 4: sources <1 element: b> [2 elements: a, b]", true },
        { "{'threads':[{'tid':4,'sources':['b','c','d']}],'rules':{'threads[*].sources':'first'}}",
          "{'threads':[{'tid':4,'sources':['b','c']}]}", "thread 4: sources <3 elements: b, c, d> [2 elements: b, c]",
          true },
        { "{'a':[{'x':1,'y':2},{'x':3,'y':4}],'rules':{'a':'set','a[*].y':'ignore'}}",
          "{'a':[{'x':3,'y':7},{'y':8,'x':1}]}", "", true },
        { "{'a':[{'x':1}],'rules':{'a':'set'}}", "{'a':[{'x':1,'y':8}]}", "", false },
        { "{'a':[{'x':10}],'rules':{'a':'some','a[*].x':{'near':2}}}", "{'a':[{'x':1},{'x':12}]}", "", false },
        { "{'a':[1,2],'rules':{'a':'count'}}", "{'a':[7,8]}", "", true },
        { "{'a':[1,2],'rules':{'a':'count'}}", "{'a':[7]}", "a <2 elements> [1]", true },
        { "{'a':[1,2],'rules':{'a':'count'}}", "{'a':7}", "a <2 elements> [7]", true },
        { "{'threads':[],'rules':{'threads':{'count':2}}}", "{'threads':[{},{}]}", "", false },
        { "{'threads':[],'rules':{'threads':{'count':2}}}", "{'threads':[{}]}", "threads <2 elements> [1]", false },
        { "{'threads':[],'rules':{'threads':{'count':[1,3]}}}", "{'threads':[{}]}", "", false },
        { "{'threads':[],'rules':{'threads':{'count':[1,null]}}}", "{'threads':[]}", "threads <1 to anything> [0]",
          false },
        { "{'a':[{'x':1},{'x':2}],'keys':{'a':['x']}}", "{'a':[{'x':2},{'x':3}]}",
          "missing a[0] <{\"x\":1}>\nunexpected a[1] [{\"x\":3}]", true },
        { "{'a':[{'x':1,'y':1}],'keys':{'*':['x']}}", "{'a':[{'x':1,'y':2}]}", "a[0].y <1> [2]", true },
        { "{'a':[[1,2],[3]]}", "{'a':[[1,2],[4]]}", "a[1] <1 element: 3> [1 element: 4]", true },

        /* range and near */
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':5}", "", true },
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':9}", "", true },
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':4}", "a <5 to 9> [4]", true },
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':10}", "a <5 to 9> [10]", true },
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':null}", "a <5 to 9> [absent]", true },
        { "{'a':0,'rules':{'a':{'range':[5,9]}}}", "{'a':'x'}", "a <5 to 9> [x]", true },
        { "{'a':0,'rules':{'a':{'range':[-5,-2]}}}", "{'a':-3}", "", true },
        { "{'a':0,'rules':{'a':{'range':[-5,-2]}}}", "{'a':-6}", "a <-5 to -2> [-6]", true },
        { "{'a':0,'rules':{'a':{'range':[-5,2]}}}", "{'a':1}", "", true },
        { "{'a':0,'rules':{'a':{'range':[null,2]}}}", "{'a':-77}", "", true },
        { "{'a':0,'rules':{'a':{'range':['0x10',null]}}}", "{'a':'0x11'}", "", true },
        { "{'a':0,'rules':{'a':{'range':['0x10',null]}}}", "{'a':'0xf'}", "a <0x10 to anything> [0xf]", true },
        { "{'a':0,'rules':{'a':{'range':['2004-12-28T12:00:00Z','2004-12-28T13:00:00.0000000Z']}}}",
          "{'a':'2004-12-28T12:59:59.9999999Z'}", "", true },
        { "{'a':0,'rules':{'a':{'range':['2004-12-28T12:00:00Z',null]}}}", "{'a':'2004-12-28T11:59:59.9999999Z'}",
          "a <2004-12-28T12:00:00Z to anything> [2004-12-28T11:59:59.9999999Z]", true },
        { "{'a':0,'rules':{'a':{'range':['2004-12-28T12:00:00Z',null]}}}", "{'a':7}",
          "a <2004-12-28T12:00:00Z to anything> [7]", true },
        { "{'a':100,'rules':{'a':{'near':5}}}", "{'a':105}", "", true },
        { "{'a':100,'rules':{'a':{'near':5}}}", "{'a':95}", "", true },
        { "{'a':100,'rules':{'a':{'near':5}}}", "{'a':94}", "a <100, give or take 5> [94]", true },
        { "{'a':-2,'rules':{'a':{'near':5}}}", "{'a':3}", "", true },
        { "{'a':-2,'rules':{'a':{'near':5}}}", "{'a':4}", "a <-2, give or take 5> [4]", true },
        { "{'a':'2004-12-31T23:59:59.0000000Z','rules':{'a':{'near':2}}}", "{'a':'2005-01-01T00:00:01.0000000Z'}", "",
          true },
        { "{'a':'2004-02-28T23:59:59.0000000Z','rules':{'a':{'near':2}}}", "{'a':'2004-03-01T00:00:01.0000000Z'}",
          "a <2004-02-28T23:59:59.0000000Z, give or take 2> [2004-03-01T00:00:01.0000000Z]", true },
        { "{'a':'2004-12-31T23:59:59Z','rules':{'a':{'near':2}}}", "{'a':7}",
          "a <2004-12-31T23:59:59Z, give or take 2> [7]", true },

        /* patterns: the last that matches is in force */
        { "{'a':1,'b':2,'rules':{'*':'ignore','b':'exact'}}", "{'a':7,'b':7}", "b <2> [7]", true },
        { "{'a':1,'b':2,'rules':{'b':'exact','*':'ignore'}}", "{'a':7,'b':7}", "", true },
        { "{'x':{'y':{'z':1}},'rules':{'**.z':'ignore'}}", "{'x':{'y':{'z':2}}}", "", true },
        { "{'z':1,'rules':{'**.z':'ignore'}}", "{'z':2}", "", true },
        { "{'x':{'y':{'z':1}},'rules':{'x.**':'ignore'}}", "{'x':{'y':{'z':2}}}", "", true },
        { "{'x':{'y':{'z':1}},'rules':{'x.*':'ignore'}}", "{'x':{'y':{'z':2}}}", "", true },
        { "{'x':{'y':{'z':1}},'rules':{'x.z':'ignore'}}", "{'x':{'y':{'z':2}}}", "x.y.z <1> [2]", true },
        { "{'wait_time':1,'wait_age':1,'time':1,'rules':{'wait_*':'ignore'}}", "{'wait_time':2,'wait_age':2,'time':2}",
          "time <1> [2]", true },
        { "{'ab':1,'aXb':1,'aXbY':1,'rules':{'a*b':'ignore'}}", "{'ab':2,'aXb':2,'aXbY':2}", "aXbY <1> [2]", true },
        { "{'a':[1,2,{'x':1}],'rules':{'a[2]':'ignore'}}", "{'a':[1,2,{'x':3}]}", "", true },
        { "{'a':[[1],[2]],'rules':{'a[1]':'ignore'}}", "{'a':[[3],[4]]}", "a[0] <1 element: 1> [1 element: 3]", true },
        { "{'threads':[{'tid':4,'s':1},{'tid':5,'s':1}],'rules':{'threads[tid=5].s':'ignore'}}",
          "{'threads':[{'tid':4,'s':2},{'tid':5,'s':2}]}", "thread 4: s <1> [2]", true },
        { "{'threads':[{'tid':4,'pid':1,'s':1},{'tid':4,'pid':2,'s':1}],'rules':{'threads[pid=2,tid=4].s':'ignore'}}",
          "{'threads':[{'tid':4,'pid':1,'s':2},{'tid':4,'pid':2,'s':2}]}", "thread 4 (pid 1): s <1> [2]", true },
        { "{'threads':[{'object':'0x1','tid':4}],'rules':{'threads[tid=5]':'ignore','threads[tid=4]':'ignore'}}",
          "{'threads':[{'object':'0x2','tid':5}]}", "", true },
        { "{'a':1,'rules':{'a':'ignore'}}", "{}", "", true },
        { "{'o':{'a':1},'rules':{'o.b':'ignore'}}", "{'o':{'a':1,'b':7}}", "", true },

        /* stacks and flags read as one value */
        { "{'threads':[{'tid':4,'stack':[{'pc':'0x1','symbol':'f','offset':16},{'pc':'0x2','module':'m.sys',"
          "'symbol':null,'offset':0}]}]}",
          "{'threads':[{'tid':4,'stack':[{'pc':'0x3','symbol':null,'module':null,'offset':null}]}]}",
          "thread 4: stack <2 frames: f+0x10, m.sys> [1 frame: 0x3]", true },
        { "{'threads':[{'tid':4,'stack':[{'pc':'0x1','symbol':'f'}]}]}",
          "{'threads':[{'tid':4,'stack':[{'pc':'0x1','symbol':'g'}]}]}", "thread 4: stack[0].symbol <f> [g]", true },
        { "{'threads':[{'tid':4,'f':{'value':'0x5','names':['A','B']}}]}",
          "{'threads':[{'tid':4,'f':{'value':'0x1','names':['A']}}]}", "thread 4: f <0x5 A B> [0x1 A]", true },
        { "{'threads':[{'tid':4,'f':{'names':['A']}}]}", "{'threads':[{'tid':4,'f':{'value':'0x1','names':['A']}}]}",
          "", false },
        { "{'threads':[{'tid':4,'f':{'names':['A']}}],'rules':{'threads[*].f.names':'some'}}",
          "{'threads':[{'tid':4,'f':{'value':'0x3','names':['B','A']}}]}", "", false },
};

START_TEST(test_case)
{
        const struct case_of *row = &cases[_i];
        const char *got = run(row->reference, row->document, row->whole);

        ck_assert_msg(strcmp(got, row->says) == 0, "%s\nagainst %s\nsays: %s\nwant: %s", row->document, row->reference,
                      got, row->says);
}
END_TEST

/* ---- rules that are none */

static const char *const bad_rules[] = {
        "{'rules':[]}",
        "{'rules':null}",
        "{'rules':{'a':null}}",
        "{'rules':{'a':'maybe'}}",
        "{'rules':{'a':'range'}}",
        "{'rules':{'a':'near'}}",
        "{'rules':{'a':'keys'}}",
        "{'rules':{'a':7}}",
        "{'rules':{'a':{}}}",
        "{'rules':{'a':{'range':[1,2],'count':3}}}",
        "{'rules':{'a':{'range':[1]}}}",
        "{'rules':{'a':{'range':[null,null]}}}",
        "{'rules':{'a':{'range':[1,[2]]}}}",
        "{'rules':{'a':{'near':-1}}}",
        "{'rules':{'a':{'near':'2'}}}",
        "{'rules':{'a':{'count':['1',2]}}}",
        "{'rules':{'a':{'count':[1,2,3]}}}",
        "{'rules':{'a':{'absent':7}}}",
        "{'rules':{'a':{'absent':'paged oot'}}}",
        "{'rules':{'a':{'count':-1}}}",
        "{'rules':{'a':{'count':[9,5]}}}",
        "{'rules':{'a':{'range':[20,10]}}}",
        "{'rules':{'a':{'range':['a','b']}}}",
        "{'rules':{'a':{'range':['2009-01-01',null]}}}",
        "{'rules':{'a':{'range':[5,'2009-01-01T00:00:00Z']}}}",
        "{'rules':{'':'exact'}}",
        "{'rules':{'a..b':'exact'}}",
        "{'rules':{'.a':'exact'}}",
        "{'rules':{'a.':'exact'}}",
        "{'rules':{'a[':'exact'}}",
        "{'rules':{'a[]':'exact'}}",
        "{'rules':{'a[x]':'exact'}}",
        "{'rules':{'a[9999999999]':'exact'}}",
        "{'rules':{'a[*]b':'exact'}}",
        "{'rules':{'[*]':'exact'}}",
        "{'rules':{'a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a':'exact'}}",
        "{'keys':{'threads':'tid'}}",
        "{'keys':{'threads':[]}}",
        "{'keys':{'threads':[7]}}",
        "{'keys':{'threads':null}}",
};

START_TEST(test_bad_rule)
{
        want = parse(bad_rules[_i]);
        ck_assert_msg(!rules_of_reference(&compare.rules, want, &said), "%s", bad_rules[_i]);
        ck_assert(said.len > 0);
}
END_TEST

/* ---- bounds */

static void many(struct text *text, size_t count, const char *state)
{
        text_str(text, "{'threads':[");
        for (size_t i = 0; i < count; i++)
                text_printf(text, "%s{'object':'0x%zx','tid':%zu,'state':'%s'}", i ? "," : "", i * 16 + 16, i, state);
        text_str(text, "]}");
}

START_TEST(test_many_differences)
{
        struct text a = { 0 }, b = { 0 }, why = { 0 };

        many(&a, FINDINGS_MAX + 100, "Waiting");
        many(&b, FINDINGS_MAX + 100, "Running");
        want = parse(text_get(&a));
        found = parse(text_get(&b));
        ck_assert(rules_of_reference(&compare.rules, want, &why) && rules_ready(&compare.rules));
        compare_documents(&compare, want, found);
        ck_assert_uint_eq(compare.findings.total, FINDINGS_MAX + 100);
        ck_assert_uint_eq(compare.findings.count, FINDINGS_MAX);
        ck_assert_uint_eq(compare.findings.records, FINDINGS_MAX + 100);
        text_free(&a);
        text_free(&b);
}
END_TEST

/* Nothing here may take the square of the threads: 60,000 of them, all in the wrong order and all of one identity. */
START_TEST(test_is_not_quadratic)
{
        struct text a = { 0 };
        clock_t before = clock();

        text_str(&a, "{'threads':[");
        for (size_t i = 0; i < 60000; i++)
                text_printf(&a, "%s{'object':'0x1','tid':%zu}", i ? "," : "", i);
        text_str(&a, "]}");
        ck_assert_str_eq(run(text_get(&a), text_get(&a), true), "");
        text_free(&a);
        ck_assert_msg((double)(clock() - before) / CLOCKS_PER_SEC < 20, "too slow");
}
END_TEST

/* ---- --update: what is written then has no difference, and names no more than before */

static const struct merge_case {
        const char *reference, *document, *merged;
        bool whole;
} merges[] = {
        { "{'threads':[{'object':'0x1','tid':4}],'total':1}", "{'threads':[{'object':'0x1','tid':5}]}",
          "{'threads':[{'object':'0x1','tid':5}],'total':1}", true },
        { "{'threads':[{'object':'0x1','tid':4}],'total':1}",
          "{'threads':[{'object':'0x1','tid':5},{'object':'0x2','tid':6}],'system':{}}",
          "{'threads':[{'object':'0x1','tid':5},{'object':'0x2','tid':6}],'total':2}", true },
        { "{'threads':[{'object':'0x1','tid':4},{'object':'0x2','tid':6}]}", "{'threads':[{'object':'0x2','tid':6}]}",
          "{'threads':[{'object':'0x2','tid':6}]}", true },
        { "{'threads':[{'tid':4,'state':'W'}],'rules':{'x':'set'}}",
          "{'threads':[{'tid':5,'state':'R'},{'tid':4,'state':'R','pid':8}]}",
          "{'threads':[{'tid':4,'state':'R'}],'rules':{'x':'set'}}", false },
        { "{'threads':[{'tid':4,'age':10,'s':1}],'rules':{'threads[*].age':{'near':5}}}",
          "{'threads':[{'tid':4,'age':12,'s':2}]}",
          "{'threads':[{'tid':4,'age':10,'s':2}],'rules':{'threads[*].age':{'near':5}}}", false },
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'a'}}]}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'b','x':'c'}}]}",
          "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'b'}}]}", false },
        { "{'threads':[{'tid':4,'teb':null,'absent':{'teb':'a'}}]}", "{'threads':[{'tid':4,'teb':1,'absent':{}}]}",
          "{'threads':[{'tid':4,'teb':1,'absent':{}}]}", true },
        { "{'threads':[{'tid':4,'stack':[{'symbol':'f'}]}]}",
          "{'threads':[{'tid':4,'stack':[{'symbol':'g','pc':'0x1'},{'symbol':'h','pc':'0x2'}]}]}",
          "{'threads':[{'tid':4,'stack':[{'symbol':'g'},{'symbol':'h'}]}]}", false },
        { "{'threads':[{'tid':4,'stack':[{'symbol':'f'},{'symbol':'h'}]}]}",
          "{'threads':[{'tid':4,'stack':[{'symbol':'g','pc':'0x1'},{'symbol':'h','pc':'0x2'}]}]}",
          "{'threads':[{'tid':4,'stack':[{'symbol':'g'},{'symbol':'h'}]}]}", false },
        { "{'system':{'name':'XP'},'comment':'mine'}", "{'system':{'name':'7','build':7600}}",
          "{'system':{'name':'7'},'comment':'mine'}", false },
        { "{'schema':'s','system':{'name':'XP'},'rules':{'*':'exact','schema':'exact','rules':'exact'},'comment':'mine'"
          "}",
          "{'schema':'t','system':{'name':'7'},'rules':{'x':'set'}}",
          "{'schema':'s','system':{'name':'7'},'rules':{'*':'exact','schema':'exact','rules':'exact'},'comment':'mine'"
          "}",
          false },
        { "{'system':{'name':'XP','old':1},'rules':{'comment':'ignore'}}", "{'system':{'name':'7','build':7600}}",
          "{'system':{'name':'7','build':7600},'rules':{'comment':'ignore'}}", true },
};

START_TEST(test_merge)
{
        const struct merge_case *row = &merges[_i];

        run(row->reference, row->document, row->whole);
        struct json_object *merged = merge_documents(&compare, want, found), *wanted = parse(row->merged);
        ck_assert(merged != NULL);
        ck_assert_msg(json_object_equal(merged, wanted), "%s", json_object_to_json_string(merged));
        struct text again = { 0 };
        text_str(&again, json_object_to_json_string(merged));
        const char *says = run(text_get(&again), row->document, row->whole);
        bool comment = strstr(row->reference, "comment':'mine") != NULL; /* no rule ignores it here */
        ck_assert_msg(comment || !*says, "%s: %s", text_get(&again), says);
        text_free(&again);
        json_object_put(merged);
        json_object_put(wanted);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("compare");
        TCase *tcase = tcase_create("compare");

        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, test_case, 0, sizeof(cases) / sizeof(cases[0]));
        tcase_add_loop_test(tcase, test_bad_rule, 0, sizeof(bad_rules) / sizeof(bad_rules[0]));
        tcase_add_test(tcase, test_many_differences);
        tcase_add_test(tcase, test_is_not_quadratic);
        tcase_add_loop_test(tcase, test_merge, 0, sizeof(merges) / sizeof(merges[0]));
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
