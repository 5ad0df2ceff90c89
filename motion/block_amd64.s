// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"

// SSE2 only. Nothing is read beyond the 8 samples of a row of a block, or the 10 of a row of the background.

#define P  SI
#define Q  DI
#define PS R8
#define QS R9
#define P1 R10 // the second row
#define Q1 R11
#define P3 R12 // three strides
#define Q3 R13

#define ARGUMENTS \
	MOVQ p_base+0(FP), P; \
	MOVQ q_base+24(FP), Q; \
	MOVQ ps+48(FP), PS; \
	MOVQ qs+56(FP), QS; \
	LEAQ (P)(PS*1), P1; \
	LEAQ (Q)(QS*1), Q1; \
	LEAQ (PS)(PS*2), P3; \
	LEAQ (QS)(QS*2), Q3

// SUMS adds the sum of 8 samples of p to the lower half of X0, and of q to the upper one.
#define SUMS(PROW, QROW) \
	MOVQ   PROW, X1; \
	MOVHPS QROW, X1; \
	PSADBW X15, X1; \
	PADDQ  X1, X0

// func sumsBlock(p, q []byte, ps, qs int) (sp, sq int)
TEXT ·sumsBlock(SB), NOSPLIT, $0-80
	ARGUMENTS
	PXOR    X15, X15
	PXOR    X0, X0
	SUMS((P), (Q))
	SUMS((P1), (Q1))
	SUMS((P)(PS*2), (Q)(QS*2))
	SUMS((P1)(PS*2), (Q1)(QS*2))
	SUMS((P)(PS*4), (Q)(QS*4))
	SUMS((P1)(PS*4), (Q1)(QS*4))
	SUMS((P)(P3*2), (Q)(Q3*2))
	SUMS((P1)(P3*2), (Q1)(Q3*2))
	MOVQ    X0, sp+64(FP)
	MOVHPS  X0, sq+72(FP)
	RET

// SAD adds to both halves of X0 what two rows differ.
#define SAD(PEVEN, PODD, QEVEN, QODD) \
	MOVQ   PEVEN, X1; \
	MOVHPS PODD, X1; \
	MOVQ   QEVEN, X2; \
	MOVHPS QODD, X2; \
	PSADBW X2, X1; \
	PADDQ  X1, X0

// func sadBlock(p, q []byte, ps, qs int) int
TEXT ·sadBlock(SB), NOSPLIT, $0-72
	ARGUMENTS
	PXOR   X0, X0
	SAD((P), (P1), (Q), (Q1))
	SAD((P)(PS*2), (P1)(PS*2), (Q)(QS*2), (Q1)(QS*2))
	SAD((P)(PS*4), (P1)(PS*4), (Q)(QS*4), (Q1)(QS*4))
	SAD((P)(P3*2), (P1)(P3*2), (Q)(Q3*2), (Q1)(Q3*2))
	PSHUFD $0xEE, X0, X1
	PADDQ  X1, X0
	MOVQ   X0, ret+64(FP)
	RET

#define BG   DI // the row of the background behind the first of the two rows
#define BS   R9
#define LEFT CX

#define V      X0 // two rows of the block
#define LEAST  X1 // of the background, two rows
#define MOST   X2
#define BELOW  X4
#define ABOVE  X8
#define GAIN   X9  // words from here on
#define WEAK   X10 // less 1<<15, because there is no comparison of words without sign
#define STRONG X11
#define CLIP   X12 // the last level that is not clipped
#define SIGN   X13
#define COUNT  X14 // bytes: near in the lower half, hits in the upper one
#define ZERO   X15

#define SPREAD(R, X) \
	MOVQ       R, X; \
	PSHUFLW    $0, X, X; \
	PUNPCKLQDQ X, X

// LIMIT spreads R, less 1<<15. No difference is above 1<<16-1, which is in R11, so more in R means the same.
#define LIMIT(R, X) \
	CMPQ    R, R11; \
	CMOVQGT R11, R; \
	SPREAD(R, X); \
	PXOR    SIGN, X

// WITH takes two rows of the background into LEAST and MOST.
#define WITH(X) \
	PMINUB X, LEAST; \
	PMAXUB X, MOST

// ROW counts one of the two rows, the one that UNPACK takes. A sample x above a byte of 0 is x<<8, and the upper word of
// its product with the gain is x*gain>>8. A sample cannot be too bright and too dark, so one of the differences is 0.
#define ROW(UNPACK) \
	MOVO     V, X4; \
	UNPACK   ZERO, X4; \
	PXOR     X5, X5; \
	PXOR     X6, X6; \
	UNPACK   LEAST, X5; \
	UNPACK   MOST, X6; \
	PMULHUW  GAIN, X5; \
	PMULHUW  GAIN, X6; \
	PSUBUSW  X4, X5; \
	MOVO     X4, X7; \
	PSUBUSW  X6, X7; \
	POR      X5, X7; \
	PCMPGTW  CLIP, X4; \
	PANDN    X7, X4; \
	PXOR     SIGN, X4; \
	MOVO     X4, X7; \
	PCMPGTW  WEAK, X4; \
	PCMPGTW  STRONG, X7; \
	PACKSSWB X7, X4; \
	PSUBB    X4, COUNT

// func residueBlock(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int)
TEXT ·residueBlock(SB), NOSPLIT, $0-104
	MOVQ     p_base+0(FP), P
	MOVQ     bg_base+24(FP), BG
	MOVQ     ps+48(FP), PS
	MOVQ     bs+56(FP), BS
	MOVQ     gain+64(FP), AX
	MOVQ     weak+72(FP), BX
	MOVQ     strong+80(FP), DX
	SPREAD(AX, GAIN)
	MOVL     $234, R10
	MOVL     $0x7FFF, R11
	CMPQ     AX, $256
	CMOVQLE  R11, R10
	MOVL     $0xFFFF, R11
	SPREAD(R10, CLIP)
	PCMPEQW  SIGN, SIGN
	PSLLW    $15, SIGN
	LIMIT(BX, WEAK)
	LIMIT(DX, STRONG)
	PXOR     ZERO, ZERO
	PXOR     COUNT, COUNT
	MOVQ     1(BG), ABOVE
	ADDQ     BS, BG
	MOVHPS   1(BG), ABOVE
	MOVL     $4, LEFT

rows:
	MOVQ     1(BG), LEAST
	MOVHPS   1(BG)(BS*1), LEAST
	MOVQ     (BG), X3
	MOVHPS   (BG)(BS*1), X3
	MOVQ     2(BG), X5
	MOVHPS   2(BG)(BS*1), X5
	MOVQ     1(BG)(BS*1), BELOW
	MOVHPS   1(BG)(BS*2), BELOW
	MOVQ     (P), V
	MOVHPS   (P)(PS*1), V
	MOVO     LEAST, MOST
	WITH(ABOVE)
	WITH(X3)
	WITH(X5)
	WITH(BELOW)
	MOVO     BELOW, ABOVE
	ROW(PUNPCKLBW)
	ROW(PUNPCKHBW)
	LEAQ     (P)(PS*2), P
	LEAQ     (BG)(BS*2), BG
	DECL     LEFT
	JNZ      rows

	PSADBW   ZERO, COUNT
	MOVHPS   COUNT, hits+88(FP)
	MOVQ     COUNT, near+96(FP)
	RET
