// SPDX-License-Identifier: Apache-2.0

package uplink_test

import (
	"crypto/ed25519"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

var forgeries = map[string]func(t *testing.T, s *site, r record.Record, jws []byte) message{
	"another key": func(t *testing.T, s *site, r record.Record, jws []byte) message {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Error(err)
		}
		return s.receipt(t, key, r, jws, genuine)
	},
	"another record": func(t *testing.T, s *site, r record.Record, jws []byte) message {
		return s.receipt(t, s.receiptKey(t), r, append(jws, 'x'), genuine)
	},
	"another device": func(t *testing.T, s *site, r record.Record, jws []byte) message {
		return s.receipt(t, s.receiptKey(t), r, jws, func(r *record.Receipt) { r.Device = "attic" })
	},
	"another number": func(t *testing.T, s *site, r record.Record, jws []byte) message {
		return s.receipt(t, s.receiptKey(t), r, jws, func(r *record.Receipt) { r.Seq++ })
	},
	"the record itself": func(_ *testing.T, _ *site, _ record.Record, jws []byte) message {
		return message{wire.DownReceipt, jws}
	},
	"nothing": func(*testing.T, *site, record.Record, []byte) message { return message{kind: wire.DownReceipt} },
}

// forged tells whether a forged receipt made a session with this check remove its entry.
func forged(t *testing.T, name string, accept uplink.Accept) bool {
	s := newSite(t, 0)
	e := s.loss(t)
	newFake(t, s, func(r record.Record, jws []byte, _ int) []message {
		m := forgeries[name](t, s, r, jws)
		return []message{m, m}
	})
	session := s.session(t)
	var seen atomic.Int32
	session.SetAccept(func(c keys.Credential, e spool.Entry, jws []byte) error {
		seen.Add(1)
		return accept(c, e, jws)
	})
	defer run(t, session)()
	// When the second one is looked at, the session is through with the first.
	await(t, "the forgery to be dealt with", func() bool { return seen.Load() >= 2 || next(s.spool) == 0 })
	return next(s.spool) != e.Seq
}

func TestForgedReceiptRemovesNothing(t *testing.T) {
	for name := range forgeries {
		t.Run(name, func(t *testing.T) {
			if forged(t, name, uplink.VerifyReceipt) {
				t.Error("the entry is gone")
			}
		})
	}
	t.Run("the test sees a session that does not check", func(t *testing.T) {
		if !forged(t, "another key", func(keys.Credential, spool.Entry, []byte) error { return nil }) {
			t.Error("the entry is still there")
		}
	})
}

// The forgeries above fail for what is wrong with them: without that, the fake's receipt is taken.
func TestGenuineReceipt(t *testing.T) {
	s := newSite(t, 0)
	s.loss(t)
	key := s.receiptKey(t)
	newFake(t, s, func(r record.Record, jws []byte, _ int) []message {
		return []message{s.receipt(t, key, r, jws, genuine)}
	})
	run(t, s.session(t))
	s.drained(t)
}

func TestAcknowledgementRemovesNothing(t *testing.T) {
	s := newSite(t, 0)
	e := s.loss(t)
	f := newFake(t, s, func(record.Record, []byte, int) []message { return nil })
	session := s.session(t)
	run(t, session)
	await(t, "more offers", func() bool { return f.count(e.Seq) >= 5 })
	if next(s.spool) != e.Seq {
		t.Error("the entry is gone")
	}
	if st := session.Status(); !st.Connected || st.Err == nil {
		t.Errorf("status %+v, want it to say that the hub does not answer", st)
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		code   wire.Code
		others bool // go first
	}{
		{wire.CodeFork, true}, {wire.CodeSize, true}, {wire.CodeHash, true}, {wire.CodeMalformed, true}, {"unknown", true},
		{wire.CodeStorage, false},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			s := newSite(t, 0)
			first, second := s.loss(t), s.loss(t)
			key := s.receiptKey(t)
			var relent atomic.Bool
			f := newFake(t, s, func(r record.Record, jws []byte, _ int) []message {
				if r.Seq == first.Seq && !relent.Load() {
					return []message{refuse(t, r, tt.code)}
				}
				return []message{s.receipt(t, key, r, jws, genuine)}
			})
			session := s.session(t)
			run(t, session)
			await(t, "more offers", func() bool { return f.count(first.Seq) >= 3 })
			if next(s.spool) != first.Seq {
				t.Fatal("the refused entry is gone")
			}
			if tt.others {
				await(t, "the other entry", func() bool { _, more := s.spool.Next(first.Seq); return !more })
			} else if f.count(second.Seq) > 0 {
				t.Error("a hub that cannot store was offered more")
			}
			await(t, "the status", func() bool {
				err := session.Status().Err
				return err != nil && strings.Contains(err.Error(), string(tt.code))
			})
			relent.Store(true)
			s.drained(t)
		})
	}
}

// What a hub says about other entries, or in another language, changes nothing.
func TestNoiseIsPassedOver(t *testing.T) {
	s := newSite(t, 0)
	a, b := s.loss(t), s.loss(t)
	key := s.receiptKey(t)
	f := newFake(t, s, func(r record.Record, jws []byte, _ int) []message {
		other := r
		other.Seq += 7
		have, err := wire.Have{Seq: other.Seq, Clip: strings.Repeat("a", 32)}.Marshal()
		if err != nil {
			t.Error(err)
		}
		return []message{
			{wire.DownHave, have}, {wire.DownHave, []byte("{")}, {wire.DownRefuse, nil}, {wire.UpChunk, []byte("x")},
			{wire.DownReceipt, make([]byte, wire.MaxReceipt+1)}, refuse(t, other, wire.CodeFork),
			s.receipt(t, key, r, jws, genuine),
		}
	})
	run(t, s.session(t))
	s.drained(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	if want := []uint64{a.Seq, b.Seq}; !cmp.Equal(f.order, want) {
		t.Errorf("offers: %s", cmp.Diff(want, f.order))
	}
}

// A hub that asks for a clip where there is none cannot hold up what is behind it.
func TestHaveForLoss(t *testing.T) {
	s := newSite(t, 0)
	first := s.loss(t)
	s.loss(t)
	key := s.receiptKey(t)
	newFake(t, s, func(r record.Record, jws []byte, _ int) []message {
		if r.Seq != first.Seq {
			return []message{s.receipt(t, key, r, jws, genuine)}
		}
		b, err := wire.Have{Seq: r.Seq}.Marshal()
		if err != nil { // then the fake is as silent as it is meant to be noisy
			t.Log(err)
			return nil
		}
		return []message{{wire.DownHave, b}}
	})
	run(t, s.session(t))
	await(t, "the other entry", func() bool { _, more := s.spool.Next(first.Seq); return !more })
	if next(s.spool) != first.Seq {
		t.Error("the first entry is gone")
	}
}
