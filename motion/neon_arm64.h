// SPDX-License-Identifier: Apache-2.0

// NEON instructions that the Go assembler lacks. Arguments are numbers of V registers; the result is d, as in the
// manuals. B16 unless a name says otherwise.

#define UABD(d, n, m)  WORD $(0x6E207400 | (m)<<16 | (n)<<5 | (d)) // d = |n - m|
#define UQADD(d, n, m) WORD $(0x6E200C00 | (m)<<16 | (n)<<5 | (d)) // d = min(n + m, 255)
#define UQSUB(d, n, m) WORD $(0x6E202C00 | (m)<<16 | (n)<<5 | (d)) // d = max(n - m, 0)
#define CMHI(d, n, m)  WORD $(0x6E203400 | (m)<<16 | (n)<<5 | (d)) // d = n > m ? 255 : 0
#define UADDLP(d, n)   WORD $(0x6E202800 | (n)<<5 | (d))           // d.H8 = pairs of n.B16
#define UADALP(d, n)   WORD $(0x6E206800 | (n)<<5 | (d))           // d.H8 += pairs of n.B16
#define RSHRN(d, n, s) WORD $(0x0F008C00 | (16-(s))<<16 | (n)<<5 | (d)) // d.B8 = (n.H8 + half) >> s
#define RSHRN2(d, n, s) WORD $(0x4F008C00 | (16-(s))<<16 | (n)<<5 | (d)) // the same into the upper half of d
#define UABAL(d, n, m)  WORD $(0x2E205000 | (m)<<16 | (n)<<5 | (d)) // d.H8 += |n.B8 - m.B8|
#define UMULL(d, n, m)  WORD $(0x2E20C000 | (m)<<16 | (n)<<5 | (d)) // d.H8 = n.B8 * m.B8
#define UMULL2(d, n, m) WORD $(0x6E20C000 | (m)<<16 | (n)<<5 | (d)) // the same of the upper halves of n and m
#define UMLAL(d, n, m)  WORD $(0x2E208000 | (m)<<16 | (n)<<5 | (d)) // d.H8 += n.B8 * m.B8
#define UMLAL2(d, n, m) WORD $(0x6E208000 | (m)<<16 | (n)<<5 | (d)) // the same of the upper halves of n and m
#define UQSUBH(d, n, m) WORD $(0x6E602C00 | (m)<<16 | (n)<<5 | (d)) // d.H8 = max(n.H8 - m.H8, 0)
#define CMHIH(d, n, m)  WORD $(0x6E603400 | (m)<<16 | (n)<<5 | (d)) // d.H8 = n.H8 > m.H8 ? 1<<16-1 : 0
#define ANDNOT(d, n, m) WORD $(0x4E601C00 | (m)<<16 | (n)<<5 | (d)) // d = n &^ m
