// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/route"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/policy"
)

// written is when this code was: a clock that shows an earlier time was never set.
var written = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// The state folder holds what the camera must not lose.
func keysDir(state string) string      { return filepath.Join(state, "keys") }
func clockFile(state string) string    { return filepath.Join(state, "clock") }
func commandsFile(state string) string { return filepath.Join(state, "commands") }
func spoolDir(state string) string     { return filepath.Join(state, "spool") }

func runCommand() cli.Command {
	var file string
	var drain bool
	return cli.Command{
		Name:  "run",
		Usage: "nightjar run [--config FILE] [--drain]",
		Short: "Watch, record and send until told to stop",
		Long: `Watches the camera, records what moves, seals it to the owner's keys, and sends it to the hub.
What the hub has not acknowledged with a signed receipt stays on the camera. Stop it with SIGINT or
SIGTERM: the clip that is being recorded is closed and kept.`,
		Flags: func(f *flag.FlagSet) {
			configFlag(f, &file)
			f.BoolVar(&drain, "drain", false, "when the source ends, send all that may go and exit; for a recording")
		},
		Run: func(ctx context.Context, env *cli.Env, args []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			ring := newLogRing()
			log := ring.with(cli.Log(env.Stderr, cfg.Log))
			if drain { // nobody comes to a recording
				return serve(ctx, cfg, nil, drain, log)
			}
			d, err := newDesk(cfg, file, log, ring)
			if err != nil {
				return err
			}
			defer d.open(ctx)()
			return serve(ctx, cfg, d, drain, log)
		},
	}
}

// gcPercent is how much the heap may grow between collections. Nearly all of it is frames, which are looked into by nobody: to
// collect often costs little, and to let it double costs a small board its memory.
const gcPercent = 25

// serve runs the agent, and runs it anew with each configuration that is set from afar.
func serve(ctx context.Context, cfg config.Config, d *desk, drain bool, log *slog.Logger) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	lives := openLives(cfg.State, log)
	for r := newRemote(cfg, log); ; {
		if resetting(cfg.State) {
			return completeReset(ctx, cfg.State, log)
		}
		err := run(ctx, r, lives, d, drain, log)
		if d != nil && errors.Is(err, keys.ErrNotEnrolled) {
			err = d.untilEnrolled(ctx)
		}
		switch why := d.over(); {
		case errors.Is(why, errAnew):
			continue
		case errors.Is(why, errRebootAsked):
			lives.end(endReboot, why.Error(), time.Now())
			return lives.over(fmt.Errorf("%w: %w", errReboot, why))
		}
		if !r.again(err) && !resetting(cfg.State) {
			return lives.over(err)
		}
	}
}

// run builds the tasks and serves them.
func run(ctx context.Context, r *remote, lives *lives, d *desk, drain bool, log *slog.Logger) error {
	cfg := r.config()
	s, credential, err := newSink(cfg, log)
	if err != nil {
		return err
	}
	defer s.spool.Close()
	troubles := health.New(log, func() time.Time { return s.clock.Now().Time })
	curtain := openCurtain(cfg.Privacy, cfg.State, s.clock, s.event, troubles, log)
	trial, reset := newTrial(r), newResetter(cfg.State)
	wires := newWires(cfg.Wires, gpio.Find(), curtain.mode, s.event, reset.begin, troubles, log)
	eye := newEye(cfg, s, surroundings{clock: s.clock, teller: s, ladder: lives, shutter: curtain.mode, mayMove: wires.mayMove}, troubles, log)
	defer capture.Unregister(cameraLabel)
	var session *uplink.Session
	renewal, err := newRenewal(cfg, func() error { return session.Status().Err }, log)
	if err != nil {
		return err
	}
	var commands *commander
	timekeeper := newTimekeeper(s.floor, s.told, renewal.Credential, log)
	timekeeper.stepped = func(by time.Duration) { s.event(record.ClockStep, record.Hub, by.String()) }
	trial.kept = func() { s.event(record.ConfigChanged, record.Hub, "") }
	session = uplink.New(uplink.Config{
		Release: cli.Release(), Boot: s.boot, Body: partBody, Details: partDetails, Credential: renewal.Credential,
		Newest: cfg.Upload.Order == policy.Newest, Rate: cfg.Upload.BytesPerSecond(), Idle: s.upload.idle, Hold: curtain.mode.Holds, Floor: s.floor.At,
		Welcome: func(hub time.Time) { timekeeper.welcome(hub); trial.reached() }, Command: func(jws []byte) { commands.take(jws) },
	}, credential, s.spool, log)
	does := actions(cfg, s, eye, session, curtain, trial.stage, reset.begin)
	commands = newCommander(command.OpenGate(commandsFile(cfg.State), s.device, signers(s.keys, renewal.Credential, log), s.known),
		does, session.Answer, log)

	s.buffer.Until(eye.camera.Done())
	tasks := []task.Task{
		task.Signals(log), eye.camera, eye.busy, s.buffer, s.journal, curtain, wires, session, renewal, timekeeper, commands, trial, reset,
		newCredentialWatch(s.keys, credential, session.Reconnect, log),
		newVitals(cfg, troubles, eye, s, session, curtain, wires, renewal.Credential, log),
	}
	began := func(reset string) { lives.announce(s, reset) }
	if cfg.Watchdog.Device == "" {
		began("")
	} else {
		tasks = append(tasks, newFeeder(cfg.Watchdog, func() error { return task.Living(tasks) }, began, troubles, log))
	}
	if drain {
		tasks = append(tasks, newDrain(eye, s, session))
	}
	if d != nil {
		tasks = append(tasks, d.bell(true))
		if cfg.Wires.Button.Is() {
			d.button(wires.pressed)
		}
		defer d.attach(&agent{s, eye.camera, does, cfg})()
	}
	err = task.Serve(ctx, log, tasks...)
	eye.busy.last()
	if left := s.buffer.Status().Items; left > 0 {
		log.Error("the card took not all: what was in memory is lost, and declared at the next start", "items", left)
	}
	return err
}

