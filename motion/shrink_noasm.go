// SPDX-License-Identifier: Apache-2.0

//go:build (!amd64 && !arm64) || purego

package motion

func shrinkRow(dst, src []byte, stride, k int) { shrinkGeneric(dst, src, stride, k) }
