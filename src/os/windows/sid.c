/* SPDX-License-Identifier: MIT */
/*
 * A SID is one byte of revision (1), one that counts the parts, six of authority (big-endian), then the parts, four
 * bytes each ([MS-DTYP] 2.4.2.2); its text is told in 2.4.2.1.
 */
#include "sid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../base/bytes.h"
#include "../rows.h"

#define SID_HEAD 8

enum stasis_absence sid_read(struct stasis_space *space, uint64_t va, struct sid *ret_sid)
{
        uint8_t head[SID_HEAD], part[4 * SID_PARTS_MAX];
        struct sid sid = { 0 };
        enum stasis_status status = stasis_space_read(space, va, head, sizeof head);
        if (status != STASIS_OK)
                return absence_at(space, va, sizeof head, status);
        if (head[0] != 1 || head[1] > SID_PARTS_MAX)
                return STASIS_CONTRADICTORY;
        sid.count = head[1];
        for (size_t i = 2; i < SID_HEAD; i++)
                sid.authority = sid.authority << 8 | head[i];
        size_t len = 4 * (size_t)sid.count;
        status = stasis_space_read(space, va + SID_HEAD, part, len);
        if (status != STASIS_OK)
                return absence_at(space, va + SID_HEAD, len, status);
        for (size_t i = 0; i < sid.count; i++)
                sid.part[i] = load_le32(part + 4 * i);
        *ret_sid = sid;
        return STASIS_PRESENT;
}

void sid_text(const struct sid *sid, char text[static SID_TEXT_MAX])
{
        size_t used = (size_t)snprintf(text, SID_TEXT_MAX, sid->authority >> 32 ? "S-1-0x%012" PRIx64 : "S-1-%" PRIu64,
                                       sid->authority);
        for (size_t i = 0; i < sid->count; i++)
                used += (size_t)snprintf(text + used, SID_TEXT_MAX - used, "-%" PRIu32, sid->part[i]);
}

bool sid_is(const struct sid *sid, const char *text)
{
        char own[SID_TEXT_MAX];
        sid_text(sid, own);
        return strcmp(own, text) == 0;
}

/* ---------------------------------------------------------------- names */

struct named_sid {
        const char *sid, *name;
};

/*
 * [MS-DTYP] 2.4.2.4, with the names that the system itself shows; those of the window manager, of user-mode drivers and
 * of capabilities are constants of the Windows SDK (winnt.h, SECURITY_..._RID and SECURITY_CAPABILITY_...).
 */
