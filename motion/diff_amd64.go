// SPDX-License-Identifier: Apache-2.0

//go:build !purego

package motion

const (
	vector = "avx2" // what the assembly uses
	group  = 32     // samples it takes at a time
)

// useVector is a variable for the tests, which run every implementation.
var useVector = hasAVX2()

func cpuid(leaf, sub uint32) (eax, ebx, ecx, edx uint32)
func xgetbv() (eax, edx uint32)

// hasAVX2 asks the processor, and whether the operating system keeps the wide registers.
func hasAVX2() bool {
	const osxsave, avx, avx2, xmmYMM = 1 << 27, 1 << 28, 1 << 5, 6
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return false
	}
	if _, _, ecx, _ := cpuid(1, 0); ecx&osxsave == 0 || ecx&avx == 0 {
		return false
	}
	if eax, _ := xgetbv(); eax&xmmYMM != xmmYMM {
		return false
	}
	_, ebx, _, _ := cpuid(7, 0)
	return ebx&avx2 != 0
}
