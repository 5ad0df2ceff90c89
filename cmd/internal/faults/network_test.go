// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched is a camera in twice real time that sees five visitors, and then nobody.
const watched = "camera:\n  source: synthetic\n  speed: 2\n" + shortClips

const (
	visits    = 5
	maxGap    = 2         // frames that a clip may lack
	maxResent = 128 << 10 // bytes of the largest chunk
)

// through lets the camera see its visitors while the network does what trouble does, waits until the hub has receipted every
// clip, and checks what was recorded. It returns the row's figure.
func (s *site) through(limit time.Duration, agent *process, trouble func()) (gap, delivered int) {
	t := s.t
	t.Helper()
	trouble()
	await(t, limit, "every clip to be recorded and receipted", func() bool {
		if agent.Done() {
			t.Fatalf("the agent ended: %v\n%s", agent.Err, tail(agent.Log()))
		}
		return len(s.promised(device)) >= visits && receipts(agent.Log()) >= visits
	})
	agent.stop(t)
	return s.judge()
}

// judge returns how many frames a clip lacks at most, and how many clips were promised and are in the hub.
func (s *site) judge() (gap, delivered int) {
	t := s.t
	t.Helper()
	for _, c := range s.clips() {
		gap = max(gap, c.Dropped)
	}
	if gap > maxGap {
		t.Errorf("a clip lacks %d frames", gap)
	}
	if n := strings.Count(s.agentLogs(device), `msg="loss declared"`); n > 0 {
		t.Errorf("%d losses were declared", n)
	}
	delivered, _ = s.verify(device)
	return gap, delivered
}

const networkGoal = "gap <= 2 frames, every clip, <= 128 KiB a cut"

func TestNetworkReset(t *testing.T) {
	t.Parallel()
	r := newRow(t, "connection reset mid-clip", networkGoal)
	s, p := behindProxy(t)
	p.cutEvery.Store(80 << 10) // twice in each clip
	gap, delivered := s.through(3*time.Minute, s.startAgent(device, s.config(device, watched), nil), func() {})
	r.measured("%d cuts, gap %d frames, %d of %d clips, %d bytes again a cut", p.cuts.Load(), gap, delivered, visits, resent(t, s, p))
	if p.cuts.Load() < visits {
		t.Errorf("only %d cuts: they proved little", p.cuts.Load())
	}
}

func TestNetworkFlap(t *testing.T) {
	t.Parallel()
	r := newRow(t, "link flaps every 3 s", networkGoal)
	s, p := behindProxy(t)
	// The camera sees somebody all the time: there is something to send at each cut.
	agent := s.startAgent(device, s.config(device, live), nil)
	want, flaps := int64(size(8, 100)), 0
	// It waits longer after each failure, and is not there at every flap.
	for ; p.cuts.Load() < want && flaps < 20*int(want); flaps++ {
		time.Sleep(1500 * time.Millisecond)
		p.deaf.Store(true)
		p.cut()
		time.Sleep(1500 * time.Millisecond)
		p.deaf.Store(false)
	}
	agent.stop(t)
	s.drain(device)
	gap, delivered := s.judge()
	r.measured("%d cuts in %d flaps, gap %d frames, %d of %d clips, %d bytes again a cut", p.cuts.Load(), flaps, gap, delivered, len(s.promised(device)), resent(t, s, p))
	if p.cuts.Load() < want {
		t.Errorf("only %d cuts: they proved little", p.cuts.Load())
	}
}

const (
	freeze   = 40 * time.Second
	maxFound = 15 * time.Second // until the camera leaves a connection that is frozen
)

