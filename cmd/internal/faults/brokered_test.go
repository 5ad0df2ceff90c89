// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowed is a camera that sees its visitors, on a line on which each clip takes seconds: kills fall into the middle of them.
const slowed = watched + "upload:\n  rate_kbit: 400\n"

// TestMosquittoClips sends clips through mosquitto, as documented.
func TestMosquittoClips(t *testing.T) {
	t.Parallel()
	r := newRow(t, "agent and hub through mosquitto", "every clip stored and verified")
	b := newBrokered(t, r)
	b.drain(device)
	promised, wrong := b.verify(device)
	r.measured("%d of %d clips", promised-wrong, promised)
	if promised < visits {
		t.Errorf("%d clips were recorded", promised)
	}
}

// TestMosquittoKilled ends mosquitto again and again while clips are on their way.
func TestMosquittoKilled(t *testing.T) {
	t.Parallel()
	b, r, kills := newBrokeredRow(t, "SIGKILL of mosquitto mid-clip")
	b.killed(r, kills, func() {
		b.mosquitto.Kill()
		b.startMosquitto()
	})
}

// TestMosquittoHubKilled ends the hub; mosquitto goes on acknowledging what nobody hears.
func TestMosquittoHubKilled(t *testing.T) {
	t.Parallel()
	b, r, kills := newBrokeredRow(t, "SIGKILL of the hub behind mosquitto")
	b.killed(r, kills, func() {
		b.hub.Kill()
		b.startHub()
	})
}

// TestMosquittoFrozen stops mosquitto for longer than camera and hub need to find that out.
func TestMosquittoFrozen(t *testing.T) {
	t.Parallel()
	r := newRow(t, "frozen mosquitto (SIGSTOP)", "gap <= 2 frames, every clip; hub and camera notice")
	b := newBrokered(t, r)
	agent := b.startAgent(device, b.config(device, slowed), nil)
	gap, delivered := b.through(4*time.Minute, agent, func() {
		await(t, time.Minute, "a clip to be under way", b.arriving)
		syscall.Kill(b.mosquitto.PID(), syscall.SIGSTOP)
		await(t, time.Minute, "the hub to notice", func() bool { return strings.Contains(b.hubLog(), "broker-lost") })
		syscall.Kill(b.mosquitto.PID(), syscall.SIGCONT)
	})
	r.measured("gap %d frames, %d of %d clips", gap, delivered, visits)
	if !strings.Contains(agent.Log(), "no connection to the hub") {
		t.Error("the camera did not notice")
	}
}

func newBrokeredRow(t *testing.T, name string) (*brokered, *row, int) {
	t.Helper()
	r := newRow(t, name, "every clip, exactly once")
	return newBrokered(t, r), r, size(5, 50)
}

// killed does it while a clip is arriving, so many times, and wants each clip in the hub exactly once in the end.
func (b *brokered) killed(r *row, kills int, kill func()) {
	b.t.Helper()
	agent := b.startAgent(device, b.config(device, slowed), nil)
	done := 0
	_, delivered := b.through(4*time.Minute, agent, func() {
		for ; done < kills && receipts(agent.Log()) < visits; done++ {
			await(b.t, time.Minute, "a clip to be under way", func() bool { return b.arriving() || receipts(agent.Log()) >= visits })
			time.Sleep(time.Duration(done%5) * 200 * time.Millisecond) // not always at the first chunk
			kill()
		}
	})
	r.measured("%d kills, %d of %d clips", done, delivered, visits)
	if done < 3 {
		b.t.Errorf("only %d kills: they proved little", done)
	}
}

// arriving tells whether the hub has a part of a clip.
func (b *brokered) arriving() bool {
	parts, _ := filepath.Glob(b.path("hub", "incoming", device, "*"))
	return len(parts) > 0
}

// TestMosquittoRevoked revokes a camera that mosquitto goes on serving.
func TestMosquittoRevoked(t *testing.T) {
	t.Parallel()
	r := newRow(t, "revoked camera at mosquitto", "0 clips taken; all once it is let in again")
	b := newBrokered(t, r)
	b.drain(device)
	before := len(b.clips())
	b.run("nightjar-hub", "revoke", "--dir", b.path("hub"), device)
	agent := b.startAgent(device, b.config(device, film), nil)
	await(t, time.Minute, "the camera to be connected, with five more clips", func() bool {
		return strings.Contains(agent.Log(), "connected to the hub") && len(b.promised(device)) >= 2*visits
	})
	await(t, time.Minute, "the hub to ignore it", func() bool { return strings.Contains(b.hubLog(), "device-revoked") })
	time.Sleep(5 * time.Second)
	taken := len(b.clips()) - before
	agent.Kill()
	b.run("nightjar-hub", "revoke", "--undo", "--dir", b.path("hub"), device)
	b.drain(device)
	promised, wrong := b.verify(device)
	r.measured("%d taken; %d of %d afterwards", taken, promised-wrong, promised)
	if taken > 0 {
		t.Errorf("%d clips of a revoked camera were taken", taken)
	}
}

// TestMosquittoRotation rotates the hub's keys. The camera's certificate is of the former CA until it renews, and of the new one then.
func TestMosquittoRotation(t *testing.T) {
	t.Parallel()
	r := newRow(t, "the hub's CA rotates behind mosquitto", "every clip, without a hand on the camera")
	b := newBrokered(t, r)
	b.drain(device)
	b.run("nightjar-hub", "ca", "rotate", "--dir", b.path("hub"))
	b.run("nightjar-hub", "broker", "certificate", "--dir", b.path("hub"), "--out", b.path("broker"))
	b.hub.stop(t)
	b.mosquitto.stop(t)
	b.startMosquitto()
	b.startHub()
	b.drain(device)
	b.run("nightjar", "renew", "--state", b.path(device))
	b.drain(device)
	promised, wrong := b.verify(device)
	r.measured("%d of %d clips", promised-wrong, promised)
	if promised < 3*visits {
		t.Errorf("%d clips were recorded", promised)
	}
}

// A camera that was enrolled while the hub spoke MQTT itself finds the broker.
func TestMosquittoComesLater(t *testing.T) {
	t.Parallel()
	r := newRow(t, "a broker is put before a hub", "enrolled cameras go there by themselves")
	b := newMosquitto(t, r, asDocumented)
	b.site.startHub()
	b.enroll(device, b.addr)
	b.drain(device)
	b.hub.stop(t)
	b.startHub()
	agent := b.startAgent(device, b.config(device, film), nil)
	began := time.Now()
	await(t, 3*time.Minute, "the camera's clips", func() bool { return receipts(agent.Log()) >= visits })
	r.measured("after %v", time.Since(began).Round(time.Second))
	agent.stop(t)
	b.verify(device)
	b.run("nightjar", "hub", "set", b.addr, "--state", b.path(device)) // which asks the hub for its broker
	if got, want := b.run("nightjar", "hub", "show", "--state", b.path(device)), b.addr+"\nbroker "+b.broker+"\n"; got != want {
		t.Errorf("the camera knows %q, want %q", got, want)
	}
}
