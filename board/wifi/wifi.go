// SPDX-License-Identifier: Apache-2.0

// Package wifi joins the board to a radio network. [Open] finds the wpa_supplicant that manages the board's radio, by its control
// socket; what it returns is a [Radio]. Where NetworkManager drives the radio there is no such socket: then it says so.
package wifi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Network is one that the radio hears.
type Network struct {
	SSID     string `json:"ssid"`
	Signal   int    `json:"signal_dbm"`
	Security string `json:"security"` // WPA3, WPA2, WPA, WEP, or open
}

// State is what the radio is doing.
type State struct {
	Interface string `json:"interface"`
	State     string `json:"state"` // as wpa_supplicant says: COMPLETED is joined
	SSID      string `json:"ssid,omitempty"`
	Address   string `json:"address,omitempty"`
	Signal    int    `json:"signal_dbm,omitempty"`
}

// Joined tells whether the board is in a network.
func (s State) Joined() bool { return s.State == "COMPLETED" }

// Radio is the board's radio. One goroutine uses it at a time; every method ends when ctx does.
type Radio interface {
	State(ctx context.Context) (State, error)
	// Scan looks around, for some seconds, and returns what it hears, the strongest first, each name once.
	Scan(ctx context.Context) ([]Network, error)
	// Join joins a network, waits until that works, and keeps it for the next start. What was tried and did not work is undone. The
	// passphrase appears in no error.
	Join(ctx context.Context, ssid, passphrase string) error
	Close() error
}

// Reasons why nothing was joined.
var (
	ErrNone = errors.New("no wpa_supplicant that can be asked: the board has no radio, or NetworkManager drives it; " +
		"use nmcli there, or start wpa_supplicant with ctrl_interface=/run/wpa_supplicant")
	ErrKey     = errors.New("the passphrase is wrong")
	ErrTimeout = errors.New("the network was not joined in time: is it near, and is its name right?")
	ErrUnsaved = errors.New("joined, but not kept for the next start: wpa_supplicant needs update_config=1 in its configuration")
)

// check bounds what a person gave, before anything else sees it.
func check(ssid, passphrase string) error {
	if ssid == "" || len(ssid) > 32 {
		return fmt.Errorf("the name of a network has 1 to 32 bytes, not %d", len(ssid))
	}
	if passphrase == "" {
		return nil
	}
	if len(passphrase) < 8 || len(passphrase) > 63 {
		return fmt.Errorf("a passphrase has 8 to 63 characters, not %d", len(passphrase))
	}
	if strings.ContainsFunc(passphrase, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("a passphrase has printable ASCII characters only")
	}
	return nil
}

// heard sorts what was heard, and leaves each name once.
func heard(all []Network) (once []Network) {
	slices.SortStableFunc(all, func(a, b Network) int { return b.Signal - a.Signal })
	for _, n := range all {
		if n.SSID != "" && !slices.ContainsFunc(once, func(o Network) bool { return o.SSID == n.SSID }) {
			once = append(once, n)
		}
	}
	return once
}

// Fake is a Radio for tests: it joins the network Near with the passphrase Key.
type Fake struct {
	Near []Network
	Key  string
	In   string // the network that it is in
}

var _ Radio = (*Fake)(nil)

// State implements [Radio].
func (f *Fake) State(context.Context) (State, error) {
	if f.In == "" {
		return State{Interface: "wlan0", State: "DISCONNECTED"}, nil
	}
	return State{Interface: "wlan0", State: "COMPLETED", SSID: f.In, Address: "192.0.2.7", Signal: -50}, nil
}

// Scan implements [Radio].
func (f *Fake) Scan(context.Context) ([]Network, error) { return heard(f.Near), nil }

// Join implements [Radio].
func (f *Fake) Join(_ context.Context, ssid, passphrase string) error {
	if err := check(ssid, passphrase); err != nil {
		return err
	}
	if !slices.ContainsFunc(f.Near, func(n Network) bool { return n.SSID == ssid }) {
		return ErrTimeout
	}
	if passphrase != f.Key {
		return ErrKey
	}
	f.In = ssid
	return nil
}

// Close implements [Radio].
func (f *Fake) Close() error { return nil }