var (
	lost      = regexp.MustCompile(`(?m)^time=(\S+) level=WARN msg="no connection to the hub"`)
	connected = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg="connected to the hub"`)
)

// found returns how long after began the camera left its connection.
func found(t *testing.T, agent *process, began time.Time) time.Duration {
	t.Helper()
	for _, m := range lost.FindAllStringSubmatch(agent.Log(), -1) {
		at, err := time.Parse(time.RFC3339, m[1])
		if err != nil {
			t.Fatal(err)
		}
		// What was heard last may have come at any moment before.
		if took := at.Sub(began); took > -time.Second {
			if took > maxFound {
				t.Errorf("the camera left its frozen connection after %v", took)
			}
			if len(connected.FindAllString(agent.Log(), -1)) < 2 {
				t.Error("the camera did not come back")
			}
			return max(0, took)
		}
	}
	t.Error("the camera never left its frozen connection")
	return 0
}

func TestNetworkFrozen(t *testing.T) {
	t.Parallel()
	r := newRow(t, "frozen peer (proxy stops reading)", "found within 15 s, "+networkGoal)
	s, p := behindProxy(t)
	agent := s.startAgent(device, s.config(device, watched), nil)
	var began time.Time
	gap, delivered := s.through(4*time.Minute, agent, func() {
		await(t, time.Minute, "a clip to be under way", func() bool { return p.carried.Load() > 60<<10 })
		began = time.Now()
		p.frozen.Store(true)
		time.Sleep(freeze)
		p.frozen.Store(false)
	})
	r.measured("found after %.1f s, gap %d frames, %d of %d clips, %d bytes again", found(t, agent, began).Seconds(), gap, delivered, visits, resent(t, s, p))
}

func TestNetworkStoppedHub(t *testing.T) {
	t.Parallel()
	r := newRow(t, "frozen peer (SIGSTOP of the hub)", "found within 15 s, gap <= 2 frames, every clip")
	s := newSite(t)
	agent := s.startAgent(device, s.config(device, watched), nil)
	var began time.Time
	gap, delivered := s.through(4*time.Minute, agent, func() {
		await(t, time.Minute, "a clip to arrive", func() bool { return strings.Contains(s.hub.Log(), "record stored") })
		began = time.Now()
		syscall.Kill(s.hub.PID(), syscall.SIGSTOP)
		time.Sleep(freeze)
		syscall.Kill(s.hub.PID(), syscall.SIGCONT)
	})
	r.measured("found after %.1f s, gap %d frames, %d of %d clips", found(t, agent, began).Seconds(), gap, delivered, visits)
}

func TestNetworkSlow(t *testing.T) {
	t.Parallel()
	r := newRow(t, "64 kbit/s", "gap <= 2 frames, every clip")
	s, ns := inNamespace(t, r)
	ns.in("tc", "qdisc", "add", "dev", ns.inner, "root", "tbf", "rate", "64kbit", "burst", "4kb", "latency", "2s")
	gap, delivered := s.through(8*time.Minute, s.startAgent(device, s.config(device, watched), nil, ns.exec()...), func() {})
	r.measured("gap %d frames, %d of %d clips", gap, delivered, visits)
}

func TestNetworkLoss(t *testing.T) {
	t.Parallel()
	r := newRow(t, "30 % loss, both ways", "gap <= 2 frames, every clip")
	s, ns := inNamespace(t, r)
	ns.in("nft", "add table inet lossy; add chain inet lossy o { type filter hook output priority 0; }; "+
		"add chain inet lossy i { type filter hook input priority 0; }; "+
		"add rule inet lossy o numgen random mod 100 < 30 counter drop; add rule inet lossy i numgen random mod 100 < 30 counter drop")
	gap, delivered := s.through(8*time.Minute, s.startAgent(device, s.config(device, watched), nil, ns.exec()...), func() {})
	r.measured("gap %d frames, %d of %d clips", gap, delivered, visits)
}

// behindProxy is a site whose camera knows the hub by the proxy's address.
func behindProxy(t *testing.T) (*site, *proxy) {
	t.Helper()
	s := newHub(t, t.TempDir(), freeAddr(t))
	p := newProxy(t, s.addr)
	s.enroll(device, p.addr())
	p.carried.Store(0)
	p.conns.Store(0)
	return s, p
}

// resent returns how many bytes went to the hub a second time, for each cut: what the proxy carried beyond the clips themselves
// and what TLS and MQTT add to them.
func resent(t *testing.T, s *site, p *proxy) int64 {
	t.Helper()
	var stored int64
	files, err := filepath.Glob(s.path("hub", "devices", device, "clips", "*"))
	if err != nil || len(files) < 2*visits {
		t.Fatalf("the hub has %d files (%v)", len(files), err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		stored += info.Size()
	}
	const handshake, perClip = 4 << 10, 8 << 10
	overhead := p.conns.Load()*handshake + int64(len(files)/2)*perClip + stored/50
	again := max(0, p.carried.Load()-stored-overhead) / max(1, p.cuts.Load())
	if again > maxResent {
		t.Errorf("%d bytes were carried for %d of clips over %d cuts: %d again a cut", p.carried.Load(), stored, p.cuts.Load(), again)
	}
	return again
}
