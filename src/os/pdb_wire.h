/* SPDX-License-Identifier: MIT */
/* Kinds of records, as cvinfo.h of github.com/microsoft/microsoft-pdb numbers them. */
#ifndef STASIS_OS_PDB_WIRE_H
#define STASIS_OS_PDB_WIRE_H

enum pdb_leaf {
        LF_MODIFIER = 0x1001,
        LF_POINTER = 0x1002,
        LF_PROCEDURE = 0x1008,
        LF_FIELDLIST = 0x1203,
        LF_BITFIELD = 0x1205,
        LF_BCLASS = 0x1400,
        LF_VBCLASS = 0x1401,
        LF_IVBCLASS = 0x1402,
        LF_INDEX = 0x1404,
        LF_VFUNCTAB = 0x1409,
        LF_FRIENDCLS = 0x140a,
        LF_VFUNCOFF = 0x140c,
        LF_ENUMERATE = 0x1502,
        LF_ARRAY = 0x1503,
        LF_CLASS = 0x1504,
        LF_STRUCTURE = 0x1505,
        LF_UNION = 0x1506,
        LF_ENUM = 0x1507,
        LF_FRIENDFCN = 0x150c,
        LF_MEMBER = 0x150d,
        LF_STMEMBER = 0x150e,
        LF_METHOD = 0x150f,
        LF_NESTTYPE = 0x1510,
        LF_ONEMETHOD = 0x1511,
        LF_NESTTYPEEX = 0x1512,
        LF_MEMBERMODIFY = 0x1513,
        LF_INTERFACE = 0x1519,
        LF_BINTERFACE = 0x151a,
        LF_CLASS2 = 0x1608, /* these four: in no published cvinfo.h, but in LLVM's CodeViewTypes.def */
        LF_STRUCTURE2 = 0x1609,
        LF_UNION2 = 0x160a,
        LF_INTERFACE2 = 0x160b
};

/* _ST: the name begins with its length; _16T: so it does, and types are numbers of 16 bits. */
enum pdb_symbol_kind {
        S_PUB32_16T = 0x0203,
        S_LPROC32_16T = 0x0204,
        S_GPROC32_16T = 0x0205,
        S_PUB32_ST = 0x1009,
        S_LPROC32_ST = 0x100a,
        S_GPROC32_ST = 0x100b,
        S_PUB32 = 0x110e,
        S_LPROC32 = 0x110f,
        S_GPROC32 = 0x1110,
        S_LPROC32_ID = 0x1146,
        S_GPROC32_ID = 0x1147,
        S_LPROC32_DPC = 0x1155,
        S_LPROC32_DPC_ID = 0x1156
};

#endif
