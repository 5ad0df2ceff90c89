// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
)

// A Visitor is who uses the console. The zero Visitor is nobody in particular, before a login.
type Visitor struct {
	Name        string // as the key or the certificate says
	Fingerprint string // of the key
	Role        string // what they may do; empty before a login
}

// Facts are what a challenge is bound to, so that an answer to one counts at no other camera and at no other time.
type Facts struct {
	Device string // the camera's name; empty before it has one
	Boot   string // id of this start of the board
	Time   string // the time as the camera knows it, and how well: for the visitor's eyes
}

// What happens at a console and is worth a record.
type Happening string

const (
	LoggedIn  Happening = "login"
	LoggedOut Happening = "logout"
	Refused   Happening = "refused"
	Locked    Happening = "locked"
)

// ErrNoButton is what a Site returns from Present when nobody can press a button here.
var ErrNoButton = errors.New("this camera has no button that works: set console.button to false, or see to the button")

// Site is what the rest of the agent gives a console. The console's goroutine calls it, one method at a time; none may wait for long
// but Run and Present, which end when ctx does.
type Site interface {
	// Facts are asked for each challenge.
	Facts() Facts
	// Greeting returns the lines that are shown first. Before a login they say nothing that is secret.
	Greeting(v Visitor) []string
	// Judge says who signed the challenge; armor is the signature as it was pasted. The error is shown to whoever tried.
	Judge(challenge, armor string) (Visitor, error)
	// Present waits until the camera's button is pressed.
	Present(ctx context.Context) error
	// Run runs one command for the visitor, with [Talk] in ctx; it shows errors itself.
	Run(ctx context.Context, v Visitor, stdout, stderr io.Writer, words []string)
	// Complete returns how the last of words may go on, among the visitor's commands.
	Complete(v Visitor, words []string) []string
	// Happened is told what is worth a record.
	Happened(what Happening, v Visitor, detail string)
}

// Fake is a Site for tests: who signs with Answer is Ann, a technician, and a command prints its words.
type Fake struct {
	Answer  string
	Button  error
	Command func(ctx context.Context, v Visitor, stdout io.Writer, words []string)

	mu   sync.Mutex
	told []string
}

// Told is what happened, as "what name".
func (f *Fake) Told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

var _ Site = (*Fake)(nil)

// Facts implements [Site].
func (f *Fake) Facts() Facts {
	return Facts{Device: "porch", Boot: "boot-1", Time: "2026-11-02T12:00:00Z free"}
}

// Greeting implements [Site].
func (f *Fake) Greeting(v Visitor) []string { return []string{"porch, " + v.Name} }

// Judge implements [Site].
func (f *Fake) Judge(challenge, armor string) (Visitor, error) {
	if armor != f.Answer {
		return Visitor{}, errors.New("this key may not log in here")
	}
	return Visitor{Name: "ann", Fingerprint: "SHA256:1", Role: "technician"}, nil
}

// Present implements [Site].
func (f *Fake) Present(context.Context) error { return f.Button }

// Run implements [Site].
func (f *Fake) Run(ctx context.Context, v Visitor, stdout, _ io.Writer, words []string) {
	if f.Command != nil {
		f.Command(ctx, v, stdout, words)
	}
}

// Complete implements [Site].
func (f *Fake) Complete(Visitor, []string) []string { return []string{"status", "stop"} }

// Happened implements [Site].
func (f *Fake) Happened(what Happening, v Visitor, detail string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, string(what)+" "+v.Name)
}
