// SPDX-License-Identifier: Apache-2.0

package box

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
)

// lines are simulated lines of the board: what a hand or a sensor would do to them, and what the agent drives.
type lines struct {
	b    *box
	bank string // of the simulator, in sysfs
	at   map[string]int
}

// wired is what the scenarios have connected, and the configuration for it.
var wired = []string{"PIR", "BUTTON", "TAMPER", "PRIVACY", "LED", "SHUTTER"}

const wiring = "wires:\n  pir: PIR\n  button: BUTTON 5ms\n  tamper: TAMPER\n  privacy: PRIVACY\n  led: LED\n  shutter: SHUTTER\nprivacy:\n  uploads: hold\n"

// wire makes a chip with lines of these names, of the kernel's simulator (Documentation/admin-guide/gpio/gpio-sim.rst).
func (b *box) wire(names ...string) *lines {
	b.t.Helper()
	const dir = "/sys/kernel/config/gpio-sim/board"
	mkdir := func(path string) { b.do(wire.Request{Op: wire.Mkdir, Path: path}) }
	mkdir(dir)
	mkdir(dir + "/bank0")
	b.write(dir+"/bank0/num_lines", fmt.Sprint(len(names)))
	at := map[string]int{}
	for i, name := range names {
		line := fmt.Sprintf("%s/bank0/line%d", dir, i)
		mkdir(line)
		b.write(line+"/name", name)
		at[name] = i
	}
	b.write(dir+"/live", "1")
	return &lines{b, "/sys/devices/platform/" + b.read(dir+"/dev_name") + "/" + b.read(dir+"/bank0/chip_name"), at}
}

func (b *box) read(path string) string {
	b.t.Helper()
	return strings.TrimSpace(string(b.do(wire.Request{Op: wire.Read, Path: path}).Output))
}

// drive pulls an input up or down.
func (l *lines) drive(name string, active bool) {
	l.b.t.Helper()
	l.b.write(fmt.Sprintf("%s/sim_gpio%d/pull", l.bank, l.at[name]), map[bool]string{true: "pull-up", false: "pull-down"}[active])
}

// lit tells whether an output is driven.
func (l *lines) lit(name string) bool {
	l.b.t.Helper()
	return l.b.read(fmt.Sprintf("%s/sim_gpio%d/value", l.bank, l.at[name])) == "1"
}

// happened waits until the hub has an event.
func (s *site) happened(b *box, code string) string {
	s.t.Helper()
	var found string
	b.await(time.Minute, "the event "+code+" at the hub", func() bool {
		events := strings.Split(s.host("nightjarctl", "clips", "events", "--store", s.path("hub")), "\n")
		i := slices.IndexFunc(events, func(e string) bool { return strings.Contains(e, code) })
		if i >= 0 {
			found = events[i]
		}
		return i >= 0
	})
	return found
}

// is waits until the agent's status says something.
func (b *box) is(what string, says func(status) bool) {
	b.t.Helper()
	b.await(time.Minute, what, func() bool {
		st, ok := b.status()
		return ok && says(st)
	})
}

func (s status) troubled(code string) bool {
	return slices.ContainsFunc(s.Troubles, func(t struct{ Code string }) bool { return t.Code == code })
}

// TestWires is a board with everything connected: each wire is an event at the hub and a state, and the privacy switch closes the sensor.
func TestWires(t *testing.T) {
	needBox(t)
	s := newSite(t)
	b := boot(t, logs(t), "")
	s.enrol(b)
	b.control("OSD Text Mode=2")
	l := b.wire(wired...)
	b.start(vivid + wiring)
	b.is("frames, and a session", func(st status) bool {
		return st.Hub.Connected && st.Camera.Frames > 300 && st.Wires["pir"] == "off" && st.Wires["tamper"] == "off"
	})
	t.Run("edges", func(t *testing.T) { b.tellsEdges(t, s, l) })
	if t.Run("privacy", func(t *testing.T) { b.keepsPrivate(t, s, l) }) {
		t.Run("restart", func(t *testing.T) { b.staysPrivate(t, s) })
	}
}

