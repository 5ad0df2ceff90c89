// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

var receiptKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func config(t testing.TB) Config {
	return Config{Key: receiptKey, MaxClipBytes: 1 << 20, MaxPartials: 2, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// folder is a temporary folder in memory where there is such a place: what a power cut does is worked out by
// the tests, and the syncs of a real disk would take most of their time.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "nightjar-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newStore returns an open store that knows the cameras.
func newStore(t testing.TB, cameras ...*camera.Camera) *Store {
	t.Helper()
	s, err := Open(t.Context(), folder(t), config(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, c := range cameras {
		add(t, s, c)
	}
	return s
}

func add(t testing.TB, s *Store, c *camera.Camera) {
	t.Helper()
	if err := s.Add(archive.About{ID: c.Device, Identity: c.Public(), Enrolled: camera.Start}); err != nil {
		t.Fatal(err)
	}
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), s.dir, config(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send does what a camera does until it has a receipt or an error: offer, then the chunks from where the
// store says.
func send(ctx context.Context, s *Store, e camera.Entry, evicted bool) (State, error) {
	const chunk = 1000
	st, err := s.Offer(ctx, e.Device, e.JWS, evicted)
	for part, body := range [][]byte{e.Body, e.Details} {
		if err != nil || st.Receipt != nil {
			break
		}
		for at := []int64{st.Body, st.Details}[part]; at < int64(len(body)) && err == nil; at += chunk {
			st, _, err = s.Write(ctx, e.Device, e.ID(), Part(part), at, body[at:min(at+chunk, int64(len(body)))])
		}
	}
	return st, err
}

func verify(t testing.TB, s *Store, device string) archive.Report {
	t.Helper()
	d, err := s.Archive().Device(device)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantStored(t testing.TB, s *Store, device string, records, clips int) {
	t.Helper()
	r := verify(t, s, device)
	if !r.OK() || r.Records != records || r.Clips != clips {
		t.Errorf("%d records and %d clips, problems %v; want %d and %d, none", r.Records, r.Clips, r.Problems, records, clips)
	}
	left, err := os.ReadDir(s.incoming(device))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%d entries left in incoming", len(left))
	}
}

func blob(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)*31 ^ seed
	}
	return b
}

func TestStoreClip(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(5500, 1), blob(1200, 2))
	for range 2 { // sent twice, stored once, receipted twice
		st, err := send(t.Context(), s, e, false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := record.VerifyReceipt(receiptKey.Public().(ed25519.PublicKey), st.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		if r.Device != "porch" || r.Seq != 1 || r.Record != hash(e.JWS) || r.Clip != e.ID() || r.Stored.IsZero() {
			t.Errorf("receipt %+v", r)
		}
	}
	wantStored(t, s, "porch", 1, 1)
	d, _ := s.Archive().Device("porch")
	if got, err := os.ReadFile(d.ClipPath(e.ID())); err != nil || !bytes.Equal(got, e.Body) {
		t.Errorf("stored clip differs (%v)", err)
	}
	if got, err := os.ReadFile(d.DetailsPath(e.ID())); err != nil || !bytes.Equal(got, e.Details) {
		t.Errorf("stored details differ (%v)", err)
	}
	// A chunk that the transport delivers again after the receipt.
	if _, _, err := s.Write(t.Context(), "porch", e.ID(), Body, 0, e.Body[:10]); !errors.Is(err, ErrNotOffered) {
		t.Errorf("late chunk: %v", err)
	}
	wantStored(t, s, "porch", 1, 1)
}

func TestBodiesMayBeEmpty(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	if st, err := send(t.Context(), s, c.Clip(blob(10, 1), nil), false); err != nil || st.Receipt == nil {
		t.Fatalf("%+v, %v", st, err)
	}
	wantStored(t, s, "porch", 1, 1)
}

func TestLossAndEviction(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	gone := c.Clip(blob(5000, 1), blob(100, 2))
	if st, err := s.Offer(t.Context(), "porch", gone.JWS, false); err != nil || st.Receipt != nil {
		t.Fatalf("%+v, %v", st, err)
	}
	if _, _, err := s.Write(t.Context(), "porch", gone.ID(), Body, 0, gone.Body[:1000]); err != nil {
		t.Fatal(err)
	}
	for _, e := range []camera.Entry{gone, c.Loss(record.Evicted, gone.ID())} {
		if st, err := send(t.Context(), s, e, e.Clip != nil); err != nil || st.Receipt == nil {
			t.Fatalf("%+v, %v", st, err)
		}
	}
	wantStored(t, s, "porch", 2, 0)
	d, _ := s.Archive().Device("porch")
	if _, err := os.Stat(d.DetailsPath(gone.ID())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("details that never came: %v", err)
	}
}

func TestChunks(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(100, 1), blob(50, 2))
	if _, err := s.Offer(t.Context(), "porch", e.JWS, false); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name     string
		part     Part
		from, to int64
		body     int64 // held afterwards
		news     bool
	}{
		{"first", Body, 0, 40, 40, false},
		{"beyond a hole", Body, 60, 80, 40, true},
		{"beyond the same hole again", Body, 80, 100, 40, false},
		{"the same again", Body, 0, 40, 40, false},
		{"overlapping", Body, 30, 60, 60, false},
		{"beyond the next hole", Body, 90, 100, 60, true},
		{"empty", Body, 60, 60, 60, false},
		{"details", Details, 0, 50, 60, false},
		{"last", Body, 60, 100, 100, true},
	} {
		data := append(append([]byte(nil), e.Body...), make([]byte, 100)...)
		if step.part == Details {
			data = e.Details
		}
		st, news, err := s.Write(t.Context(), "porch", e.ID(), step.part, step.from, data[step.from:step.to])
		if err != nil || st.Body != step.body || news != step.news {
			t.Errorf("%s: holds %d, news %v, err %v; want %d, %v", step.name, st.Body, news, err, step.body, step.news)
		}
	}
	wantStored(t, s, "porch", 1, 1)
}

func TestResumeAfterRestart(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(5000, 1), blob(300, 2))
	if _, err := s.Offer(t.Context(), "porch", e.JWS, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Write(t.Context(), "porch", e.ID(), Body, 0, e.Body[:2345]); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	st, err := s.Offer(t.Context(), "porch", e.JWS, false)
	if want := (State{Seq: 1, Clip: e.ID(), Body: 2345}); err != nil || !cmp.Equal(st, want) {
		t.Fatalf("after the restart: %+v, %v; want %+v", st, err, want)
	}
	if _, err := send(t.Context(), s, e, false); err != nil {
		t.Fatal(err)
	}
	wantStored(t, s, "porch", 1, 1)
}

// What is left of the chain after a gap is taken: archive.Verify names the gap.
func TestGapIsTaken(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	c.Loss("overflow", "")
	late := c.Loss("overflow", "")
	if st, err := send(t.Context(), s, late, false); err != nil || st.Receipt == nil {
		t.Fatalf("%+v, %v", st, err)
	}
	if r := verify(t, s, "porch"); len(r.Problems) != 1 || r.Problems[0].Fault != archive.Gap {
		t.Errorf("problems %v, want the gap", r.Problems)
	}
}
