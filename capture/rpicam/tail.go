// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"sync"
)

// Bounds of what is kept of a program's words.
const (
	tailLines = 8
	lineBytes = 300
)

// tail keeps the last lines that a program wrote. One goroutine reads; lines may be called from any.
type tail struct {
	from *os.File
	done chan struct{} // closed when there is no more to read

	mu   sync.Mutex
	kept []string
}

func newTail(from *os.File) *tail { return &tail{from: from, done: make(chan struct{})} }

// read reads to the end, whatever comes: a program that nobody listens to would stop at a full pipe.
func (t *tail) read(hear func(line string)) {
	defer close(t.done)
	in := bufio.NewReaderSize(t.from, 1024)
	for {
		raw, err := in.ReadSlice('\n')
		line := clean(raw)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long line
			_, err = in.ReadSlice('\n')
		}
		if line != "" {
			t.keep(line)
			hear(line)
		}
		if err != nil {
			return
		}
	}
}

func (t *tail) keep(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) == tailLines {
		t.kept = append(t.kept[:0], t.kept[1:]...)
	}
	t.kept = append(t.kept, line)
}

// lines returns the last lines, the oldest first.
func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.kept...)
}

// clean makes a line fit for a log: no colours, no control characters, not long.
func clean(raw []byte) string {
	var b strings.Builder
	escape := false
	for _, c := range strings.ToValidUTF8(string(raw), "?") {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = c == '[' || c == ';' || '0' <= c && c <= '9'
		case c == '\t':
			b.WriteByte(' ')
		case c >= ' ' && c != '\x7f' && b.Len() < lineBytes:
			b.WriteRune(c)
		}
	}
	return strings.TrimSpace(b.String())
}