func (b *box) tellsEdges(t *testing.T, s *site, l *lines) {
	l.drive("TAMPER", true)
	b.is("the open housing", func(st status) bool { return st.Wires["tamper"] == "on" && st.troubled("housing-open") })
	flashes := 0
	for was, end := false, time.Now().Add(20*time.Second); flashes < 3 && time.Now().Before(end); {
		lit := l.lit("LED")
		if lit && !was {
			flashes++
		}
		was = lit
	}
	l.drive("TAMPER", false)
	b.is("the closed housing", func(st status) bool { return st.Wires["tamper"] == "off" && !st.troubled("housing-open") })
	l.drive("PIR", true)
	b.is("the sensor of warmth", func(st status) bool { return st.Wires["pir"] == "on" })
	l.drive("PIR", false)
	l.drive("BUTTON", true)
	time.Sleep(500 * time.Millisecond)
	l.drive("BUTTON", false)
	for _, code := range []string{"tamper-open", "tamper-closed", "pir", "button-pressed"} {
		s.happened(b, code)
	}
	row(t, "PIR, button, tamper switch, lamp", fmt.Sprintf("4 events at the hub, each a state; the lamp flashed %d times", flashes), "each visible as event and state", flashes >= 3)
}

// keepsPrivate throws the switch in the middle of a clip.
func (b *box) keepsPrivate(t *testing.T, s *site, l *lines) {
	moving := func(i int) { b.control(fmt.Sprintf("Show Square=%d", i%2)) }
	for i := range 8 { // a clip is being recorded
		moving(i)
		time.Sleep(300 * time.Millisecond)
	}
	had := len(s.clips())
	l.drive("PRIVACY", true)
	b.await(10*time.Second, "the shutter to be closed", func() bool { return l.lit("SHUTTER") })
	b.is("privacy mode", func(st status) bool { return st.Privacy.Closed && st.Wires["privacy"] == "on" })
	s.happened(b, "privacy-on")
	pid := b.do(wire.Request{Op: wire.Status}).Number
	open := slices.ContainsFunc(b.do(wire.Request{Op: wire.List, Path: fmt.Sprintf("/proc/%d/fd", pid)}).Names, func(n string) bool { return strings.Contains(n, "/dev/video") })
	first, _ := b.status()
	sent := b.packets()
	for i := range 20 {
		moving(i)
		time.Sleep(time.Second)
	}
	grown := b.packets() - sent
	last, _ := b.status()
	frames := last.Camera.Frames - first.Camera.Frames
	row(t, "privacy switch", fmt.Sprintf("device open %t, %d frames and %d bytes of packets in 20 s of motion, %d clips", open, frames, grown, len(s.clips())-had),
		"sensor closed, 0 frames, < 16 KiB, no clip", !open && frames == 0 && grown < 16<<10 && len(s.clips()) == had && !last.troubled("camera-stalled") && last.Updated.After(first.Updated))
}

// staysPrivate starts the board anew, without its wires: what the switch said last holds. When the switch says otherwise the camera
// sees again, and what was recorded before is sent.
func (b *box) staysPrivate(t *testing.T, s *site) {
	b.restart()
	b.control("OSD Text Mode=2")
	b.do(wire.Request{Op: wire.Start, Args: []string{"/bin/nightjar", "run", "--config", "/state/nightjar.yml"}})
	b.is("privacy mode after the restart", func(st status) bool { return st.Hub.Connected && st.Privacy.Closed && st.troubled("wire-absent") })
	time.Sleep(10 * time.Second)
	dark, _ := b.status()
	b.wire(wired...) // all of them inactive
	b.is("frames when the switch is open", func(st status) bool { return !st.Privacy.Closed && st.Camera.Frames > 0 })
	s.happened(b, "privacy-off")
	by := b.run("/bin/nightjar", "privacy", "on", "--config", "/state/nightjar.yml") + b.run("/bin/nightjar", "privacy", "off", "--config", "/state/nightjar.yml")
	if by != "on: the sensor is closed, by local; nothing that shows a picture is sent\noff: the sensor is open\n" {
		t.Errorf("nightjar privacy says %q", by)
	}
	b.await(time.Minute, "the clip of before", func() bool { return len(s.clips()) > 0 })
	verdict := strings.Split(strings.TrimSpace(s.host("nightjarctl", "clips", "verify", "--store", s.path("hub"))), "\n")
	sound := verdict[len(verdict)-1]
	row(t, "privacy over a restart", fmt.Sprintf("%d frames before the switch said otherwise; then frames, and the clip of before; %s", dark.Camera.Frames, sound),
		"0 frames; the clip comes later, the chain verifies", dark.Camera.Frames == 0 && dark.Camera.Source != "" && strings.HasSuffix(sound, "all sound"))
}

// packets is how many bytes of packets the board's network has carried.
func (b *box) packets() int64 {
	b.t.Helper()
	info, err := os.Stat(filepath.Join(b.dir, "net.pcap"))
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Size()
}
