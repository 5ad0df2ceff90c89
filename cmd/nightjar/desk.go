// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/technician"
)

func lockFile(state string) string { return filepath.Join(state, "console") }

// A desk is what a technician at the console talks to. It outlives the agent's tasks: they end with each configuration from afar, and
// do not begin before the camera is enrolled, which is when somebody stands before it. A nil desk is that of an agent without console.
type desk struct {
	cfg     config.Config
	file    string // of the configuration
	list    *technician.List
	lock    *console.Lock
	floor   *clock.Floor
	log     *slog.Logger
	ring    *logRing
	press   atomic.Pointer[func(context.Context) error] // waits for the camera's button; nil: there is none
	console *console.Console

	agent atomic.Pointer[agent]

	mu     sync.Mutex
	wanted error         // why the tasks are to end: errAnew or errRebootAsked
	want   chan struct{} // has room for one
}

// An agent is what the console needs of the running tasks.
type agent struct {
	sink    *sink
	camera  *camera
	actions map[string]action
	cfg     config.Config // with what was set from afar
}

// Why a visitor ends the tasks.
var (
	errAnew        = errors.New("the tasks begin anew")
	errRebootAsked = errors.New("a reboot was asked for at the console")
)

// newDesk returns the desk of a configuration, nil when it has no console.
func newDesk(cfg config.Config, file string, log *slog.Logger, ring *logRing) (*desk, error) {
	if !cfg.Console.Serves() {
		return nil, nil
	}
	list, err := technician.New(cfg.Console.Technicians, cfg.Console.Authorities)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if err := os.MkdirAll(cfg.State, 0o755); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	floor, err := clock.OpenFloor(clockFile(cfg.State), written)
	if err != nil {
		log.Warn("the last time that was known is lost", "code", "clock-floor", "err", err)
	}
	d := &desk{cfg: cfg, file: file, list: list, floor: floor, log: log, ring: ring, want: make(chan struct{}, 1),
		lock: console.OpenLock(lockFile(cfg.State), clock.BootID(), uptime)}
	d.console = console.New(cfg.Console, d, d.lock, nil, log)
	return d, nil
}

// open serves the port beside the tasks until the func it returns is called.
func (d *desk) open(ctx context.Context) (stop func()) {
	if d == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.console.Run(ctx); err != nil {
			d.log.Error("console ended", "err", err)
		}
	}()
	return func() { cancel(); <-done }
}

// button says how to wait for the camera's button.
func (d *desk) button(press func(context.Context) error) { d.press.Store(&press) }

// attach gives the console the running tasks, until the func it returns is called.
func (d *desk) attach(a *agent) (detach func()) {
	if d == nil {
		return func() {}
	}
	d.agent.Store(a)
	return func() { d.agent.Store(nil) }
}

// end asks the tasks to end, for a reason that serve acts on.
func (d *desk) end(why error) {
	d.mu.Lock()
	d.wanted = why
	d.mu.Unlock()
	select {
	case d.want <- struct{}{}:
	default:
	}
}

// over returns why a visitor ended the tasks, nil if none did, and forgets it.
func (d *desk) over() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	why := d.wanted
	d.wanted = nil
	return why
}

// A bell is the task that ends the others when a visitor wants that, or, before the enrolment, when it is done.
type bell struct {
	desk     *desk
	enrolled bool
	ready    chan struct{}
}

func (d *desk) bell(enrolled bool) *bell {
	b := &bell{d, enrolled, make(chan struct{})}
	close(b.ready)
	return b
}

func (b *bell) String() string         { return "console's wishes" }
func (b *bell) Ready() <-chan struct{} { return b.ready }

