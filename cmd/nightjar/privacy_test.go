// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/keys/command"
)

// setClock shows a time.
type setClock struct{ at clock.Wall }

func (c *setClock) Now() clock.Wall { return c.at }

func newCurtainOn(t *testing.T, state string, cfg privacy.Config, wall clock.Clock) (*curtain, *[]string) {
	t.Helper()
	var events []string
	log := slog.New(slog.DiscardHandler)
	return openCurtain(cfg, state, wall, func(code, by, detail string) { events = append(events, strings.TrimSpace(code+" by "+by+" "+detail)) },
		health.New(log, time.Now), log), &events
}

// What the owner and the hub ask for by signed commands.
func TestPrivacyCommands(t *testing.T) {
	c, events := newCurtainOn(t, t.TempDir(), privacy.DefaultConfig(), &setClock{})
	set := func(role command.Role, args string) error {
		_, err := c.set(givenBy(t.Context(), role), json.RawMessage(args))
		return err
	}
	if err := set(command.Owner, `{"on":true}`); err != nil || !c.mode.Closed() {
		t.Fatal(err)
	}
	if err := set(command.Hub, `{"on":false}`); err == nil || !c.mode.Closed() {
		t.Errorf("the hub opened what the owner closed: %v", err)
	}
	if err := set(command.Owner, `{"on":false}`); err != nil || c.mode.Closed() {
		t.Error(err)
	}
	for _, bad := range []string{`{"off":true}`, `[]`, `{"on":"yes"}`} {
		if err := set(command.Owner, bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	if err := set(command.Technician, `{"on":true}`); err == nil || c.mode.Closed() {
		t.Error("a technician closed it from afar")
	}
	if want := []string{"privacy-on by owner", "privacy-off by owner"}; !slices.Equal(*events, want) {
		t.Errorf("%q", *events)
	}
}

// What was wanted by `nightjar privacy` while no agent ran holds from the first frame on.
func TestPrivacyWish(t *testing.T) {
	state := t.TempDir()
	if err := os.WriteFile(privacyWishFile(state), []byte(wishOn), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ := newCurtainOn(t, state, privacy.DefaultConfig(), &setClock{})
	if !c.mode.Closed() {
		t.Fatal("open at the start")
	}
	if _, err := os.Stat(privacyWishFile(state)); err == nil {
		t.Error("the wish is still there")
	}
	c, events := newCurtainOn(t, state, privacy.DefaultConfig(), &setClock{})
	if !c.mode.Closed() || len(*events) != 0 {
		t.Errorf("after a restart: closed %t, %q", c.mode.Closed(), *events)
	}
	if err := os.WriteFile(privacyWishFile(state), []byte(wishOff), 0o600); err != nil {
		t.Fatal(err)
	}
	c.look()
	if err := os.WriteFile(privacyWishFile(state), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.look(); !c.mode.Closed() {
		t.Error("a wish that says nothing opens the sensor")
	}
	if err := os.WriteFile(privacyWishFile(state), []byte(wishOff), 0o600); err != nil {
		t.Fatal(err)
	}
	c.look()
	if c.mode.Closed() || c.status().String() != "off: the sensor is open" {
		t.Errorf("%s", c.status())
	}
}

func TestPrivacySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		night, err := privacy.ParseSpan("22:00-06:00")
		if err != nil {
			t.Fatal(err)
		}
		wall := &setClock{clock.Wall{Time: time.Date(2026, 11, 25, 21, 59, 59, 0, time.Local), Quality: clock.Synced}}
		c, events := newCurtainOn(t, t.TempDir(), privacy.Config{Schedule: []privacy.Span{night}, Uploads: privacy.Hold}, wall)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.Run(ctx) }()
		time.Sleep(time.Second)
		synctest.Wait()
		if c.mode.Closed() {
			t.Error("closed before its time")
		}
		cancel()
		<-ended
		wall.at.Time = wall.at.Time.Add(time.Second)
		c.look()
		if !c.mode.Closed() || !c.mode.Holds() || !strings.Contains(c.status().String(), "by schedule; nothing that shows a picture is sent") {
			t.Errorf("%s", c.status())
		}
		if want := []string{"privacy-on by schedule"}; !slices.Equal(*events, want) {
			t.Errorf("%q", *events)
		}
	})
}
