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

	"github.com/nightjar-cam/nightjar/board/console/linetest"
)

const goodArmor = signatureBegin + "\ngood\n" + signatureEnd + "\n"

// echo is a site whose commands print their words.
func echo() *Fake {
	return &Fake{Answer: goodArmor, Command: func(_ context.Context, v Visitor, w io.Writer, words []string) {
		fmt.Fprintf(w, "%s did %q\n", v.Name, words)
	}}
}

func login(e *linetest.Line, armor string) {

	e.Send("login\r")
	e.Expect(ChallengeEnd)
	e.Expect("gives up.")
	e.Send(strings.ReplaceAll(armor, "\n", "\r"))
}

func TestVisit(t *testing.T) {
	site, e, b := echo(), linetest.New(t).Drain(), newBoard(t)
	c := start(t, testConfig(e), site, b.lock(), nil)
	e.Expect("porch, \r\n") // every line ends with CRLF
	e.Expect("nightjar> ")
	e.Send("\n") // somebody looks whether anything is here, with a terminal that sends LF
	e.Expect("porch, \r\n")
	login(e, goodArmor)
	e.Expect("porch, ann\r\nnightjar ann> ")
	if v := c.State().Visitor; v.Name != "ann" || v.Role != "technician" {
		t.Errorf("state says %+v", v)
	}
	e.Send("nightjar wifi join 'my net'\r")
	e.Expect(`ann did ["wifi" "join" "my net"]`)
	e.Send("junk\x03") // ^C throws the line away
	e.Send("s\t\t")    // Tab goes on as far as it can, and then shows what there is
	e.Expect("status  stop")
	e.Send("a\t\r")
	e.Expect(`ann did ["status"]`)
	e.Send("\x1b[A\r") // the history
	e.Expect(`ann did ["status"]`)
	e.Send("?\r")
	e.Expect(`ann did ["help"]`)
	e.Send("'open\r")
	e.Expect("a quotation mark is missing")
	e.Send("logout\r")
	e.Expect("logged out\r\n")
	e.Expect("nightjar> ")
	e.Send("status\r")
	e.Expect(`" did ["status"]`[1:])
	e.Send("\x1b[A\x1b[A\x1b[A\r") // the next visitor sees nothing of the former's history
	e.Expect(` did ["status"]`)
	if want := []string{"login ann", "logout ann"}; fmt.Sprint(site.Told()) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", site.Told(), want)
	}
}

// Five failures lock, a restart of console and board does not unlock, and even a good answer is not judged then.
func TestLockout(t *testing.T) {
	site, e, b := echo(), linetest.New(t).Drain(), newBoard(t)
	lock := b.lock()
	fail(t, lock, MaxFailures-1) // the others would take a second each
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- New(testConfig(e), site, lock, nil, discard()).Run(ctx) }()
	login(e, signatureBegin+"\nbad\n"+signatureEnd+"\n")
	e.Expect("no login: this key may not log in here")
	e.Expect("login is locked for 10m0s")
	e.Send("login\r")
	e.Expect("login is locked for ")
	stop()
	<-ended
	if want := []string{"refused ", "locked "}; fmt.Sprint(site.Told()) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", site.Told(), want)
	}

	again := b.restart()
	start(t, testConfig(e), site, again, nil)
	e.Expect("login is locked for 10m0s")
	e.Send("login\r")
	e.Expect("login is locked for 10m0s, after 5 failures")
	b.wait(LockedFor)
	login(e, goodArmor)
	e.Expect("nightjar ann> ")
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
	e := linetest.New(t).Drain()
	judged := make(chan string, 2)
	site := &judge{echo(), func(challenge string) { judged <- challenge }}
	start(t, testConfig(e), site, newBoard(t).lock(), nil)
	var last string
	for range 2 {
		e.Send("login\r")
		e.Expect(ChallengeBegin + "\r\n")
		shown := ChallengeBegin + "\n" + strings.ReplaceAll(e.Expect(ChallengeEnd+"\r\n"), "\r\n", "\n")
		e.Expect("gives up.")
		e.Send(strings.ReplaceAll(goodArmor, "\n", "\r"))
		e.Expect("nightjar ann> ")
		if text := <-judged; text != shown || text == last {
			t.Errorf("judged %q, shown %q, before it %q", text, shown, last)
		}
		last = shown
		e.Send("logout\r")
		e.Expect("nightjar> ")
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
		site, e, b := echo(), linetest.New(t).Drain(), newBoard(t)
		site.Button = row.err
		cfg := testConfig(e)
		cfg.Button = true
		lock := b.lock()
		start(t, cfg, site, lock, nil)
		login(e, goodArmor)
		e.Expect("press the camera's button")
		e.Expect(row.want)
		if n := lock.Failures(); (n == 0) != (row.err == nil) {
			t.Errorf("button %v: %d failures", row.err, n)
		}
	}
}

func TestIdleLogout(t *testing.T) {
	e := linetest.New(t).Drain()
	site, cfg := echo(), testConfig(e)
	site.Command = func(ctx context.Context, _ Visitor, _ io.Writer, _ []string) { <-ctx.Done() } // as `logs -f`
	cfg.Idle = 300 * time.Millisecond
	start(t, cfg, site, newBoard(t).lock(), nil)
	login(e, goodArmor)
	e.Expect("logged out: nothing was typed for 300ms")
	login(e, goodArmor)
	e.Expect("ann> ")
	e.Send("logs\r")
	e.Expect("logged out: nothing was typed")
}

func TestInterrupt(t *testing.T) {
	e := linetest.New(t).Drain()
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
	e.Send("focus\r")
	e.Expect("name? ")
	e.Send("porch\r")
	e.Expect("secret? ")
	e.Send("swordfish\r")
	if shown := e.Expect("got porch 9"); strings.Contains(shown, "swordfish") {
		t.Errorf("a secret is shown: %q", shown)
	}
	e.Send("\x03")
	e.Expect("ended")
	e.Expect("nightjar> ")
	e.Send("\x1b[A\x1b[A") // a secret is not in the history
	if shown := e.Expect("focus"); strings.Contains(shown, "swordfish") {
		t.Errorf("a secret is kept: %q", shown)
	}
}

// The far end goes, and the console is there for the next.
func TestHangup(t *testing.T) {
	first := linetest.New(t).Drain()
	site := echo()
	c := start(t, testConfig(first), site, newBoard(t).lock(), nil)
	login(first, goodArmor)
	first.Expect("ann> ")
	first.File.Close()
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

	e := linetest.New(t).Drain()
	p, err := openPort(e.Path, 115200)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := openPort(e.Path, 115200); !errors.Is(err, errBusy) {
		t.Errorf("a port that is in use is opened: %v", err)
	}
}

// A line that nobody reads takes no more than a buffer: commands end, the console ends, and no goroutine stays behind.
func TestUnreadLine(t *testing.T) {
	before := runtime.NumGoroutine()
	e := linetest.New(t) // nobody drains it
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
	e.Send("logs\r")
	select {
	case <-written:
	case <-time.After(time.Minute):
		t.Fatal("what is said waits for a line that nobody reads")
	}
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
	e := linetest.New(t).Drain()
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
		e.Send(string(noise[:n]))
		noise = noise[n:]
	}
	until(t, "a prompt after the noise", func() bool {
		e.Send("\x15\r\x15login\r")
		return strings.HasSuffix(strings.TrimSpace(e.Text()), "gives up.")
	})
	e.Skip()
	e.Send(strings.ReplaceAll(goodArmor, "\n", "\r"))
	e.Expect("nightjar ann> ")
}
