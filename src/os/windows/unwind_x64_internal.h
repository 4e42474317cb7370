/* SPDX-License-Identifier: MIT */
/* Between unwind_x64.c and unwind_x64_epilogue.c. */
#ifndef STASIS_OS_WINDOWS_UNWIND_X64_INTERNAL_H
#define STASIS_OS_WINDOWS_UNWIND_X64_INTERNAL_H

#include "unwind_wire.h"
#include "unwind_x64.h"

#define X64_CODES_MAX 256 /* CountOfCodes is a byte; one more where the number is odd */

struct x64_info {
        uint8_t version, flags, prolog, count;
        uint8_t frame_register; /* 0: none */
        uint16_t frame_offset;
        uint8_t code[2 * X64_CODES_MAX];
        struct x64_function chained; /* with the flag CHAININFO */
};

/* One operation of the codes. */
struct x64_code {
        uint8_t offset, operation, info;
        uint8_t places;
        uint64_t operand; /* what the places behind it come to, scaled */
};

/* An entry that another one serves for becomes that one. */
bool x64_info_read(const struct x64_memory *memory, struct x64_function *function, struct x64_info *ret_info);
/* The code at this place; false past the last, and where it is none that exists. */
bool x64_code_at(const struct x64_info *info, size_t place, struct x64_code *ret_code);

bool x64_word(const struct x64_memory *memory, uint64_t at, uint64_t *ret_value);
/* The register from the top of the stack, and the stack one word higher. */
bool x64_pop(const struct x64_memory *memory, struct x64_registers *r, unsigned reg);
bool x64_return(const struct x64_memory *memory, struct x64_registers *r);

/* What the processor pushed when it was interrupted; before it, where the code says so, an error code. */
bool x64_machine_frame(const struct x64_memory *memory, struct x64_registers *r, bool error_code, uint64_t *ret_at);

enum x64_epilogue { X64_NOT_EPILOGUE, X64_EPILOGUE_DONE, X64_EPILOGUE_BROKEN };
/* Where rip is in an epilogue of the function: its rest, done; then r is the caller's. */
enum x64_epilogue x64_epilogue(const struct x64_memory *memory, const struct x64_function *function,
                               const struct x64_info *info, struct x64_registers *r, struct x64_step *step);

#endif
