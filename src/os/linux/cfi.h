/* SPDX-License-Identifier: MIT */
/*
 * Call frame information: how the caller's registers are found from those of a function, as compilers write it into
 * .eh_frame. Sources: DWARF 5, section 6.4; Linux Standard Base, "Exception Frames" (.eh_frame, .eh_frame_hdr and the
 * encodings of pointers). Everything is read from an address space, page by page: what is not there is told apart from
 * what makes no sense.
 */
#ifndef STASIS_OS_LINUX_CFI_H
#define STASIS_OS_LINUX_CFI_H

#include <stasis/stasis.h>

#include "../../mem/space.h"

#define CFI_REGISTERS 17     /* columns that are kept: those of x86-64 up to the return address */
#define CFI_BYTES_MAX 65536u /* of one entry; the longest of a distribution has some hundred */

/* Registers as DWARF numbers them here. Sources: System V ABI, AMD64 figure 3.36 and Intel386 (as .eh_frame has it). */
struct cfi_machine {
        uint8_t word;
        uint8_t sp, bp, ra;
        uint32_t saved;     /* those that a function gives back as it found them */
        uint8_t number[16]; /* of stasis_cpu.gpr[i] */
        uint8_t registers;  /* how many of them there are */
};
extern const struct cfi_machine cfi_x64, cfi_x86;

struct cfi_registers {
        uint32_t known; /* bit i: value[i] holds */
        uint64_t value[CFI_REGISTERS];
        uint64_t at[CFI_REGISTERS]; /* where it was read; STASIS_NOWHERE: it was not */
};

/* Bytes of an address space, one after the other; after the first failure everything is zero. */
struct cfi_reader {
        struct stasis_space *space;
        uint64_t at, end;
        enum stasis_status status;
        uint64_t from; /* bytes[0] */
        uint8_t have, bytes[64];
};
void cfi_reader_start(struct cfi_reader *r, struct stasis_space *space, uint64_t at, uint64_t len);
uint64_t cfi_u(struct cfi_reader *r, size_t size);
uint64_t cfi_uleb(struct cfi_reader *r);
int64_t cfi_sleb(struct cfi_reader *r);
void cfi_skip(struct cfi_reader *r, uint64_t len);

/* An FDE together with its CIE: what holds for the code in [start, end). */
struct cfi_entry {
        uint64_t start, end;
        uint64_t common_at, common_len, at, len; /* the instructions of the CIE, and those of the FDE */
        uint64_t code_align;
        int64_t data_align;
        uint8_t ra;
        uint8_t encoding;
        bool signal; /* the caller was interrupted: its address is the instruction itself */
};

/*
 * The FDE at va. STASIS_ABSENT, STASIS_IO: pages are not there; STASIS_UNSUPPORTED: a form that nobody writes;
 * STASIS_CORRUPT: no FDE.
 */
enum stasis_status cfi_entry_read(struct stasis_space *space, const struct cfi_machine *machine, uint64_t va,
                                  struct cfi_entry *ret_entry) STASIS_MUST_CHECK;

/*
 * Address of the FDE that .eh_frame_hdr names for pc; 0: it knows of nothing so low. STASIS_UNSUPPORTED: no table of
 * the usual form; else as reading goes.
 */
enum stasis_status cfi_find(struct stasis_space *space, uint64_t header, uint64_t len, uint64_t pc,
                            uint64_t *ret_va) STASIS_MUST_CHECK;

/* ---- .eh_frame without such a header (programs linked statically): a table of ours. Addresses are less bias. */

struct cfi_index_row {
        uint64_t start, fde;
};
struct cfi_index {
        struct cfi_index_row *row; /* sorted by start */
        size_t count, capacity;
};
/*
 * All FDEs of [va, va + len), as far as it is there: *ret_whole says whether that is to its end. STASIS_NOMEM, or
 * STASIS_OK.
 */
enum stasis_status cfi_index_make(struct stasis_space *space, const struct cfi_machine *machine, uint64_t va,
                                  uint64_t len, uint64_t bias, struct cfi_index *ret_index,
                                  bool *ret_whole) STASIS_MUST_CHECK;
void cfi_index_free(struct cfi_index *index);
/* Of the last that starts at or below pc; 0: none. */
uint64_t cfi_index_find(const struct cfi_index *index, uint64_t pc);

/* ---- rows: what holds at one instruction */

enum cfi_kind {
        CFI_UNSPECIFIED, /* what the ABI says of the register */
        CFI_SAME,
        CFI_UNDEFINED,
        CFI_OFFSET,     /* lies at CFA + offset */
        CFI_VAL_OFFSET, /* is CFA + offset */
        CFI_REGISTER,   /* is register reg, of the CFA plus offset */
        CFI_EXPRESSION, /* lies where the expression says; the CFA: is what it says */
        CFI_VAL_EXPRESSION
};
struct cfi_rule {
        enum cfi_kind kind;
        uint8_t reg;
        int64_t offset;
        uint64_t at, len; /* bytes of the expression */
};
struct cfi_row {
        struct cfi_rule cfa, reg[CFI_REGISTERS];
};
/* Runs the entry's instructions up to pc. */
enum stasis_status cfi_row_at(struct stasis_space *space, const struct cfi_machine *machine,
                              const struct cfi_entry *entry, uint64_t pc, struct cfi_row *ret_row) STASIS_MUST_CHECK;

/*
 * The value of an expression, initial on its stack where it is not NULL. STASIS_UNSUPPORTED: an operation that has no
 * place in such a table; STASIS_LIMIT: it does not end, or its stack overflows; STASIS_ABSENT: a register that is not
 * known, or memory that is not there.
 */
enum stasis_status cfi_evaluate(struct stasis_space *space, const struct cfi_machine *machine,
                                const struct cfi_rule *expression, const struct cfi_registers *registers,
                                const uint64_t *initial, uint64_t *ret_value) STASIS_MUST_CHECK;

/* How a step ended that led to no caller. */
enum cfi_end {
        CFI_STEPPED,
        CFI_OUTERMOST, /* the return address is undefined */
        CFI_UNKNOWN,   /* a register or a word that the row asks for is not known: status says what kind */
};
/* From a function's registers to its caller's: registers->value[machine->ra] is then where the caller goes on. */
enum cfi_end cfi_step(struct stasis_space *space, const struct cfi_machine *machine, const struct cfi_entry *entry,
                      const struct cfi_row *row, struct cfi_registers *registers, enum stasis_status *ret_status);

#endif
