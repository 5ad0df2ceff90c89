// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The English words of BIP-39 (published under the MIT licence): 2048, sorted, no two alike in their first four letters. Any wallet's manual says how to keep them.
//
//go:embed words.txt
var wordList string

const (
	phraseWords = 24
	wordBits    = 11 // 24 words are 256 bits and 8 of checksum
)

// ErrPhrase is returned for words that are no recovery phrase. It never quotes one.
var ErrPhrase = errors.New("not a recovery phrase")

// phrase writes 32 bytes as 24 words, by BIP-39.
func phrase(secret [32]byte) string {
	words := strings.Fields(wordList)
	sum := sha256.Sum256(secret[:])
	n := new(big.Int).SetBytes(append(secret[:], sum[0]))
	low, mask := new(big.Int), big.NewInt(1<<wordBits-1)
	out := make([]string, phraseWords)
	for i := range out {
		out[phraseWords-1-i] = words[low.And(n, mask).Int64()]
		n.Rsh(n, wordBits)
	}
	return strings.Join(out, " ")
}

// parsePhrase reads 24 words in any case; the first four letters of each are enough.
func parsePhrase(text string) (secret [32]byte, err error) {
	given := strings.Fields(strings.ToLower(text))
	if len(given) != phraseWords {
		return secret, fmt.Errorf("%w: %d words, it has %d", ErrPhrase, len(given), phraseWords)
	}
	words := strings.Fields(wordList)
	n := new(big.Int)
	for i, word := range given {
		index, ok := slices.BinarySearch(words, word)
		// A word that begins with these letters is next to where they would stand.
		if !ok && (len(word) < 4 || index == len(words) || !strings.HasPrefix(words[index], word)) {
			return secret, fmt.Errorf("%w: word %d is not in the list: look at it again", ErrPhrase, i+1)
		}
		n.Or(n.Lsh(n, wordBits), big.NewInt(int64(index)))
	}
	var all [33]byte
	n.FillBytes(all[:])
	copy(secret[:], all[:])
	if sum := sha256.Sum256(secret[:]); sum[0] != all[32] {
		return [32]byte{}, fmt.Errorf("%w: the words do not fit together: is one wrong, or are two in the other's place?", ErrPhrase)
	}
	return secret, nil
}
