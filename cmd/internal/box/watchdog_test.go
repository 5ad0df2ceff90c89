// SPDX-License-Identifier: Apache-2.0

package box

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
)

// TestWatchdog freezes the agent. The board starts anew, the chain goes on, and a signed event says why.
func TestWatchdog(t *testing.T) {
	needBox(t)
	s := newSite(t)
	b := boot(t, logs(t), "")
	s.enrol(b)
	b.start(vivid + "watchdog:\n  device: /dev/watchdog0\n  timeout: 10s\n")
	b.await(2*time.Minute, "frames and a session", func() bool {
		st, ok := b.status()
		return ok && st.Hub.Connected && st.Camera.Frames > 60
	})
	b.do(wire.Request{Op: wire.Signal, Number: int(unix.SIGSTOP)})
	frozen := time.Now()
	b.hello()
	took := time.Since(frozen)
	b.do(wire.Request{Op: wire.Start, Args: []string{"/bin/nightjar", "run", "--config", "/state/nightjar.yml"}})
	var events string
	b.await(2*time.Minute, "the event at the hub", func() bool {
		events = s.host("nightjarctl", "clips", "events", "--store", s.path("hub"))
		return strings.Contains(events, "board-rebooted")
	})
	s.host("nightjarctl", "clips", "verify", "--store", s.path("hub")) // fails on any gap
	st, _ := b.status()
	row(t, "frozen agent", fmt.Sprintf("back %.0f s later, the chain is whole and has board-rebooted", took.Seconds()),
		"restarts by the watchdog, chain whole, says why", strings.Contains(events, "ran out") && st.Boot != "")
}