static const struct named_sid well_known[] = {
        { "S-1-0-0", "NULL SID" },
        { "S-1-1-0", "Everyone" },
        { "S-1-2-0", "LOCAL" },
        { "S-1-2-1", "CONSOLE LOGON" },
        { "S-1-3-0", "CREATOR OWNER" },
        { "S-1-3-1", "CREATOR GROUP" },
        { "S-1-3-2", "CREATOR OWNER SERVER" },
        { "S-1-3-3", "CREATOR GROUP SERVER" },
        { "S-1-3-4", "OWNER RIGHTS" },
        { "S-1-5-1", "NT AUTHORITY\\DIALUP" },
        { "S-1-5-2", "NT AUTHORITY\\NETWORK" },
        { "S-1-5-3", "NT AUTHORITY\\BATCH" },
        { "S-1-5-4", "NT AUTHORITY\\INTERACTIVE" },
        { "S-1-5-6", "NT AUTHORITY\\SERVICE" },
        { "S-1-5-7", "NT AUTHORITY\\ANONYMOUS LOGON" },
        { "S-1-5-8", "NT AUTHORITY\\PROXY" },
        { "S-1-5-9", "NT AUTHORITY\\ENTERPRISE DOMAIN CONTROLLERS" },
        { "S-1-5-10", "NT AUTHORITY\\SELF" },
        { "S-1-5-11", "NT AUTHORITY\\Authenticated Users" },
        { "S-1-5-12", "NT AUTHORITY\\RESTRICTED" },
        { "S-1-5-13", "NT AUTHORITY\\TERMINAL SERVER USER" },
        { "S-1-5-14", "NT AUTHORITY\\REMOTE INTERACTIVE LOGON" },
        { "S-1-5-15", "NT AUTHORITY\\This Organization" },
        { "S-1-5-17", "NT AUTHORITY\\IUSR" },
        { "S-1-5-18", "NT AUTHORITY\\SYSTEM" },
        { "S-1-5-19", "NT AUTHORITY\\LOCAL SERVICE" },
        { "S-1-5-20", "NT AUTHORITY\\NETWORK SERVICE" },
        { "S-1-5-21-0-0-0-496", "Compounded authentication" },
        { "S-1-5-21-0-0-0-497", "Claims valid" },
        { "S-1-5-32-544", "BUILTIN\\Administrators" },
        { "S-1-5-32-545", "BUILTIN\\Users" },
        { "S-1-5-32-546", "BUILTIN\\Guests" },
        { "S-1-5-32-547", "BUILTIN\\Power Users" },
        { "S-1-5-32-548", "BUILTIN\\Account Operators" },
        { "S-1-5-32-549", "BUILTIN\\Server Operators" },
        { "S-1-5-32-550", "BUILTIN\\Print Operators" },
        { "S-1-5-32-551", "BUILTIN\\Backup Operators" },
        { "S-1-5-32-552", "BUILTIN\\Replicator" },
        { "S-1-5-32-554", "BUILTIN\\Pre-Windows 2000 Compatible Access" },
        { "S-1-5-32-555", "BUILTIN\\Remote Desktop Users" },
        { "S-1-5-32-556", "BUILTIN\\Network Configuration Operators" },
        { "S-1-5-32-557", "BUILTIN\\Incoming Forest Trust Builders" },
        { "S-1-5-32-558", "BUILTIN\\Performance Monitor Users" },
        { "S-1-5-32-559", "BUILTIN\\Performance Log Users" },
        { "S-1-5-32-560", "BUILTIN\\Windows Authorization Access Group" },
        { "S-1-5-32-561", "BUILTIN\\Terminal Server License Servers" },
        { "S-1-5-32-562", "BUILTIN\\Distributed COM Users" },
        { "S-1-5-32-568", "BUILTIN\\IIS_IUSRS" },
        { "S-1-5-32-569", "BUILTIN\\Cryptographic Operators" },
        { "S-1-5-32-573", "BUILTIN\\Event Log Readers" },
        { "S-1-5-32-574", "BUILTIN\\Certificate Service DCOM Access" },
        { "S-1-5-32-575", "BUILTIN\\RDS Remote Access Servers" },
        { "S-1-5-32-576", "BUILTIN\\RDS Endpoint Servers" },
        { "S-1-5-32-577", "BUILTIN\\RDS Management Servers" },
        { "S-1-5-32-578", "BUILTIN\\Hyper-V Administrators" },
        { "S-1-5-32-579", "BUILTIN\\Access Control Assistance Operators" },
        { "S-1-5-32-580", "BUILTIN\\Remote Management Users" },
        { "S-1-5-32-581", "BUILTIN\\System Managed Accounts Group" },
        { "S-1-5-32-582", "BUILTIN\\Storage Replica Administrators" },
        { "S-1-5-32-583", "BUILTIN\\Device Owners" },
        { "S-1-5-33", "NT AUTHORITY\\WRITE RESTRICTED" },
        { "S-1-5-64-10", "NT AUTHORITY\\NTLM Authentication" },
        { "S-1-5-64-14", "NT AUTHORITY\\SChannel Authentication" },
        { "S-1-5-64-21", "NT AUTHORITY\\Digest Authentication" },
        { "S-1-5-65-1", "NT AUTHORITY\\This Organization Certificate" },
        { "S-1-5-80-0", "NT SERVICE\\ALL SERVICES" },
        { "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", "NT SERVICE\\TrustedInstaller" },
        { "S-1-5-84-0-0-0-0-0", "NT AUTHORITY\\USER MODE DRIVERS" },
        { "S-1-5-90-0", "Window Manager\\Window Manager Group" },
        { "S-1-5-113", "NT AUTHORITY\\Local account" },
        { "S-1-5-114", "NT AUTHORITY\\Local account and member of Administrators group" },
        { "S-1-5-1000", "NT AUTHORITY\\Other Organization" },
        { "S-1-15-2-1", "ALL APPLICATION PACKAGES" },
        { "S-1-15-2-2", "ALL RESTRICTED APPLICATION PACKAGES" },
        { "S-1-15-3-1", "internetClient" },
        { "S-1-15-3-2", "internetClientServer" },
        { "S-1-15-3-3", "privateNetworkClientServer" },
        { "S-1-15-3-4", "picturesLibrary" },
        { "S-1-15-3-5", "videosLibrary" },
        { "S-1-15-3-6", "musicLibrary" },
        { "S-1-15-3-7", "documentsLibrary" },
        { "S-1-15-3-8", "enterpriseAuthentication" },
        { "S-1-15-3-9", "sharedUserCertificates" },
        { "S-1-15-3-10", "removableStorage" },
        { "S-1-15-3-11", "appointments" },
        { "S-1-15-3-12", "contacts" },
        { "S-1-16-0", "Mandatory Label\\Untrusted Mandatory Level" },
        { "S-1-16-4096", "Mandatory Label\\Low Mandatory Level" },
        { "S-1-16-8192", "Mandatory Label\\Medium Mandatory Level" },
        { "S-1-16-8448", "Mandatory Label\\Medium Plus Mandatory Level" },
        { "S-1-16-12288", "Mandatory Label\\High Mandatory Level" },
        { "S-1-16-16384", "Mandatory Label\\System Mandatory Level" },
        { "S-1-16-20480", "Mandatory Label\\Protected Process Mandatory Level" },
        { "S-1-16-28672", "Mandatory Label\\Secure Process Mandatory Level" },
        { "S-1-18-1", "Authentication authority asserted identity" },
        { "S-1-18-2", "Service asserted identity" },
        { "S-1-18-3", "Fresh public key identity" },
        { "S-1-18-4", "Key trust identity" },
        { "S-1-18-5", "MFA key property" },
        { "S-1-18-6", "Attested key property" },
};

