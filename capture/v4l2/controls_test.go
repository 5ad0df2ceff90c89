// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// knobs is a camera of which only the controls answer.
type knobs struct {
	fake
	known []queryctrl
	set   map[uint32]int32
}

func (k *knobs) ioctl(req uintptr, arg unsafe.Pointer) error {
	switch req {
	case vidiocQueryCtrl:
		q := (*queryctrl)(arg)
		for _, c := range k.known {
			if c.ID > q.ID&^ctrlNext {
				*q = c
				return nil
			}
		}
	case vidiocSetCtrl:
		c := (*control)(arg)
		k.set[c.ID] = c.Value
		return nil
	}
	return unix.EINVAL
}

func knob(id, kind uint32, name string, low, high int32) queryctrl {
	q := queryctrl{ID: id, Type: kind, Minimum: low, Maximum: high}
	copy(q.Name[:], name)
	return q
}

func TestControls(t *testing.T) {
	off := knob(4, 1, "Off", 0, 1)
	off.Flags = ctrlDisabled
	k := &knobs{set: map[uint32]int32{}, known: []queryctrl{
		knob(1, 1, "Brightness", 0, 255), knob(2, 6, "Class", 0, 0), knob(3, 4, "Disconnect", 0, 0), off, knob(9, 2, "Flip", 0, 1),
	}}
	var names []string
	for _, c := range controls(k) {
		names = append(names, c.Name+" "+c.Type)
	}
	if got := strings.Join(names, ", "); got != "Brightness integer, Disconnect button, Flip boolean" {
		t.Errorf("controls %s", got)
	}
	if err := setControls(k, map[string]int32{"Brightness": 200, "Disconnect": 1}); err != nil || k.set[1] != 200 || k.set[3] != 1 {
		t.Errorf("set %v, %v", k.set, err)
	}
	for name, want := range map[string]string{"Flip": "must be 0 to 1", "Off": "none of that name", "brightness": "none of that name"} {
		if err := setControls(k, map[string]int32{name: 7}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
