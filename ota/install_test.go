// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/slot"
	"github.com/nightjar-cam/nightjar/ota/slot/slottest"
	"github.com/nightjar-cam/nightjar/ota/state"
)

// started is a board that runs, and its updater.
func started(t *testing.T) (*board, *Updater) {
	t.Helper()
	b, err := newBoard(kinds()[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.b.Start(func(slot.Slot) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.updater(s, oldImage)
	if err != nil {
		t.Fatal(err)
	}
	return b, u
}

// What a cut of the link or of the power left is not fetched again: at most the one chunk that was on its way.
func TestInstallResumes(t *testing.T) {
	for stop := range len(newerImage.chunks) {
		b, u := started(t)
		img := newImage("1.1.0", 2)
		ctx, cancel := context.WithCancel(t.Context())
		u.o.Progress = func(done, all int64) {
			if img.reads == int64(stop)+1 {
				cancel()
			}
		}
		if err := u.Install(ctx, img); !errors.Is(err, context.Canceled) && stop+1 < len(img.chunks) {
			t.Fatalf("install, stopped after chunk %d: %v", stop, err)
		}
		b.d.PowerLoss(func(int) bool { return true }, 0)
		b = b.after(b.d)
		u, err := b.updater(slot.A, oldImage)
		if err != nil {
			t.Fatal(err)
		}
		if do, err := u.Settle(t.Context()); err != nil || do != state.Resume && do != state.Try {
			t.Fatalf("after the cut: %s, %v", do, err)
		}
		if err := u.Install(t.Context(), img); err != nil {
			t.Fatal(err)
		}
		if again := img.reads - int64(len(img.chunks)); again > 1 {
			t.Errorf("stopped after chunk %d: %d chunks were fetched again", stop, again)
		}
		if !img.in(b.d, slot.B) {
			t.Error("the slot is not what was installed")
		}
		cancel()
	}
}

func TestInstallRefuses(t *testing.T) {
	fits := newImage("1.1.0", 2)
	change := func(f func(m *memImage)) *memImage {
		m := newImage("1.1.0", 2)
		f(m)
		return m
	}
	for name, c := range map[string]struct {
		img  *memImage
		want error
	}{
		"older":        {newImage("0.9", 1), ErrOlder},
		"one part":     {change(func(m *memImage) { m.parts = m.parts[:1] }), ErrShape},
		"other part":   {change(func(m *memImage) { m.parts[1].Name = "data" }), ErrShape},
		"too large":    {change(func(m *memImage) { m.parts[1].Size = slottest.RootSize + 512 }), ErrShape},
		"gap":          {change(func(m *memImage) { m.chunks[1].Off += 512 }), ErrShape},
		"overlap":      {change(func(m *memImage) { m.chunks[1].Off -= 512 }), ErrShape},
		"ends early":   {change(func(m *memImage) { m.chunks = m.chunks[:len(m.chunks)-1] }), ErrShape},
		"over the end": {change(func(m *memImage) { m.chunks[len(m.chunks)-1].Len += 512 }), ErrShape},
		"no bytes":     {change(func(m *memImage) { m.chunks[0].Len = 0 }), ErrShape},
		"negative":     {change(func(m *memImage) { m.chunks[0].Len = -512 }), ErrShape},
		"huge chunk":   {change(func(m *memImage) { m.chunks[0].Len = MaxChunk + 1 }), ErrShape},
		"part index":   {change(func(m *memImage) { m.chunks[2].Part = 7 }), ErrShape},
		"one too many": {change(func(m *memImage) { m.chunks = append(m.chunks, m.chunks[0]) }), ErrShape},
	} {
		b, u := started(t)
		r := u.o.State.Record()
		r.Floor = 1
		if err := u.o.State.Save(r); err != nil {
			t.Fatal(err)
		}
		before := b.d.Sectors()
		if err := u.Install(t.Context(), c.img); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if b.d.Sectors() != before {
			t.Errorf("%s: something was written", name)
		}
	}
	if err := covers(fits); err != nil {
		t.Errorf("the image that is changed above: %v", err)
	}
}

// A slot that runs, or is on trial, is never written, whatever is asked for.
func TestInstallInTrial(t *testing.T) {
	_, u := inTrial(t, Check{"frames", func(context.Context) error { return nil }})
	if err := u.Install(t.Context(), thirdImage); !errors.Is(err, ErrUnderWay) {
		t.Errorf("installed over a trial: %v", err)
	}
}

// A card that does not keep what is written ends the update; what runs is untouched.
func TestInstallOnForgetfulCard(t *testing.T) {
	b, u := started(t)
	at := slottest.Slots(b.d).At(slot.B)
	flip := 0
	b.d.Watch = func(off int64) {
		if off == at+512 { // written again and again, and each time another bit is wrong
			flip++
		}
	}
	u.o.Progress = func(done, all int64) {
		if done == all {
			b.d.Flip(at+600, uint(flip))
		}
	}
	if err := u.Install(t.Context(), newerImage); !errors.Is(err, ErrMedium) {
		t.Fatalf("installed on a card that forgets: %v", err)
	}
	if r := u.Status(); r.Phase != state.Failed || !strings.Contains(r.Reason, "worn out") {
		t.Errorf("%s, %q", r.Phase, r.Reason)
	}
	if err := u.Begin(t.Context()); err == nil || !oldImage.in(b.d, slot.A) {
		t.Errorf("begun: %v", err)
	}
}

// When the boot loader fell back from a default that does not load, the next update goes there.
func TestRepairsFallenDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := newBoard(slottest.Simulator(false, true))
		if err != nil {
			t.Fatal(err)
		}
		if runs, err := b.live(newerImage); runs != newerImage {
			t.Fatal(err)
		}
		b.d.Flip(slottest.Slots(b.d).At(slot.B), 3) // slot B, which is the default
		b = b.after(b.d)
		runs, err := b.live(nil)
		if runs != oldImage || err != nil {
			t.Fatalf("the boot loader did not fall back (%v)", err)
		}
		if runs, err := b.live(thirdImage); runs != thirdImage || err != nil {
			t.Errorf("the update after a fall-back: %v", err)
		}
	})
}

// The image's own error reaches who installs, and the update waits.
func TestInstallSourceFails(t *testing.T) {
	_, u := started(t)
	img := newImage("1.1.0", 2)
	img.fail = blocktest.ErrIO
	if err := u.Install(t.Context(), img); !errors.Is(err, blocktest.ErrIO) || u.Status().Phase != state.Fetching {
		t.Errorf("%v, %s", err, u.Status().Phase)
	}
	img.fail = nil
	if err := u.Install(t.Context(), img); err != nil || u.Status().Phase != state.Verified || u.Status().Done != u.Status().All {
		t.Errorf("%v, %+v", err, u.Status())
	}
}
