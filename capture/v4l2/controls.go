// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"fmt"
	"unsafe"
)

// Control is a knob of a camera: its brightness, its focus, the frequency of the lamps that it must not flicker with.
type Control struct {
	Name    string `json:"name"`
	Type    string `json:"type"` // integer, boolean, menu, button or other
	Minimum int32  `json:"minimum"`
	Maximum int32  `json:"maximum"`
	Default int32  `json:"default"`
	id      uint32
}

// controlTypes are those whose value is one number (V4L2_CTRL_TYPE_*).
var controlTypes = map[uint32]string{1: "integer", 2: "boolean", 3: "menu", 4: "button", 9: "menu"}

// Controls lists the knobs of the camera at a node.
func Controls(path string) (all []Control, err error) {
	d, err := openNode(path)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return controls(d), nil
}

// SetControls sets knobs by name, for as long as the camera is plugged in. A button is pushed whatever the value.
func SetControls(path string, values map[string]int32) error {
	d, err := openNode(path)
	if err != nil {
		return err
	}
	defer d.close()
	return setControls(d, values)
}

func controls(d device) (all []Control) {
	q := queryctrl{ID: ctrlNext}
	for range maxEnumerated {
		if d.ioctl(vidiocQueryCtrl, unsafe.Pointer(&q)) != nil {
			break
		}
		if kind := controlTypes[q.Type]; kind != "" && q.Flags&ctrlDisabled == 0 {
			all = append(all, Control{text(q.Name[:]), kind, q.Minimum, q.Maximum, q.Def, q.ID})
		}
		q = queryctrl{ID: q.ID | ctrlNext}
	}
	return all
}

func setControls(d device, values map[string]int32) error {
	known := map[string]Control{}
	for _, c := range controls(d) {
		known[c.Name] = c
	}
	for name, value := range values {
		c, ok := known[name]
		if !ok {
			return fmt.Errorf("set control %q: the camera has none of that name; `nightjar camera controls` shows them", name)
		}
		if c.Type != "button" && (value < c.Minimum || value > c.Maximum) {
			return fmt.Errorf("set control %q to %d: must be %d to %d", name, value, c.Minimum, c.Maximum)
		}
		set := control{ID: c.id, Value: value}
		if err := d.ioctl(vidiocSetCtrl, unsafe.Pointer(&set)); err != nil {
			return fmt.Errorf("set control %q to %d: %w", name, value, err)
		}
	}
	return nil
}
