// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/motion"
)

// One failure costs the clip that was open, which is declared once; after a pause the same motion is recorded on, and every
// frame is either in a clip or declared.
func TestFailure(t *testing.T) {
	for _, c := range []struct {
		op, reason string
		lost       int // frames
		aborted    bool
	}{
		{"new", LostEncoder, 1, false},
		{"encode", LostEncoder, 1, true},
		{"create", LostStorage, 1, false},
		{"write", LostStorage, 1, true},
		{"commit", LostStorage, 21, false}, // the clip and the frame that it ended at
	} {
		t.Run(c.op, func(t *testing.T) {
			cfg := shortConfig()
			cfg.MaxLength = 2 * time.Second
			bubble(t, cfg, func(t *testing.T, cam *camera) {
				fail := failOnce(c.op)
				cam.encoders.fail, cam.sink.fail = fail, fail
				const frames = 70
				cam.play(strings.Repeat("m", frames))
				cam.finish()

				if len(cam.sink.lost) != 1 {
					t.Fatalf("declared %d times: %+v", len(cam.sink.lost), cam.sink.lost)
				}
				l := cam.sink.lost[0]
				if l.Reason != c.reason || l.Frames != c.lost || len(l.Clip) != 32 {
					t.Errorf("lost %+v, want reason %s and %d frames", l, c.reason, c.lost)
				}
				until := epoch.Add(time.Duration(c.lost-1) * interval)
				if !l.From.Time.Equal(epoch) || !l.To.Time.Equal(until) {
					t.Errorf("lost from %v to %v, want %v to %v", l.From.Time, l.To.Time, epoch, until)
				}
				next := uint64(c.lost)
				for _, o := range cam.sink.committed() {
					if o.start.ID == l.Clip {
						t.Error("the clip declared lost was committed")
					}
					for _, f := range o.frames(t) {
						if f.seq != next {
							t.Fatalf("frame %d, want %d", f.seq, next)
						}
						next++
					}
				}
				if next != frames {
					t.Errorf("recorded up to frame %d, want %d", next, frames)
				}
				if !cam.sink.committed()[0].start.Wall.Time.Equal(until.Add(interval)) {
					t.Error("the next clip does not begin behind the lost one")
				}
				if first := cam.sink.clips[0]; first.aborted != c.aborted || (c.aborted && first.start.ID != l.Clip) {
					t.Errorf("aborted %v, want %v; clip %s, lost %s", first.aborted, c.aborted, first.start.ID, l.Clip)
				}
			})
		})
	}
}

// The pauses double up to a minute, and begin anew after a success.
func TestPauses(t *testing.T) {
	cfg := shortConfig()
	cfg.RingBytes, cfg.MaxLength = 5*frameBytes, time.Hour
	bubble(t, cfg, func(t *testing.T, c *camera) {
		began, working := time.Now(), false
		var tries []time.Duration
		c.encoders.fail = func(op string) error {
			if op != "new" || working {
				return nil
			}
			tries = append(tries, time.Since(began).Round(time.Second))
			return errFake
		}
		c.play(strings.Repeat("m", 2000))
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183}
		for i := range want {
			want[i] *= time.Second
		}
		if d := cmp.Diff(want, tries); d != "" {
			t.Errorf("tries (-want +got)\n%s", d)
		}
		working = true
		c.play(strings.Repeat("m", 600) + strings.Repeat(".", 10))
		if len(c.sink.committed()) != 1 {
			t.Fatalf("clips %+v", c.sink.clips)
		}
		working, began, tries = false, time.Now(), nil
		c.play(strings.Repeat("m", 20))
		if d := cmp.Diff([]time.Duration{0, time.Second}, tries); d != "" {
			t.Errorf("tries after a success (-want +got)\n%s", d)
		}
	})
}

