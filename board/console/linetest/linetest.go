// SPDX-License-Identifier: Apache-2.0

// Package linetest is a serial line for tests: a pseudo-terminal, whose far end the test holds. [New] makes one.
package linetest

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Line is the technician's end of a serial line. What comes is kept.
type Line struct {
	t    testing.TB
	rw   io.ReadWriter // the far end
	File *os.File      // likewise, of a pseudo-terminal
	Path string        // of the near end, which is served

	mu   sync.Mutex
	text strings.Builder
	read int // what Expect has seen
	came chan struct{}
}

// New makes a line; nothing is read from its far end until Drain.
func New(t testing.TB) *Line {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	e := &Line{t: t, rw: f, File: f, came: make(chan struct{}, 1)}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			var n uint32
			n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
			e.Path = fmt.Sprintf("/dev/pts/%d", n)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Over is a line that is something else, such as the serial port of an emulated board. What comes is read at once.
func Over(t testing.TB, rw io.ReadWriter) *Line {
	return (&Line{t: t, rw: rw, came: make(chan struct{}, 1)}).Drain()
}

// Drain begins to read what comes.
func (e *Line) Drain() *Line {
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := e.rw.Read(buf)
			e.mu.Lock()
			e.text.Write(buf[:n])
			e.mu.Unlock()
			select {
			case e.came <- struct{}{}:
			default:
			}
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

// Send types text.
func (e *Line) Send(text string) {
	e.t.Helper()
	if _, err := io.WriteString(e.rw, text); err != nil {
		e.t.Fatal(err)
	}
}

// Expect waits until text comes, and returns what came since the last Expect up to it.
func (e *Line) Expect(text string) string {
	e.t.Helper()
	limit := time.After(time.Minute)
	for {
		all := e.Text()
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

// Text is all that came.
func (e *Line) Text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

// Skip has Expect look at what comes from now on.
func (e *Line) Skip() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read = e.text.Len()
}
