// SPDX-License-Identifier: Apache-2.0

package clip

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// Whatever fails, and however slow encoder and sink are: each frame that belongs into a clip is in one clip, or is declared.
func TestEveryFrameIsAccountedFor(t *testing.T) {
	dropped, failed := 0, 0
	for seed := range uint64(100) {
		a := account(t, seed)
		if missing := a.expected - a.recorded - a.lost; missing != 0 {
			t.Errorf("seed %d: %d frames are neither recorded nor declared", seed, missing)
		}
		if a.lossless && a.healthy && a.lost > 0 {
			t.Errorf("seed %d: lossless recording lost %d frames", seed, a.lost)
		}
		dropped += a.reasons[LostOverflow]
		failed += a.reasons[LostEncoder] + a.reasons[LostStorage]
	}
	// The check can fail: without the declarations the sums would not agree.
	if dropped == 0 || failed == 0 {
		t.Errorf("%d frames dropped, %d in clips that failed: the scenarios are too easy", dropped, failed)
	}
}

// accounts are what became of the frames of one scenario.
type accounts struct {
	expected, recorded, lost int
	reasons                  map[string]int // frames
	lossless, healthy        bool
}

// account plays a random scenario. There is no pre-roll, so that no frame belongs into two clips.
func account(t *testing.T, seed uint64) accounts {
	rng := rand.New(rand.NewPCG(seed, 1))
	chance := []float64{0, 0.002, 0.02}[rng.IntN(3)]
	slow := time.Duration(rng.IntN(150)) * time.Millisecond
	a := accounts{lossless: rng.IntN(3) == 0, healthy: chance == 0, reasons: map[string]int{}}
	cfg := Config{
		PostRoll:  time.Duration(rng.IntN(10)) * interval,
		MaxLength: time.Duration(1+rng.IntN(5)) * time.Second,
		RingBytes: int64(5+rng.IntN(40)) * frameBytes,
		Lossless:  a.lossless,
	}
	bubble(t, cfg, func(t *testing.T, c *camera) {
		fate := rand.New(rand.NewPCG(seed, 2)) // the recorder's own: it runs beside the camera
		fail := func(op string) error {
			time.Sleep(slow)
			if fate.Float64() < chance {
				return fmt.Errorf("%s: %w", op, errFake)
			}
			return nil
		}
		c.encoders.fail, c.sink.fail = fail, fail
		moving, last := false, -time.Hour
		for range 300 {
			if rng.IntN(20) == 0 {
				moving = !moving
				c.onset = c.pts
			}
			f := newFrame(t, c.pool, c.seq, c.pts)
			c.Push(f, motion.Result{Motion: moving, Onset: c.onset})
			f.Release()
			if moving {
				last = c.pts
			}
			if c.pts-last <= cfg.PostRoll {
				a.expected++
			}
			c.seq++
			c.pts += interval
			time.Sleep(interval)
		}
		c.finish()
		seen := map[uint64]bool{}
		for _, o := range c.sink.committed() {
			for _, f := range o.frames(t) {
				if seen[f.seq] {
					t.Errorf("seed %d: frame %d is in two clips", seed, f.seq)
				}
				seen[f.seq] = true
			}
		}
		a.recorded, a.lost = len(seen), c.sink.lostFrames()
		for _, l := range c.sink.lost {
			a.reasons[l.Reason] += l.Frames
			if l.To.Time.Before(l.From.Time) || l.Frames < 1 {
				t.Errorf("seed %d: loss %+v", seed, l)
			}
		}
	})
	return a
}

// Frames that the source dropped in the middle of a clip are missing in it as well; those in front of it are not.
func TestSourceDropsAreCounted(t *testing.T) {
	bubble(t, shortConfig(), func(t *testing.T, c *camera) {
		c.play("..........")
		c.seq += 100
		c.play(".........mm")
		c.seq += 3
		c.play("m.........")
		c.finish()
		if n := c.sink.clips[0].summary.Dropped; n != 3 {
			t.Errorf("%d frames dropped, want 3", n)
		}
	})
}

// While the recorder hangs, motion that comes and goes does not fill the memory, nor the sink with losses.
func TestWaitingSegmentsAreBounded(t *testing.T) {
	cfg := shortConfig()
	cfg.PreRoll, cfg.Margin, cfg.PostRoll, cfg.RingBytes = 0, 0, 0, 20*frameBytes
	bubble(t, cfg, func(t *testing.T, c *camera) {
		c.encoders.gate = make(chan struct{})
		for range 1000 {
			c.play("m.")
		}
		close(c.encoders.gate)
		c.finish()
		const most = 20 // segments that wait, and a few more
		if n := len(c.sink.lost); n > most {
			t.Errorf("%d losses declared, want at most %d", n, most)
		}
		recorded := 0
		for _, o := range c.sink.committed() {
			recorded += len(o.frames(t))
		}
		if all := recorded + c.sink.lostFrames(); all < 1000 {
			t.Errorf("%d frames recorded or declared, of 1000 with motion", all)
		}
	})
}

// The camera stalls for a day while something moves: film and summary still say the same.
func TestDayLongStall(t *testing.T) {
	bubble(t, shortConfig(), func(t *testing.T, c *camera) {
		c.play("mmm")
		synctest.Wait()
		c.pts += 24 * time.Hour
		c.play("mmm")
		c.finish()
		got := outlines(t, c.sink) // compares the durations
		if len(got) != 2 || got[0].Last != 2 || got[1].First != 3 {
			t.Errorf("clips %+v, want frames 0 to 2 and 3 to 5", got)
		}
	})
}
