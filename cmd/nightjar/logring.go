// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
)

// ringBytes is how much of the agent's own log is kept in memory, for who asks at the console.
const ringBytes = 48 << 10

// A logRing keeps the newest lines of the log. Writers do not wait for readers: a reader that is slow misses lines.
type logRing struct {
	mu    sync.Mutex
	text  []byte
	begin int64         // how many bytes went before text
	more  chan struct{} // closed with the next line
}

func newLogRing() *logRing { return &logRing{more: make(chan struct{})} }

// with returns a logger that also writes here, with the level of the given one.
func (r *logRing) with(log *slog.Logger) *slog.Logger {
	level := slog.LevelError
	for _, l := range []slog.Level{slog.LevelWarn, slog.LevelInfo, slog.LevelDebug} {
		if log.Enabled(context.Background(), l) {
			level = l
		}
	}
	return slog.New(slog.NewMultiHandler(log.Handler(), slog.NewTextHandler(r, &slog.HandlerOptions{Level: level})))
}

// Write implements [io.Writer] for whole lines.
func (r *logRing) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p...)
	if over := len(r.text) - ringBytes; over > 0 {
		if i := bytes.IndexByte(r.text[over:], '\n'); i >= 0 {
			over += i + 1
		}
		r.text = append(r.text[:0], r.text[over:]...)
		r.begin += int64(over)
	}
	close(r.more)
	r.more = make(chan struct{})
	return len(p), nil
}

// since returns what was written after the first at bytes of all, how many bytes that makes in all, and what closes when there is more.
func (r *logRing) since(at int64) (text []byte, end int64, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := min(max(0, at-r.begin), int64(len(r.text)))
	return bytes.Clone(r.text[from:]), r.begin + int64(len(r.text)), r.more
}

// print writes the newest lines, at most so many, and with follow goes on until ctx ends.
func (r *logRing) print(ctx context.Context, w io.Writer, lines int, follow bool) error {
	text, at, more := r.since(0)
	if _, err := w.Write(lastLines(text, lines)); err != nil || !follow {
		return err
	}
	for {
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
		if text, at, more = r.since(at); len(text) > 0 {
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
	}
}

func lastLines(text []byte, lines int) []byte {
	at := len(text)
	for ; lines > 0 && at > 0; lines-- {
		at = bytes.LastIndexByte(text[:at-1], '\n') + 1
	}
	return text[at:]
}
