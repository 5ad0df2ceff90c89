// SPDX-License-Identifier: Apache-2.0

package clock_test

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
)

func TestSystemBeforeFloorIsUnset(t *testing.T) {
	floor := time.Now().Add(time.Hour)
	if got := clock.System(floor).Now(); got.Quality != clock.Unset || !got.Time.Before(floor) {
		t.Errorf("an hour before the floor: %v", got)
	}
}

func TestSystemTellsTheMachinesTime(t *testing.T) {
	before := time.Now()
	got := clock.System(before.Add(-time.Hour)).Now()
	after := time.Now()
	if got.Time.Before(before) || got.Time.After(after) {
		t.Errorf("time %v, want between %v and %v", got.Time, before, after)
	}
	if got.Quality != clock.Free && got.Quality != clock.Synced {
		t.Errorf("quality %q after the floor", got.Quality)
	}
}

func TestFakeStandsUntilSet(t *testing.T) {
	var fake clock.Fake
	if got := fake.Now(); got != (clock.Wall{}) {
		t.Errorf("zero value stands at %v", got)
	}
	want := clock.Wall{Time: time.Unix(1_700_000_000, 0), Quality: clock.Synced}
	var others sync.WaitGroup
	for range 8 { // the race detector looks on
		others.Go(func() { fake.Set(want); fake.Now() })
	}
	others.Wait()
	for range 2 {
		if got := fake.Now(); got != want {
			t.Errorf("stands at %v, want %v", got, want)
		}
	}
}

func TestBootID(t *testing.T) {
	id := clock.BootID()
	if again := clock.BootID(); again != id {
		t.Errorf("%q, then %q", id, again)
	}
	if !regexp.MustCompile(`^[0-9a-f-]{32,36}$`).MatchString(id) {
		t.Errorf("boot id %q", id)
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil && strings.TrimSpace(string(kernel)) != id {
		t.Errorf("boot id %q, the kernel's is %q", id, kernel)
	}
}