// When the input has ended, a failure gives up what is left: it ends neither in a pause nor in a loss for each frame.
func TestEndInFailure(t *testing.T) {
	for name, during := range map[string]func(*camera){
		"in the pause": func(*camera) {},
		"while it records": func(c *camera) {
			c.encoders.gate = make(chan struct{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, shortConfig(), func(t *testing.T, c *camera) {
				during(c)
				c.encoders.fail = func(op string) error {
					if op == "encode" {
						return errFake
					}
					return nil
				}
				c.play(strings.Repeat("m", 5)) // shorter than the pause
				began := time.Now()
				c.Finish()
				if c.encoders.gate != nil {
					close(c.encoders.gate)
				}
				<-c.Done()
				if took := time.Since(began); took != 0 {
					t.Errorf("ended after %v", took)
				}
				if n := c.sink.lostFrames(); n != 5 || len(c.sink.lost) > 3 {
					t.Errorf("%d frames declared lost in %d losses, want 5 in 3 at most: %+v", n, len(c.sink.lost), c.sink.lost)
				}
			})
		})
	}
}

// While the encoder stands still Push goes on; the ring drops frames, once declared, and counted in the clip.
func TestOverflow(t *testing.T) {
	cfg := shortConfig()
	cfg.RingBytes = 10 * frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.encoders.gate = make(chan struct{})
		c.play(strings.Repeat("m", 40)) // would never return if Push waited
		if n := c.ring.len(); n != 10 {
			t.Errorf("%d frames in the ring, want 10", n)
		}
		close(c.encoders.gate)
		synctest.Wait()
		c.play("mmm")
		c.finish()
		o := c.sink.clips[0]
		var got []uint64
		for _, f := range o.frames(t) {
			got = append(got, f.seq)
		}
		// Frame 0 was with the encoder, the ten newest in the ring.
		want := []uint64{0, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("frames (-want +got)\n%s", d)
		}
		if o.summary.Dropped != 29 || o.summary.Frames != 14 || o.summary.Duration != 43*interval {
			t.Errorf("summary %+v", o.summary)
		}
		loss := Loss{LostOverflow, o.start.ID, o.start.Wall, o.start.Wall, 29}
		loss.From.Time, loss.To.Time = epoch.Add(interval), epoch.Add(29*interval)
		if d := cmp.Diff([]Loss{loss}, c.sink.lost); d != "" {
			t.Errorf("lost (-want +got)\n%s", d)
		}
	})
}

// An encoder that is always too slow costs one declaration for the clip, not one for each frame.
func TestSlowEncoder(t *testing.T) {
	cfg := shortConfig()
	cfg.RingBytes = 5 * frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.encoders.fail = func(op string) error {
			if op == "encode" {
				time.Sleep(3 * interval)
			}
			return nil
		}
		c.play(strings.Repeat("m", 90))
		c.finish()
		if len(c.sink.clips) != 1 || len(c.sink.lost) != 1 {
			t.Fatalf("%d clips, %d losses", len(c.sink.clips), len(c.sink.lost))
		}
		s := c.sink.clips[0].summary
		if s.Dropped < 50 || s.Frames+s.Dropped != 90 || c.sink.lost[0].Frames != s.Dropped {
			t.Errorf("%d frames, %d dropped, %d declared", s.Frames, s.Dropped, c.sink.lost[0].Frames)
		}
	})
}

// Motion that comes and goes while recording pauses is declared when it was dropped; quiet frames are not.
func TestLostInPause(t *testing.T) {
	cfg := shortConfig()
	cfg.PreRoll, cfg.Margin, cfg.PostRoll, cfg.RingBytes = 0, 0, 0, 4*frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.sink.fail = failOnce("create")
		c.play("m.mm......" + "....m..")
		c.finish()
		var got []Loss
		for _, l := range c.sink.lost {
			got = append(got, Loss{Reason: l.Reason, Frames: l.Frames})
		}
		if d := cmp.Diff([]Loss{{Reason: LostStorage, Frames: 1}, {Reason: LostOverflow, Frames: 2}}, got); d != "" {
			t.Errorf("lost (-want +got)\n%s", d)
		}
		want := []outline{{14, 14, 0, interval, 0}}
		if d := cmp.Diff(want, outlines(t, c.sink)); d != "" {
			t.Errorf("clips (-want +got)\n%s", d)
		}
	})
}

