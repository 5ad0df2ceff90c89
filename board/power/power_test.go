// SPDX-License-Identifier: Apache-2.0

package power

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// fake notes what it is asked for, and when.
type fake struct {
	asked       []string
	since       time.Time
	killed, err error
}

func (f *fake) note(what string) {
	f.asked = append(f.asked, fmt.Sprintf("%v %s", time.Since(f.since), what))
}
func (f *fake) kill(pid int, sig unix.Signal) error {
	f.note(fmt.Sprintf("kill %d %v", pid, sig))
	return f.killed
}
func (f *fake) sync()                { f.note("sync") }
func (f *fake) reboot(cmd int) error { f.note(fmt.Sprintf("reboot %#x", cmd)); return f.err }

func TestReboot(t *testing.T) {
	for name, test := range map[string]struct {
		killed error
		want   []string
	}{
		"process 1 does nothing": {nil, []string{"0s sync", "0s kill 1 interrupt", "45s sync", "45s reboot 0x1234567"}},
		"process 1 is not ours":  {unix.EPERM, []string{"0s sync", "0s kill 1 interrupt", "0s sync", "0s reboot 0x1234567"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{since: time.Now(), killed: test.killed, err: unix.EPERM}
			err := reboot(f, patience)
			if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_SYS_BOOT") {
				t.Errorf("%s: %v", name, err)
			}
			if !slices.Equal(f.asked, test.want) {
				t.Errorf("%s: asked for %q, want %q", name, f.asked, test.want)
			}
		})
	}
}
