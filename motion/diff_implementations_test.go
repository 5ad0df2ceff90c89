// SPDX-License-Identifier: Apache-2.0

package motion

import (
	"os"
	"testing"
)

// implementation is one way to do the pixel work beside the plain Go, which every machine has.
type implementation struct {
	name      string
	available bool
	use       *bool
}

var implementations []implementation

// register makes the tests run what use switches on.
func register(name string, use *bool) {
	implementations = append(implementations, implementation{name, *use, use})
}

// with runs f while i, or plain Go for nil, does the work.
func with(i *implementation, f func()) {
	defer func() {
		for _, other := range implementations {
			*other.use = other.available
		}
	}()
	for _, other := range implementations {
		*other.use = i != nil && other.name == i.name
	}
	f()
}

// runner is a test or a benchmark.
type runner[T any] interface {
	testing.TB
	Run(name string, f func(T)) bool
}

// eachImplementation runs f with each implementation in turn. One that this processor lacks is skipped, but fails
// in continuous integration: there it would go untested unseen.
func eachImplementation[T runner[T]](t T, f func(T)) {
	t.Helper()
	for _, i := range implementations {
		t.Run(i.name, func(t T) {
			if !i.available {
				if os.Getenv("CI") != "" {
					t.Fatalf("this machine cannot test %s", i.name)
				}
				t.Skip("not on this processor")
			}
			with(&i, func() { f(t) })
		})
	}
	t.Run("generic", func(t T) { with(nil, func() { f(t) }) })
}

// everyImplementation is eachImplementation for a fuzz target, which has no subtests.
func everyImplementation(f func(name string)) {
	for _, i := range implementations {
		if i.available {
			with(&i, func() { f(i.name) })
		}
	}
	with(nil, func() { f("generic") })
}
