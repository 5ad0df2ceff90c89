// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package h264

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void give_back(void) {
//	mallopt(M_ARENA_MAX, 1);
//	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
// }
// #else
// static void give_back(void) {}
// #endif
import "C"

// An encoder lives for a clip and has some 20 MB. By default glibc keeps an arena for each thread that Go happened to call from,
// and what a first encoder freed raises the size from which memory is given back (mallopt(3), M_MMAP_THRESHOLD): an agent that
// recorded for a day would hold several times what it needs.
func init() { C.give_back() }
