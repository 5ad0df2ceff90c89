// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"testing"

	"github.com/nightjar-cam/nightjar/ota/slot/slottest"
)

func TestConformance(t *testing.T) {
	for _, volatile := range []bool{false, true} {
		for _, fallback := range []bool{false, true} {
			k := slottest.Simulator(volatile, fallback)
			t.Run(k.Name, func(t *testing.T) { slottest.Run(t, k) })
		}
	}
}
