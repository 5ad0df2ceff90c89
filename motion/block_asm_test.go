// SPDX-License-Identifier: Apache-2.0

//go:build (amd64 || arm64) && !purego

package motion

func init() {
	blockSeams = append(blockSeams, blockSeam{"assembly", sumsBlock, sadBlock, residueBlock})
}
