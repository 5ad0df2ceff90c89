// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// taking answers as a hub does: with what it has of the clip, or a receipt when that is everything.
func taking(b *bubble, e spool.Entry) (wire.Kind, []byte) {
	got := b.parts(e.ID)
	whole := true
	for _, p := range e.Parts {
		whole = whole && got[map[string]wire.Part{"clip": wire.PartBody, "details": wire.PartDetails}[p.Name]] == p.Size
	}
	if whole {
		return stored(b, e)
	}
	payload, err := wire.Have{Seq: e.Seq, Clip: e.ID, Body: got[wire.PartBody], Details: got[wire.PartDetails]}.Marshal()
	if err != nil {
		b.t.Error(err)
	}
	return wire.DownHave, payload
}

// parts are the bytes that are there of a clip. The caller holds the lock.
func (b *bubble) parts(clip string) *[3]int64 {
	if b.got[clip] == nil {
		b.got[clip] = new([3]int64)
	}
	return b.got[clip]
}

// held is how many bytes are there of a part.
func (b *bubble) held(clip string, part wire.Part) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.parts(clip)[part]
}

// chunk takes a chunk, and gives the receipt if it was the last.
func (b *bubble) chunk(m *message, payload []byte) {
	c, err := wire.ParseChunk(payload)
	if err != nil {
		b.t.Error(err)
	}
	m.clip, m.part, m.from, m.size = hex.EncodeToString(c.Clip[:]), c.Part, int64(c.Offset), int64(len(c.Data))
	got := b.parts(m.clip)
	if m.from <= got[c.Part] {
		got[c.Part] = max(got[c.Part], m.from+m.size)
	}
	for e, ok := b.spool.Next(0); ok; e, ok = b.spool.Next(e.Seq) {
		if kind, reply := b.answer(b, e); e.ID == m.clip && kind == wire.DownReceipt {
			b.say(kind, reply)
		}
	}
}

// slow is what a bad mobile link carries: 64 kbit/s.
const slow = 8000

// sent returns the chunks that the hub heard.
func (b *bubble) chunks(part wire.Part) []message {
	return slices.DeleteFunc(b.take(wire.UpChunk), func(m message) bool { return m.part != part })
}

// bodies are the clips that the hub has whole, in the order in which their last bytes came.
func bodies(of []message, sizes map[string]int64) (ids []string) {
	for _, m := range of {
		if m.part == wire.PartBody && m.from+m.size == sizes[m.clip] {
			ids = append(ids, m.clip)
		}
	}
	return ids
}

// detailsFirst lets a camera with many clips through a slow link, and says what is wrong with the order in which they come.
func detailsFirst(t *testing.T, newest bool, change func(*bubble)) (wrong []string) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.session.cfg.Newest = newest
		b.rate = slow
		want, sizes := []string{}, map[string]int64{}
		for i := range 12 {
			e := b.record(40_000+i, 3000, policy.Now)
			want, sizes[e.ID] = append(want, e.ID), int64(40_000+i)
		}
		if newest {
			slices.Reverse(want)
		}
		change(b)
		b.run()
		time.Sleep(5 * time.Minute)
		all := b.take(wire.UpChunk)
		told, body := map[string]bool{}, false
		for _, m := range all {
			body = body || m.part == wire.PartBody
			if m.part == wire.PartDetails {
				told[m.clip] = true
				if body {
					wrong = append(wrong, "details come after a part of a clip")
				}
			}
		}
		if len(told) != len(want) {
			wrong = append(wrong, fmt.Sprintf("details of %d clips came", len(told)))
		}
		if got := bodies(all, sizes); !slices.Equal(got, want) {
			wrong = append(wrong, fmt.Sprintf("clips come in the order %q, want %q", got, want))
		}
		if b.waiting() != 0 {
			wrong = append(wrong, fmt.Sprintf("%d clips wait", b.waiting()))
		}
	})
	return wrong
}

// With many clips waiting on a slow link, record and details of every one are there before the first bytes of any clip. The
// clips follow in the order that is asked for.
func TestDetailsFirst(t *testing.T) {
	for _, newest := range []bool{false, true} {
		if wrong := detailsFirst(t, newest, func(*bubble) {}); len(wrong) > 0 {
			t.Errorf("newest first %v: %q", newest, wrong)
		}
	}
}

// A session that takes all clips for announced sends them one by one, as sessions once did.
func TestDetailsFirstMutant(t *testing.T) {
	wrong := detailsFirst(t, false, func(b *bubble) {
		for seq := range uint64(13) {
			b.session.told[seq] = true
		}
	})
	if len(wrong) == 0 {
		t.Error("nothing is wrong without announcements: the test above proves nothing")
	}
}

