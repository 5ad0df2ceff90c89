// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/record"
)

var update = flag.Bool("update", false, "write the golden statements anew")

var (
	key = ed25519.NewKeyFromSeed([]byte("a fixed seed for the golden file")) // 32 bytes, of no device
	pub = key.Public().(ed25519.PublicKey)
	at  = time.Date(2026, 3, 4, 5, 6, 7, 120e6, time.UTC)
	id  = strings.Repeat("0a", 16)
	sum = strings.Repeat("0b", 32)
)

// first returns the first record of a chain, of a loss.
func first() record.Record {
	return record.Record{
		Version: record.Version, Device: "front-door", Seq: 1, Prev: strings.Repeat("0", 64), Kind: record.KindLoss, Boot: "boot-1", Time: at,
		Quality: "synced", Loss: &record.Loss{Reason: record.Interrupted, From: at.Add(-time.Minute), To: at, Frames: 12},
	}
}

// second returns the record of a clip that follows prev.
func second(prev []byte) record.Record {
	hash := record.Hash(prev)
	r := first()
	r.Seq, r.Prev, r.Kind, r.Loss = 2, hex.EncodeToString(hash[:]), record.KindClip, nil
	r.Clip = &record.Clip{
		ID: id, Start: at, Quality: "free", DurationUS: 12e6, PreRollUS: 3_000_001, Frames: 300, Dropped: 2,
		Continues: strings.Repeat("0c", 16), Body: record.Part{Size: 1 << 20, SHA256: sum}, Details: record.Part{Size: 4096, SHA256: sum},
	}
	return r
}

func receipt(jws []byte) record.Receipt {
	hash := record.Hash(jws)
	return record.Receipt{Version: record.Version, Device: "front-door", Seq: 2, Record: hex.EncodeToString(hash[:]), Clip: id, Stored: at}
}

