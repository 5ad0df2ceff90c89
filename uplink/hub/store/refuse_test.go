// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

func TestRefused(t *testing.T) {
	const tib = int64(1) << 40
	other := camera.New("garage")
	for _, row := range []struct {
		name string
		want error
		try  func(s *Store, c *camera.Camera) error
	}{
		{"offer of 1 TiB", ErrSize, func(s *Store, c *camera.Camera) error {
			e := c.ClipWith(nil, nil, func(r *record.Record) { r.Clip.Body.Size = tib })
			_, err := s.Offer(t.Context(), "porch", e.JWS, false)
			return err
		}},
		{"details of 1 TiB", ErrSize, func(s *Store, c *camera.Camera) error {
			e := c.ClipWith(nil, nil, func(r *record.Record) { r.Clip.Details.Size = tib })
			_, err := s.Offer(t.Context(), "porch", e.JWS, false)
			return err
		}},
		{"chunk beyond the offered size", ErrSize, func(s *Store, c *camera.Camera) error {
			e := c.Clip(blob(100, 1), nil)
			s.Offer(t.Context(), "porch", e.JWS, false)
			_, _, err := s.Write(t.Context(), "porch", e.ID(), Body, 0, blob(101, 1))
			return err
		}},
		{"chunk whose end overflows", ErrSize, func(s *Store, c *camera.Camera) error {
			e := c.Clip(blob(100, 1), nil)
			s.Offer(t.Context(), "porch", e.JWS, false)
			_, _, err := s.Write(t.Context(), "porch", e.ID(), Body, 1<<62, blob(100, 1))
			return err
		}},
		{"record of another device", ErrMalformed, func(s *Store, c *camera.Camera) error {
			_, err := s.Offer(t.Context(), "porch", other.Clip(blob(1, 1), nil).JWS, false)
			return err
		}},
		{"record that names another device", ErrMalformed, func(s *Store, c *camera.Camera) error {
			e := c.ClipWith(nil, nil, func(r *record.Record) { r.Device = "garage" })
			_, err := s.Offer(t.Context(), "porch", e.JWS, false)
			return err
		}},
		{"flipped bit in the record", ErrMalformed, func(s *Store, c *camera.Camera) error {
			jws := c.Clip(nil, nil).JWS
			jws[len(jws)/2] ^= 1
			_, err := s.Offer(t.Context(), "porch", jws, false)
			return err
		}},
		{"second record of the same number", ErrFork, func(s *Store, c *camera.Camera) error {
			twin := *c
			send(t.Context(), s, c.Clip(blob(10, 1), nil), false)
			_, err := s.Offer(t.Context(), "porch", twin.Clip(blob(10, 2), nil).JWS, false)
			return err
		}},
		{"record that follows another one", ErrFork, func(s *Store, c *camera.Camera) error {
			twin := *c
			send(t.Context(), s, c.Clip(blob(10, 1), nil), false)
			twin.Clip(blob(10, 2), nil)
			_, err := s.Offer(t.Context(), "porch", twin.Clip(blob(10, 3), nil).JWS, false)
			return err
		}},
		{"clip id of an earlier record", ErrFork, func(s *Store, c *camera.Camera) error {
			first := c.Clip(blob(10, 1), nil)
			send(t.Context(), s, first, false)
			e := c.ClipWith(blob(10, 2), nil, func(r *record.Record) { r.Clip.ID = first.ID() })
			_, err := s.Offer(t.Context(), "porch", e.JWS, false)
			return err
		}},
		{"body that is not the record's", ErrHash, func(s *Store, c *camera.Camera) error {
			e := c.Clip(blob(10, 1), nil)
			e.Body = blob(10, 2)
			_, err := send(t.Context(), s, e, false)
			return err
		}},
		{"unknown device", archive.ErrNoDevice, func(s *Store, c *camera.Camera) error {
			_, err := s.Offer(t.Context(), "attic", c.Clip(nil, nil).JWS, false)
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := camera.New("porch")
			s := newStore(t, c)
			err := row.try(s, c)
			if !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if r := verify(t, s, "porch"); !r.OK() || r.Records > 1 {
				t.Errorf("stored %d records, problems %v", r.Records, r.Problems)
			}
		})
	}
}

// A body that arrived damaged is asked for again from its start, its sound details are not.
func TestDamagedBodyIsSentAgain(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	e := c.Clip(blob(3000, 1), blob(100, 2))
	damaged := e
	damaged.Body = blob(3000, 3)
	if _, err := send(t.Context(), s, damaged, false); !errors.Is(err, ErrHash) {
		t.Fatalf("damaged body: %v", err)
	}
	st, err := s.Offer(t.Context(), "porch", e.JWS, false)
	if want := (State{Seq: 1, Clip: e.ID(), Details: 100}); err != nil || !cmp.Equal(st, want) {
		t.Fatalf("offered again: %+v, %v", st, err)
	}
	if _, err := send(t.Context(), s, e, false); err != nil {
		t.Fatal(err)
	}
	wantStored(t, s, "porch", 1, 1)
}

func TestAddDevice(t *testing.T) {
	c := camera.New("porch")
	s := newStore(t, c)
	add(t, s, c)
	twin := camera.New("porch")
	err := s.Add(archive.About{ID: "porch", Identity: twin.Public(), Enrolled: camera.Start})
	if !errors.Is(err, ErrOtherIdentity) {
		t.Errorf("another identity: %v", err)
	}
	if err := s.Add(archive.About{ID: "../porch", Identity: twin.Public()}); err == nil {
		t.Error("a path was taken for a device name")
	}
}

// Of two identities that claim a name at the same time one gets it, and it keeps it.
func TestAddAtTheSameTime(t *testing.T) {
	s := newStore(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Add(archive.About{ID: "porch", Identity: camera.New("porch").Public(), Enrolled: camera.Start})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrOtherIdentity) {
			t.Errorf("a loser is told %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d identities have the name", won)
	}
}

func TestOneHubAtATime(t *testing.T) {
	s := newStore(t)
	if _, err := Open(t.Context(), s.dir, config(t)); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v, want ErrInUse", err)
	}
	reopen(t, s)
}
