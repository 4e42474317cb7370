/* SPDX-License-Identifier: MIT */
/* Access tokens of processes and of threads that impersonate: each fact, and damage. */
#include "token.h"

#include "../../test/tiny_system.h"

static void build(bool is64)
{
        tiny_build(&t, is64);
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

static void token_set(enum tiny_token token, const char *member, uint64_t value)
{
        tiny_set(&t, t.token[token], member, value);
        ((struct windows *)sys->priv)->token->object = 0; /* an image does not change: what was read is kept */
}

/* The thread impersonates with this token, at the level of Impersonation. */
static void impersonate(enum tiny_thread thread, uint64_t token)
{
        tiny_set(&t, t.thread[thread], "ETHREAD.ActiveImpersonationInfo", 1);
        if (t.is64) {
                tiny_set(&t, t.thread[thread], "ETHREAD.ClientSecurity.ImpersonationData", token | 2);
                return;
        }
        tiny_set(&t, t.thread[thread], "ETHREAD.ImpersonationInfo", t.impersonation);
        tiny_set(&t, t.impersonation, "PS_IMPERSONATION_INFORMATION.Token", token);
}

START_TEST(of_a_process)
{
        build(_i);
        expect_value(process_fact(TINY_SYSTEM, "token"), t.token[TINY_TOKEN_SYSTEM]);
        expect_text(process_fact(TINY_SYSTEM, "user"), "S-1-5-18");
        expect_value(process_fact(TINY_SYSTEM, "user"), 0);
        ck_assert_uint_eq(process_fact(TINY_SYSTEM, "user")->va, tiny_token_sid(&t, TINY_TOKEN_SYSTEM, 0));
        expect_text(process_fact(TINY_SYSTEM, "user_name"), "NT AUTHORITY\\SYSTEM");
        expect_value(process_fact(TINY_SYSTEM, "administrator"), 1);
        expect_text(process_fact(TINY_SYSTEM, "owner"), "S-1-5-32-544");
        expect_text(process_fact(TINY_SYSTEM, "primary_group"), "S-1-1-0");
        expect_text(process_fact(TINY_SYSTEM, "token_type"), "Primary");
        expect_absent(process_fact(TINY_SYSTEM, "token_level"), STASIS_NOT_APPLICABLE);
        expect_value(process_fact(TINY_SYSTEM, "authentication_id"), 0x3e7);
        expect_text(process_fact(TINY_SYSTEM, "token_source"), "*SYSTEM*");
        expect_absent(process_fact(TINY_SYSTEM, "token_expires"), STASIS_NOT_APPLICABLE);
        expect_text(process_fact(TINY_BETA, "user"), "S-1-5-21-1-2-3-1001");
        expect_absent(process_fact(TINY_BETA, "user_name"), STASIS_NOT_KNOWN);
        expect_value(process_fact(TINY_BETA, "administrator"), 0); /* for deny only */
        tiny_sid_entry(&t, tiny_token_array(&t, TINY_TOKEN_USER), 1, tiny_token_sid(&t, TINY_TOKEN_USER, 1), 0x14);
        token_set(TINY_TOKEN_USER, "TOKEN.SessionId", 1);
        expect_value(process_fact(TINY_BETA, "administrator"), 0);
        expect_text(process_fact(TINY_BETA, "owner"), "S-1-5-21-1-2-3-1001");
        expect_text(process_fact(TINY_BETA, "token_source"), "User32");
        expect_value(process_fact(TINY_BETA, "token_session"), 1);
        expect_value(process_fact(TINY_BETA, "token_id"), 0x100000201); /* both halves */
        expect_value(process_fact(TINY_BETA, "token_flags"), 0x2001);
        if (t.is64) {
                expect_text(process_fact(TINY_SYSTEM, "integrity"), "System");
                expect_text(process_fact(TINY_BETA, "integrity"), "Medium");
                ck_assert_uint_eq(process_fact(TINY_BETA, "integrity")->va, tiny_token_sid(&t, TINY_TOKEN_USER, 3) + 8);
                expect_absent(process_fact(TINY_BETA, "package"), STASIS_NOT_APPLICABLE);
        } else {
                expect_absent(process_fact(TINY_BETA, "integrity"), STASIS_NOT_IN_VERSION);
                expect_absent(process_fact(TINY_BETA, "package"), STASIS_NOT_IN_VERSION);
        }
}
END_TEST

/* Each plain row stands where its member does; a LUID has both halves. */
START_TEST(plain_rows)
{
        static const struct {
                const char *key, *member;
        } plain[] = {
                { "token_type", "TOKEN.TokenType" },
                { "token_session", "TOKEN.SessionId" },
                { "authentication_id", "TOKEN.AuthenticationId" },
                { "originating_logon", "TOKEN.OriginatingLogonSession" },
                { "token_id", "TOKEN.TokenId" },
                { "parent_token_id", "TOKEN.ParentTokenId" },
                { "modified_id", "TOKEN.ModifiedId" },
                { "token_flags", "TOKEN.TokenFlags" },
                { "mandatory_policy", "TOKEN.MandatoryPolicy" },
                { "token_expires", "TOKEN.ExpirationTime" },
        };
        build(_i);
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
                struct tiny_place place = tiny_place(&t, plain[i].member);
                const struct stasis_fact *fact = process_fact(TINY_BETA, plain[i].key);
                if (!place.size) {
                        expect_absent(fact, STASIS_NOT_IN_VERSION);
                        continue;
                }
                uint64_t value = UINT64_C(0x0102030405060708) >> 8 * (8 - place.size) << 1;
                token_set(TINY_TOKEN_USER, plain[i].member, value);
                fact = process_fact(TINY_BETA, plain[i].key);
                expect_value(fact, value);
                ck_assert_uint_eq(fact->va, t.token[TINY_TOKEN_USER] + place.at);
        }
}
END_TEST