// waits measures how long a clip that is recorded while another one fills the link waits until its record is there.
func waits(t *testing.T, p pace) (longest time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.session.pace = p
		b.rate = slow
		b.record(1<<20, 1000, policy.Now)
		b.run()
		time.Sleep(30 * time.Second)
		for range 8 {
			b.take(wire.UpOffer)
			at := time.Now()
			e := b.record(500_000, 1000, policy.Now)
			time.Sleep(20 * time.Second)
			offers := slices.DeleteFunc(b.take(wire.UpOffer), func(m message) bool { return m.seq != e.Seq })
			if len(offers) == 0 {
				longest = max(longest, 20*time.Second)
				continue
			}
			longest = max(longest, offers[0].at.Sub(at))
		}
	})
	return longest
}

// On a link that clips keep full, a new record is at the hub within two seconds.
func TestControlDoesNotStarve(t *testing.T) {
	if longest := waits(t, usual); longest > 2*time.Second {
		t.Errorf("a record waited %v", longest)
	} else {
		t.Logf("a record waited %v at most", longest)
	}
}

// Without the bound on what is on its way it is not.
func TestControlDoesNotStarveMutant(t *testing.T) {
	p := usual
	p.lively, p.sluggish = time.Hour, time.Hour
	if longest := waits(t, p); longest <= 2*time.Second {
		t.Errorf("a record waited %v at most: the test above proves nothing", longest)
	}
}

const rate = 20_000 // bytes a second

// sendBounded sends a clip for a minute through a link that breaks, and returns by how many bytes it was ever ahead of the bound,
// and how many came in all.
func sendBounded(t *testing.T, bound int64) (ahead, all int64, span time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.session.bucket.rate = bound
		b.record(2<<20, 1000, policy.Now)
		begin := time.Now()
		b.run()
		for range 3 {
			time.Sleep(20 * time.Second)
			b.set(func() { b.ends[len(b.ends)-1].Close() })
		}
		time.Sleep(5 * time.Second) // it connects again
		e := b.record(1000, 50_000, policy.Now)
		time.Sleep(time.Second)
		if got := b.held(e.ID, wire.PartDetails); got != 50_000 {
			t.Errorf("details wait with the clips: %d bytes after a second", got)
		}
		span = time.Since(begin)
		for _, m := range b.chunks(wire.PartBody) {
			all += m.size
			ahead = max(ahead, all-int64(m.at.Sub(begin).Seconds()*rate))
		}
	})
	return ahead, all, span
}

// The link's bound holds for clips alone, over any span, also across connections, and is used.
func TestRate(t *testing.T) {
	ahead, all, span := sendBounded(t, rate)
	if most := int64(rate + mostChunk); ahead > most {
		t.Errorf("%d bytes ahead of the bound, want at most %d", ahead, most)
	}
	if least := int64(span.Seconds()*rate) * 8 / 10; all < least {
		t.Errorf("%d bytes in %v: the link is left idle", all, span)
	}
}

func TestRateMutant(t *testing.T) {
	if ahead, _, _ := sendBounded(t, 0); ahead <= rate+mostChunk {
		t.Errorf("%d bytes ahead without a bound: the test above proves nothing", ahead)
	}
}

// What the policy holds back stays until its time comes; record and details do not wait. Nothing holds up others.
func TestPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle := false
		b := newBubble(t, taking)
		b.session.cfg.Idle = func(time.Time) bool { b.mu.Lock(); defer b.mu.Unlock(); return idle }
		clips := map[policy.When]spool.Entry{}
		for _, when := range []policy.When{policy.Never, policy.Request, policy.Idle, "unheardof", policy.Now} {
			clips[when] = b.record(1000, 100, when)
		}
		b.run()
		has := func(when policy.When) bool { return b.held(clips[when].ID, wire.PartBody) == 1000 }
		wantQueue := func(q Queue) {
			t.Helper()
			time.Sleep(time.Minute)
			if got := b.session.Status().Queue; got != q {
				t.Errorf("queue %+v, want %+v", got, q)
			}
		}
		if got, want := b.session.Status().Queue, (Queue{New: 5, Now: 1, Idle: 1, Request: 2, Never: 1}); got != want {
			t.Errorf("before all: %+v, want %+v", got, want)
		}
		wantQueue(Queue{Idle: 1, Request: 2, Never: 1})
		for when, e := range clips {
			if got := b.held(e.ID, wire.PartDetails); got != 100 {
				t.Errorf("%s: %d bytes of details", when, got)
			}
			if has(when) != (when == policy.Now) {
				t.Errorf("%s: there is %v", when, has(when))
			}
		}
		b.set(func() { idle = true })
		wantQueue(Queue{Request: 2, Never: 1})
		for _, when := range []policy.When{policy.Request, "unheardof"} {
			if err := b.session.Request(clips[when].ID); err != nil {
				t.Error(err)
			}
		}
		wantQueue(Queue{Never: 1})
		if err := b.session.Request(clips[policy.Never].ID); !errors.Is(err, ErrNever) {
			t.Errorf("request of what never goes: %v", err)
		}
		if err := b.session.Request(clips[policy.Now].ID); err == nil || !strings.Contains(err.Error(), "not on this camera") {
			t.Errorf("request of what went: %v", err)
		}
		wantQueue(Queue{Never: 1})
		if has(policy.Never) {
			t.Error("it went")
		}
	})
}

