// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Nothing is read beyond the 8 samples of a row of a block, or the 10 of a row of the background.

#define PIX R0 // p
#define Q   R1
#define PS  R2
#define QS  R3

#define ARGUMENTS \
	MOVD p_base+0(FP), PIX; \
	MOVD q_base+24(FP), Q; \
	MOVD ps+48(FP), PS; \
	MOVD qs+56(FP), QS

#define LOAD(PROW, QROW) \
	VLD1.P (PIX)(PS), [PROW.B8]; \
	VLD1.P (Q)(QS), [QROW.B8]

#define SUMS \
	LOAD(V0, V1); \
	LOAD(V2, V3); \
	VUADDW V0.B8, V16.H8, V16.H8; \
	VUADDW V1.B8, V17.H8, V17.H8; \
	VUADDW V2.B8, V18.H8, V18.H8; \
	VUADDW V3.B8, V19.H8, V19.H8

// func sumsBlock(p, q []byte, ps, qs int) (sp, sq int)
TEXT ·sumsBlock(SB), NOSPLIT, $0-80
	ARGUMENTS
	LOAD(V0, V1)
	LOAD(V2, V3)
	VUXTL   V0.B8, V16.H8
	VUXTL   V1.B8, V17.H8
	VUXTL   V2.B8, V18.H8
	VUXTL   V3.B8, V19.H8
	SUMS
	SUMS
	SUMS
	VADD    V18.H8, V16.H8, V16.H8
	VADD    V19.H8, V17.H8, V17.H8
	VUADDLV V16.H8, V16
	VUADDLV V17.H8, V17
	FMOVD   F16, sp+64(FP)
	FMOVD   F17, sq+72(FP)
	RET

#define SAD \
	LOAD(V0, V1); \
	LOAD(V2, V3); \
	UABAL(16, 0, 1); \
	UABAL(17, 2, 3)

// func sadBlock(p, q []byte, ps, qs int) int
TEXT ·sadBlock(SB), NOSPLIT, $0-72
	ARGUMENTS
	VEOR    V16.B16, V16.B16, V16.B16
	VEOR    V17.B16, V17.B16, V17.B16
	SAD
	SAD
	SAD
	SAD
	VADD    V17.H8, V16.H8, V16.H8
	VUADDLV V16.H8, V16
	FMOVD   F16, ret+64(FP)
	RET

#define BG     R1 // the row of the background behind the one of the block
#define BS     R3
#define FACTOR R4
#define WEAK   R5
#define STRONG R6
#define MOST   R7
#define CLIP   R8
#define LEFT   R9

// By number, for the macros of neon_arm64.h: 0 two rows of the block, 1 least and 2 most of the background, 3-7 and
// 20-23 scratch, 8 two rows of the background from the one above, 9 gain&255, 10 gain>>8, 11 the last level that is not
// clipped, 12 weak (H8), 13 strong (H8), 14 near (H8), 15 hits (H8).

// WITH takes two rows of the background into least and most.
#define WITH(X) \
	VUMIN X.B16, V1.B16, V1.B16; \
	VUMAX X.B16, V2.B16, V2.B16

// func residueBlock(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int)
TEXT ·residueBlock(SB), NOSPLIT, $0-104
	MOVD  p_base+0(FP), PIX
	MOVD  bg_base+24(FP), BG
	MOVD  ps+48(FP), PS
	MOVD  bs+56(FP), BS
	MOVD  gain+64(FP), FACTOR
	MOVD  weak+72(FP), WEAK
	MOVD  strong+80(FP), STRONG
	VDUP  FACTOR, V9.B16
	LSR   $8, FACTOR, R10
	VDUP  R10, V10.B16
	MOVD  $234, CLIP
	MOVD  $255, R10
	CMP   $256, FACTOR
	CSEL  GT, CLIP, R10, CLIP
	VDUP  CLIP, V11.B16
	MOVD  $0xFFFF, MOST // no difference is above it
	CMP   MOST, WEAK
	CSEL  LT, WEAK, MOST, WEAK
	CMP   MOST, STRONG
	CSEL  LT, STRONG, MOST, STRONG
	VDUP  WEAK, V12.H8
	VDUP  STRONG, V13.H8
	VEOR  V14.B16, V14.B16, V14.B16
	VEOR  V15.B16, V15.B16, V15.B16
	FMOVD 1(BG), F8
	ADD   BS, BG
	FMOVD 1(BG), F3
	VZIP1 V3.D2, V8.D2, V8.D2
	MOVD  $4, LEFT

rows:
	VLD1.P (PIX)(PS), [V0.B8]
	VLD1.P (PIX)(PS), [V7.B8]
	FMOVD  (BG), F3
	FMOVD  2(BG), F4
	ADD    BS, BG
	FMOVD  (BG), F20
	FMOVD  1(BG), F21
	FMOVD  2(BG), F22
	ADD    BS, BG
	FMOVD  1(BG), F23
	VZIP1  V7.D2, V0.D2, V0.D2
	VZIP1  V20.D2, V3.D2, V3.D2
	VZIP1  V22.D2, V4.D2, V4.D2
	VEXT   $8, V21.B16, V8.B16, V5.B16 // here
	VZIP1  V23.D2, V21.D2, V6.D2       // below, and above the next two
	VUMIN  V8.B16, V5.B16, V1.B16
	VUMAX  V8.B16, V5.B16, V2.B16
	WITH(V3)
	WITH(V4)
	WITH(V6)
	VORR   V6.B16, V6.B16, V8.B16

	// 0 to 255 explains a clipped sample, as the gain is above 1.
	CMHI(3, 0, 11)
	ANDNOT(1, 1, 3)
	VORR   V3.B16, V2.B16, V2.B16

	// x*gain>>8 is x*(gain&255)>>8 + x*(gain>>8).
	UMULL(4, 1, 9)
	UMULL2(5, 1, 9)
	UMULL(6, 2, 9)
	UMULL2(7, 2, 9)
	VUSHR  $8, V4.H8, V4.H8
	VUSHR  $8, V5.H8, V5.H8
	VUSHR  $8, V6.H8, V6.H8
	VUSHR  $8, V7.H8, V7.H8
	UMLAL(4, 1, 10)
	UMLAL2(5, 1, 10)
	UMLAL(6, 2, 10)
	UMLAL2(7, 2, 10)
	VUXTL  V0.B8, V20.H8
	VUXTL2 V0.B16, V21.H8

	// A sample cannot be too bright and too dark, so one of the differences is 0.
	UQSUBH(4, 4, 20)
	UQSUBH(5, 5, 21)
	UQSUBH(6, 20, 6)
	UQSUBH(7, 21, 7)
	VORR   V6.B16, V4.B16, V4.B16
	VORR   V7.B16, V5.B16, V5.B16
	CMHIH(20, 4, 12)
	CMHIH(21, 5, 12)
	CMHIH(22, 4, 13)
	CMHIH(23, 5, 13)
	VSUB   V20.H8, V14.H8, V14.H8
	VSUB   V22.H8, V15.H8, V15.H8
	VSUB   V21.H8, V14.H8, V14.H8
	VSUB   V23.H8, V15.H8, V15.H8
	SUB    $1, LEFT
	CBNZ   LEFT, rows

	VUADDLV V15.H8, V15
	VUADDLV V14.H8, V14
	FMOVD   F15, hits+88(FP)
	FMOVD   F14, near+96(FP)
	RET
