// SPDX-License-Identifier: Apache-2.0

package presence

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A play tells what happens second by second, and notes the events.
type play struct {
	*Roster
	now  time.Time
	told []string
}

func newPlay(devices ...string) *play {
	p := &play{Roster: New(Bound), now: start}
	p.Expect(devices, nil, p.now)
	return p
}

// pass lets d pass with a look each second and a ping of the devices each every.
func (p *play) pass(d, every time.Duration, devices ...string) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Second)
		for _, id := range devices {
			if p.now.Sub(start)%every == 0 {
				p.Heard(id, p.now)
			}
		}
		for _, e := range p.Check(p.now) {
			word := "back"
			if e.Silent {
				word = "silent"
			}
			p.told = append(p.told, fmt.Sprintf("%v: %s %s after %v", p.now.Sub(start), e.Device, word, e.For))
		}
	}
}

func (p *play) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestDeadCameraIsOneAlarm(t *testing.T) {
	p := newPlay("porch", "yard")
	p.Connected("porch", p.now)
	p.Connected("yard", p.now)
	p.pass(10*time.Minute, 10*time.Second, "porch", "yard")
	p.expect(t)
	// Its session stays: nothing tells that the cable is cut. The rest lives on.
	p.pass(30*time.Second, 10*time.Second, "yard")
	p.expect(t, "10m26s: porch silent after 26s")
	p.pass(time.Hour, 10*time.Second, "yard")
	p.pass(10*time.Second, 10*time.Second, "porch", "yard")
	p.expect(t, "10m26s: porch silent after 26s", "1h10m40s: porch back after 1h0m40s")
	if c := p.Cameras()[0]; !c.Connected || c.Silent || !c.Heard.Equal(p.now) {
		t.Errorf("porch is %+v", c)
	}
}

// The way a camera dies does not matter: a session that ends is no alarm of its own, and no excuse.
func TestSessionEnds(t *testing.T) {
	p := newPlay("porch")
	p.Connected("porch", p.now)
	p.pass(time.Minute, 10*time.Second, "porch")
	p.Gone("porch")
	p.pass(20*time.Second, time.Second)
	p.Connected("porch", p.now) // a flapping network
	p.Gone("porch")
	p.pass(20*time.Second, time.Second)
	p.expect(t)
	p.pass(20*time.Second, time.Second)
	p.expect(t, "1m46s: porch silent after 26s")
	if c := p.Cameras()[0]; c.Connected || !c.Silent {
		t.Errorf("porch is %+v", c)
	}
}

func TestTakeover(t *testing.T) {
	p := newPlay("porch")
	p.Connected("porch", p.now)
	p.Connected("porch", p.now)
	p.Gone("porch") // the old session
	if c := p.Cameras()[0]; !c.Connected {
		t.Errorf("after a takeover porch is %+v", c)
	}
}

// A hub that was away gives its cameras time to come back, and no more.
func TestStartOfTheHub(t *testing.T) {
	p := newPlay("porch")
	p.pass(Bound+Grace, time.Second)
	p.expect(t)
	p.pass(time.Second, time.Second)
	p.expect(t, "2m56s: porch silent after 2m56s")
}

func TestExpect(t *testing.T) {
	before := start.Add(-time.Hour)
	p := newPlay("porch", "yard")
	p.Connected("attic", p.now) // not expected yet
	p.Connected("yard", p.now)
	p.Heard("nobody", p.now)
	p.Expect([]string{"attic", "shed"}, map[string]time.Time{"shed": before, "attic": before}, p.now)
	want := []Camera{
		{Device: "attic", Connected: true, Heard: start}, {Device: "shed", Heard: before},
		{Device: "yard", Connected: true, Heard: start}, // revoked: until its session is ended
	}
	if diff := cmp.Diff(want, p.Cameras()); diff != "" {
		t.Errorf("cameras (-want +got):\n%s", diff)
	}
	p.Gone("yard")
	p.Expect([]string{"attic", "shed"}, nil, p.now)
	p.pass(Bound+Grace+time.Second, time.Second, "attic")
	p.expect(t, "2m56s: shed silent after 1h2m56s") // and nothing of yard
}

// A hub whose disk stalls does not take its cameras for dead.
func TestBusyHub(t *testing.T) {
	p := newPlay("porch")
	p.Connected("porch", p.now)
	p.Hold("porch")
	p.pass(2*time.Minute, time.Second)
	p.expect(t)
	p.Release("porch", p.now)
	p.pass(Bound, time.Hour)
	p.expect(t)
	p.pass(2*time.Second, time.Hour)
	p.expect(t, "2m26s: porch silent after 26s")
	p.Release("porch", p.now) // without a Hold: nothing
	p.Release("nobody", p.now)
	p.Hold("nobody")
	p.pass(time.Minute, time.Hour)
	p.expect(t, "2m26s: porch silent after 26s")
}