// newSink opens keys and spool.
func newSink(cfg config.Config, log *slog.Logger) (*sink, keys.Credential, error) {
	var none keys.Credential
	store, err := openKeys(cfg.State)
	if err != nil {
		return nil, none, err
	}
	credential, err := store.Credential()
	if err != nil {
		return nil, none, err
	}
	identity, err := store.Identity()
	if err != nil {
		return nil, none, err
	}
	recipients, err := loadRecipients(store)
	if err != nil {
		return nil, none, err
	}
	floor, err := clock.OpenFloor(clockFile(cfg.State), written)
	if err != nil {
		log.Warn("the last time that was known is lost", "code", "clock-floor", "err", err)
	}
	floor.Raise(credential.TLS.Leaf.NotBefore)
	told := clock.NewTold(floor, floor.System())
	s := &sink{
		keys: store, device: credential.Device, boot: clock.BootID(), identity: identity, recipients: recipients,
		floor: floor, told: told, clock: told, log: log,
	}
	s.upload = &upload{policy: cfg.Upload, clock: s.clock, link: route.Default}
	s.journal = newJournal(s)
	// A film can wait for the card; a camera cannot.
	wait := cfg.Camera.Speed == 0
	return s, credential, s.openSpool(spoolDir(cfg.State), cfg.State, cfg.Spool, wait)
}

// signers are whose commands this camera hears: the hub's, which signs them with the key of its receipts, and the owners'.
func signers(store *keys.Store, credential func() keys.Credential, log *slog.Logger) func() []command.Signer {
	return func() (all []command.Signer) {
		owners, err := store.Owners() // anew: `nightjar owner` needs no restart
		if err != nil {
			log.Error("owners' commands are not heard", "code", "owners-unreadable", "err", err)
		}
		for _, key := range owners {
			all = append(all, command.Signer{Role: command.Owner, Key: key})
		}
		for _, key := range credential().ReceiptKeys() {
			all = append(all, command.Signer{Role: command.Hub, Key: key})
		}
		return all
	}
}

// known is the time as far as it is known: never before what is known to have been.
func (s *sink) known() time.Time {
	if now, floor := s.clock.Now().Time, s.floor.At(); now.After(floor) {
		return now
	}
	return s.floor.At()
}

func loadRecipients(store *keys.Store) ([]age.Recipient, error) {
	lines, err := store.Recipients()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noRecipient()
	}
	if err != nil {
		return nil, err
	}
	return seal.Recipients(strings.NewReader(string(lines)))
}

// A drain is the task of `run --drain`: it stops the agent when the source has ended, the last clip is recorded and the
// spool holds nothing but what the upload policy keeps there.
type drain struct {
	eye   *eye
	sink  *sink
	queue interface{ Status() uplink.Status }
	ready chan struct{}
}

func newDrain(e *eye, s *sink, session *uplink.Session) *drain {
	d := &drain{e, s, session, make(chan struct{})}
	close(d.ready)
	return d
}

func (d *drain) String() string         { return "drain" }
func (d *drain) Ready() <-chan struct{} { return d.ready }

func (d *drain) Run(ctx context.Context) error {
	select {
	case <-d.eye.camera.Done():
	case <-ctx.Done():
		return nil
	}
	if err := d.sink.buffer.Flush(ctx); err != nil {
		return nil
	}
	for {
		changed := d.sink.spool.Changed()
		if d.left() == 0 {
			return task.ErrStop
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // that the hub has the details of a clip changes nothing in the spool
		case <-ctx.Done():
			return nil
		}
	}
}

// left is how many entries are still to go.
func (d *drain) left() int {
	if entries, _ := d.sink.spool.Usage(); entries == 0 {
		return 0
	}
	q := d.queue.Status().Queue
	if d.sink.upload.idle(time.Now()) {
		q.Now += q.Idle
	}
	return q.New + q.Now
}