/* The same document: last parts of a SID of a domain or a machine, S-1-5-21-x-y-z-RID. */
static const struct {
        uint32_t rid;
        const char *name;
} domain_rids[] = {
        { 498, "Enterprise Read-only Domain Controllers" },
        { 500, "Administrator" },
        { 501, "Guest" },
        { 502, "krbtgt" },
        { 503, "DefaultAccount" },
        { 504, "WDAGUtilityAccount" },
        { 512, "Domain Admins" },
        { 513, "Domain Users" },
        { 514, "Domain Guests" },
        { 515, "Domain Computers" },
        { 516, "Domain Controllers" },
        { 517, "Cert Publishers" },
        { 518, "Schema Admins" },
        { 519, "Enterprise Admins" },
        { 520, "Group Policy Creator Owners" },
        { 521, "Read-only Domain Controllers" },
        { 522, "Cloneable Domain Controllers" },
        { 525, "Protected Users" },
        { 526, "Key Admins" },
        { 527, "Enterprise Key Admins" },
        { 553, "RAS and IAS Servers" },
        { 571, "Allowed RODC Password Replication Group" },
        { 572, "Denied RODC Password Replication Group" },
};

/* SIDs that are made for one logon, one service, one package ...: told by how they begin. */
static const struct {
        uint8_t authority;
        uint32_t first;
        uint8_t count;
        const char *name;
} families[] = {
        { 5, 5, 3, "Logon session" }, /* S-1-5-5-x-y */
        { 5, 80, 6, "NT SERVICE" },   /* a hash of the service's name */
        { 5, 82, 6, "IIS APPPOOL" },         { 5, 83, 6, "NT VIRTUAL MACHINE" },
        { 5, 90, 3, "Window Manager\\DWM" }, { 5, 96, 3, "Font Driver Host\\UMFD" },
        { 15, 2, 8, "Application package" },
};

static const char *domain_name(const struct sid *sid)
{
        bool domain = sid->authority == 5 && sid->count == 5 && sid->part[0] == 21;
        for (size_t i = 0; domain && i < sizeof domain_rids / sizeof *domain_rids; i++)
                if (domain_rids[i].rid == sid->part[4])
                        return domain_rids[i].name;
        return NULL;
}

const char *sid_name(const struct sid *sid)
{
        char text[SID_TEXT_MAX];
        sid_text(sid, text);
        for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++)
                if (strcmp(well_known[i].sid, text) == 0)
                        return well_known[i].name;
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
                if (sid->authority == families[i].authority && sid->count == families[i].count &&
                    sid->part[0] == families[i].first)
                        return families[i].name;
        return domain_name(sid);
}
