// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const goodArmor = signatureBegin + "\ngood\n" + signatureEnd + "\n"

// echo is a site whose commands print their words.
func echo() *Fake {
	return &Fake{Answer: goodArmor, Command: func(_ context.Context, v Visitor, w io.Writer, words []string) {
		fmt.Fprintf(w, "%s did %q\n", v.Name, words)
	}}
}

func login(e *farEnd, armor string) {
	e.t.Helper()
	e.send("login\r")
	e.expect(ChallengeEnd)
	e.expect("gives up.")
	e.send(strings.ReplaceAll(armor, "\n", "\r"))
}

func TestVisit(t *testing.T) {
	site, e, b := echo(), newLine(t).drain(), newBoard(t)
	c := start(t, testConfig(e), site, b.lock(), nil)
	e.expect("porch, \r\n") // every line ends with CRLF
	e.expect("nightjar> ")
	e.send("\n") // somebody looks whether anything is here, with a terminal that sends LF
	e.expect("porch, \r\n")
	login(e, goodArmor)
	e.expect("porch, ann\r\nnightjar ann> ")
	if v := c.State().Visitor; v.Name != "ann" || v.Role != "technician" {
		t.Errorf("state says %+v", v)
	}
	e.send("nightjar wifi join 'my net'\r")
	e.expect(`ann did ["wifi" "join" "my net"]`)
	e.send("junk\x03") // ^C throws the line away
	e.send("s\t\t")    // Tab goes on as far as it can, and then shows what there is
	e.expect("status  stop")
	e.send("a\t\r")
	e.expect(`ann did ["status"]`)
	e.send("\x1b[A\r") // the history
	e.expect(`ann did ["status"]`)
	e.send("?\r")
	e.expect(`ann did ["help"]`)
	e.send("'open\r")
	e.expect("a quotation mark is missing")
	e.send("logout\r")
	e.expect("logged out\r\n")
	e.expect("nightjar> ")
	e.send("status\r")
	e.expect(`" did ["status"]`[1:])
	e.send("\x1b[A\x1b[A\x1b[A\r") // the next visitor sees nothing of the former's history
	e.expect(` did ["status"]`)
	if want := []string{"login ann", "logout ann"}; fmt.Sprint(site.Told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", site.Told, want)
	}
}

// Five failures lock, a restart of console and board does not unlock, and even a good answer is not judged then.
func TestLockout(t *testing.T) {
	site, e, b := echo(), newLine(t).drain(), newBoard(t)
	lock := b.lock()
	fail(t, lock, MaxFailures-1) // the others would take a second each
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- New(testConfig(e), site, lock, nil, discard()).Run(ctx) }()
	login(e, signatureBegin+"\nbad\n"+signatureEnd+"\n")
	e.expect("no login: this key may not log in here")
	e.expect("login is locked for 10m0s")
	e.send("login\r")
	e.expect("login is locked for ")
	stop()
	<-ended
	if want := []string{"refused ", "locked "}; fmt.Sprint(site.Told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", site.Told, want)
	}

	again := b.restart()
	start(t, testConfig(e), site, again, nil)
	e.expect("login is locked for 10m0s")
	e.send("login\r")
	e.expect("login is locked for 10m0s, after 5 failures")
	b.run += LockedFor
	login(e, goodArmor)
	e.expect("nightjar ann> ")
}

func TestChallenges(t *testing.T) {
	seen := map[string]bool{}
	now := time.Now()
	for range 100 {
		c := newChallenge((&Fake{}).Facts(), "/dev/ttyS0", now)
		if seen[c.text] {
			t.Fatal("the same challenge twice")
		}
		seen[c.text] = true
		for _, want := range []string{"device porch\n", "boot boot-1\n", "console /dev/ttyS0\n", "nonce "} {
			if !strings.Contains(c.text, want) {
				t.Errorf("no %q in %q", want, c.text)
			}
		}
	}
	c := newChallenge(Facts{}, "x", now)
	if c.expired(now.Add(answerWithin)) || !c.expired(now.Add(answerWithin+1)) {
		t.Error("expires at another time")
	}
}

// An answer is judged against the challenge that stands above it, and against no other.
func TestAnswerIsForItsChallenge(t *testing.T) {
	e := newLine(t).drain()
	var judged []string
	site := &judge{echo(), func(challenge string) { judged = append(judged, challenge) }}
	start(t, testConfig(e), site, newBoard(t).lock(), nil)
	for range 2 {
		e.send("login\r")
		e.expect(ChallengeBegin + "\r\n")
		shown := ChallengeBegin + "\n" + strings.ReplaceAll(e.expect(ChallengeEnd+"\r\n"), "\r\n", "\n")
		e.expect("gives up.")
		e.send(strings.ReplaceAll(goodArmor, "\n", "\r"))
		e.expect("nightjar ann> ")
		if last := judged[len(judged)-1]; last != shown {
			t.Errorf("judged %q, shown %q", last, shown)
		}
		e.send("logout\r")
		e.expect("nightjar> ")
	}
	if judged[0] == judged[1] {
		t.Error("the same challenge twice")
	}
}

type judge struct {
	*Fake
	look func(string)
}

func (j *judge) Judge(challenge, armor string) (Visitor, error) {
	j.look(challenge)
	return j.Fake.Judge(challenge, armor)
}

