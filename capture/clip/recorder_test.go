// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/motion"
)

// outline is what a scenario expects of a clip.
type outline struct {
	First, Last uint64 // frames
	PreRoll     time.Duration
	Duration    time.Duration
	Continues   int // 1-based index of the clip it goes on from, 0 if none
}

func TestScenarios(t *testing.T) {
	const ms = time.Millisecond
	n := strings.Repeat
	for _, c := range []struct {
		name   string
		edit   func(*Config)
		script string
		want   []outline
	}{
		{"nothing moves", nil, n(".", 50), nil},
		{"a sign that comes to nothing", nil, n(".", 20) + "ooo" + n(".", 20), nil},
		{"pre-roll and post-roll", nil, n(".", 30) + "oom" + n(".", 20), []outline{{23, 37, 700 * ms, 1500 * ms, 0}}},
		{"no pre-roll and no post-roll", func(c *Config) { c.PreRoll, c.Margin, c.PostRoll = 0, 0, 0 },
			n(".", 30) + "oom" + n(".", 20), []outline{{30, 32, 0, 300 * ms, 0}}},
		{"onset between frames", func(c *Config) { c.PreRoll = 450 * ms }, n(".", 30) + "m" + n(".", 20),
			[]outline{{24, 35, 600 * ms, 1200 * ms, 0}}},
		{"motion from the start", nil, "m" + n(".", 20), []outline{{0, 5, 0, 600 * ms, 0}}},
		{"ring too small for the pre-roll", func(c *Config) { c.RingBytes = 4 * frameBytes },
			n(".", 30) + "oom" + n(".", 20), []outline{{29, 37, 100 * ms, 900 * ms, 0}}},
		{"motion in the post-roll goes on", nil, n(".", 30) + "m....m" + n(".", 20),
			[]outline{{23, 40, 700 * ms, 1800 * ms, 0}}},
		{"the next clip has its pre-roll, too", nil, n(".", 30) + "m" + n(".", 8) + "m" + n(".", 20),
			[]outline{{23, 35, 700 * ms, 1300 * ms, 0}, {32, 44, 700 * ms, 1300 * ms, 0}}},
		{"split", func(c *Config) { c.MaxLength = time.Second }, n("m", 25), []outline{
			{0, 9, 0, 1000 * ms, 0}, {10, 19, 0, 1000 * ms, 1}, {20, 24, 0, 500 * ms, 2}}},
		{"split in the pre-roll", func(c *Config) { c.MaxLength = 300 * ms }, n(".", 10) + "m", []outline{
			{3, 5, 700 * ms, 300 * ms, 0}, {6, 8, 400 * ms, 300 * ms, 1}, {9, 10, 100 * ms, 200 * ms, 2}}},
		{"stall while it moves", nil, n("m", 3) + "~" + n("m", 3), []outline{{0, 5, 0, 1600 * ms, 0}}},
		{"stall in the post-roll", func(c *Config) { c.PostRoll = 2 * time.Second }, "m.~.........." + n(".", 5),
			[]outline{{0, 10, 0, 2100 * ms, 0}}},
		{"stall at the end of motion", nil, "m.~~~~~~~~~~..", []outline{{0, 1, 0, 200 * ms, 0}}},
		{"stall over a split", func(c *Config) { c.MaxLength = 1150 * ms }, "mm~mm",
			[]outline{{0, 1, 0, 1200 * ms, 0}, {2, 3, 0, 200 * ms, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := shortConfig()
			if c.edit != nil {
				c.edit(&cfg)
			}
			bubble(t, cfg, func(t *testing.T, cam *camera) {
				cam.play(c.script)
				cam.finish()
				if d := cmp.Diff(c.want, outlines(t, cam.sink)); d != "" {
					t.Errorf("clips (-want +got)\n%s", d)
				}
				if len(cam.sink.lost) != 0 {
					t.Errorf("lost: %+v", cam.sink.lost)
				}
			})
		})
	}
}

// outlines reads all clips back. It fails the test where a frame is missing or double in the middle of one, or where the
// film and its summary differ.
func outlines(t *testing.T, sink *fakeSink) []outline {
	t.Helper()
	var all []outline
	index := map[string]int{"": 0}
	for i, o := range sink.clips {
		frames := o.frames(t)
		first, last := frames[0], frames[len(frames)-1]
		for j, f := range frames {
			if f.seq != first.seq+uint64(j) {
				t.Errorf("clip %d: frame %d comes after %d", i, f.seq, first.seq+uint64(j)-1)
			}
		}
		s := o.summary
		if want := ticks(s.Duration); last.at+last.last != want {
			t.Errorf("clip %d: the film lasts %d ticks, the summary says %d", i, last.at+last.last, want)
		}
		if !o.committed || o.aborted || s.Frames != len(frames) || s.Dropped != 0 || len(s.ContactSheet) == 0 {
			t.Errorf("clip %d: committed %v, aborted %v, %d frames, summary %+v", i, o.committed, o.aborted, len(frames), s)
		}
		if d := cmp.Diff(o.start, s.Start); d != "" {
			t.Errorf("clip %d: start changed (-want +got)\n%s", i, d)
		}
		from, known := index[s.Continues]
		if !known {
			t.Errorf("clip %d continues %q", i, s.Continues)
		}
		index[s.ID] = i + 1
		all = append(all, outline{first.seq, last.seq, s.PreRoll, s.Duration, from})
	}
	return all
}

func TestSummary(t *testing.T) {
	bubble(t, shortConfig(), func(t *testing.T, c *camera) {
		c.play("..........mmm.m......")
		c.finish()
		s := c.sink.clips[0].summary
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(s.ID) {
			t.Errorf("id %q", s.ID)
		}
		if want := epoch.Add(300 * time.Millisecond); s.PTS != 300*time.Millisecond || !s.Wall.Time.Equal(want) {
			t.Errorf("starts at %v, %v; want 300ms, %v", s.PTS, s.Wall, want)
		}
		if s.Width != width || s.Height != height {
			t.Errorf("size %dx%d", s.Width, s.Height)
		}
		if s.Peak != 0.015 || s.Why != motion.Moving {
			t.Errorf("peak %g, why %q", s.Peak, s.Why)
		}
		if d := cmp.Diff([]string{"door"}, s.Zones); d != "" {
			t.Errorf("zones (-want +got)\n%s", d)
		}
		sample := func(n int) Sample {
			return Sample{time.Duration(n-3) * interval, float64(n+1) / 1000, []motion.Box{{X1: 1, Y1: float64(n)}}}
		}
		// Five samples a second are enough.
		if d := cmp.Diff([]Sample{sample(10), sample(12), sample(14)}, s.Track); d != "" {
			t.Errorf("track (-want +got)\n%s", d)
		}
	})
}

// Both ways of ending close the clip that is open; frames that come later are not taken.
func TestEndOfInput(t *testing.T) {
	for name, end := range map[string]func(*camera){
		"finish": func(c *camera) { c.Finish(); c.Finish() },
		"cancel": func(c *camera) { c.cancel() },
		"both":   func(c *camera) { c.cancel(); c.Finish() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, shortConfig(), func(t *testing.T, c *camera) {
				c.encoders.gate = make(chan struct{})
				c.play("..........mm")
				end(c)
				synctest.Wait()
				c.play("mmm")
				close(c.encoders.gate)
				<-c.Done()
				want := []outline{{3, 11, 700 * time.Millisecond, 900 * time.Millisecond, 0}}
				if d := cmp.Diff(want, outlines(t, c.sink)); d != "" {
					t.Errorf("clips (-want +got)\n%s", d)
				}
			})
		})
	}
}

func TestEndWithoutMotion(t *testing.T) {
	bubble(t, shortConfig(), func(t *testing.T, c *camera) {
		c.finish()
		if len(c.sink.clips)+len(c.sink.lost) != 0 {
			t.Errorf("clips %v, lost %v", c.sink.clips, c.sink.lost)
		}
	})
}