func (b *bell) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second) // `nightjar enroll` may run in another process
	defer tick.Stop()
	for {
		select {
		case <-b.desk.want:
			if ctx.Err() == nil {
				wait(ctx, beforeStop) // what is being said has to get out
			}
			return task.ErrStop
		case <-tick.C:
			if b.enrolled {
				continue
			}
			if _, enrolled := b.desk.device(); enrolled {
				b.desk.end(errAnew)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// untilEnrolled keeps the console open while there is nothing else to do.
func (d *desk) untilEnrolled(ctx context.Context) error {
	d.log.Warn("this camera is not enrolled: it records nothing; the console waits for `enroll`", "code", "not-enrolled")
	return task.Serve(ctx, d.log, task.Signals(d.log), d.bell(false))
}

// device is the camera's name, and whether it is enrolled. What cannot be known counts as enrolled: the console of a camera whose keys
// cannot be read just now must not be open to anybody.
func (d *desk) device() (name string, enrolled bool) {
	c, err := readCredential(d.cfg)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keys.ErrNotEnrolled) {
		return "", false
	}
	return c.Device, true
}

// now is the time as far as it is known.
func (d *desk) now() (at time.Time, quality clock.Quality) {
	var w clock.Wall
	if a := d.agent.Load(); a != nil {
		w.Time, w.Quality = a.sink.known(), a.sink.clock.Now().Quality
	} else {
		w = d.floor.System().Now()
	}
	if floor := d.floor.At(); w.Time.Before(floor) {
		w.Time = floor
	}
	return w.Time, w.Quality
}

// Facts implements [console.Site].
func (d *desk) Facts() console.Facts {
	name, _ := d.device()
	at, quality := d.now()
	return console.Facts{Device: name, Boot: clock.BootID(), Time: at.UTC().Format(time.RFC3339) + " " + string(quality)}
}

// Judge implements [console.Site].
func (d *desk) Judge(challenge, armor string) (console.Visitor, error) {
	name, enrolled := d.device()
	if !enrolled {
		return console.Visitor{}, errors.New("this camera is not enrolled: no login is needed, `help` shows what can be done")
	}
	var principals []string
	for _, p := range []string{name, d.cfg.Console.Site} {
		if p != "" {
			principals = append(principals, p)
		}
	}
	at, quality := d.now()
	who, err := d.list.Judge(challenge, armor, principals, technician.Time{At: at, Set: quality != clock.Unset}, d.owners())
	return console.Visitor{Name: who.Name, Fingerprint: who.Fingerprint, Role: string(who.Role)}, err
}

func (d *desk) owners() []ed25519.PublicKey {
	store, err := openKeys(d.cfg.State)
	if err == nil {
		var owners []ed25519.PublicKey
		if owners, err = store.Owners(); err == nil {
			return owners
		}
	}
	d.log.Error("the owners' keys cannot be read, so no owner can log in", "code", "owners-unreadable", "err", err)
	return nil
}

// Present implements [console.Site].
func (d *desk) Present(ctx context.Context) error {
	press := d.press.Load()
	if press == nil {
		return console.ErrNoButton
	}
	return (*press)(ctx)
}

// Happened implements [console.Site]: logins and locks are signed events, once there is a chain to sign them in.
func (d *desk) Happened(what console.Happening, v console.Visitor, detail string) {
	d.log.Info("console: "+string(what), "code", "console-"+string(what), "name", v.Name, "role", v.Role, "key", v.Fingerprint, "detail", detail)
	if err := d.lock.Trouble(); err != nil {
		d.log.Error("failed logins are counted in memory only", "code", "console-count", "err", err)
	}
	a := d.agent.Load()
	if a == nil {
		return
	}
	switch what {
	case console.LoggedIn:
		a.sink.event(record.ConsoleLogin, record.Console, strings.TrimSpace(v.Role+" "+v.Name+" "+v.Fingerprint))
	case console.Locked:
		a.sink.event(record.ConsoleLocked, record.Console, detail)
	}
}

// Run implements [console.Site].
func (d *desk) Run(ctx context.Context, v console.Visitor, stdout, stderr io.Writer, words []string) {
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr}
	name, enrolled := d.device()
	all := d.commands(v, name)
	var may []cli.Command
	for _, c := range all {
		err := d.allowed(c.Name, v, enrolled)
		if err == nil {
			may = append(may, c)
		} else if c.Name == words[0] {
			fmt.Fprintln(stderr, err)
			return
		}
	}
	cli.Execute(ctx, env, d.table(may), words)
}

// Complete implements [console.Site].
func (d *desk) Complete(v console.Visitor, words []string) (fits []string) {
	name, enrolled := d.device()
	c := d.table(d.commands(v, name))
	for _, word := range words[:len(words)-1] {
		var next *cli.Command
		for i := range c.Sub {
			if c.Sub[i].Name == word {
				next = &c.Sub[i]
			}
		}
		if next == nil {
			return nil
		}
		c = *next
	}
	for _, sub := range c.Sub {
		if len(words) > 1 || d.allowed(sub.Name, v, enrolled) == nil {
			fits = append(fits, sub.Name)
		}
	}
	if len(words) == 1 {
		fits = append(fits, "help", "login", "logout")
	}
	return fits
}

// openSet is what anybody at the port may do before the camera is enrolled: it is nobody's then, and holds nothing of anybody. Who is
// there may set it up.
var openSet = map[string]bool{command.Status: true, command.Net: true, command.Wifi: true, command.Enroll: true, command.Doctor: true, "version": true}

// rights names the row of the table of commands that each command of the console needs.
var rights = map[string]string{
	"status": command.Status, "net": command.Net, "wifi": command.Wifi, "enroll": command.Enroll, "doctor": command.Doctor,
	"logs": command.Logs, "privacy": command.AtPrivacy, "focus": command.Focus, "zones": command.Zones, "config": command.ConfigShow, "hub": command.HubSet,
	"ota": command.Status, "version": command.Status, "reboot": command.Reboot, "factory-reset": command.Reset,
}

func (d *desk) allowed(name string, v console.Visitor, enrolled bool) error {
	if !enrolled && openSet[name] {
		return nil
	}
	right, ok := rights[name]
	if !ok {
		return fmt.Errorf("%s is not for the console", name)
	}
	if v.Role == "" {
		if !enrolled {
			return fmt.Errorf("%s is for a camera that is enrolled", name)
		}
		return fmt.Errorf("%s is for who is logged in: `login`", name)
	}
	return command.AllowedAtBoard(right, command.Role(v.Role))
}
