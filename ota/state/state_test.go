// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/ota/block"
	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/slot"
)

func full() Record {
	r := Record{Seq: 7, Phase: Trial, Target: slot.B, Tries: 2, Starts: 1, Counter: 12, Floor: 11, Version: "1.4.0",
		Had: []string{"frames", "hub"}, Reason: "frames: none for 30 s", Sizes: [MaxParts]uint64{1, 2, 3, 1 << 40}}
	for i := range r.Image {
		r.Image[i], r.Sum[i] = byte(i), byte(200-i)
	}
	return r
}

func TestRecordRoundTrip(t *testing.T) {
	for _, r := range []Record{{}, full()} {
		b := r.Encode()
		if len(b) != block.Sector {
			t.Fatalf("a record has %d bytes", len(b))
		}
		got, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v (%v), want %+v", got, err, r)
		}
	}
	long := Record{Version: strings.Repeat("v", 500), Reason: strings.Repeat("r", 500)}
	if got, err := Decode(long.Encode()); err != nil || len(got.Version) != MaxVersion || len(got.Reason) != MaxReason {
		t.Errorf("long texts: %d and %d bytes (%v)", len(got.Version), len(got.Reason), err)
	}
}

// No changed bit passes for a record.
func TestRecordFlips(t *testing.T) {
	want := full().Encode()
	for i := range want {
		for bit := range 8 {
			b := bytes.Clone(want)
			b[i] ^= 1 << bit
			if r, err := Decode(b); err == nil {
				t.Fatalf("bit %d of byte %d changed: %+v", bit, i, r)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Record{}.Encode())
	f.Add(full().Encode())
	f.Add(make([]byte, block.Sector))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, resum(b)} {
			r, err := Decode(b)
			if err == nil && r.Phase >= phases {
				t.Fatalf("phase %d", r.Phase)
			}
			if err == nil {
				if back, err := Decode(r.Encode()); err != nil || back.Counter != r.Counter {
					t.Fatalf("%+v does not survive: %v", r, err)
				}
			}
		}
	})
}

// resum gives a sector a right checksum, so that what is behind it is reached.
func resum(b []byte) []byte {
	if len(b) != block.Sector {
		return b
	}
	b = bytes.Clone(b)
	copy(b, magic[:])
	sum := Record{}.Encode() // for its length
	copy(sum, b[:crcAt])
	return sealed(sum)
}

func sealed(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[crcAt:], crc32.Checksum(b[:crcAt], castagnoli))
	return b
}

func TestStoreSurvivesCuts(t *testing.T) {
	for cut := range 4 {
		for _, torn := range []int{0, 1, 17, 300, 511} {
			for _, kept := range []bool{false, true} {
				d := blocktest.New(Size)
				s, err := Open(d)
				if err != nil || s.Lost() != nil {
					t.Fatal(err, s.Lost())
				}
				d.CutAfter(cut)
				last := uint64(0)
				for i := range uint64(4) {
					if s.Save(Record{Counter: i + 1}) != nil {
						break
					}
					last = i + 1
				}
				d.PowerLoss(func(int) bool { return kept }, torn)
				s, err = Open(d)
				if err != nil || s.Lost() != nil {
					t.Fatalf("cut %d, torn %d: %v, %v", cut, torn, err, s.Lost())
				}
				if got := s.Record().Counter; got != last && got != last+1 {
					t.Errorf("cut %d, torn %d, kept %t: counter %d, want %d or the next", cut, torn, kept, got, last)
				}
				if err := s.Save(Record{Counter: 99}); err != nil {
					t.Fatal(err)
				}
				if s, _ := Open(d); s.Record().Counter != 99 {
					t.Error("what was saved after the cut is not the newest")
				}
			}
		}
	}
}

func TestStoreBothDamaged(t *testing.T) {
	d := blocktest.New(Size)
	s, _ := Open(d)
	s.Save(full())
	s.Save(full())
	d.Flip(100, 1)
	if s, _ := Open(d); s.Lost() != nil || s.Record().Phase != Trial {
		t.Error("one damaged copy lost the record")
	}
	d.Flip(4096+100, 1)
	s, err := Open(d)
	if err != nil || s.Lost() == nil || s.Record().Phase != Idle {
		t.Errorf("both damaged: %v, %v, %s", err, s.Lost(), s.Record().Phase)
	}
	if _, err := Open(blocktest.New(Size - 512)); err == nil {
		t.Error("a device that is too small was opened")
	}
}

// A write that does not reach the medium is no record.
func TestStoreReadsBack(t *testing.T) {
	d := blocktest.New(Size)
	s, _ := Open(d)
	d.Fail = func(op string, n int) error {
		if op == "sync" {
			return blocktest.ErrIO
		}
		return nil
	}
	if err := s.Save(full()); !errors.Is(err, blocktest.ErrIO) || s.Record().Phase != Idle {
		t.Errorf("saved on a failing card: %v, %s", err, s.Record().Phase)
	}
}
