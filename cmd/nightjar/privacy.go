// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/durable"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// The files of privacy mode: what is wanted, and what `nightjar privacy` wants and the agent did not see yet.
func privacyFile(state string) string     { return filepath.Join(state, "privacy") }
func privacyWishFile(state string) string { return filepath.Join(state, "privacy.wish") }

const lookAtWish = 250 * time.Millisecond

// A curtain is the task of privacy mode: it follows the schedule, and what `nightjar privacy` wants.
type curtain struct {
	mode   *privacy.Mode
	wish   string
	clock  clock.Clock
	health *health.Record
	log    *slog.Logger
	ready  chan struct{}
}

// openCurtain reads what was wanted before, so that a sensor that was closed stays closed.
func openCurtain(cfg privacy.Config, state string, clock clock.Clock, event func(code, by, detail string), h *health.Record, log *slog.Logger) *curtain {
	c := &curtain{wish: privacyWishFile(state), clock: clock, health: h, log: log, ready: make(chan struct{})}
	c.mode = privacy.Open(privacyFile(state), cfg, func(on bool, by string) {
		code := record.PrivacyOff
		if on {
			code = record.PrivacyOn
		}
		log.Info("privacy mode", "code", code, "by", by)
		detail := ""
		if by == privacy.Switch {
			by, detail = record.Local, "by the switch"
		}
		event(code, by, detail)
	})
	c.look()
	close(c.ready)
	return c
}

func (c *curtain) String() string         { return "privacy" }
func (c *curtain) Ready() <-chan struct{} { return c.ready }

func (c *curtain) Run(ctx context.Context) error {
	tick := time.NewTicker(lookAtWish)
	defer tick.Stop()
	for {
		c.look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *curtain) look() {
	now := c.clock.Now()
	c.mode.Tick(now.Time.Local(), now.Quality != clock.Unset)
	if text, err := os.ReadFile(c.wish); err == nil {
		err := c.mode.Set(privacy.Local, string(text) != wishOff) // only what says so opens
		if err != nil && !errors.Is(err, privacy.ErrHeld) {
			c.log.Error("privacy mode would be forgotten at a restart", "code", "privacy-unsaved", "err", err)
		}
		if err := os.Remove(c.wish); err != nil {
			c.log.Error("a wish for privacy mode cannot be removed", "code", "privacy-unsaved", "err", err)
		}
	}
	c.health.Set(health.PrivacyUnsaved, c.mode.Trouble())
}

const (
	wishOn  = "on"
	wishOff = "off"
)

// set does what a command wants.
func (c *curtain) set(ctx context.Context, args json.RawMessage) (any, error) {
	var a struct {
		On bool `json:"on"`
	}
	if err := strictArgs(args, &a); err != nil {
		return nil, err
	}
	by, ok := map[command.Role]string{command.Owner: privacy.Owner, command.Hub: privacy.Hub}[giver(ctx)]
	if !ok {
		return nil, fmt.Errorf("privacy mode is not for the %s", giver(ctx))
	}
	return c.status(), c.mode.Set(by, a.On)
}

// privacyStatus is what is said of privacy mode.
type privacyStatus struct {
	Closed bool     `json:"closed"`
	By     []string `json:"by,omitempty"` // who wants it
	Holds  bool     `json:"holds"`        // nothing that shows a picture is sent
}

func (c *curtain) status() privacyStatus {
	by := c.mode.By()
	return privacyStatus{len(by) > 0, by, c.mode.Holds()}
}

func (p privacyStatus) String() string {
	if !p.Closed {
		return "off: the sensor is open"
	}
	s := "on: the sensor is closed, by " + strings.Join(p.By, ", ")
	if p.Holds {
		s += "; nothing that shows a picture is sent"
	}
	return s
}

const wishWithin = 5 * time.Second

func privacyCommand() cli.Command {
	var file string
	set := func(name, short, wish string) cli.Command {
		return cli.Command{
			Name: name, Usage: "nightjar privacy " + name + " [--config FILE]", Short: short, Flags: func(f *flag.FlagSet) { configFlag(f, &file) },
			Run: func(ctx context.Context, env *cli.Env, _ []string) error {
				cfg, err := loadConfig(file)
				if err != nil {
					return err
				}
				path := privacyWishFile(cfg.State)
				if err := durable.Replace(path, []byte(wish), (*os.File).Sync); err != nil {
					return fmt.Errorf("ask for privacy mode: %w: run it as the agent's user, or as root", err)
				}
				// The agent may be another user. It is looked at four times a second, so a look in between is no loss.
				if err := os.Chmod(path, 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("ask for privacy mode: %w", err)
				}
				before := time.Now().UTC()
				if _, err := readStatus(cfg); err != nil {
					_, err := fmt.Fprintf(env.Stdout, "the agent does not run: it begins with privacy mode %s\n", wish)
					return err
				}
				for begun := time.Now(); time.Since(begun) < wishWithin; wait(ctx, lookAtWish) {
					if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
						return tellPrivacy(ctx, env, cfg, before, wish)
					}
				}
				return fmt.Errorf("the agent did not look at it within %v: it does when it works again; see `nightjar status`", wishWithin)
			},
		}
	}
	return cli.Command{
		Name: "privacy", Usage: "nightjar privacy COMMAND", Short: "Close the sensor, or open it again",
		Long: `While privacy mode is on the sensor is closed: nothing is seen, nothing is recorded, and what was in memory is gone.
It survives restarts. It is off when nobody wants it: neither the switch at the camera, nor somebody at the board with
this command, nor the owner, the hub or the schedule. Each can take back their own word only, the owner the hub's too.`,
		Sub: []cli.Command{
			set("on", "Close the sensor", wishOn), set("off", "Take that back", wishOff),
			{Name: "status", Usage: "nightjar privacy status [--config FILE]", Short: "Say whether it is closed, and by whom", Flags: func(f *flag.FlagSet) { configFlag(f, &file) },
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					cfg, err := loadConfig(file)
					if err != nil {
						return err
					}
					s, err := readStatus(cfg)
					if err != nil {
						return err
					}
					_, err = fmt.Fprintln(env.Stdout, s.Privacy)
					return err
				}},
		},
	}
}

// tellPrivacy waits for a status that is younger than the wish, and says what came of it.
func tellPrivacy(ctx context.Context, env *cli.Env, cfg config.Config, asked time.Time, wish string) error {
	for begun := time.Now(); time.Since(begun) < 3*writeEvery && ctx.Err() == nil; wait(ctx, lookAtWish) {
		s, err := readStatus(cfg)
		if err != nil {
			return err
		}
		if s.Updated.Before(asked) {
			continue
		}
		fmt.Fprintln(env.Stdout, s.Privacy)
		if s.Privacy.Closed && wish == wishOff {
			return fmt.Errorf("it stays on: %s still wants it", strings.Join(s.Privacy.By, ", "))
		}
		return nil
	}
	return errors.New("the agent took it, and says nothing: see `nightjar status`")
}
