// SPDX-License-Identifier: Apache-2.0

package hubtest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

// A Log keeps what a hub logs and passes it on to the test's output. It is a [slog.Handler].
type Log struct {
	to    slog.Handler
	attrs []slog.Attr
	kept  *kept // shared with the handlers derived from this one
}

type kept struct {
	mu       sync.Mutex
	messages []Message
	text     bytes.Buffer
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

func newLog(t testing.TB) *Log {
	k := &kept{}
	return &Log{to: slog.NewTextHandler(io.MultiWriter(t.Output(), k), &slog.HandlerOptions{Level: slog.LevelDebug}), kept: k}
}

// Written returns all that was logged, as text.
func (l *Log) Written() string {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	return l.kept.text.String()
}

// A Message is one that carried an attribute "code".
type Message struct {
	Level slog.Level
	Code  string
	Text  string
	Error string
}

func (l *Log) Enabled(context.Context, slog.Level) bool { return true }

func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	m := Message{Level: r.Level, Text: r.Message}
	take := func(a slog.Attr) bool {
		switch a.Key {
		case "code":
			m.Code = a.Value.String()
		case "err":
			m.Error = a.Value.String()
		}
		return true
	}
	for _, a := range l.attrs {
		take(a)
	}
	r.Attrs(take)
	if m.Code != "" {
		l.kept.mu.Lock()
		l.kept.messages = append(l.kept.messages, m)
		l.kept.mu.Unlock()
	}
	return l.to.Handle(ctx, r)
}

func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Log{to: l.to.WithAttrs(attrs), attrs: append(slices.Clip(l.attrs), attrs...), kept: l.kept}
}

func (l *Log) WithGroup(name string) slog.Handler {
	return &Log{to: l.to.WithGroup(name), attrs: l.attrs, kept: l.kept}
}

// Coded returns the messages with a code, of warning level or above.
func (l *Log) Coded() []Message {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.kept.messages), func(m Message) bool { return m.Level < slog.LevelWarn })
}

// Count returns how many messages of any level had the code.
func (l *Log) Count(code string) (n int) {
	l.kept.mu.Lock()
	defer l.kept.mu.Unlock()
	for _, m := range l.kept.messages {
		if m.Code == code {
			n++
		}
	}
	return n
}

// Await returns the first message with the code; the test fails when none comes within ten seconds.
func (l *Log) Await(t testing.TB, code string) Message {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l.kept.mu.Lock()
		i := slices.IndexFunc(l.kept.messages, func(m Message) bool { return m.Code == code })
		if i >= 0 {
			defer l.kept.mu.Unlock()
			return l.kept.messages[i]
		}
		l.kept.mu.Unlock()
	}
	t.Fatalf("the hub logged no %q; it logged %+v", code, l.Coded())
	return Message{}
}
