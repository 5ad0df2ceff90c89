// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A far end is the technician's side of a serial line: a pseudo-terminal's master. What comes is kept.
type farEnd struct {
	t    testing.TB
	f    *os.File
	path string // of the console's side

	mu   sync.Mutex
	text strings.Builder
	read int // what expect has seen
	came chan struct{}
}

// newLine makes a line; nothing is read from it until drain.
func newLine(t testing.TB) *farEnd {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e := &farEnd{t: t, f: f, came: make(chan struct{}, 1)}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			var n uint32
			n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
			e.path = fmt.Sprintf("/dev/pts/%d", n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// drain begins to read what comes.
func (e *farEnd) drain() *farEnd {
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := e.f.Read(buf)
			e.mu.Lock()
			e.text.Write(buf[:n])
			e.mu.Unlock()
			wake(e.came)
			if err != nil && !os.IsTimeout(err) {
				if pe, ok := err.(*os.PathError); ok && pe.Err == unix.EIO {
					time.Sleep(5 * time.Millisecond) // nobody has the other side open now
					continue
				}
				return
			}
		}
	}()
	return e
}

func (e *farEnd) send(text string) {
	e.t.Helper()
	if _, err := io.WriteString(e.f, text); err != nil {
		e.t.Fatal(err)
	}
}

// expect waits until text comes, and returns what came since the last expect up to it.
func (e *farEnd) expect(text string) string {
	e.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		e.mu.Lock()
		all := e.text.String()
		e.mu.Unlock()
		if i := strings.Index(all[e.read:], text); i >= 0 {
			got := all[e.read : e.read+i+len(text)]
			e.read += i + len(text)
			return got
		}
		select {
		case <-e.came:
		case <-limit:
			e.t.Fatalf("no %q came, but %q", text, all[e.read:])
		}
	}
}

// testConfig is for a line.
func testConfig(e *farEnd) Config {
	cfg := DefaultConfig()
	cfg.Device = e.path
	return cfg
}

// start runs a console until the test ends.
func start(t testing.TB, cfg Config, site Site, lock *Lock, frames Frames) *Console {
	t.Helper()
	c := New(cfg, site, lock, frames, discard())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("console ended: %v", err)
		}
	})
	return c
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in 30 s: %s", what)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
