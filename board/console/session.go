// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	buttonWithin = 30 * time.Second // for the press after a good signature
	between      = time.Second      // a failed login and the next challenge
	maxName      = 24               // bytes of a visitor's name in the prompt
)

// A session is one visitor at the line, from the first key to the logout. It lives in one goroutine.
type session struct {
	cfg     Config
	site    Site
	lock    *Lock
	port    string // its name, for challenges
	in      *input
	term    *term.Terminal
	visitor Visitor
	paging  bool
	set     func(Visitor) // says who is logged in
}

// newSession has an editor of its own, so that no history is left to the next visitor.
func newSession(cfg Config, site Site, lock *Lock, in *input, out io.Writer, set func(Visitor)) *session {
	s := &session{cfg: cfg, site: site, lock: lock, port: cfg.Device, in: in, paging: true, set: set}
	s.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	s.term.AutoCompleteCallback = s.complete
	return s
}

// serve talks until the visitor logs out, is gone, or the line ends.
func (s *session) serve(ctx context.Context) {
	defer s.become(Visitor{})
	s.greet()
	for ctx.Err() == nil {
		s.term.SetPrompt(s.prompt())
		line, err := s.term.ReadLine()
		if err != nil {
			s.leave(err)
			return
		}
		if !s.obey(ctx, line) {
			s.leave(io.EOF)
			return
		}
	}
}

// leave says why, and has the logout noted.
func (s *session) leave(err error) {
	why := "logged out"
	switch {
	case errors.Is(err, errIdle):
		why = fmt.Sprintf("logged out: nothing was typed for %v", s.cfg.Idle)
	case errors.Is(err, errHangup):
		why = "logged out: the line was hung up"
	}
	if s.visitor.Role != "" {
		s.print("\n" + why + "\n")
		s.site.Happened(LoggedOut, s.visitor, why)
	}
}

// become changes who is here. Only who is logged in can be idle: a line that nobody uses is none of our business.
func (s *session) become(v Visitor) {
	s.visitor = v
	s.in.idle = 0
	if v.Role != "" {
		s.in.idle = s.cfg.Idle
	}
	s.set(v)
}

func (s *session) print(text string) { io.WriteString(s.term, text) } // nobody reads a console's errors

func (s *session) greet() {
	var b strings.Builder
	for _, line := range s.site.Greeting(s.visitor) {
		b.WriteString(clean(line) + "\n")
	}
	if left := s.lock.Left(); left > 0 && s.visitor.Role == "" {
		fmt.Fprintf(&b, "login is locked for %v\n", left.Round(time.Second))
	}
	s.print("\n" + b.String())
}

func (s *session) prompt() string {
	if s.visitor.Role == "" {
		return "nightjar> "
	}
	return "nightjar " + shortName(s.visitor) + "> "
}

// shortName is a name that harms no prompt.
func shortName(v Visitor) string {
	name := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '>' {
			return r
		}
		return -1
	}, v.Name)
	if name == "" {
		return v.Role
	}
	return name[:min(len(name), maxName)]
}

// obey does what a line says; false ends the session.
func (s *session) obey(ctx context.Context, line string) bool {
	words, err := Words(line)
	if err != nil {
		s.print(err.Error() + "\n")
		return true
	}
	if len(words) > 0 && words[0] == "nightjar" { // as it is typed on the board
		words = words[1:]
	}
	if len(words) == 0 {
		if s.visitor.Role == "" { // somebody looks whether anything is here
			s.greet()
		}
		return true
	}
	switch words[0] {
	case "login":
		s.login(ctx)
	case "logout", "exit", "quit":
		return false
	case "more":
		s.paging = !(len(words) == 2 && words[1] == "off")
	default:
		if words[0] == "?" {
			words[0] = "help"
		}
		s.run(ctx, words)
	}
	return true
}

// run runs one command. ^C ends it, and so does idleness: a list that goes on for ever keeps nobody logged in.
func (s *session) run(ctx context.Context, words []string) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Idle)
	defer cancel()
	page := &pager{out: s.term, on: s.paging, stop: cancel}
	page.key = func() (byte, error) { // ^C is a key here: a command that waits for the pager does not see its end
		s.in.interruptible(nil)
		defer s.in.interruptible(cancel)
		var key [1]byte
		_, err := s.in.Read(key[:])
		return key[0], err
	}
	s.in.interruptible(cancel)
	defer s.in.interruptible(nil)
	s.site.Run(WithTalk(ctx, &talk{s, page, cancel}), s.visitor, page, page, words)
	if page.col > 0 {
		s.print("\n")
	}
}

