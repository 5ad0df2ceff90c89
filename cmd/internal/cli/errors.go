// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A usageError is a wrong command line: exit code 2.
type usageError struct {
	text string
	hint string
}

func (e *usageError) Error() string { return e.text }

// Usagef returns an error for a wrong command line. The program exits with 2 and shows the command's usage.
func Usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

type hinted struct {
	error
	hints []string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint adds to err what the user can do about it, a sentence each. It returns nil for a nil err.
func Hint(err error, hints ...string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hints}
}

// hints collects what the errors that err wraps have to say, the outermost first.
func hints(err error) []string {
	switch e := err.(type) {
	case *hinted:
		return append(e.hints[:len(e.hints):len(e.hints)], hints(e.error)...)
	case *usageError:
		if e.hint != "" {
			return []string{e.hint}
		}
	case interface{ Unwrap() []error }:
		var all []string
		for _, part := range e.Unwrap() {
			all = append(all, hints(part)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		return hints(inner)
	}
	return nil
}

// Printable returns s for a person's terminal: what others wrote (a device's name, a trigger) must not
// move the cursor or recolour the screen.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
