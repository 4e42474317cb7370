# SPDX-License-Identifier: MIT
"""Access tokens: user and groups, integrity, privileges, session, logon; of processes and of threads that impersonate.

The SIDs and their attributes lie in the token's own variable part; privileges are an array of LUID_AND_ATTRIBUTES until
2003 and three bit masks by LUID since Vista (public PDBs; winnt.h for SIDs, attributes and the numbers of privileges).
"""
import struct

MANDATORY, DEFAULT, ENABLED, OWNER, DENY = 1, 2, 4, 8, 0x10
ON = MANDATORY | DEFAULT | ENABLED
INTEGRITY = 0x60
NAMES = {0: "Mandatory", 1: "EnabledByDefault", 2: "Enabled", 3: "Owner", 4: "UseForDenyOnly", 5: "Integrity",
         6: "IntegrityEnabled"}
PRIVILEGES = {7: "SeTcbPrivilege", 8: "SeSecurityPrivilege", 10: "SeLoadDriverPrivilege", 19: "SeShutdownPrivilege",
              20: "SeDebugPrivilege", 23: "SeChangeNotifyPrivilege", 29: "SeImpersonatePrivilege"}
LEVELS = {0x1000: "Low", 0x2000: "Medium", 0x3000: "High", 0x4000: "System"}
USER = "S-1-5-21-1004336348-1177238915-682003330-1001"
# name: user, [(group, attributes)], integrity, {privilege: (enabled, by default)}, logon id, session, source
KINDS = {
    "system": ("S-1-5-18", [("S-1-5-32-544", DEFAULT | ENABLED | OWNER), ("S-1-1-0", ON), ("S-1-5-11", ON)], 0x4000,
               {7: (True, True), 8: (False, False), 20: (True, True), 23: (True, True)}, 0x3E7, 0, "*SYSTEM*"),
    "network service": ("S-1-5-20", [("S-1-1-0", ON), ("S-1-5-6", ON), ("S-1-5-11", ON)], 0x4000,
                        {19: (False, False), 23: (True, True), 29: (True, True)}, 0x3E4, 0, "Advapi"),
    "user": (USER, [("S-1-1-0", ON), ("S-1-5-32-544", DENY), ("S-1-5-32-545", ON), ("S-1-5-4", ON)], 0x2000,
             {19: (False, False), 23: (True, True)}, 0x1A2B3, 1, "User32"),
    "elevated": (USER, [("S-1-1-0", ON), ("S-1-5-32-544", ON | OWNER), ("S-1-5-32-545", ON), ("S-1-5-4", ON)], 0x3000,
                 {10: (False, False), 20: (True, False), 23: (True, True), 29: (True, True)}, 0x1A2B4, 1, "User32"),
    "low": (USER, [("S-1-1-0", ON), ("S-1-5-32-545", ON), ("S-1-5-12", ON)], 0x1000, {23: (True, True)}, 0x1A2B3, 1,
            "User32"),
}


def sid_bytes(text):
    parts = [int(p) for p in text.split("-")[1:]]
    return struct.pack("<BB", parts[0], len(parts) - 2) + parts[1].to_bytes(6, "big") + struct.pack(
        f"<{len(parts) - 2}I", *parts[2:])


def flags(value):
    return {"value": hex(value), "names": [name for bit, name in NAMES.items() if value >> bit & 1]}


class Token:
    """One token, and under told what is to be told of it."""

    def __init__(self, system, kind, number, level=None):
        """level: of impersonation, None of a primary token."""
        self.system, self.kind = system, kind
        size = system.struct_size("_TOKEN", 0x200)
        self.va = system.executive.make("Token", size + 0x280)
        self.told = {}
        if "_TOKEN" in system.places["structs"]:
            self.o = system.object(self.va, "_TOKEN")
            self.next = self.va + size
            self._write(number, level)

    def _take(self, data):
        va = self.next
        self.system.kernel.write(va, data)
        self.next = va + -(-len(data) // 8) * 8
        return va

    def _write(self, number, level):
        user, groups, integrity, privileges, logon, session, source = KINDS[self.kind]
        o, system = self.o, self.system
        sids = [(user, 0)] + groups + ([(f"S-1-16-{integrity}", INTEGRITY)] if o.has("IntegrityLevelIndex") else [])
        array = self._take(bytes(2 * system.pointer * len(sids)))
        places = [self._take(sid_bytes(sid)) for sid, _ in sids]
        for i, ((_, attributes), va) in enumerate(zip(sids, places)):
            system.labels.put(system.kernel, array + 2 * system.pointer * i, system.pointer, va)
            system.labels.put(system.kernel, array + 2 * system.pointer * i + system.pointer, 4, attributes)
        for member, value in (("UserAndGroups", array), ("UserAndGroupCount", len(sids)), ("SessionId", session),
                              ("TokenType", 1 if level is None else 2), ("ImpersonationLevel", level or 0),
                              ("PrimaryGroup", places[1]), ("DefaultOwnerIndex", 1 if groups[0][1] & OWNER else 0),
                              ("IntegrityLevelIndex", len(sids) - 1), ("MandatoryPolicy", 3),
                              ("TokenFlags", 0x2000)):
            o.put(member, value)
        ids = {"TokenId": (number, 1), "AuthenticationId": (logon, 0), "ParentTokenId": (0, 0),
               "ModifiedId": (number + 0x11, 2), "OriginatingLogonSession": (0x3E7, 0)}
        for member, (low, high) in ids.items():
            if o.has(member):
                system.kernel.write(o.at(member), struct.pack("<II", low, high))
        system.kernel.write(o.at("TokenSource"), source.encode().ljust(8) + struct.pack("<II", 0x1234, 0))
        self._privileges(privileges)
        self._tell(sids, level, ids, integrity, session, source, groups)

    def _privileges(self, privileges):
        o = self.o
        if o.has("Privileges.Present"):
            masks = {"Present": lambda _: True, "Enabled": lambda p: p[0], "EnabledByDefault": lambda p: p[1]}
            for member, of in masks.items():
                o.put("Privileges." + member, sum(1 << luid for luid, p in privileges.items() if of(p)))
        else:
            rows = b"".join(struct.pack("<III", luid, 0, 2 * on | default) for luid, (on, default) in
                            privileges.items())
            o.put("PrivilegeCount", len(privileges))
            o.put("Privileges", self._take(rows))
        self.told["privileges"] = [{"name": PRIVILEGES[luid], "enabled": on, "enabled_by_default": default}
                                   for luid, (on, default) in privileges.items()]

    def _tell(self, sids, level, ids, integrity, session, source, groups):
        administrator = any(sid == "S-1-5-32-544" and attributes & ENABLED for sid, attributes in groups)
        self.told.update(
            user=sids[0][0], token_type="Primary" if level is None else "Impersonation", token_session=session,
            authentication_id=hex(ids["AuthenticationId"][0]), token_source=source, administrator=administrator,
            token_id=hex(ids["TokenId"][0] | ids["TokenId"][1] << 32),
            modified_id=hex(ids["ModifiedId"][0] | ids["ModifiedId"][1] << 32),
            primary_group=sids[1][0], owner=sids[1][0] if groups[0][1] & OWNER else sids[0][0],
            groups=[{"sid": sid, "attributes": flags(attributes)} for sid, attributes in sids[1:]])
        if self.o.has("OriginatingLogonSession"):
            self.told["originating_logon"] = "0x3e7"
        if self.o.has("IntegrityLevelIndex"):
            self.told["integrity"] = LEVELS[integrity]
        if level is not None:
            self.told["token_level"] = ["Anonymous", "Identification", "Impersonation", "Delegation"][level]
