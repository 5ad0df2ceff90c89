// SPDX-License-Identifier: Apache-2.0

// Package suggest finds what a person meant to type. [Nearest] is all of it.
package suggest

// maxWord bounds the work for words that nobody typed by mistake.
const maxWord = 64

// Nearest returns the word of known with the smallest edit distance to word, the first of several, or
// "" when none is near: an edit for every three letters, but at least one, may be wrong.
func Nearest(word string, known []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, at := "", max(1, len(word)/3)+1
	for _, k := range known {
		if len(k) > maxWord {
			continue
		}
		if d := distance(word, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete, replace or swap with their neighbour to make b of a
// (the optimal string alignment distance).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
