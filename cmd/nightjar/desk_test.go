// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/board/console/linetest"
	"github.com/nightjar-cam/nightjar/board/wifi"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/sshsig"
	"github.com/nightjar-cam/nightjar/keys/technician"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
)

const someRecipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

func sshKey(t *testing.T) (ssh.Signer, ed25519.PublicKey) {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, pub
}

// consoleConfig is a camera's with a console at the line, for one technician.
func consoleConfig(t *testing.T, e *linetest.Line, who ssh.Signer) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.State = t.TempDir()
	cfg.Console.Device = e.Path
	cfg.Console.Technicians = []string{string(ssh.MarshalAuthorizedKey(who.PublicKey()))}
	return cfg
}

// logIn answers the challenge that comes, with a key.
func logIn(t *testing.T, e *linetest.Line, who ssh.Signer) {
	t.Helper()
	e.Send("login\r")
	e.Expect(console.ChallengeBegin)
	text := console.ChallengeBegin + strings.ReplaceAll(e.Expect(console.ChallengeEnd), "\r\n", "\n") + "\n"
	e.Expect("gives up.")
	armor, err := sshsig.Sign(who, []byte(text), technician.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	e.Send(strings.ReplaceAll(armor, "\n", "\r"))
}

// A whole visit: a camera that is nobody's is joined to Wi-Fi and enrolled, begins to work, and is nobody else's from then on.
func TestTechniciansVisit(t *testing.T) {
	h := hubtest.Start(t)
	radio := &wifi.Fake{Near: []wifi.Network{{SSID: "farm \x1b[2J", Signal: -44, Security: "WPA2"}}, Key: "correct horse"}
	openRadio = func() (wifi.Radio, error) { return radio, nil }
	defer func() { openRadio = func() (wifi.Radio, error) { return wifi.Open(wifi.Dir) } }()
	e := linetest.New(t).Drain()
	ann, _ := sshKey(t)
	cfg := consoleConfig(t, e, ann)
	ring := newLogRing()
	log := ring.with(slog.New(slog.NewTextHandler(io.Discard, nil)))
	d, err := newDesk(cfg, "", log, ring)
	if err != nil {
		t.Fatal(err)
	}
	d.file = filepath.Join(cfg.State, "nightjar.yml")
	text, err := cfg.Show()
	if err == nil {
		err = os.WriteFile(d.file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	closeDesk := d.open(ctx)
	go func() { ended <- serve(ctx, cfg, d, false, log) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the agent ended: %v", err)
		}
		closeDesk()
	}()

	e.Expect("nightjar (not enrolled), release")
	e.Expect("wrong    this camera is not enrolled -> get a token")
	e.Send("logs\r")
	e.Expect("logs is for a camera that is enrolled")
	e.Send("factory-reset\r")
	e.Expect("factory-reset is for a camera that is enrolled")
	e.Send("wifi scan\r")
	e.Expect(`"farm \x1b[2J"`) // what is heard steers no terminal
	e.Send("wifi join nowhere\r")
	e.Expect("passphrase of \"nowhere\": ")
	e.Send("correct horse\r")
	e.Expect("was not joined in time")
	e.Send("net\r")
	e.Expect("default route")
	e.Expect("hub-name")
	e.Send("enroll --hub " + h.Addr + " --token " + h.Token(t, "porch").String() + " --recipient " + someRecipient + "\r")
	e.Expect("enrolled as porch at")

	within(t, time.Minute, "the agent runs", func() bool { return d.agent.Load() != nil })
	e.Send("status\r")
	e.Expect("status is for who is logged in: `login`")
	e.Send("\r")
	if shown := e.Expect("help     "); !strings.Contains(shown, "identity ") || strings.Contains(shown, h.Addr) {
		t.Errorf("before a login it shows %q", shown)
	}
	mallory, _ := sshKey(t)
	logIn(t, e, mallory)
	e.Expect("no login: this key may not log in here")
	logIn(t, e, ann)
	e.Expect("nightjar porch, release")
	e.Expect("hub      " + h.Addr)
	e.Expect("technician> ")
	for line, want := range map[string]string{
		"status":                            "frames/s",
		"nightjar doctor":                   "hub-session",
		"config show":                       "technicians:",
		"config check --config /etc/passwd": "unknown flag",
		"hub show":                          h.Addr,
		"zones":                             "motion anywhere in the picture counts",
		"ota":                               "not built into this release",
		"logs -n 1000":                      "console: login",
		"enroll --hub x --token y --recipient " + someRecipient: "--recipient is for the owner",
		"owner list":    "unknown command",
		"sh":            "unknown command",
		"wifi status":   "wlan0 is in no network",
		"help":          "factory-reset",
		"factory-reset": "Type the camera's name",
	} {
		e.Send("more off\r" + line + "\r")
		e.Expect(want)
		if line == "factory-reset" {
			e.Send("yes\r")
			e.Expect("nothing was done")
		}
		e.Expect("technician> ")
	}
	e.Send("focus\r")
	e.Expect("best ")
	e.Expect("best ")
	e.Send("\x03")
	e.Expect("technician> ")
	e.Send("logout\r")
	e.Expect("nightjar> ")
}

// Every command of the console has a right, and every right a command; nobody gives one of them before a login at a camera that is
// enrolled.
func TestRights(t *testing.T) {
	d := &desk{}
	var names []string
	for _, c := range d.commands(console.Visitor{}, "porch") {
		names = append(names, c.Name)
		if _, ok := rights[c.Name]; !ok {
			t.Errorf("%s has no right", c.Name)
		}
		if err := d.allowed(c.Name, console.Visitor{}, true); err == nil {
			t.Errorf("%s needs no login", c.Name)
		}
		for _, role := range command.Roles() {
			err := d.allowed(c.Name, console.Visitor{Role: string(role)}, true)
			if want := role == command.Owner || role == command.Technician; (err == nil) != want && role != command.Hub && role != command.Operator {
				t.Errorf("%s by the %s: %v", c.Name, role, err)
			}
		}
	}
	for name := range rights {
		if !slices.Contains(names, name) {
			t.Errorf("there is a right to %s, and no such command", name)
		}
	}
	for name := range openSet {
		if !slices.Contains(names, name) {
			t.Errorf("%s is open, and no such command", name)
		}
	}
	if err := cli.Check(d.table(d.commands(console.Visitor{}, "porch"))); err != nil {
		t.Error(err)
	}
}

var pathFlag = regexp.MustCompile(`--(config|state)\b`)

// No command of the console takes a path: it would be read, or written, with the agent's rights.
func TestNoPathsAtConsole(t *testing.T) {
	d := &desk{cfg: config.Default(), file: config.DefaultPath}
	var walk func(c cli.Command)
	walk = func(c cli.Command) {
		var help bytes.Buffer
		cli.Execute(t.Context(), &cli.Env{Stdin: strings.NewReader(""), Stdout: &help, Stderr: &help}, c, []string{"--help"})
		if found := pathFlag.FindString(help.String()); found != "" {
			t.Errorf("%s has %s", c.Usage, found)
		}
		for _, sub := range c.Sub {
			walk(sub)
		}
	}
	walk(d.table(d.commands(console.Visitor{}, "porch")))
}

// Keys that cannot be read make no camera of nobody's.
func TestUnreadableKeysAreNotOpen(t *testing.T) {
	e := linetest.New(t)
	ann, _ := sshKey(t)
	cfg := consoleConfig(t, e, ann)
	d, err := newDesk(cfg, "", slog.New(slog.DiscardHandler), newLogRing())
	if err != nil {
		t.Fatal(err)
	}
	if _, enrolled := d.device(); enrolled {
		t.Error("an empty state is enrolled")
	}
	if err := os.WriteFile(keysDir(cfg.State), []byte("no folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, enrolled := d.device(); !enrolled {
		t.Error("a camera whose keys cannot be read is open to anybody")
	}
}

// The owner's command key is a key that logs in, as the owner.
func TestOwnerLogsIn(t *testing.T) {
	h := hubtest.Start(t)
	e := linetest.New(t)
	ann, _ := sshKey(t)
	olga, pub := sshKey(t)
	cfg := consoleConfig(t, e, ann)
	cfg.State = enrolledState(t, h)
	store, err := openKeys(cfg.State)
	if err == nil {
		err = store.SetOwners([]ed25519.PublicKey{pub})
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDesk(cfg, "", slog.New(slog.DiscardHandler), newLogRing())
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[command.Role]ssh.Signer{command.Owner: olga, command.Technician: ann} {
		armor, err := sshsig.Sign(key, []byte("challenge\n"), technician.Namespace)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := d.Judge("challenge\n", armor); err != nil || v.Role != string(want) {
			t.Errorf("%+v, %v, want the %s", v, err, want)
		}
	}
	if err := d.Present(t.Context()); !errors.Is(err, console.ErrNoButton) {
		t.Errorf("a button that is not there: %v", err)
	}
	if f := d.Facts(); f.Device != "porch" || f.Boot == "" || f.Time == "" {
		t.Errorf("facts %+v", f)
	}
	if fits := d.Complete(console.Visitor{Role: string(command.Owner)}, []string{"wifi", ""}); !slices.Equal(fits, []string{"status", "scan", "join"}) {
		t.Errorf("completes to %q", fits)
	}
}

// What a visitor wants ends the tasks, after what was said got out; serve sees why, once.
func TestVisitorEndsTasks(t *testing.T) {
	d := &desk{want: make(chan struct{}, 1), log: slog.New(slog.DiscardHandler)}
	var out bytes.Buffer
	reboot := d.rebootCommand(console.Visitor{Name: "ann"})
	if err := reboot.Run(t.Context(), &cli.Env{Stdout: &out}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.bell(true).Run(t.Context()); err == nil {
		t.Error("the tasks go on")
	}
	if why := d.over(); !errors.Is(why, errRebootAsked) {
		t.Errorf("ended for %v", why)
	}
	if why := d.over(); why != nil {
		t.Errorf("ended again, for %v", why)
	}
	if d := (*desk)(nil); d.over() != nil {
		t.Error("an agent without a console is ended by one")
	}
}

func TestGreetingSaysWhatIsWrong(t *testing.T) {
	tree := t.TempDir()
	if got := boardName(tree); !strings.HasPrefix(got, "unknown") {
		t.Errorf("no device tree: %q", got)
	}
	for name, text := range map[string]string{"model": "Raspberry Pi Zero 2 W Rev 1.0\x00", "serial-number": "00000000abcdef\x00"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := boardName(tree); got != "Raspberry Pi Zero 2 W Rev 1.0, serial number 00000000abcdef" {
		t.Errorf("board %q", got)
	}
}
