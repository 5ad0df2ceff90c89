// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// chain returns n signed records of one device; the one at index i has the number i+1.
func chain(t *testing.T, device string, n int) [][]byte {
	t.Helper()
	var all [][]byte
	var prev [32]byte
	for seq := 1; seq <= n; seq++ {
		r := first()
		r.Device, r.Seq, r.Prev = device, uint64(seq), hex.EncodeToString(prev[:])
		all = append(all, sign(t, r))
		prev = record.Hash(all[seq-1])
	}
	return all
}

func TestChain(t *testing.T) {
	good := chain(t, "front-door", 6)
	foreign := chain(t, "back-door", 2)
	fork := first()
	fork.Seq, fork.Prev = 2, strings.Repeat("0d", 32)
	forked := sign(t, fork)
	hash := record.Hash(forked)
	onFork := first()
	onFork.Seq, onFork.Prev = 3, hex.EncodeToString(hash[:])
	again := first() // its own twin's follower
	again.Seq, hash = 2, record.Hash(good[1])
	again.Prev = hex.EncodeToString(hash[:])
	damaged := append([]byte("x"), good[1]...)

	type step struct {
		jws  []byte
		want string // part of the error, or none
		head uint64 // afterwards
	}
	for name, steps := range map[string][]step{
		"whole":               {{good[0], "", 1}, {good[1], "", 2}, {good[2], "", 3}},
		"gap, and on":         {{good[0], "", 1}, {good[3], "records 2 to 3 are missing", 4}, {good[4], "", 5}},
		"one missing":         {{good[0], "", 1}, {good[2], "record 2 is missing", 3}, {good[3], "", 4}},
		"gap at the start":    {{good[2], "records 1 to 2 are missing", 3}, {good[3], "", 4}},
		"fork, and on":        {{good[0], "", 1}, {forked, "record 2 does not belong to the history before it", 2}, {sign(t, onFork), "", 3}},
		"back to the trunk":   {{good[0], "", 1}, {forked, "record 2 does not belong", 2}, {good[2], "record 3 does not belong", 3}},
		"number used twice":   {{good[0], "", 1}, {good[1], "", 2}, {forked, "record 2 does not belong", 2}, {sign(t, onFork), "", 3}},
		"twin as predecessor": {{good[0], "", 1}, {good[1], "", 2}, {sign(t, again), "record 2 does not belong", 2}},
		"other device":        {{good[0], "", 1}, {foreign[1], `is of device "back-door", not "front-door"`, 1}, {good[1], "", 2}},
		"repeated":            {{good[0], "", 1}, {good[1], "", 2}, {good[1], "record 2 comes after record 2", 2}, {good[2], "", 3}},
		"going back":          {{good[0], "", 1}, {good[1], "", 2}, {good[0], "record 1 comes after record 2", 2}, {good[2], "", 3}},
		"damaged":             {{good[0], "", 1}, {damaged, record.ErrMalformed.Error(), 1}, {good[1], "", 2}},
	} {
		c := record.NewChain("front-door", pub)
		for i, s := range steps {
			r, err := c.Next(s.jws)
			if (err == nil) != (s.want == "") || err != nil && !strings.Contains(err.Error(), s.want) {
				t.Errorf("%s, step %d: error %v, want %q", name, i, err, s.want)
			}
			seq, head := c.Head()
			if counts := seq == r.Seq && head == record.Hash(s.jws); seq != s.head || counts == (r == record.Record{}) {
				t.Errorf("%s, step %d: head %d, want %d; record %d", name, i, seq, s.head, r.Seq)
			}
		}
	}
}

func TestChainErrors(t *testing.T) {
	good := chain(t, "front-door", 4)
	c := record.NewChain("front-door", pub)
	if seq, hash := c.Head(); seq != 0 || hash != [32]byte{} {
		t.Errorf("head of an empty chain: %d, %x", seq, hash)
	}
	_, err := c.Next(good[3])
	var gap *record.GapError
	if want := (&record.GapError{From: 1, To: 3}); !errors.As(err, &gap) || !cmp.Equal(want, gap) {
		t.Errorf("error %v, want %v", err, want)
	}
	r := first()
	r.Seq, r.Prev = 5, strings.Repeat("0", 64)
	_, err = c.Next(sign(t, r))
	var fork *record.ForkError
	if want := (&record.ForkError{Seq: 5}); !errors.As(err, &fork) || !cmp.Equal(want, fork) {
		t.Errorf("error %v, want %v", err, want)
	}
}
