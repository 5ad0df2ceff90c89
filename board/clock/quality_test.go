// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestQuality(t *testing.T) {
	for _, test := range []struct {
		name  string
		state int
		err   error
		want  Quality
	}{
		{"disciplined", unix.TIME_OK, nil, Synced},
		{"before a leap second", unix.TIME_INS, nil, Synced},
		{"not disciplined", unix.TIME_ERROR, nil, Free},
		{"forbidden by a sandbox", -1, unix.EPERM, Free},
	} {
		asked := 0
		s := system{adjtimex: func(x *unix.Timex) (int, error) {
			if asked++; *x != (unix.Timex{}) {
				t.Errorf("%s: asks to change the clock: %+v", test.name, x)
			}
			return test.state, test.err
		}}
		if got := s.Now().Quality; got != test.want || asked != 1 {
			t.Errorf("%s: quality %q, want %q; asked %d times", test.name, got, test.want, asked)
		}
		s.floor = time.Now().Add(time.Hour)
		if got := s.Now().Quality; got != Unset {
			t.Errorf("%s, before the floor: quality %q", test.name, got)
		}
	}
}