// A lossless recorder makes the source wait for the encoder; nothing is lost, though the ring is tiny.
func TestLossless(t *testing.T) {
	cfg := shortConfig()
	cfg.Lossless, cfg.RingBytes = true, 5*frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.encoders.gate = make(chan struct{})
		played := make(chan struct{})
		go func() { defer close(played); c.play(".........." + strings.Repeat("m", 40)) }()
		time.Sleep(time.Minute)
		select {
		case <-played:
			t.Error("Push did not wait for the encoder")
		default:
		}
		close(c.encoders.gate)
		<-played
		c.finish()
		want := []outline{{6, 49, 4 * interval, 44 * interval, 0}}
		if d := cmp.Diff(want, outlines(t, c.sink)); d != "" {
			t.Errorf("clips (-want +got)\n%s", d)
		}
		if len(c.sink.lost) != 0 {
			t.Errorf("lost %+v", c.sink.lost)
		}
	})
}

// The end wakes a Push that waits, and does not take its frame.
func TestLosslessEnd(t *testing.T) {
	cfg := shortConfig()
	cfg.Lossless, cfg.RingBytes = true, 5*frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.encoders.gate = make(chan struct{})
		played := make(chan struct{})
		go func() { defer close(played); c.play(strings.Repeat("m", 40)) }()
		time.Sleep(time.Minute)
		c.cancel()
		<-played
		close(c.encoders.gate)
		<-c.Done()
		want := []outline{{0, 5, 0, 6 * interval, 0}}
		if d := cmp.Diff(want, outlines(t, c.sink)); d != "" {
			t.Errorf("clips (-want +got)\n%s", d)
		}
	})
}

// A clip that is committed is no loss, whatever the encoder says when it is closed.
func TestCloseFails(t *testing.T) {
	bubble(t, shortConfig(), func(t *testing.T, c *camera) {
		inner := c.encode
		c.encode = func(f capture.Format) (Encoder, error) {
			e, err := inner(f)
			return failingClose{e}, err
		}
		c.play("m........m")
		c.finish()
		if len(c.sink.committed()) != 2 || len(c.sink.lost) != 0 {
			t.Errorf("%d clips, lost %+v", len(c.sink.committed()), c.sink.lost)
		}
	})
}

type failingClose struct{ Encoder }

func (f failingClose) Close() error { return errors.Join(f.Encoder.Close(), errFake) }

// In real time: frame path, recorder and end at the same time, for the race detector.
func TestConcurrent(t *testing.T) {
	pool := capture.NewPool(width, height, 64)
	cfg := shortConfig()
	cfg.Lossless, cfg.RingBytes = true, 20*frameBytes
	sink, encoders := &fakeSink{}, &fakeEncoders{}
	r := NewRecorder(cfg, format, encoders.new, sink, quietLog)
	go r.Run(t.Context())
	const frames = 2000
	for seq := range uint64(frames) {
		f, _ := pool.Wait(nil)
		f.Seq, f.PTS = seq, time.Duration(seq)*interval
		r.Push(f, motion.Result{Motion: seq%5 == 0, Onset: f.PTS, Boxes: []motion.Box{{}}})
		f.Release()
	}
	r.Finish()
	<-r.Done()
	if got := outlines(t, sink); len(got) != 4 || got[3].Last != frames-1 {
		t.Errorf("clips %+v", got)
	}
	if pool.Free() != pool.Frames() || encoders.open != 0 {
		t.Errorf("%d frames, %d encoders not given back", pool.Frames()-pool.Free(), encoders.open)
	}
}
