// SPDX-License-Identifier: Apache-2.0

package ota

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nightjar-cam/nightjar/ota/block/blocktest"
	"github.com/nightjar-cam/nightjar/ota/internal/row"
	"github.com/nightjar-cam/nightjar/ota/slot/slottest"
	"github.com/nightjar-cam/nightjar/ota/state"
)

// kinds are all boot loaders that an update is cut on.
func kinds() []slottest.Kind {
	return []slottest.Kind{slottest.Simulator(false, true), slottest.Simulator(true, false)}
}

// size is how much is done under `go test`, `make ota-faults` and with NIGHTJAR_FAULTS=long.
func size(test, ci, long int) int {
	switch os.Getenv("NIGHTJAR_FAULTS") {
	case "":
		return test
	case "long":
		return long
	}
	return ci
}

// tally counts what was seen on the way.
type tally struct {
	mu                        sync.Mutex
	states, pairs, old, new   int
	boots, hidden             int // most boots to rest; the same where a firmware that panics is hidden by a volatile flag
	bricks, unverified, wrong []string
}

func (c *tally) bad(err error, where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch where = fmt.Sprintf("%s: %v", where, err); {
	case errors.Is(err, errBrick):
		c.bricks = append(c.bricks, where)
	case errors.Is(err, errUnverified):
		c.unverified = append(c.unverified, where)
	default:
		c.wrong = append(c.wrong, where)
	}
}

func (c *tally) report(t *testing.T) {
	for _, list := range [][]string{c.bricks, c.unverified, c.wrong} {
		for _, s := range list[:min(len(list), 5)] {
			t.Error(s)
		}
		if len(list) > 5 {
			t.Errorf("... and %d more", len(list)-5)
		}
	}
}

func (c *tally) figure() string {
	return fmt.Sprintf("%d states: %d bricks, %d unverified, %d neither old nor new; %d old, %d new, at most %d boots (%d when it panics under a volatile flag)",
		c.states, len(c.bricks), len(c.unverified), len(c.wrong), c.old, c.new, c.boots, c.hidden)
}

// settle brings a board, whose power is back, to rest, and has it install another release: both have to end well.
func (c *tally) settle(b *board, where string) {
	runs, err := b.live(newerImage)
	boots := b.boots
	if err == nil && runs != oldImage && (runs != newerImage || b.is[newerImage] != works) {
		err = fmt.Errorf("%s runs", runs.rel.Version)
	}
	if err != nil {
		c.bad(err, where)
		return
	}
	b.boots = 0
	if last, err := b.live(thirdImage); err != nil || last != thirdImage {
		c.bad(fmt.Errorf("the next update did not succeed: %w", err), where)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states++
	if b.is[newerImage] == panics && b.b.Backend(0).Caps().Volatile {
		c.hidden = max(c.hidden, boots)
	} else {
		c.boots = max(c.boots, boots)
	}
	if runs == oldImage {
		c.old++
	} else {
		c.new++
	}
}

// losses calls f with each disk that a cut may leave of d: any of what was not synced, in part. Beyond limit they are drawn.
func losses(d *blocktest.Disk, limit int, rng *rand.Rand, f func(after *blocktest.Disk, how string)) {
	n := len(d.Pending())
	each := func(keep func(i int) bool, how string) {
		for _, torn := range []int{0, 1 + rng.IntN(511)} {
			after := d.Clone()
			after.PowerLoss(keep, torn)
			f(after, fmt.Sprintf("kept %s, torn %d", how, torn))
		}
	}
	if n < 31 && 1<<n <= limit {
		for mask := range 1 << n {
			each(func(i int) bool { return mask>>i&1 == 1 }, fmt.Sprintf("%b", mask))
		}
		return
	}
	for range limit {
		kept := make([]bool, n)
		for i := range kept {
			kept[i] = rng.IntN(2) == 0
		}
		each(func(i int) bool { return kept[i] }, fmt.Sprint(kept))
	}
}

// TestCuts cuts the power after each sector of an update, from the first byte to the commit, leaves of what was not synced any part, and
// lets the board live on. A share of them is cut again on the way back.
func TestCuts(t *testing.T) {
	limit, again := size(32, 300, 6000), size(200, 60, 60)
	var all tally
	t.Run("all", func(t *testing.T) {
		for _, k := range kinds() {
			for _, is := range []kind{works, panics, blind} {
				t.Run(fmt.Sprintf("%s/%d", k.Name, is), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { cutAll(t, &all, k, is, limit, again) })
				})
			}
		}
	})
	all.report(t)
	row.Print(t, "updates cut at every sector, torn, reordered", all.figure(), fmt.Sprintf(">= %d states; no brick, only verified bytes, old or new, <= 3 boots, the next update succeeds", size(1000, 50_000, 1_000_000)),
		all.states >= size(1000, 50_000, 1_000_000) && len(all.bricks)+len(all.unverified)+len(all.wrong) == 0 && all.old > 0 && all.new > 0 && all.boots <= 3)
	row.Print(t, "cut again while it recovers", fmt.Sprintf("%d pairs", all.pairs), fmt.Sprintf(">= %d pairs, no brick", size(100, 5000, 100_000)), all.pairs >= size(100, 5000, 100_000))
}