func TestButton(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{{nil, "nightjar ann> "}, {ErrNoButton, "no login: this camera has no button"}, {context.DeadlineExceeded, "the button was not pressed"}} {
		site, e, b := echo(), newLine(t).drain(), newBoard(t)
		site.Button = row.err
		cfg := testConfig(e)
		cfg.Button = true
		lock := b.lock()
		start(t, cfg, site, lock, nil)
		login(e, goodArmor)
		e.expect("press the camera's button")
		e.expect(row.want)
		if n := lock.Failures(); (n == 0) != (row.err == nil) {
			t.Errorf("button %v: %d failures", row.err, n)
		}
	}
}

func TestIdleLogout(t *testing.T) {
	e := newLine(t).drain()
	site, cfg := echo(), testConfig(e)
	site.Command = func(ctx context.Context, _ Visitor, _ io.Writer, _ []string) { <-ctx.Done() } // as `logs -f`
	cfg.Idle = 300 * time.Millisecond
	start(t, cfg, site, newBoard(t).lock(), nil)
	login(e, goodArmor)
	e.expect("logged out: nothing was typed for 300ms")
	login(e, goodArmor)
	e.expect("ann> ")
	e.send("logs\r")
	e.expect("logged out: nothing was typed")
}

func TestInterrupt(t *testing.T) {
	e := newLine(t).drain()
	site := echo()
	site.Command = func(ctx context.Context, _ Visitor, w io.Writer, _ []string) {
		talk, _ := TalkOf(ctx)
		talk.Live()
		for range 100 {
			fmt.Fprintln(w, "line")
		}
		name, _ := talk.Ask("name? ", false)
		secret, _ := talk.Ask("secret? ", true)
		fmt.Fprintln(w, "got", name, len(secret))
		<-ctx.Done()
		fmt.Fprintln(w, "ended")
	}
	start(t, testConfig(e), site, newBoard(t).lock(), nil)
	e.send("focus\r")
	e.expect("name? ")
	e.send("porch\r")
	e.expect("secret? ")
	e.send("swordfish\r")
	if shown := e.expect("got porch 9"); strings.Contains(shown, "swordfish") {
		t.Errorf("a secret is shown: %q", shown)
	}
	e.send("\x03")
	e.expect("ended")
	e.expect("nightjar> ")
	e.send("\x1b[A\x1b[A") // a secret is not in the history
	if shown := e.expect("focus"); strings.Contains(shown, "swordfish") {
		t.Errorf("a secret is kept: %q", shown)
	}
}

// The far end goes, and the console is there for the next.
func TestHangup(t *testing.T) {
	first := newLine(t).drain()
	site := echo()
	c := start(t, testConfig(first), site, newBoard(t).lock(), nil)
	login(first, goodArmor)
	first.expect("ann> ")
	first.f.Close()
	until(t, "logged out", func() bool { s := c.State(); return !s.Open && s.Visitor == Visitor{} })
	if c.State().Err == nil {
		t.Error("no reason is given")
	}
}

// A device that is absent, or another's, is a state: the console says why, and does not end.
func TestAbsent(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Device = filepath.Join(t.TempDir(), "ttyUSB9")
	c := start(t, cfg, echo(), newBoard(t).lock(), nil)
	until(t, "a reason", func() bool { return c.State().Err != nil })

	e := newLine(t).drain()
	p, err := openPort(e.path, 115200)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := openPort(e.path, 115200); !errors.Is(err, errBusy) {
		t.Errorf("a port that is in use is opened: %v", err)
	}
}

// A line that nobody reads takes no more than a buffer: commands end, the console ends, and no goroutine stays behind.
func TestUnreadLine(t *testing.T) {
	before := runtime.NumGoroutine()
	e := newLine(t) // nobody drains it
	written := make(chan struct{})
	site := echo()
	site.Command = func(ctx context.Context, _ Visitor, w io.Writer, _ []string) {
		talk, _ := TalkOf(ctx)
		talk.Live()
		for range 5000 {
			io.WriteString(w, strings.Repeat("x", 99)+"\n")
		}
		close(written)
	}
	c := New(testConfig(e), site, newBoard(t).lock(), nil, discard())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	e.send("logs\r")
	<-written
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if c.State().Lost == 0 {
		t.Error("500 kB went into a line that nobody reads")
	}
	until(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= before })
}

// Noise, as of a wrong baud rate: half of a minute's worth at 115200 bit/s, as fast as it goes. Then a visitor comes.
func TestGarbage(t *testing.T) {
	e := newLine(t).drain()
	site := &Fake{Answer: goodArmor}
	start(t, testConfig(e), site, newBoard(t).lock(), nil)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 345_600)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	noise = append(noise, "\x1b["+strings.Repeat("0", 5000)...) // a key without an end
	if testing.Short() {
		noise = noise[len(noise)-40_000:]
	}
	for len(noise) > 0 {
		n := min(512, len(noise))
		e.send(string(noise[:n]))
		noise = noise[n:]
	}
	until(t, "a prompt after the noise", func() bool {
		e.send("\x15\r\x15login\r")
		e.mu.Lock()
		defer e.mu.Unlock()
		text := e.text.String()
		return strings.HasSuffix(strings.TrimSpace(text), "gives up.")
	})
	e.mu.Lock()
	e.read = e.text.Len()
	e.mu.Unlock()
	e.send(strings.ReplaceAll(goodArmor, "\n", "\r"))
	e.expect("nightjar ann> ")
}
