// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The size of a page: that of a terminal that says nothing of its size, with a row for the question.
const (
	pageRows    = 23
	pageColumns = 80
)

const moreText = "-- more: space, or q to stop --"

// errQuit ends a command whose reader has seen enough.
var errQuit = errors.New("stopped")

// A pager stands between a command and the terminal. It stops after each page, and lets nothing through that would steer the terminal:
// the name of a radio network is anybody's.
type pager struct {
	out  io.Writer            // ends lines with CRLF
	key  func() (byte, error) // waits for one
	on   bool
	rows int
	col  int
	quit error
	stop func() // ends the command; may be nil
}

// Write implements [io.Writer]. It fails when the reader has quit.
func (p *pager) Write(b []byte) (int, error) {
	text := clean(string(b))
	for line := range strings.SplitAfterSeq(text, "\n") {
		if p.quit != nil {
			return 0, p.quit
		}
		if err := p.line(line); err != nil {
			p.quit = err
			if p.stop != nil {
				p.stop()
			}
			return 0, err
		}
	}
	return len(b), nil
}

func (p *pager) line(line string) error {
	if line == "" {
		return nil
	}
	if p.on && p.rows >= pageRows {
		if err := p.ask(); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(p.out, line); err != nil {
		return err
	}
	p.col += utf8.RuneCountInString(line)
	if strings.HasSuffix(line, "\n") {
		p.rows += 1 + max(0, p.col-2)/pageColumns
		p.col = 0
	}
	return nil
}

// ask waits for a key.
func (p *pager) ask() error {
	if _, err := io.WriteString(p.out, moreText); err != nil {
		return err
	}
	key, err := p.key()
	if err == nil {
		_, err = io.WriteString(p.out, "\r"+strings.Repeat(" ", len(moreText))+"\r")
	}
	if err != nil {
		return err
	}
	if p.rows = 0; key == 'q' || key == clearLine {
		return errQuit
	}
	return nil
}

// clean replaces what would steer a terminal, but for the ends of lines, tabs, and the return to the beginning of one.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\r' && r != '\t' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// Talk is how a command speaks with the visitor, besides its output.
type Talk interface {
	// Ask returns the line that the visitor answers; with secret it is neither shown nor kept.
	Ask(prompt string, secret bool) (string, error)
	// Live says that the output goes on by itself, so that it is not stopped at each page. It ends with ^C.
	Live()
}

type talkKey struct{}

// TalkOf returns the talk of a command that runs at a console.
func TalkOf(ctx context.Context) (Talk, bool) {
	t, ok := ctx.Value(talkKey{}).(Talk)
	return t, ok
}

// WithTalk returns a context for a command that speaks by t.
func WithTalk(ctx context.Context, t Talk) context.Context {
	return context.WithValue(ctx, talkKey{}, t)
}