func sign(t testing.TB, r record.Record) []byte {
	t.Helper()
	jws, err := record.Sign(key, r)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func signReceipt(t testing.TB, r record.Receipt) []byte {
	t.Helper()
	jws, err := record.SignReceipt(key, r)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// A change of these files is a change of the form: cameras in the field have signed the old one.
func TestGolden(t *testing.T) {
	loss := sign(t, first())
	clip := sign(t, second(loss))
	for name, jws := range map[string][]byte{"loss": loss, "clip": clip, "receipt": signReceipt(t, receipt(clip))} {
		path := filepath.Join("testdata", name+".jws")
		if *update {
			if err := os.WriteFile(path, jws, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(jws)); diff != "" {
			t.Errorf("%s (-golden +now):\n%s", name, diff)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []record.Record{first(), second([]byte("the one before"))} {
		got, err := record.Verify(pub, sign(t, want))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("error %v, record (-want +got):\n%s", err, diff)
		}
	}
	want := receipt([]byte("a record"))
	got, err := record.VerifyReceipt(pub, signReceipt(t, want))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, receipt (-want +got):\n%s", err, diff)
	}
}

// statements are one of each, with what verifies it and what verifies the other.
func statements(t *testing.T) map[string]struct {
	jws         []byte
	mine, other func([]byte) error
} {
	asRecord := func(jws []byte) error { _, err := record.Verify(pub, jws); return err }
	asReceipt := func(jws []byte) error { _, err := record.VerifyReceipt(pub, jws); return err }
	clip := sign(t, second([]byte("the one before")))
	return map[string]struct {
		jws         []byte
		mine, other func([]byte) error
	}{
		"record":  {clip, asRecord, asReceipt},
		"receipt": {signReceipt(t, receipt(clip)), asReceipt, asRecord},
	}
}

func refused(err error) bool {
	return errors.Is(err, record.ErrSignature) || errors.Is(err, record.ErrMalformed)
}

func TestEveryChangeIsRefused(t *testing.T) {
	for name, s := range statements(t) {
		if err := s.mine(s.jws); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.other(s.jws); !errors.Is(err, record.ErrMalformed) {
			t.Errorf("%s taken for the other kind: %v", name, err)
		}
		for i := range s.jws {
			for _, flip := range []byte{0x01, 0x20, 0x80, 0xff} {
				changed := bytes.Clone(s.jws)
				changed[i] ^= flip
				if err := s.mine(changed); !refused(err) {
					t.Errorf("%s, byte %d xor %#x: %v", name, i, flip, err)
				}
			}
			if err := s.mine(s.jws[:i]); !refused(err) {
				t.Errorf("%s cut at %d: %v", name, i, err)
			}
			for _, extra := range []string{"\n", "\r", "=", " ", "A", "."} {
				if err := s.mine([]byte(string(s.jws[:i]) + extra + string(s.jws[i:]))); !refused(err) {
					t.Errorf("%s with %q at %d: %v", name, extra, i, err)
				}
			}
		}
		last := len(s.jws) - 1
		for c := range 256 { // four bits of the last character hold nothing
			changed := append(bytes.Clone(s.jws[:last]), byte(c))
			if err := s.mine(changed); changed[last] != s.jws[last] && !refused(err) {
				t.Errorf("%s ending in %q: %v", name, changed[last:], err)
			}
		}
		if err := s.mine(append(s.jws, make([]byte, record.MaxSize)...)); !errors.Is(err, record.ErrMalformed) {
			t.Errorf("%s, too large: %v", name, err)
		}
	}
}

func TestOtherKeys(t *testing.T) {
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	if _, err := record.Verify(other, sign(t, first())); !errors.Is(err, record.ErrSignature) {
		t.Errorf("key of another device: %v", err)
	}
	if _, err := record.Verify(nil, sign(t, first())); err == nil {
		t.Error("verified without a key")
	}
}

func TestSignRefuses(t *testing.T) {
	local := at.In(time.FixedZone("", 3600))
	clip := func(change func(*record.Clip)) func(*record.Record) {
		return func(r *record.Record) { change(r.Clip) }
	}
	loss := func(change func(*record.Loss)) func(*record.Record) {
		return func(r *record.Record) {
			*r = first()
			change(r.Loss)
		}
	}
	for name, change := range map[string]func(*record.Record){
		"version":          func(r *record.Record) { r.Version = 2 },
		"device":           func(r *record.Record) { r.Device = "" },
		"seq 0":            func(r *record.Record) { r.Seq = 0 },
		"seq above 2^53":   func(r *record.Record) { r.Seq = 1 << 53 },
		"first with prev":  func(r *record.Record) { r.Seq = 1 },
		"prev":             func(r *record.Record) { r.Prev = strings.ToUpper(r.Prev) },
		"local time":       func(r *record.Record) { r.Time = local },
		"microseconds":     func(r *record.Record) { r.Time = at.Add(time.Microsecond) },
		"year":             func(r *record.Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"no content":       func(r *record.Record) { r.Clip = nil },
		"two contents":     func(r *record.Record) { r.Loss = first().Loss },
		"unknown kind":     func(r *record.Record) { r.Kind = "other" },
		"too large":        func(r *record.Record) { r.Boot = strings.Repeat("b", record.MaxSize) },
		"clip id":          clip(func(c *record.Clip) { c.ID = "0a" }),
		"continues":        clip(func(c *record.Clip) { c.Continues = "../.." }),
		"start":            clip(func(c *record.Clip) { c.Start = local }),
		"negative":         clip(func(c *record.Clip) { c.Dropped = -1 }),
		"size above 2^53":  clip(func(c *record.Clip) { c.Body.Size = 1 << 53 }),
		"hash of body":     clip(func(c *record.Clip) { c.Body.SHA256 = "" }),
		"hash of details":  clip(func(c *record.Clip) { c.Details.SHA256 = id }),
		"loss: reason":     loss(func(l *record.Loss) { l.Reason = "" }),
		"loss: clip id":    loss(func(l *record.Loss) { l.Clip = "x" }),
		"loss: local time": loss(func(l *record.Loss) { l.To = local }),
		"loss: negative":   loss(func(l *record.Loss) { l.Frames = -1 }),
	} {
		r := second([]byte("the one before"))
		change(&r)
		if jws, err := record.Sign(key, r); err == nil {
			t.Errorf("%s: signed %s", name, jws)
		}
	}
}

func TestSignReceiptRefuses(t *testing.T) {
	for name, change := range map[string]func(*record.Receipt){
		"version":   func(r *record.Receipt) { r.Version = 0 },
		"device":    func(r *record.Receipt) { r.Device = "" },
		"seq":       func(r *record.Receipt) { r.Seq = 0 },
		"record":    func(r *record.Receipt) { r.Record = id },
		"clip":      func(r *record.Receipt) { r.Clip = sum },
		"stored":    func(r *record.Receipt) { r.Stored = at.Local().Add(1) },
		"too large": func(r *record.Receipt) { r.Device = strings.Repeat("d", record.MaxSize) },
	} {
		r := receipt([]byte("a record"))
		change(&r)
		if jws, err := record.SignReceipt(key, r); err == nil {
			t.Errorf("%s: signed %s", name, jws)
		}
	}
}