// login has the visitor sign a challenge.
func (s *session) login(ctx context.Context) {
	if s.visitor.Role != "" {
		s.print("you are logged in as " + shortName(s.visitor) + "; `logout` ends that\n")
		return
	}
	if left := s.lock.Left(); left > 0 {
		s.print(fmt.Sprintf("login is locked for %v, after %d failures\n", left.Round(time.Second), MaxFailures))
		return
	}
	c := newChallenge(s.site.Facts(), s.port, time.Now())
	s.print("Sign the next lines, from BEGIN to END, on your laptop: run the command, paste them, and type ^D.\n" +
		"  ssh-keygen -Y sign -n nightjar-console -f ~/.ssh/id_ed25519\n\n" + c.text +
		"\nThen paste the signature here, within two minutes; it is not shown. An empty line gives up.\n")
	armor, ok := s.readSignature()
	if !ok {
		s.print("no login\n")
		return
	}
	if !s.lock.Attempt() { // durable before anything is judged
		s.print("login is locked\n")
		return
	}
	v, err := s.judge(ctx, c, armor)
	if err == nil {
		s.lock.Passed()
		s.become(v)
		s.site.Happened(LoggedIn, v, v.Fingerprint)
		s.greet()
		return
	}
	s.site.Happened(Refused, Visitor{}, err.Error())
	s.print("no login: " + clean(err.Error()) + "\n")
	if left := s.lock.Left(); left > 0 {
		s.site.Happened(Locked, Visitor{}, fmt.Sprintf("for %v after %d failures", LockedFor, MaxFailures))
		s.print(fmt.Sprintf("login is locked for %v\n", left.Round(time.Second)))
	}
	select {
	case <-time.After(between):
	case <-ctx.Done():
	}
}

func (s *session) judge(ctx context.Context, c challenge, armor string) (Visitor, error) {
	if c.expired(time.Now()) {
		return Visitor{}, fmt.Errorf("the answer came after more than %v: ask for a new challenge", answerWithin)
	}
	v, err := s.site.Judge(c.text, armor)
	if err != nil || !s.cfg.Button {
		return v, err
	}
	s.print(fmt.Sprintf("the signature is good: now press the camera's button, within %v\n", buttonWithin))
	ctx, cancel := context.WithTimeout(ctx, buttonWithin)
	defer cancel()
	s.in.interruptible(cancel)
	defer s.in.interruptible(nil)
	if err := s.site.Present(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("the button was not pressed")
		}
		return Visitor{}, err
	}
	return v, nil
}

// The lines around a signature, and how much of one is read, in bytes.
const (
	signatureBegin = "-----BEGIN SSH SIGNATURE-----"
	signatureEnd   = "-----END SSH SIGNATURE-----"
	maxSignature   = 16 << 10
)

// readSignature collects a signature. Lines are read as a password is: without an echo, and past the history.
func (s *session) readSignature() (string, bool) {
	var b strings.Builder
	for b.Len() <= maxSignature {
		line, err := s.term.ReadPassword("")
		if err != nil {
			return "", false
		}
		line = strings.TrimSpace(line)
		if b.Len() == 0 && line == "" {
			return "", false
		}
		b.WriteString(line + "\n")
		if line == signatureEnd || b.Len() == len(line)+1 && line != signatureBegin {
			return b.String(), true // a signature, or something that will be judged to be none
		}
	}
	return b.String(), true
}

// talk is the [Talk] of a command.
type talk struct {
	s      *session
	page   *pager
	cancel func()
}

var _ Talk = (*talk)(nil)

// Ask implements [Talk]. ^C gives an empty answer.
func (t *talk) Ask(prompt string, secret bool) (string, error) {
	t.s.in.interruptible(nil)
	defer t.s.in.interruptible(t.cancel)
	if secret {
		return t.s.term.ReadPassword(prompt)
	}
	t.s.term.SetPrompt(prompt)
	return t.s.term.ReadLine()
}

// Live implements [Talk].
func (t *talk) Live() { t.page.on = false }
