// SPDX-License-Identifier: Apache-2.0

package motion

// What is asked of single blocks, where a block differs from the background: few of them in most frames, but each one
// costs as much as a hundred in the pass. These three are seams like diffStripe: block_generic.go says what the bits
// are.
//
// A block is 8 rows of 8 samples, the first at p[0] and the next row a stride further.

// blockSums returns the sums of the samples of two blocks.
func blockSums(p, q []byte, ps, qs int) (sp, sq int) {
	_, _ = p[7*ps+7], q[7*qs+7]
	return sumsBlock(p, q, ps, qs)
}

// blockSAD returns the sum of the absolute differences of two blocks.
func blockSAD(p, q []byte, ps, qs int) int {
	_, _ = p[7*ps+7], q[7*qs+7]
	return sadBlock(p, q, ps, qs)
}

// clipped is the luma from which a sample may be too bright to tell: white in video range.
const clipped = 235

// maxGain bounds the gain of residue, in 1/256.
const maxGain = 1<<16 - 1

// residue returns how many samples of block p are not explained by the background times a gain, by more than strong
// levels, and by more than weak: 0 <= weak <= strong, 0 <= gain <= maxGain. A sample may show the one of the
// background behind it or one of the four beside that, because cameras tremble. bg begins one row above the block and
// one sample to its left, and has 10 rows of 10. When the gain is above 1, clipped samples are explained.
func residue(p, bg []byte, ps, bs int, gain, weak, strong int) (hits, near int) {
	_, _ = p[7*ps+7], bg[9*bs+9]
	return residueBlock(p, bg, ps, bs, gain, weak, strong)
}
