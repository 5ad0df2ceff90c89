// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// 64 samples of each row at a time, down the rows with the sums in registers, then to the right.

#define OUT      R0
#define CUR      R1
#define BG       R2
#define LIMITS   R3
#define FOLLOWS  R4
#define CURSTEP  R5
#define BGSTEP   R6
#define GROUPS   R7
#define PAIRS    R8
#define C        R9  // where the next row is read
#define B        R10
#define TO       R11 // where the next row that moves is written
#define TOSTEP   R12
#define LEFT     R13
#define ROWS     R14
#define TOFIRST  R15 // bg or its second row

// By number, for the macros of neon_arm64.h: 0-3 picture, 4-7 background, 8-11 scratch, 12-15 limit, 16-19 follow,
// 20-23 sum of |d| (H8), 24-27 sum of d > 0 (H8), 28-31 samples over the limit (B16).

// LEVELS spreads 8 blocks' bytes at AT over their samples.
#define LEVELS(AT, D0, D1, D2, D3) \
	VLD1.P 8(AT), [V0.B8]; \
	VZIP1  V0.B16, V0.B16, V0.B16; \
	VZIP2  V0.H8, V0.H8, V1.H8; \
	VZIP1  V0.H8, V0.H8, V0.H8; \
	VZIP1  V0.S4, V0.S4, D0.S4; \
	VZIP2  V0.S4, V0.S4, D1.S4; \
	VZIP1  V1.S4, V1.S4, D2.S4; \
	VZIP2  V1.S4, V1.S4, D3.S4

#define START \
	MOVD CUR, C; \
	MOVD BG, B; \
	MOVD TOFIRST, TO; \
	MOVD PAIRS, LEFT; \
	LEVELS(LIMITS, V12, V13, V14, V15); \
	LEVELS(FOLLOWS, V16, V17, V18, V19); \
	VEOR V20.B16, V20.B16, V20.B16; \
	VEOR V21.B16, V21.B16, V21.B16; \
	VEOR V22.B16, V22.B16, V22.B16; \
	VEOR V23.B16, V23.B16, V23.B16; \
	VEOR V24.B16, V24.B16, V24.B16; \
	VEOR V25.B16, V25.B16, V25.B16; \
	VEOR V26.B16, V26.B16, V26.B16; \
	VEOR V27.B16, V27.B16, V27.B16; \
	VEOR V28.B16, V28.B16, V28.B16; \
	VEOR V29.B16, V29.B16, V29.B16; \
	VEOR V30.B16, V30.B16, V30.B16; \
	VEOR V31.B16, V31.B16, V31.B16

#define LOAD \
	VLD1.P (C)(CURSTEP), [V0.B16, V1.B16, V2.B16, V3.B16]; \
	VLD1.P (B)(BGSTEP), [V4.B16, V5.B16, V6.B16, V7.B16]

#define DISTANCE \
	UABD(8, 0, 4); UABD(9, 1, 5); UABD(10, 2, 6); UABD(11, 3, 7)

// RISE leaves max(d,0) where the picture was.
#define RISE \
	UQSUB(0, 0, 4); UQSUB(1, 1, 5); UQSUB(2, 2, 6); UQSUB(3, 3, 7)

#define ADDDISTANCE \
	UADALP(20, 8); UADALP(21, 9); UADALP(22, 10); UADALP(23, 11)

#define ADDRISE \
	UADALP(24, 0); UADALP(25, 1); UADALP(26, 2); UADALP(27, 3)

#define COUNT \
	CMHI(8, 8, 12); CMHI(9, 9, 13); CMHI(10, 10, 14); CMHI(11, 11, 15); \
	VSUB V8.B16, V28.B16, V28.B16; \
	VSUB V9.B16, V29.B16, V29.B16; \
	VSUB V10.B16, V30.B16, V30.B16; \
	VSUB V11.B16, V31.B16, V31.B16

#define KEEP \
	LOAD; \
	DISTANCE; \
	RISE; \
	ADDDISTANCE; \
	ADDRISE; \
	COUNT