// TestFewCuts is a sample of TestCuts.
func TestFewCuts(t *testing.T) {
	var all tally
	for _, k := range kinds() {
		synctest.Test(t, func(t *testing.T) { cutAll(t, &all, k, works, 4, 1000) })
	}
	all.report(t)
}

func cutAll(t *testing.T, all *tally, k slottest.Kind, is kind, limit, again int) {
	rng := rand.New(rand.NewPCG(uint64(is), 1))
	base, err := newBoard(k)
	if err != nil {
		t.Fatal(err)
	}
	base.is[newerImage] = is
	seen := map[[32]byte]bool{}
	for at := 0; ; at++ {
		b := base.after(base.d.Clone())
		b.d.CutAfter(at)
		_, err := b.live(newerImage)
		if !errors.Is(err, blocktest.ErrCut) {
			if err != nil {
				t.Fatalf("an update without a cut: %v", err)
			}
			break // at is behind the last sector
		}
		losses(b.d, limit, rng, func(d *blocktest.Disk, how string) {
			sum := sha256.Sum256(d.Medium())
			if seen[sum] {
				return // another cut left the same disk
			}
			seen[sum] = true
			where := fmt.Sprintf("%s, new firmware %d, cut after %d sectors, %s", k.Name, is, at, how)
			all.settle(base.after(d.Clone()), where)
			if len(seen)%again == 0 {
				cutAgain(all, base.after(d), where, rng)
			}
		})
	}
}

// cutAgain cuts the power at each sector of what a board does after a cut.
func cutAgain(all *tally, first *board, where string, rng *rand.Rand) {
	for at := 0; ; at++ {
		b := first.after(first.d.Clone())
		b.d.CutAfter(at)
		if _, err := b.live(newerImage); !errors.Is(err, blocktest.ErrCut) {
			return
		}
		losses(b.d, 4, rng, func(d *blocktest.Disk, how string) {
			all.mu.Lock()
			all.pairs++
			all.mu.Unlock()
			all.settle(first.after(d), fmt.Sprintf("%s; again after %d sectors, %s", where, at, how))
		})
	}
}

// TestFailingCard fails each write and each sync of an update, once and from then on: what runs goes on running, and with a good card
// the update succeeds.
func TestFailingCard(t *testing.T) {
	var all tally
	synctest.Test(t, func(t *testing.T) {
		for _, k := range kinds() {
			for _, op := range []string{"write", "sync"} {
				for _, forever := range []bool{false, true} {
					failAll(t, &all, k, op, forever)
				}
			}
		}
	})
	all.report(t)
	row.Print(t, "each write and each sync of an update fails", all.figure(), "no brick, only verified bytes, old or new, the next update succeeds", all.states > 100 && len(all.bricks)+len(all.unverified)+len(all.wrong) == 0)
}

