/* SPDX-License-Identifier: MIT */
/*
 * What no C compiler here makes: saves by MOV near and far, a frame register in the middle of a frame, chained unwind
 * information, version 2 with its epilogue codes, entries that refer to others, machine frames. The tables of the last
 * four are written by hand: Microsoft, "x64 exception handling".
 */
        .intel_syntax noprefix
        .text

/* Probes of a large frame; rax is kept. */
        .globl ___chkstk_ms
        .seh_proc ___chkstk_ms
___chkstk_ms:
        push    rcx
        .seh_pushreg rcx
        push    rax
        .seh_pushreg rax
        .seh_endprologue
        lea     rcx, [rsp + 24]
1:      cmp     rax, 0x1000
        jb      2f
        sub     rcx, 0x1000
        or      qword ptr [rcx], 0
        sub     rax, 0x1000
        jmp     1b
2:      sub     rcx, rax
        or      qword ptr [rcx], 0
        pop     rax
        pop     rcx
        ret
        .seh_endproc

        .globl memset
        .seh_proc memset
memset: push    rdi
        .seh_pushreg rdi
        .seh_endprologue
        mov     rdi, rcx
        mov     eax, edx
        mov     rcx, r8
        rep stosb
        pop     rdi
        ret
        .seh_endproc

/* ---- saves by MOV, and far ones */
        .seh_proc saves
saves:  sub     rsp, 0x78
        .seh_stackalloc 0x78
        mov     [rsp + 0x28], rbx
        .seh_savereg rbx, 0x28
        mov     [rsp + 0x30], rsi
        .seh_savereg rsi, 0x30
        mov     [rsp + 0x38], rdi
        .seh_savereg rdi, 0x38
        movaps  [rsp + 0x40], xmm6
        .seh_savexmm xmm6, 0x40
        movaps  [rsp + 0x50], xmm7
        .seh_savexmm xmm7, 0x50
        mov     [rsp + 0x60], r12
        .seh_savereg r12, 0x60
        .seh_endprologue
        mov     ebx, 1
        mov     esi, 2
        pxor    xmm6, xmm6
        call    keeps
        mov     r12, [rsp + 0x60]
        movaps  xmm7, [rsp + 0x50]
        movaps  xmm6, [rsp + 0x40]
        mov     rdi, [rsp + 0x38]
        mov     rsi, [rsp + 0x30]
        mov     rbx, [rsp + 0x28]
        add     rsp, 0x78
        ret
        .seh_endproc

        .seh_proc far_saves
far_saves:
        mov     eax, 0x120018
        call    ___chkstk_ms
        sub     rsp, rax
        .seh_stackalloc 0x120018
        mov     [rsp + 0x110000], rbx
        .seh_savereg rbx, 0x110000
        mov     [rsp + 0x110008], r15
        .seh_savereg r15, 0x110008
        movaps  [rsp + 0x110010], xmm15
        .seh_savexmm xmm15, 0x110010
        .seh_endprologue
        mov     rbx, 77
        pxor    xmm15, xmm15
        xor     r15d, r15d
        call    keeps
        movaps  xmm15, [rsp + 0x110010]
        mov     r15, [rsp + 0x110008]
        mov     rbx, [rsp + 0x110000]
        add     rsp, 0x120018
        ret
        .seh_endproc

/* ---- a frame register in the middle; r12, which takes a SIB byte in the epilogue */
        .seh_proc framed
framed: push    r12
        .seh_pushreg r12
        push    rbx
        .seh_pushreg rbx
        sub     rsp, 0x98
        .seh_stackalloc 0x98
        lea     r12, [rsp + 0x80]
        .seh_setframe r12, 0x80
        mov     [rsp + 0x60], rsi
        .seh_savereg rsi, 0x60
        .seh_endprologue
        sub     rsp, 0x140
        mov     esi, 5
        mov     ebx, 6
        call    keeps
        mov     rsi, [r12 - 0x20]
        lea     rsp, [r12 + 0x18]
        pop     rbx
        pop     r12
        ret
        .seh_endproc

        .seh_proc framed_rbp
framed_rbp:
        push    rbp
        .seh_pushreg rbp
        mov     rbp, rsp
        .seh_setframe rbp, 0
        push    rdi
        .seh_pushreg rdi
        sub     rsp, 0x1038
        .seh_stackalloc 0x1038
        .seh_endprologue
        mov     edi, 9
        call    keeps
        lea     rsp, [rbp - 8]
        pop     rdi
        pop     rbp
        ret
        .seh_endproc

/* A leaf has no entry. */
leaf_without_entry:
        mov     eax, 1
        ret

/* Spoils all that a caller must find again. */
        .seh_proc keeps
