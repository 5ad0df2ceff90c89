// SPDX-License-Identifier: Apache-2.0

package box

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
)

const vivid = "camera:\n  source: v4l2\n  width: 640\n  height: 360\n  rate: 30\n"

// control sets a knob of the virtual camera, with the agent's own command.
func (b *box) control(values ...string) {
	b.t.Helper()
	b.run(append([]string{"/bin/nightjar", "camera", "controls", "/dev/video0"}, values...)...)
}

// TestCamera is a camera's first day, on a board whose clock begins in 1970.
func TestCamera(t *testing.T) {
	needBox(t)
	s := newSite(t)
	b := boot(t, logs(t), "1970-01-01T00:00:00")
	s.enrol(b)
	b.control("OSD Text Mode=2") // or the text in the picture would move
	if !t.Run("first frame", func(t *testing.T) { b.firstFrame(t) }) {
		return
	}
	t.Run("clock", func(t *testing.T) { b.clockOf1970(t) })
	t.Run("clip", func(t *testing.T) { b.clipArrives(t, s) })
	t.Run("rate", func(t *testing.T) { b.holdsItsRate(t) })
	t.Run("errors", func(t *testing.T) { b.survivesErrors(t) })
	t.Run("restart", func(t *testing.T) { b.restarts(t, s) })
}

// logs is the scenario's folder: console, packets and disk stay for who looks for a mistake.
func logs(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(built, "logs", t.Name()))
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (b *box) firstFrame(t *testing.T) {
	b.start(vivid)
	var st status
	b.await(2*time.Minute, "the first frame", func() bool {
		var ok bool
		st, ok = b.status()
		return ok && st.Camera.Frames > 0
	})
	took := b.uptime() - b.up // with enrolment in between
	row(t, "from init to frames", fmt.Sprintf("%.1f s, with enrolment; init after %.1f s", took.Seconds(), b.up.Seconds()), "<= 10 s of the board's time", took <= 10*time.Second)
}

func (b *box) clockOf1970(t *testing.T) {
	var st status
	b.await(time.Minute, "a session with the hub", func() bool {
		st, _ = b.status()
		return st.Hub.Connected && st.Clock == "hub"
	})
	row(t, "clock at 1970", fmt.Sprintf("connected, it is %d by the %s", st.Updated.Year(), st.Clock), "connects; the time is the hub's, and says so", st.Updated.Year() >= 2026)
}

// clipArrives makes something move, and opens what arrives with age as anybody may.
func (b *box) clipArrives(t *testing.T, s *site) {
	b.await(time.Minute, "the end of the detector's learning", func() bool {
		st, _ := b.status()
		return st.Camera.Frames > 300
	})
	for i := 0; len(s.clips()) == 0; i++ {
		if i == 120 {
			t.Fatalf("no clip in a minute of motion\n%s", b.qemu.Tail())
		}
		b.control(fmt.Sprintf("Show Square=%d", i%2))
		time.Sleep(500 * time.Millisecond)
	}
	id := s.clips()[0]
	film := s.path("clip.mp4")
	sealed := filepath.Join(s.path("hub"), "devices", "porch", "clips", id+".mp4.age")
	program(t, "age", "-d", "-i", s.path("owner.key"), "-o", film, sealed)
	probe := program(t, "ffprobe", "-v", "error", "-select_streams", "v", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", film)
	probe = strings.TrimSpace(probe)
	row(t, "motion, hub, age", "stream "+probe, "a clip of 640x360 that age opens", strings.HasPrefix(probe, "h264,640,360,"))
}

// holdsItsRate watches for a minute. The board is emulated: where the host has no time for it, it stands still, and another minute
// counts; the figure names all of them.
func (b *box) holdsItsRate(t *testing.T) {
	var minutes []string
	held := false
	for n := 0; n < 3 && !held; n++ {
		first, ok := b.status()
		if !ok {
			t.Fatal("no status")
		}
		time.Sleep(66 * time.Second) // the status is up to 5 s old
		last, _ := b.status()
		seconds := last.Updated.Sub(first.Updated).Seconds()
		frames, dropped := last.Camera.Frames-first.Camera.Frames, last.Camera.Dropped-first.Camera.Dropped
		minutes = append(minutes, fmt.Sprintf("%d frames in %.0f s, %d lost", frames, seconds, dropped))
		held = dropped == 0 && seconds >= 60 && float64(frames) >= 29*seconds
	}
	speed("640x360 at 30 frames a second", strings.Join(minutes, "; "), "0 lost in 60 s, at 29 or more", held)
}

// survivesErrors injects broken buffers, and takes the camera away and back.
func (b *box) survivesErrors(t *testing.T) {
	const cycles = 20
	before, _ := b.status()
	for range 5 {
		b.control("Inject V4L2_BUF_FLAG_ERROR=1")
	}
	b.await(20*time.Second, "frames after broken buffers", func() bool {
		st, ok := b.status()
		return ok && st.Camera.Frames > before.Camera.Frames+30
	})
	descriptors, pid := b.descriptors(), b.do(wire.Request{Op: wire.Status}).Number
	var worst time.Duration
	for range cycles {
		seen := strings.Count(b.log(), frameAgain)
		b.control("Disconnect=1")
		gone := b.uptime()
		b.await(time.Minute, "the camera to be back", func() bool { return strings.Count(b.log(), frameAgain) > seen })
		worst = max(worst, b.uptime()-gone)
	}
	time.Sleep(2 * time.Second)
	after := b.descriptors()
	row(t, "unplugged and back", fmt.Sprintf("%d times, at most %.1f s; descriptors %d, then %d", cycles, worst.Seconds(), descriptors, after),
		"back within 5 s, the same agent, no descriptor lost",
		worst <= 5*time.Second && after <= descriptors+2 && b.do(wire.Request{Op: wire.Status}).Number == pid)
}

// frameAgain is what the agent says when the camera gives frames again.
const frameAgain = "code=camera-back"

// descriptors is how many the agent has open.
func (b *box) descriptors() int {
	b.t.Helper()
	pid := b.do(wire.Request{Op: wire.Status}).Number
	return len(b.do(wire.Request{Op: wire.List, Path: fmt.Sprintf("/proc/%d/fd", pid)}).Names)
}

// restarts starts the board anew: keys, chain and clips are there, and a new clip comes.
func (b *box) restarts(t *testing.T, s *site) {
	had := len(s.clips())
	b.restart()
	b.control("OSD Text Mode=2")
	b.do(wire.Request{Op: wire.Start, Args: []string{"/bin/nightjar", "run", "--config", "/state/nightjar.yml"}})
	b.await(2*time.Minute, "a session with the hub after the restart", func() bool {
		st, ok := b.status()
		return ok && st.Hub.Connected && st.Camera.Frames > 300
	})
	for i := 0; len(s.clips()) <= had; i++ {
		if i == 120 {
			t.Fatalf("no clip in a minute of motion after the restart\n%s", b.qemu.Tail())
		}
		b.control(fmt.Sprintf("Show Square=%d", i%2))
		time.Sleep(500 * time.Millisecond)
	}
	verdict := s.host("nightjarctl", "clips", "verify", "--store", s.path("hub"))
	lines := strings.Split(strings.TrimSpace(verdict), "\n")
	row(t, "restart of the board", "connects, records; "+lines[len(lines)-1], "the chain goes on and verifies", strings.HasSuffix(lines[len(lines)-1], "all sound"))
}
