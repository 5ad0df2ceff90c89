// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/policy"
)

// The word that a clip gets is in the spool with it, also after a restart; what the rules looked at is not.
func TestSinkNotesThePolicy(t *testing.T) {
	dir := t.TempDir()
	s, _, end := newTestSink(t, dir)
	s.upload.link = func() string { return "wwan0" }
	s.upload.policy.Rules = []policy.Rule{
		{Zone: "street", Upload: policy.Never},
		{Link: "wwan*", MinBytes: 50_000, Upload: policy.Request},
		{Hours: policy.Hours(start.Wall.Time.Local().Format("15:04-") + start.Wall.Time.Local().Add(time.Minute).Format("15:04")), Upload: policy.Idle},
	}
	for i, tt := range []struct {
		zones []string
		bytes int
		clock clock.Quality
		want  string
	}{
		{[]string{"door", "street"}, 100, clock.Synced, "never"},
		{[]string{"door"}, 60_000, clock.Synced, "request"},
		{[]string{"door"}, 100, clock.Synced, "idle"},
		{[]string{"door"}, 100, clock.Unset, ""}, // no hours fit what has no time
	} {
		this := start
		this.ID = fmt.Sprintf("%032x", i)
		this.Wall.Quality = tt.clock
		out, err := s.Create(this)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(make([]byte, tt.bytes)); err != nil {
			t.Fatal(err)
		}
		if err := out.Commit(clip.Summary{Start: this, Zones: tt.zones}); err != nil {
			t.Fatal(err)
		}
		flush(t, s)
		for range 2 {
			if e, ok := s.spool.Next(uint64(i)); !ok || e.Note != tt.want {
				t.Errorf("clip %d: note %q, want %q", i, e.Note, tt.want)
			}
			end()
			end = openSpool(t, s, dir)
		}
	}
}

// Idle is a camera that records nothing, in the hours that are given, and that knows what time it is.
func TestIdle(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	now := noon.Local()
	fake := &clock.Fake{}
	s.upload.clock = fake
	idle := func(hours string, q clock.Quality) bool {
		fake.Set(clock.Wall{Time: now, Quality: q})
		s.upload.policy.IdleHours = policy.Hours(hours)
		return s.upload.idle(time.Time{})
	}
	in, before := now.Format("15:04-")+now.Add(time.Hour).Format("15:04"), now.Add(-2*time.Hour).Format("15:04-")+now.Format("15:04")
	if !idle("", clock.Unset) || !idle("", clock.Synced) || !idle(in, clock.Free) || idle(in, clock.Unset) || idle(before, clock.Synced) {
		t.Error("hours and clock are not what decides")
	}
	for _, end := range []func(clip.Output) error{
		func(o clip.Output) error { return o.Commit(clip.Summary{Start: start}) },
		func(o clip.Output) error { return o.Abort(errors.New("for a test")) },
	} {
		out, err := s.Create(start)
		if err != nil {
			t.Fatal(err)
		}
		if idle("", clock.Synced) {
			t.Error("idle while a clip is recorded")
		}
		if err := end(out); err != nil {
			t.Error(err)
		}
		if !idle("", clock.Synced) {
			t.Error("not idle after the clip")
		}
	}
}

// fixed is a session whose queue stays as it is.
type fixed uplink.Queue

func (q fixed) Status() uplink.Status { return uplink.Status{Queue: uplink.Queue(q)} }

// What the policy keeps does not keep `run --drain`.
func TestDrainLeaves(t *testing.T) {
	s, _, _ := newTestSink(t, t.TempDir())
	d := drain{sink: s, queue: fixed{New: 1, Now: 2, Idle: 4, Request: 8, Never: 16}}
	if n := d.left(); n != 0 {
		t.Errorf("%d are left of nothing", n)
	}
	s.buffer.Append("", s.lostNow(record.Interrupted, "", 0), nil)
	flush(t, s)
	if n := d.left(); n != 7 {
		t.Errorf("%d are left, want the new, those that go now, and the idle ones", n)
	}
	defer s.upload.record()()
	if n := d.left(); n != 3 {
		t.Errorf("%d are left, want the new and those that go now", n)
	}
}

// The status says what clips wait for.
func TestStatusTellsTheQueue(t *testing.T) {
	v, session, _ := newTestVitals(t)
	for want, st := range map[string]uplink.Status{
		"nothing waits": {},
		"1 not announced, 2 to be sent, 3 when idle, 4 on request, 5 never": {Queue: uplink.Queue{New: 1, Now: 2, Idle: 3, Request: 4, Never: 5}},
		"7 to be sent, paused": {Queue: uplink.Queue{Now: 7}, Paused: true},
	} {
		session.st = st
		v.look(noon)
		var out strings.Builder
		if err := v.status.print(&out); err != nil || !strings.Contains(out.String(), "\nupload    "+want+"\n") {
			t.Errorf("%v, want %q in\n%s", err, want, out.String())
		}
	}
}