START_TEST(of_a_thread)
{
        build(_i);
        expect_value(thread_fact(TINY_MAIN, "process_token"), t.token[TINY_TOKEN_USER]);
        expect_value(thread_fact(TINY_MAIN, "effective_token"), t.token[TINY_TOKEN_USER]);
        expect_absent(thread_fact(TINY_MAIN, "token"), STASIS_NOT_APPLICABLE);
        expect_text(thread_fact(TINY_MAIN, "user"), "S-1-5-21-1-2-3-1001");
        token_set(TINY_TOKEN_SYSTEM, "TOKEN.TokenType", 2);
        token_set(TINY_TOKEN_SYSTEM, "TOKEN.ImpersonationLevel", 2);
        impersonate(TINY_CLIENT, t.token[TINY_TOKEN_SYSTEM]);
        expect_value(thread_fact(TINY_CLIENT, "token"), t.token[TINY_TOKEN_SYSTEM]);
        expect_value(thread_fact(TINY_CLIENT, "process_token"), t.token[TINY_TOKEN_USER]);
        expect_value(thread_fact(TINY_CLIENT, "effective_token"), t.token[TINY_TOKEN_SYSTEM]);
        expect_text(thread_fact(TINY_CLIENT, "user_name"), "NT AUTHORITY\\SYSTEM");
        expect_text(thread_fact(TINY_CLIENT, "token_level"), "Impersonation");
        expect_text(process_fact(TINY_ALPHA, "user"), "S-1-5-21-1-2-3-1001");
        tiny_set(&t, t.thread[TINY_CLIENT], "ETHREAD.ActiveImpersonationInfo", 0);
        expect_value(thread_fact(TINY_CLIENT, "effective_token"), t.token[TINY_TOKEN_USER]);
        expect_text(thread_fact(TINY_CLIENT, "user"), "S-1-5-21-1-2-3-1001");
}
END_TEST

