// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
)

var (
	// ErrUnknown is returned for a label under which no driver is registered.
	ErrUnknown = errors.New("no such source")
	// ErrTaken is returned for a label under which a driver is registered already.
	ErrTaken = errors.New("label is taken")
)

// registering makes look-up and registration in mediadevices' manager one step: the manager itself
// names drivers by random ids and takes any number of one label.
var registering sync.Mutex

// Register makes a driver known to mediadevices' manager, and to [Open], under a label.
func Register(label string, a driver.Adapter) error {
	registering.Lock()
	defer registering.Unlock()
	if len(labelled(label)) > 0 {
		return fmt.Errorf("register source %q: %w", label, ErrTaken)
	}
	if _, ok := a.(driver.VideoRecorder); !ok { // the manager would panic
		return fmt.Errorf("register source %q: %T records no video", label, a)
	}
	return driver.GetManager().Register(a, driver.Info{Label: label, Name: label, DeviceType: driver.Camera})
}

// Unregister removes the driver of a label, if there is one. A source that is open on it stays open.
func Unregister(label string) {
	registering.Lock()
	defer registering.Unlock()
	for _, d := range labelled(label) {
		driver.GetManager().Delete(d.ID())
	}
}

// Labels returns the labels of all registered video drivers, sorted.
func Labels() []string {
	var labels []string
	for _, d := range driver.GetManager().Query(driver.FilterVideoRecorder()) {
		labels = append(labels, d.Info().Label)
	}
	slices.Sort(labels)
	return labels
}

func find(label string) (driver.Driver, error) {
	found := labelled(label)
	if len(found) == 0 {
		return nil, fmt.Errorf("%w; registered are %q", ErrUnknown, Labels())
	}
	return found[0], nil
}

func labelled(label string) []driver.Driver {
	return driver.GetManager().Query(driver.FilterAnd(
		driver.FilterVideoRecorder(),
		func(d driver.Driver) bool { return d.Info().Label == label },
	))
}