func failAll(t *testing.T, all *tally, k slottest.Kind, op string, forever bool) {
	for at := 0; ; at++ {
		b, err := newBoard(k)
		if err != nil {
			t.Fatal(err)
		}
		count, hit := 0, false
		b.d.Fail = func(o string, _ int) error {
			if o != op {
				return nil
			}
			if count++; count-1 == at || forever && count > at {
				hit = true
				return []error{blocktest.ErrIO, errNoSpace}[at%2]
			}
			return nil
		}
		_, err = b.live(newerImage)
		where := fmt.Sprintf("%s, %s %d fails, forever %t", k.Name, op, at, forever)
		if errors.Is(err, errBrick) || errors.Is(err, errUnverified) || errors.Is(err, errLivelock) {
			all.bad(err, where)
		}
		if !hit {
			return
		}
		b.d.Fail = nil
		b.d.PowerLoss(func(int) bool { return true }, 0)
		all.settle(b.after(b.d), where)
	}
}

var errNoSpace = errors.New("no space left on device")

// TestFlips flips a bit anywhere, in each phase of an update, and cuts the power: no byte that was not verified is started.
func TestFlips(t *testing.T) {
	var all tally
	synctest.Test(t, func(t *testing.T) { flipAll(t, &all, int64(size(37, 3, 1))) })
	all.report(t)
	row.Print(t, "a bit of the card flips during an update", all.figure(), "no brick, only verified bytes, old or new, the next update succeeds", all.states > 100 && len(all.bricks)+len(all.unverified)+len(all.wrong) == 0)
}

// TestFewFlips is a sample of TestFlips.
func TestFewFlips(t *testing.T) {
	var all tally
	synctest.Test(t, func(t *testing.T) { flipAll(t, &all, 97) })
	all.report(t)
}

// flipAll flips one bit in each of so many bytes.
func flipAll(t *testing.T, all *tally, step int64) {
	for _, k := range kinds() {
		phases := phaseDisks(t, k)
		for _, name := range slices.Sorted(maps.Keys(phases)) {
			d := phases[name]
			base, _ := newBoard(k)
			inactive := inactiveSlot(base.after(d.Clone()))
			for off := int64(0); off < d.Size(); off += step {
				if off < k.Size && k.Fragile != nil && k.Fragile(off) {
					continue // there is one copy of the selector
				}
				if off >= k.Size+state.Size && !inactive(off) {
					continue // what runs: its own verity is for that
				}
				flipped := d.Clone()
				flipped.Flip(off, uint(off>>3))
				all.settle(base.after(flipped), fmt.Sprintf("%s, %s, a bit of byte %d", k.Name, name, off))
			}
		}
	}
}

// phaseDisks are the disks that are there when a cut comes in each phase of an update.
func phaseDisks(t *testing.T, k slottest.Kind) map[string]*blocktest.Disk {
	disks := map[string]*blocktest.Disk{}
	base, err := newBoard(k)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; at++ {
		b := base.after(base.d.Clone())
		b.d.CutAfter(at)
		if _, err := b.live(newerImage); !errors.Is(err, blocktest.ErrCut) {
			return disks
		}
		b.d.PowerLoss(func(int) bool { return true }, 0)
		u, err := b.updater(0, oldImage)
		if err != nil {
			t.Fatal(err)
		}
		disks[u.Status().Phase.String()] = b.d
	}
}

// inactiveSlot says which bytes are of a slot that holds no firmware that was ever committed.
func inactiveSlot(b *board) func(off int64) bool {
	at := slottest.Slots(b.d).At(1)
	def, err := b.b.Backend(0).Default()
	return func(off int64) bool { return err == nil && def == 0 && off >= at }
}
