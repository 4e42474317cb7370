/* SPDX-License-Identifier: MIT */
/*
 * The rows of an access token, for the tables of threads (the token that the thread acts with) and of processes (the
 * primary one). A row before them tells which it is: derive_effective_token, derive_process_token.
 */
#ifndef STASIS_OS_WINDOWS_TOKEN_ROWS_H
#define STASIS_OS_WINDOWS_TOKEN_ROWS_H

#include "../row_macros.h"
#include "derive.h"
#include "names.h"

#define TOKEN_LIST_HELP "of a thread without a token of its own: see its process"

extern const struct stasis_list_rows token_sid_list, token_privilege_list;

#define TOKEN_ROWS(g) \
        MADE("user", "User", g, TEXT, derive_user, "the token's first SID"), \
                MADE("user_name", "User, by name", g, TEXT, derive_user_name, \
                     "of a well-known SID, or by its last part; names of accounts are not in memory as a rule"), \
                ROW_DN("integrity", "Integrity level", g, ENUM, ON_TOKEN, derive_integrity, names_integrity, \
                       "last part of its mandatory label; since Vista", "_TOKEN.IntegrityLevelIndex"), \
                MADE("administrator", "Acts as administrator", g, BOOL, derive_administrator, \
                     "S-1-5-32-544 is among its enabled groups, and not for deny only: what elevation gives"), \
                ROW_N("token_type", "Token type", g, ENUM, ON_TOKEN, names_token_type, "", "_TOKEN.TokenType"), \
                ROW_DN("token_level", "Token's level", g, ENUM, ON_TOKEN, derive_token_level, names_impersonation, \
                       "of an impersonation token", "_TOKEN.ImpersonationLevel"), \
                ROW("token_session", "Token's session", g, NUMBER, ON_TOKEN, "", "_TOKEN.SessionId"), \
                ROW_D("authentication_id", "Logon session id", g, HEX, ON_TOKEN, derive_luid, \
                      "0x3e7: the system's, 0x3e5: LOCAL SERVICE's, 0x3e4: NETWORK SERVICE's, 0x3e6: anonymous", \
                      "_TOKEN.AuthenticationId"), \
                ROW_D("originating_logon", "Originating logon", g, HEX, ON_TOKEN, derive_luid, \
                      "session that asked for this logon", "_TOKEN.OriginatingLogonSession"), \
                ROW_D("token_id", "Token id", g, HEX, ON_TOKEN, derive_luid, "", "_TOKEN.TokenId"), \
                ROW_D("parent_token_id", "Parent token's id", g, HEX, ON_TOKEN, derive_luid, \
                      "of the token that it was restricted from", "_TOKEN.ParentTokenId"), \
                ROW_D("modified_id", "Token's modification", g, HEX, ON_TOKEN, derive_luid, \
                      "changes with each change of it", "_TOKEN.ModifiedId"), \
                ROW_D("token_source", "Token's source", g, TEXT, ON_TOKEN, derive_token_source, \
                      "who made it, in at most eight letters", "_TOKEN.TokenSource.SourceName"), \
                ROW_D("token_expires", "Token expires", g, TIME, ON_TOKEN, derive_token_expires, "", \
                      "_TOKEN.ExpirationTime"), \
                ROW_N("token_flags", "Token flags", g, FLAGS, ON_TOKEN, names_token_flags, \
                      "bit 3 meant TOKEN_HAS_ADMIN_GROUP until 2003", "_TOKEN.TokenFlags"), \
                ROW_N("mandatory_policy", "Mandatory policy", g, FLAGS, ON_TOKEN, names_mandatory_policy, \
                      "since Vista", "_TOKEN.MandatoryPolicy"), \
                MADE("owner", "Default owner", g, TEXT, derive_owner, "of what it makes"), \
                ROW_D("primary_group", "Primary group", g, TEXT, ON_TOKEN, derive_sid, "", "_TOKEN.PrimaryGroup"), \
                ROW_D("package", "Package", g, TEXT, ON_TOKEN, derive_sid, "of an app container; since 8", \
                      "_TOKEN.Package"), \
                ROW_D("trust_level", "Trust level", g, TEXT, ON_TOKEN, derive_sid, \
                      "of a protected process; since 8.1", "_TOKEN.TrustLevelSid"), \
                MADE_LIST("groups", "Groups", g, &token_sid_list, derive_groups, TOKEN_LIST_HELP), \
                MADE_LIST("restricted_sids", "Restricted SIDs", g, &token_sid_list, derive_restricted_sids, \
                          TOKEN_LIST_HELP), \
                MADE_LIST("capabilities", "Capabilities", g, &token_sid_list, derive_capabilities, \
                          "of an app container; since 8"), \
                MADE_LIST("privileges", "Privileges", g, &token_privilege_list, derive_privileges, TOKEN_LIST_HELP)

#endif