keeps:  push    rbx
        .seh_pushreg rbx
        push    rsi
        .seh_pushreg rsi
        push    rdi
        .seh_pushreg rdi
        push    r12
        .seh_pushreg r12
        push    r13
        .seh_pushreg r13
        push    r14
        .seh_pushreg r14
        push    r15
        .seh_pushreg r15
        sub     rsp, 0x40
        .seh_stackalloc 0x40
        movaps  [rsp + 0x20], xmm6
        .seh_savexmm xmm6, 0x20
        movaps  [rsp + 0x30], xmm7
        .seh_savexmm xmm7, 0x30
        .seh_endprologue
        mov     rbx, 0x1111
        mov     rsi, 0x2222
        mov     rdi, 0x3333
        mov     r12, 0x4444
        mov     r13, 0x5555
        mov     r14, 0x6666
        mov     r15, 0x7777
        pxor    xmm6, xmm6
        pxor    xmm7, xmm7
        call    leaf_without_entry
        movaps  xmm7, [rsp + 0x30]
        movaps  xmm6, [rsp + 0x20]
        add     rsp, 0x40
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rdi
        pop     rsi
        pop     rbx
        ret
        .seh_endproc

/* ---- tail calls: direct, through memory, and of itself */
        .seh_proc tails
tails:  push    rbx
        .seh_pushreg rbx
        sub     rsp, 0x20
        .seh_stackalloc 0x20
        .seh_endprologue
        mov     ebx, ecx
        call    keeps
        mov     ecx, ebx
        test    ecx, ecx
        jz      1f
        dec     ecx
        add     rsp, 0x20
        pop     rbx
        jmp     tails
1:      add     rsp, 0x20
        pop     rbx
        jmp     [rip + keeps_at]
        .seh_endproc

        .seh_proc tail_register
tail_register:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        lea     rax, [rip + keeps]
        add     rsp, 0x28
        rex.w jmp rax
        .seh_endproc

        .section .rdata
keeps_at:
        .quad   keeps

/*
 * ---- chained: a part of the function saves two registers more, one part lies before its start, and the entry of one
 * part says: as that one
 */
        .text
referring:
        call    keeps
        jmp     chained_last
referring_end:
        nop
chained_cold:
        call    keeps
        jmp     chained_back
chained_cold_end:
        nop
chained:
        push    rbx
chained_1:
        sub     rsp, 0x40
chained_2:
        mov     ebx, 3
        call    keeps
        jmp     chained_cold
chained_back:
chained_part:
        mov     [rsp + 0x28], rsi
chained_part_1:
        movaps  [rsp + 0x30], xmm6
chained_part_2:
        mov     esi, 8
        pxor    xmm6, xmm6
        call    keeps
        movaps  xmm6, [rsp + 0x30]
        mov     rsi, [rsp + 0x28]
chained_rest:
        call    keeps
        jmp     referring
chained_last:
        add     rsp, 0x40
        pop     rbx
        ret
chained_end:

        .section .xdata
        .balign 4
chained_info: /* allocation of 0x40, push of rbx */
        .byte   1, chained_2 - chained, 2, 0
        .byte   chained_2 - chained, 0x72
        .byte   chained_1 - chained, 0x30
chained_part_info: /* xmm6 at 0x30, rsi at 0x28 */
        .byte   0x21, chained_part_2 - chained_part, 4, 0
        .byte   chained_part_2 - chained_part, 0x68
        .short  3
        .byte   chained_part_1 - chained_part, 0x64
        .short  5
        .rva    chained, chained_back, chained_info
chained_rest_info:
        .byte   0x21, 0, 0, 0
        .rva    chained_part, chained_rest, chained_rest_1
chained_rest_1: /* chained twice */
        .byte   0x21, 0, 0, 0
        .rva    chained, chained_back, chained_info

        .section .pdata
        .rva    referring, referring_end, chained_entry + 1
        .rva    chained_cold, chained_cold_end, chained_rest_1
chained_entry:
        .rva    chained, chained_back, chained_info
        .rva    chained_part, chained_rest, chained_part_info
        .rva    chained_rest, chained_end, chained_rest_info

/* ---- version 2: two epilogues, and one of a function that ends with its only one */
        .text
second: push    rbx
second_1:
        push    r13
second_2:
        sub     rsp, 0x28
second_3:
        mov     rbx, rcx
        xor     r13d, r13d
        call    keeps
        test    rbx, rbx
        jz      second_zero
        add     rsp, 0x28
second_epilogue:
        pop     r13
        pop     rbx
        ret
second_zero:
        call    keeps
        add     rsp, 0x28
second_last:
        pop     r13
        pop     rbx
        ret
second_end:
only:   push    rdi
only_1: sub     rsp, 0x20
only_2: mov     rdi, 12
        call    keeps
        add     rsp, 0x20