/* A token that cannot be one: nothing is read there, and nothing falls back to the process's. */
START_TEST(no_token)
{
        build(_i);
        impersonate(TINY_CLIENT, 0x12340);
        expect_value(thread_fact(TINY_CLIENT, "effective_token"), 0x12340);
        expect_absent(thread_fact(TINY_CLIENT, "user"), STASIS_CONTRADICTORY);
        expect_absent(thread_fact(TINY_CLIENT, "token_type"), STASIS_CONTRADICTORY);
        expect_absent(thread_fact(TINY_CLIENT, "administrator"), STASIS_CONTRADICTORY);
        impersonate(TINY_CLIENT, t.pool + 0x80000);
        expect_absent(thread_fact(TINY_CLIENT, "user"), STASIS_NOT_MAPPED);
        expect_absent(thread_fact(TINY_CLIENT, "token_type"), STASIS_NOT_MAPPED);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.Token", 3); /* bits of a reference count, and no token */
        expect_absent(process_fact(TINY_BETA, "token"), STASIS_NOT_APPLICABLE);
        expect_absent(process_fact(TINY_BETA, "user"), STASIS_NOT_APPLICABLE);
        expect_absent(thread_fact(TINY_MAIN, "effective_token"), STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(damaged_sids)
{
        uint64_t second;
        build(_i);
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroupCount", 0);
        expect_absent(process_fact(TINY_BETA, "user"), STASIS_CONTRADICTORY);
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroupCount", UINT32_MAX); /* read to where the page ends */
        expect_text(process_fact(TINY_BETA, "user"), "S-1-5-21-1-2-3-1001");
        expect_absent(process_fact(TINY_BETA, "administrator"), STASIS_NOT_KNOWN);
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroupCount", TINY_SIDS(&t));
        token_set(TINY_TOKEN_USER, "TOKEN.DefaultOwnerIndex", TINY_SIDS(&t));
        expect_absent(process_fact(TINY_BETA, "owner"), STASIS_CONTRADICTORY);
        second = tiny_token_array(&t, TINY_TOKEN_USER) + 2 * t.pointer;
        tiny_pointer(&t, second, 0x1000); /* no kernel address: whether it is an administrator is not known */
        token_set(TINY_TOKEN_USER, "TOKEN.DefaultOwnerIndex", 1);
        expect_absent(process_fact(TINY_BETA, "owner"), STASIS_CONTRADICTORY);
        expect_absent(process_fact(TINY_BETA, "administrator"), STASIS_NOT_KNOWN);
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroups", 0x1000);
        expect_absent(process_fact(TINY_BETA, "user"), STASIS_CONTRADICTORY);
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroups", t.pool + 0x80000);
        expect_absent(process_fact(TINY_BETA, "user"), STASIS_NOT_MAPPED);
        token_set(TINY_TOKEN_USER, "TOKEN.PrimaryGroup", 0x1000);
        expect_absent(process_fact(TINY_BETA, "primary_group"), STASIS_CONTRADICTORY);
        token_set(TINY_TOKEN_USER, "TOKEN.PrimaryGroup", 0);
        expect_absent(process_fact(TINY_BETA, "primary_group"), STASIS_NOT_APPLICABLE);
}
END_TEST

static void expect_sid_row(const struct stasis_list *list, size_t row, const char *sid, const char *name,
                           uint64_t attributes)
{
        const struct stasis_fact *fact = list->fact + row * list->columns;
        ck_assert_str_eq(list->column[0].key, "sid");
        expect_text(&fact[0], sid);
        expect_text(&fact[1], name);
        expect_value(&fact[2], attributes);
}

START_TEST(groups)
{
        build(_i);
        const struct stasis_fact *fact = process_fact(TINY_BETA, "groups");
        expect_value(fact, TINY_SIDS(&t) - 1);
        ck_assert_uint_eq(fact->list->rows, TINY_SIDS(&t) - 1);
        expect_sid_row(fact->list, 0, "S-1-5-32-544", "BUILTIN\\Administrators", 0x10);
        expect_sid_row(fact->list, 1, "S-1-5-32-545", "BUILTIN\\Users", 7);
        if (t.is64)
                expect_sid_row(fact->list, 2, "S-1-16-8192", "Mandatory Label\\Medium Mandatory Level", 0x60);
        expect_value(process_fact(TINY_BETA, "restricted_sids"), 0);
        expect_absent(thread_fact(TINY_MAIN, "groups"), STASIS_NOT_APPLICABLE);
        impersonate(TINY_CLIENT, t.token[TINY_TOKEN_SYSTEM]);
        expect_sid_row(thread_fact(TINY_CLIENT, "groups")->list, 1, "S-1-1-0", "Everyone", 7);
        token_set(TINY_TOKEN_USER, "TOKEN.RestrictedSidCount", 1);
        token_set(TINY_TOKEN_USER, "TOKEN.RestrictedSids", tiny_token_array(&t, TINY_TOKEN_SYSTEM) + 2 * t.pointer);
        expect_sid_row(process_fact(TINY_BETA, "restricted_sids")->list, 0, "S-1-5-32-544", "BUILTIN\\Administrators",
                       0xe);
        ck_assert_ptr_null(sys_note("token-cut"));
}
END_TEST

/* One SID is not there: its row says so and the others stand. More than there can be: cut, and said. */
START_TEST(groups_damaged)
{
        build(_i);
        tiny_pointer(&t, tiny_token_array(&t, TINY_TOKEN_USER) + 2 * t.pointer, t.pool + 0x80000);
        const struct stasis_fact *fact = process_fact(TINY_BETA, "groups");
        expect_value(fact, TINY_SIDS(&t) - 1);
        expect_absent(&fact->list->fact[0], STASIS_NOT_MAPPED);
        expect_absent(&fact->list->fact[1], STASIS_NOT_MAPPED);
        expect_value(&fact->list->fact[2], 0x10);
        expect_sid_row(fact->list, 1, "S-1-5-32-545", "BUILTIN\\Users", 7);
        ck_assert_ptr_null(sys_note("token-cut"));
        token_set(TINY_TOKEN_USER, "TOKEN.UserAndGroupCount", UINT32_MAX);
        fact = process_fact(TINY_BETA, "groups");
        ck_assert_uint_le(fact->list->rows, TOKEN_SIDS_MAX);
        ck_assert_ptr_nonnull(sys_note("token-cut"));
        ck_assert_int_eq(sys_note("token-cut")->severity, STASIS_NOTE_MISSING);
}
END_TEST

static void expect_privilege(const struct stasis_list *list, size_t row, const char *name, bool enabled,
                             bool by_default)
{
        const struct stasis_fact *fact = list->fact + row * list->columns;
        ck_assert_str_eq(fact[0].text, name);
        expect_value(&fact[1], enabled);
        expect_value(&fact[2], by_default);
}

/* Three words since Vista (by number), an array before (as it stands there). */
START_TEST(privileges)
{
        build(_i);
        const struct stasis_list *list = process_fact(TINY_SYSTEM, "privileges")->list;
        ck_assert_uint_eq(list->rows, 3);
        expect_privilege(list, t.is64 ? 2 : 0, "SeChangeNotifyPrivilege", true, true);
        expect_privilege(list, t.is64 ? 0 : 1, "SeShutdownPrivilege", false, false);
        expect_privilege(list, t.is64 ? 1 : 2, "SeDebugPrivilege", true, false);
        expect_absent(thread_fact(TINY_WORKER, "privileges"), STASIS_NOT_APPLICABLE);
        if (t.is64) {
                token_set(TINY_TOKEN_SYSTEM, "TOKEN.Privileges.Present", UINT64_C(1) << 63);
                list = process_fact(TINY_SYSTEM, "privileges")->list;
                ck_assert_uint_eq(list->rows, 1);
                expect_value(&list->fact[0], 63); /* a number without a name */
                return;
        }
        token_set(TINY_TOKEN_SYSTEM, "TOKEN.PrivilegeCount", 1000);
        ck_assert_uint_le(process_fact(TINY_SYSTEM, "privileges")->value, 64);
        ck_assert_ptr_nonnull(sys_note("token-cut"));
        token_set(TINY_TOKEN_SYSTEM, "TOKEN.Privileges", t.pool + 0x80000);
        expect_value(process_fact(TINY_SYSTEM, "privileges"), 0);
}
END_TEST

START_TEST(capabilities)
{
        build(true);
        expect_value(process_fact(TINY_BETA, "capabilities"), 0);
        token_set(TINY_TOKEN_USER, "TOKEN.Capabilities", tiny_token_array(&t, TINY_TOKEN_SYSTEM));
        token_set(TINY_TOKEN_USER, "TOKEN.CapabilityCount", 1);
        token_set(TINY_TOKEN_USER, "TOKEN.Package", tiny_token_sid(&t, TINY_TOKEN_SYSTEM, 2));
        expect_sid_row(process_fact(TINY_BETA, "capabilities")->list, 0, "S-1-5-18", "NT AUTHORITY\\SYSTEM", 0);
        expect_text(process_fact(TINY_BETA, "package"), "S-1-1-0");
}
END_TEST

START_TEST(integrity)
{
        build(true);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", UINT32_MAX);
        expect_absent(process_fact(TINY_BETA, "integrity"), STASIS_NOT_APPLICABLE);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", 9);
        expect_absent(process_fact(TINY_BETA, "integrity"), STASIS_CONTRADICTORY);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", 2); /* Users: no label */
        expect_absent(process_fact(TINY_BETA, "integrity"), STASIS_CONTRADICTORY);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", 3);
        world_u(&t.world, tiny_token_sid(&t, TINY_TOKEN_USER, 3) + 8, 4, 0x12010);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", 3);
        expect_value(process_fact(TINY_BETA, "integrity"), 0x12010); /* a level without a name */
        ck_assert_ptr_null(process_fact(TINY_BETA, "integrity")->text);
        world_u(&t.world, tiny_token_sid(&t, TINY_TOKEN_USER, 3) + 1, 1, 2);
        token_set(TINY_TOKEN_USER, "TOKEN.IntegrityLevelIndex", 3);
        expect_absent(process_fact(TINY_BETA, "integrity"), STASIS_CONTRADICTORY);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { of_a_process, plain_rows, of_a_thread,    no_token,
                                      damaged_sids, groups,     groups_damaged, privileges };
        const TTest *const single[] = { integrity, capabilities };
        return sys_main("token", both, 8, single, 2);
}