// Paused in the middle of a clip the session stops within what is on its way, and tells the hub of new clips all the same.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.rate = slow
		b.record(1<<20, 100, policy.Now)
		b.run()
		time.Sleep(20 * time.Second)
		b.session.Pause(true)
		time.Sleep(5 * time.Second)
		before := b.chunks(wire.PartBody)
		e := b.record(1000, 100, policy.Now)
		time.Sleep(time.Hour)
		if more := b.take(wire.UpChunk); len(before) == 0 || len(more) != 1 || more[0].clip != e.ID || more[0].part != wire.PartDetails {
			t.Errorf("%d chunks came before the pause, and %+v in it", len(before), more)
		}
		if st := b.session.Status(); !st.Paused || !b.session.Paused() || st.Queue != (Queue{Now: 2}) {
			t.Errorf("status %+v", st)
		}
		b.session.Pause(false)
		time.Sleep(5 * time.Minute)
		if b.waiting() != 0 {
			t.Errorf("%d clips wait", b.waiting())
		}
	})
}

// A link that breaks every few seconds brings everything through, and sends at most a chunk's size again for each break.
func TestFlappingLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		b.rate = 10 * slow
		const clips, size = 10, 100_000
		for range clips {
			b.record(size, 5000, policy.Now)
		}
		b.run()
		for i := 0; b.waiting() > 0; i++ {
			if i == 200 {
				t.Fatalf("%d clips wait after %d breaks", b.waiting(), i)
			}
			time.Sleep(3 * time.Second)
			b.set(func() { b.ends[len(b.ends)-1].Close() })
		}
		var bytes int64
		for _, m := range b.take(wire.UpChunk) {
			bytes += m.size
		}
		if most := int64(clips*(size+5000) + len(b.attempts())*wire.MaxChunk); bytes > most {
			t.Errorf("%d bytes came in %d connections, want at most %d", bytes, len(b.attempts()), most)
		}
	})
}

// A hub that keeps nothing of what it is sent is not sent it over and over.
func TestHubKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, wanting) // says that it has nothing, whatever it is sent
		e := b.record(1000, 100, policy.Now)
		b.run()
		time.Sleep(time.Minute)
		if offers := b.take(wire.UpOffer); len(offers) < 3 || len(offers) > 30 {
			t.Errorf("%d offers to a hub that keeps nothing", len(offers))
		}
		if err := b.session.Status().Err; err == nil {
			t.Error("nobody is told of it")
		}
		b.set(func() { b.answer = taking })
		time.Sleep(longest)
		if b.waiting() != 0 {
			t.Errorf("record %d waits", e.Seq)
		}
	})
}

// A hub that asks for the clip of a record that has none is not asked over and over.
func TestHubAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, func(_ *bubble, e spool.Entry) (wire.Kind, []byte) {
			payload, err := wire.Have{Seq: e.Seq, Clip: strings.Repeat("0", 32)}.Marshal()
			if err != nil {
				t.Error(err)
			}
			return wire.DownHave, payload
		})
		if _, err := b.spool.Append(strings.Repeat("0", 32), func(seq uint64, _ [32]byte, _ []spool.Part) ([]byte, error) {
			return fmt.Append(nil, seq), nil
		}); err != nil {
			t.Fatal(err)
		}
		b.run()
		time.Sleep(time.Minute)
		if n := len(b.take(wire.UpOffer)); n == 0 || n > 10 {
			t.Errorf("%d offers in a minute", n)
		}
	})
}
