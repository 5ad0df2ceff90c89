// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"testing"
)

func FuzzDecodeHead(f *testing.F) {
	f.Add(encodeHead(0, nil))
	f.Add(encodeHead(7, []byte("a b\n")))
	for _, seed := range []string{"1 record\n", "0 \n", "18446744073709551615 a b\n\n", "", "0 r\n", "01 r\n", "+1 r\n", "1 \n", "1 r", "x r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		seq, record, err := decodeHead(b)
		if err != nil {
			return
		}
		if (seq == 0) != (len(record) == 0) || !bytes.Equal(encodeHead(seq, record), b) {
			t.Errorf("%q is %d, %q", b, seq, record)
		}
	})
}

func FuzzParseEntryName(f *testing.F) {
	for _, seed := range []string{"00000000000000000001-a", "00000000000000000001-", "1-a", "00000000000000000000-a", "x", "00000000000000000001-../a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		seq, id, err := parseEntryName(name)
		if err != nil {
			return
		}
		if seq == 0 || entryName(seq, id) != name || id != "" && !validName(id) {
			t.Errorf("%q is %d, %q", name, seq, id)
		}
	})
}

func FuzzDecodeMark(f *testing.F) {
	for _, seed := range []string{"1024 1024\n", "1024 1025\n", "0 0\n", "", "01 01\n", "18446744073709551616 18446744073709551616\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if mark, err := decodeMark(b); err == nil && (mark == 0 || !bytes.Equal(encodeMark(mark), b)) {
			t.Errorf("%q is %d", b, mark)
		}
	})
}

func FuzzNote(f *testing.F) {
	for _, seed := range []string{"now", "idle", "", "a-b", "Never", "a\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		mem := newMemDisk()
		s := newSpool("/", Config{}, mem)
		if err := s.writeFile("/note", b); err != nil {
			t.Fatal(err)
		}
		note, err := s.readNote("/note")
		if err == nil && (note != string(b) || note == "" || len(note) > maxNote) {
			t.Errorf("%q is the note %q", b, note)
		}
	})
}

func TestHeadRoundTrip(t *testing.T) {
	for _, record := range []string{"r", "with space\nand line"} {
		if seq, got, err := decodeHead(encodeHead(7, []byte(record))); err != nil || seq != 7 || string(got) != record {
			t.Errorf("%q: %d, %q, %v", record, seq, got, err)
		}
	}
}
