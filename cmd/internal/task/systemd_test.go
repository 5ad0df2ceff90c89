// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder is the socket of a service manager that keeps what it is told.
type recorder struct {
	net.Conn
	mu     sync.Mutex
	states []string
	err    error
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, string(p))
	return len(p), r.err
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.states
	r.states = nil
	return s
}

func (r *recorder) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.take()); diff != "" {
		t.Errorf("told %s (-want +got):\n%s", when, diff)
	}
}

func TestSupervise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told := &recorder{}
		m := &manager{conn: told, watchdog: 30 * time.Second, log: discard()}
		var stuck atomic.Bool
		slow, quick := newFake("camera", nil), newFake("uplink", nil)
		slow.ready = make(chan struct{})
		slow.alive = func() error {
			if stuck.Load() {
				return errors.New("no frame for 10s")
			}
			return nil
		}
		go supervise(ctx, discard(), m, []Task{quick, slow})

		synctest.Wait()
		told.expect(t, "before all are ready")
		close(slow.ready)
		synctest.Wait()
		told.expect(t, "once all are ready", "READY=1", "WATCHDOG=1")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		told.expect(t, "in one watchdog time-out", "WATCHDOG=1", "WATCHDOG=1")
		stuck.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		told.expect(t, "while a task is stuck")
		stuck.Store(false)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		told.expect(t, "when it recovered", "WATCHDOG=1")
		cancel()
		synctest.Wait()
		told.expect(t, "at the end", "STOPPING=1")
	})
}

func TestSuperviseStopsBeforeReady(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	told := &recorder{err: errors.New("manager is gone")} // which is no reason to fail
	never := newFake("camera", nil)
	never.ready = make(chan struct{})
	supervise(ctx, discard(), &manager{conn: told, log: discard()}, []Task{never})
	told.expect(t, "when cancelled before ready", "STOPPING=1")
}

// A real socket, as systemd makes it.
func TestServeNotifies(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", name)

	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- Serve(ctx, discard(), newFake("only", untilCancelled)) }()
	receive := func() string {
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	if got := receive(); got != "READY=1" {
		t.Errorf("first told %q", got)
	}
	cancel()
	if got := receive(); got != "STOPPING=1" {
		t.Errorf("then told %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestServeWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if err := Serve(t.Context(), discard(), newFake("only", func(context.Context) error { return nil })); err != nil {
		t.Errorf("Serve = %v, want none: nobody has to listen", err)
	}
}

func TestWatchdog(t *testing.T) {
	for _, tt := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0},
		{"30000000", "", 30 * time.Second},
		{"30000000", strconv.Itoa(os.Getpid()), 30 * time.Second},
		{"30000000", "1", 0}, // meant for our parent
		{"0", "", 0},
		{"1", "", 0}, // half of it is no interval
		{"-5", "", 0},
		{"soon", "", 0},
		{"9223372036854775807", "", 0}, // overflows as a duration
	} {
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", tt.pid)
		if got := watchdog(); got != tt.want {
			t.Errorf("USEC=%q PID=%q: %v, want %v", tt.usec, tt.pid, got, tt.want)
		}
	}
}
