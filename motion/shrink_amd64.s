// SPDX-License-Identifier: Apache-2.0

//go:build !purego

#include "textflag.h"

#define DST    DI
#define ROW0   SI
#define ROW1   BX
#define ROW2   CX
#define ROW3   DX
#define STRIDE R8
#define GROUPS R9

#define ONES   Y15 // bytes of 1
#define WORDS  Y14 // words of 1
#define HALF   Y13 // words of half the divisor
#define ORDER  Y12

// CONSTANTS makes ONES, WORDS and HALF = 1<<SHIFT.
#define CONSTANTS(SHIFT) \
	VPCMPEQB ONES, ONES, ONES; \
	VPSRLW   $15, ONES, WORDS; \
	VPABSB   ONES, ONES; \
	VPSLLW   $SHIFT, WORDS, HALF

// func shrink2(dst, src *byte, stride, groups int)
// Requires: AVX2
TEXT ·shrink2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DST
	MOVQ src+8(FP), ROW0
	MOVQ stride+16(FP), STRIDE
	MOVQ groups+24(FP), GROUPS
	LEAQ (ROW0)(STRIDE*1), ROW1
	CONSTANTS(1)

loop2:
	VMOVDQU    (ROW0), Y0
	VMOVDQU    32(ROW0), Y1
	VMOVDQU    (ROW1), Y2
	VMOVDQU    32(ROW1), Y3
	PREFETCHT0 (ROW0)(STRIDE*2)
	PREFETCHT0 (ROW1)(STRIDE*2)
	VPMADDUBSW ONES, Y0, Y0 // sums of two columns
	VPMADDUBSW ONES, Y1, Y1
	VPMADDUBSW ONES, Y2, Y2
	VPMADDUBSW ONES, Y3, Y3
	VPADDW     Y2, Y0, Y0
	VPADDW     Y3, Y1, Y1
	VPADDW     HALF, Y0, Y0
	VPADDW     HALF, Y1, Y1
	VPSRLW     $2, Y0, Y0
	VPSRLW     $2, Y1, Y1
	VPACKUSWB  Y1, Y0, Y0 // within each half, so:
	VPERMQ     $0xD8, Y0, Y0
	VMOVDQU    Y0, (DST)
	ADDQ       $32, DST
	ADDQ       $64, ROW0
	ADDQ       $64, ROW1
	DECQ       GROUPS
	JNZ        loop2
	VZEROUPPER
	RET

// QUAD leaves in D the sums of 4 by 4 samples at OFF, as doublewords.
#define QUAD(OFF, D) \
	VMOVDQU    OFF(ROW0), D; \
	VMOVDQU    OFF(ROW1), Y4; \
	VMOVDQU    OFF(ROW2), Y5; \
	VMOVDQU    OFF(ROW3), Y6; \
	VPMADDUBSW ONES, D, D; \
	VPMADDUBSW ONES, Y4, Y4; \
	VPMADDUBSW ONES, Y5, Y5; \
	VPMADDUBSW ONES, Y6, Y6; \
	VPADDW     Y4, D, D; \
	VPADDW     Y6, Y5, Y5; \
	VPADDW     Y5, D, D; \
	VPMADDWD   WORDS, D, D

// AHEAD asks for the rows of the next call.
#define AHEAD(OFF) \
	PREFETCHT0 OFF(ROW0)(STRIDE*4); \
	PREFETCHT0 OFF(ROW1)(STRIDE*4); \
	PREFETCHT0 OFF(ROW2)(STRIDE*4); \
	PREFETCHT0 OFF(ROW3)(STRIDE*4)

// The order of doublewords that undoes both packings, which work within each half.
DATA order<>+0(SB)/8, $0x0000000400000000
DATA order<>+8(SB)/8, $0x0000000500000001
DATA order<>+16(SB)/8, $0x0000000600000002
DATA order<>+24(SB)/8, $0x0000000700000003
GLOBL order<>(SB), RODATA|NOPTR, $32

// func shrink4(dst, src *byte, stride, groups int)
// Requires: AVX2
TEXT ·shrink4(SB), NOSPLIT, $0-32
	MOVQ    dst+0(FP), DST
	MOVQ    src+8(FP), ROW0
	MOVQ    stride+16(FP), STRIDE
	MOVQ    groups+24(FP), GROUPS
	LEAQ    (ROW0)(STRIDE*1), ROW1
	LEAQ    (ROW0)(STRIDE*2), ROW2
	LEAQ    (ROW1)(STRIDE*2), ROW3
	VMOVDQU order<>(SB), ORDER
	CONSTANTS(3)

loop4:
	AHEAD(0)
	QUAD(0, Y0)
	QUAD(32, Y1)
	AHEAD(64)
	QUAD(64, Y2)
	QUAD(96, Y3)
	VPACKUSDW Y1, Y0, Y0
	VPACKUSDW Y3, Y2, Y2
	VPADDW    HALF, Y0, Y0
	VPADDW    HALF, Y2, Y2
	VPSRLW    $4, Y0, Y0
	VPSRLW    $4, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VPERMD    Y0, ORDER, Y0
	VMOVDQU   Y0, (DST)
	ADDQ      $32, DST
	ADDQ      $128, ROW0
	ADDQ      $128, ROW1
	ADDQ      $128, ROW2
	ADDQ      $128, ROW3
	DECQ      GROUPS
	JNZ       loop4
	VZEROUPPER
	RET