// MOVE is KEEP and moves the background: to the picture, but no further than follow.
#define MOVE \
	LOAD; \
	DISTANCE; \
	ADDDISTANCE; \
	COUNT; \
	UQADD(8, 4, 16); UQADD(9, 5, 17); UQADD(10, 6, 18); UQADD(11, 7, 19); \
	VUMIN V0.B16, V8.B16, V8.B16; \
	VUMIN V1.B16, V9.B16, V9.B16; \
	VUMIN V2.B16, V10.B16, V10.B16; \
	VUMIN V3.B16, V11.B16, V11.B16; \
	RISE; \
	UQSUB(4, 4, 16); UQSUB(5, 5, 17); UQSUB(6, 6, 18); UQSUB(7, 7, 19); \
	VUMAX V4.B16, V8.B16, V4.B16; \
	VUMAX V5.B16, V9.B16, V5.B16; \
	VUMAX V6.B16, V10.B16, V6.B16; \
	VUMAX V7.B16, V11.B16, V7.B16; \
	ADDRISE; \
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], (TO)(TOSTEP)

// FINISH stores pos, neg, over and 0 of each block, and goes to the next group.
#define FINISH \
	VADDP  V21.H8, V20.H8, V20.H8; \
	VADDP  V23.H8, V22.H8, V22.H8; \
	VADDP  V25.H8, V24.H8, V24.H8; \
	VADDP  V27.H8, V26.H8, V26.H8; \
	VADDP  V29.B16, V28.B16, V28.B16; \
	VADDP  V31.B16, V30.B16, V30.B16; \
	VADDP  V22.H8, V20.H8, V20.H8; \
	VADDP  V26.H8, V24.H8, V24.H8; \
	VADDP  V30.B16, V28.B16, V28.B16; \
	VSUB   V24.H8, V20.H8, V25.H8; \
	UADDLP(26, 28); \
	VEOR   V27.B16, V27.B16, V27.B16; \
	VST4.P [V24.H8, V25.H8, V26.H8, V27.H8], 64(OUT); \
	ADD    $64, CUR; \
	ADD    $64, BG; \
	ADD    $64, TOFIRST; \
	SUBS   $1, GROUPS

// func diffVector(out *sums, cur, bg *byte, limit, follow *uint8, curStride, bgStride, groups, pairs int, rows uint8)
TEXT ·diffVector(SB), NOSPLIT, $0-73
	MOVD  out+0(FP), OUT
	MOVD  cur+8(FP), CUR
	MOVD  bg+16(FP), BG
	MOVD  limit+24(FP), LIMITS
	MOVD  follow+32(FP), FOLLOWS
	MOVD  curStride+40(FP), CURSTEP
	MOVD  bgStride+48(FP), BGSTEP
	MOVD  groups+56(FP), GROUPS
	MOVD  pairs+64(FP), PAIRS
	MOVBU rows+72(FP), ROWS
	MOVD  BG, TOFIRST
	ADD   BGSTEP, BGSTEP, TOSTEP
	CMP   $1, ROWS
	BLT   none
	BEQ   even
	CMP   $2, ROWS
	BEQ   odd
	MOVD  BGSTEP, TOSTEP

all:
	START
alldown:
	MOVE
	MOVE
	SUB  $1, LEFT
	CBNZ LEFT, alldown
	FINISH
	BNE  all
	RET

even:
	START
evendown:
	MOVE
	KEEP
	SUB  $1, LEFT
	CBNZ LEFT, evendown
	FINISH
	BNE  even
	RET

odd:
	ADD BGSTEP, TOFIRST
oddright:
	START
odddown:
	KEEP
	MOVE
	SUB  $1, LEFT
	CBNZ LEFT, odddown
	FINISH
	BNE  oddright
	RET

none:
	START
nonedown:
	KEEP
	KEEP
	SUB  $1, LEFT
	CBNZ LEFT, nonedown
	FINISH
	BNE  none
	RET
