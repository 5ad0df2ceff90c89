// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

#define DST    R0
#define ROW0   R1
#define ROW1   R2
#define ROW2   R3
#define ROW3   R4
#define STRIDE R5
#define GROUPS R6

// ADDROW adds pairs of columns of a row to V0..V3.
#define ADDROW(ROW) \
	VLD1.P 64(ROW), [V4.B16, V5.B16, V6.B16, V7.B16]; \
	UADALP(0, 4); UADALP(1, 5); UADALP(2, 6); UADALP(3, 7)

// FIRSTROW is ADDROW for the first one.
#define FIRSTROW(ROW) \
	VLD1.P 64(ROW), [V4.B16, V5.B16, V6.B16, V7.B16]; \
	UADDLP(0, 4); UADDLP(1, 5); UADDLP(2, 6); UADDLP(3, 7)

// func shrink2(dst, src *byte, stride, groups int)
TEXT ·shrink2(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), DST
	MOVD src+8(FP), ROW0
	MOVD stride+16(FP), STRIDE
	MOVD groups+24(FP), GROUPS
	ADD  STRIDE, ROW0, ROW1

loop2:
	FIRSTROW(ROW0)
	ADDROW(ROW1)
	RSHRN(16, 0, 2)
	RSHRN(17, 2, 2)
	RSHRN2(16, 1, 2)
	RSHRN2(17, 3, 2)
	VST1.P [V16.B16, V17.B16], 32(DST)
	SUB    $1, GROUPS
	CBNZ   GROUPS, loop2
	RET

// func shrink4(dst, src *byte, stride, groups int)
TEXT ·shrink4(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), DST
	MOVD src+8(FP), ROW0
	MOVD stride+16(FP), STRIDE
	MOVD groups+24(FP), GROUPS
	ADD  STRIDE, ROW0, ROW1
	ADD  STRIDE, ROW1, ROW2
	ADD  STRIDE, ROW2, ROW3
	LSL  $1, GROUPS // 16 samples at a time

loop4:
	FIRSTROW(ROW0)
	ADDROW(ROW1)
	ADDROW(ROW2)
	ADDROW(ROW3)
	VADDP  V1.H8, V0.H8, V0.H8
	VADDP  V3.H8, V2.H8, V2.H8
	RSHRN(16, 0, 4)
	RSHRN2(16, 2, 4)
	VST1.P [V16.B16], 16(DST)
	SUB    $1, GROUPS
	CBNZ   GROUPS, loop4
	RET
