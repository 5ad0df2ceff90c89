// SPDX-License-Identifier: Apache-2.0

package watchdog

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fake is a watchdog that never bites.
type fake struct {
	options   uint32
	fixed     int32 // a time-out that cannot be set
	most      int32
	status    int32
	timeless  bool
	wrote     string
	closed    int
	feedFails error
}

func (f *fake) ioctl(request uintptr, arg unsafe.Pointer) error {
	switch request {
	case wdiocGetSupport:
		i := (*info)(arg)
		i.Options = f.options
		copy(i.Identity[:], "a fake")
	case wdiocGetBootStatus:
		*(*int32)(arg) = f.status
	case wdiocSetTimeout:
		if f.fixed > 0 || f.timeless {
			return unix.EOPNOTSUPP
		}
		if n := (*int32)(arg); *n > f.most {
			return unix.EINVAL
		}
	case wdiocGetTimeout:
		if f.timeless {
			return unix.EOPNOTSUPP
		}
		*(*int32)(arg) = max(f.fixed, f.most)
	default:
		return unix.ENOTTY
	}
	return nil
}

func (f *fake) write(b []byte) error { f.wrote += string(b); return f.feedFails }
func (f *fake) close() error         { f.closed++; return nil }

func TestBegin(t *testing.T) {
	for name, row := range map[string]struct {
		fake    fake
		asked   time.Duration
		timeout time.Duration
	}{
		"as asked":         {fake{most: 60}, 10 * time.Second, 10 * time.Second},
		"a Raspberry Pi":   {fake{most: 15}, time.Minute, 15 * time.Second},
		"one that is set":  {fake{fixed: 30}, 10 * time.Second, 30 * time.Second},
		"less than it can": {fake{most: 15}, time.Millisecond, time.Second},
	} {
		d, err := begin(&row.fake, row.asked)
		if err != nil || d.Timeout() != row.timeout || row.fake.wrote != "." || d.Identity() != "a fake" {
			t.Errorf("%s: %v, %+v, wrote %q", name, err, d, row.fake.wrote)
		}
	}
}

func TestFired(t *testing.T) {
	for status, want := range map[int32]bool{0: false, statusCardReset: true, 1: false} {
		if d, err := begin(&fake{most: 9, status: status}, time.Second); err != nil || d.Fired() != want {
			t.Errorf("status %#x: %v, %v", status, d.Fired(), err)
		}
	}
}

// Only a clean end disarms it, and only where the driver knows the magic letter.
func TestClose(t *testing.T) {
	for name, row := range map[string]struct {
		options uint32
		disarm  bool
		wrote   string
	}{
		"clean":           {optionMagicClose, true, ".V"},
		"no clean end":    {optionMagicClose, false, "."},
		"cannot stop":     {0, true, "."},
		"cannot and must": {0, false, "."},
	} {
		f := &fake{options: row.options, most: 9}
		d, err := begin(f, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(row.disarm); err != nil || f.wrote != row.wrote || f.closed != 1 {
			t.Errorf("%s: %v, wrote %q, want %q", name, err, f.wrote, row.wrote)
		}
	}
}

func TestErrors(t *testing.T) {
	f := &fake{timeless: true, options: optionMagicClose}
	if _, err := begin(f, time.Second); err == nil || f.closed != 1 || f.wrote != "V" {
		t.Errorf("without a time-out: %v, closed %d times, wrote %q", err, f.closed, f.wrote)
	}
	if _, err := begin(&fake{most: 9, feedFails: unix.EIO}, time.Second); !errors.Is(err, unix.EIO) {
		t.Errorf("feeding fails: %v", err)
	}
	if _, err := Open(t.TempDir()+"/watchdog", time.Second); err == nil || !strings.Contains(err.Error(), "the board has none") {
		t.Errorf("no node: %v", err)
	}
	if err := hint(unix.EBUSY); !strings.Contains(err.Error(), "RuntimeWatchdogSec") {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	if unsafe.Sizeof(info{}) != 40 {
		t.Errorf("watchdog_info has %d bytes, want 40", unsafe.Sizeof(info{}))
	}
}
