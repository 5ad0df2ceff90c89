// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"

// 32 samples of each row at a time, down the rows with the sums in registers, then to the right. Going down the
// processor's own prefetching loses the thread, so each row asks for the one a stripe further down.

#define OUT     DI
#define CUR     SI
#define BG      BX
#define LIMITS  DX
#define FOLLOWS CX
#define CURSTEP R8
#define BGSTEP  R9
#define GROUPS  R10
#define PAIRS   R11
#define C       R12 // the even row of the pair
#define B       R13
#define AHEAD   R14 // for odd groups in cur, for even ones in bg: two groups are a line of the cache
#define APART   R15
#define LEFT    AX

#define LIMIT  Y0
#define FOLLOW Y1
#define POS    Y10 // a quadword per block
#define NEG    Y11
#define OVER   Y12 // a byte per column
#define SPREAD Y13 // shuffle: a byte per block to a byte per sample
#define ONES   Y14
#define ZERO   Y15

// LEVELS spreads the blocks' bytes at P over their samples.
#define LEVELS(P, R) \
	VPBROADCASTD (P), R; \
	VPSHUFB      SPREAD, R, R

// START begins a group.
#define START \
	MOVQ    CUR, C; \
	MOVQ    BG, B; \
	TESTL   $1, GROUPS; \
	MOVQ    BGSTEP, APART; \
	CMOVQNE CURSTEP, APART; \
	MOVQ    BG, AHEAD; \
	CMOVQNE CUR, AHEAD; \
	LEAQ    (AHEAD)(APART*8), AHEAD; \
	MOVQ    PAIRS, LEFT; \
	VPXOR   POS, POS, POS; \
	VPXOR   NEG, NEG, NEG; \
	VPXOR   OVER, OVER, OVER; \
	LEVELS(LIMITS, LIMIT); \
	LEVELS(FOLLOWS, FOLLOW)

// COMPARE adds up a row and leaves the background in Y3, max(d,0) in Y4, max(-d,0) in Y5.
#define COMPARE(CURROW, BGROW) \
	VMOVDQU  CURROW, Y2; \
	VMOVDQU  BGROW, Y3; \
	VPSUBUSB Y3, Y2, Y4; \
	VPSUBUSB Y2, Y3, Y5; \
	VPOR     Y4, Y5, Y6; \
	VPSADBW  ZERO, Y4, Y7; \
	VPSADBW  ZERO, Y5, Y8; \
	VPSUBUSB LIMIT, Y6, Y6; \
	VPMINUB  ONES, Y6, Y6; \
	VPADDQ   Y7, POS, POS; \
	VPADDQ   Y8, NEG, NEG; \
	VPADDB   Y6, OVER, OVER

// MOVE moves the background: + min(pos,f) - min(neg,f).
#define MOVE(BGROW) \
	VPMINUB FOLLOW, Y4, Y4; \
	VPMINUB FOLLOW, Y5, Y5; \
	VPADDB  Y4, Y3, Y3; \
	VPSUBB  Y5, Y3, Y3; \
	VMOVDQU Y3, BGROW

#define EVEN COMPARE((C), (B))
#define ODD  COMPARE((C)(CURSTEP*1), (B)(BGSTEP*1))

#define MOVEEVEN MOVE((B))
#define MOVEODD  MOVE((B)(BGSTEP*1))

// DOWN goes to the next pair of rows.
#define DOWN \
	PREFETCHT0 (AHEAD); \
	PREFETCHT0 (AHEAD)(APART*1); \
	LEAQ (AHEAD)(APART*2), AHEAD; \
	LEAQ (C)(CURSTEP*2), C; \
	LEAQ (B)(BGSTEP*2), B; \
	DECQ LEFT

// FINISH stores the sums as pos | neg<<16 | over<<32 for each block, and goes to the next group.
#define FINISH \
	VPSADBW ZERO, OVER, OVER; \
	VPSLLQ  $16, NEG, NEG; \
	VPSLLQ  $32, OVER, OVER; \
	VPOR    NEG, POS, POS; \
	VPOR    OVER, POS, POS; \
	VMOVDQU POS, (OUT); \
	ADDQ    $32, OUT; \
	ADDQ    $32, CUR; \
	ADDQ    $32, BG; \
	ADDQ    $4, LIMITS; \
	ADDQ    $4, FOLLOWS; \
	DECQ    GROUPS

DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0101010101010101
DATA spread<>+16(SB)/8, $0x0202020202020202
DATA spread<>+24(SB)/8, $0x0303030303030303
GLOBL spread<>(SB), RODATA|NOPTR, $32

// func diffVector(out *sums, cur, bg *byte, limit, follow *uint8, curStride, bgStride, groups, pairs int, rows uint8)
// Requires: AVX2
TEXT ·diffVector(SB), NOSPLIT, $0-73
	MOVQ     out+0(FP), OUT
	MOVQ     cur+8(FP), CUR
	MOVQ     bg+16(FP), BG
	MOVQ     limit+24(FP), LIMITS
	MOVQ     follow+32(FP), FOLLOWS
	MOVQ     curStride+40(FP), CURSTEP
	MOVQ     bgStride+48(FP), BGSTEP
	MOVQ     groups+56(FP), GROUPS
	MOVQ     pairs+64(FP), PAIRS
	MOVBLZX  rows+72(FP), AX
	VMOVDQU  spread<>(SB), SPREAD
	VPXOR    ZERO, ZERO, ZERO
	VPCMPEQB ONES, ONES, ONES
	VPABSB   ONES, ONES
	CMPL     AX, $1
	JLT      none
	JEQ      even
	CMPL     AX, $2
	JEQ      odd

all:
	START
alldown:
	EVEN
	MOVEEVEN
	ODD
	MOVEODD
	DOWN
	JNZ alldown
	FINISH
	JNZ all
	VZEROUPPER
	RET

even:
	START
evendown:
	EVEN
	MOVEEVEN
	ODD
	DOWN
	JNZ evendown
	FINISH
	JNZ even
	VZEROUPPER
	RET

odd:
	START
odddown:
	EVEN
	ODD
	MOVEODD
	DOWN
	JNZ odddown
	FINISH
	JNZ odd
	VZEROUPPER
	RET

none:
	START
nonedown:
	EVEN
	ODD
	DOWN
	JNZ nonedown
	FINISH
	JNZ none
	VZEROUPPER
	RET

// func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

// func xgetbv() (eax, edx uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-8
	XORL CX, CX
	XGETBV
	MOVL AX, eax+0(FP)
	MOVL DX, edx+4(FP)
	RET