only_last:
        pop     rdi
        jmp     spoil_kept
only_end:
        .seh_proc spoil_kept
spoil_kept:
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        call    keeps
        add     rsp, 0x28
        ret
        .seh_endproc

        .section .xdata
        .balign 4
second_info:
        .byte   2, second_3 - second, 5, 0
        .byte   second_end - second_last, 0x16
        .byte   second_end - second_epilogue, 0x06
        .byte   second_3 - second, 0x42
        .byte   second_2 - second, 0xd0
        .byte   second_1 - second, 0x30
        .short  0
only_info:
        .byte   2, only_2 - only, 4, 0
        .byte   only_end - only_last, 0x16
        .byte   0, 0x06
        .byte   only_2 - only, 0x32
        .byte   only_1 - only, 0x70

        .section .pdata
        .rva    second, second_end, second_info
        .rva    only, only_end, only_info

/*
 * ---- machine frames: what a processor pushes is pushed by hand, and IRETQ goes back. The judge is told by r11, and of
 * the truth by r8 (rip) and r9 (rsp).
 */
        .text
        .macro  interrupt target, error
        lea     r8, [rip + 9f]
        mov     r9, rsp
        mov     rax, rsp
        and     rsp, -16
        mov     edx, ss
        push    rdx
        push    rax
        pushfq
        mov     edx, cs
        push    rdx
        push    r8
        .if     \error
        push    \error
        .endif
        lea     rdx, [rip + \target]
        movabs  r11, 0x4d414348494e4521
        jmp     rdx
9:      nop
        .endm

        .seh_proc interrupted
interrupted: /* with a frame register, as it moves rsp by hand */
        push    rbp
        .seh_pushreg rbp
        push    rbx
        .seh_pushreg rbx
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        lea     rbp, [rsp + 0x20]
        .seh_setframe rbp, 0x20
        .seh_endprologue
        mov     ebx, 31
        interrupt trap, 0
        interrupt fault, 0x1000
        interrupt second_trap, 0
        call    keeps
        lea     rsp, [rbp + 8]
        pop     rbx
        pop     rbp
        ret
        .seh_endproc

        .seh_proc trap
trap:   .seh_pushframe
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        mov     [rsp + 0x20], rbp
        .seh_savereg rbp, 0x20
        .seh_endprologue
        xor     r11d, r11d
        mov     ebp, 4
        call    keeps
        mov     rbp, [rsp + 0x20]
        add     rsp, 0x28
        iretq
        .seh_endproc

        .seh_proc fault
fault:  .seh_pushframe code
        push    rbp
        .seh_pushreg rbp
        sub     rsp, 0x188
        .seh_stackalloc 0x188
        lea     rbp, [rsp + 0x80]
        .seh_setframe rbp, 0x80
        .seh_endprologue
        xor     r11d, r11d
        call    keeps
        lea     rsp, [rbp + 0x108]
        pop     rbp
        add     rsp, 8
        iretq
        .seh_endproc

/* of version 2, the epilogue of which ends with IRETQ */
second_trap:
        push    rbx
second_trap_1:
        sub     rsp, 0x20
second_trap_2:
        xor     r11d, r11d
        mov     ebx, 8
        call    keeps
        add     rsp, 0x20
second_trap_last:
        pop     rbx
        iretq
second_trap_end:
        .section .xdata
        .balign 4
second_trap_info:
        .byte   2, second_trap_2 - second_trap, 5, 0
        .byte   second_trap_end - second_trap_last, 0x16
        .byte   0, 0x06
        .byte   second_trap_2 - second_trap, 0x32
        .byte   second_trap_1 - second_trap, 0x30
        .byte   0, 0x0a
        .short  0
        .section .pdata
        .rva    second_trap, second_trap_end, second_trap_info

/* ---- all of them */
        .text
        .globl  asm_all
        .seh_proc asm_all
asm_all:
        push    rsi
        .seh_pushreg rsi
        push    rdi
        .seh_pushreg rdi
        sub     rsp, 0x28
        .seh_stackalloc 0x28
        .seh_endprologue
        mov     rsi, rcx
        call    saves
        call    far_saves
        call    framed
        call    framed_rbp
        mov     ecx, 2
        call    tails
        call    tail_register
        call    chained
        xor     ecx, ecx
        call    second
        mov     ecx, 1
        call    second
        call    only
        call    interrupted
        mov     rcx, rsi
        call    from_asm
        mov     rdi, rax
        test    rsi, rsi
        jz      1f
        lea     rcx, [rsi - 1]
        call    asm_all
        add     rax, rdi
1:      add     rsp, 0x28
        pop     rdi
        pop     rsi
        ret
        .seh_endproc
