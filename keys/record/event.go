// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Event is something that happened to the camera itself, as far as anyone may know of it.
type Event struct {
	Code   string    `json:"code"`             // one of [EventCodes]; a newer camera may have others
	From   time.Time `json:"from"`             // UTC, whole milliseconds
	To     time.Time `json:"to"`               // the same for a moment
	By     string    `json:"by,omitempty"`     // who did it: Local, Console, Owner, Hub, Schedule or Agent
	Detail string    `json:"detail,omitempty"` // for people, at most [MaxDetail] bytes
	Count  int       `json:"count"`            // how often from From to To: more than 1 when it came too often for a record each
}

// MaxDetail bounds the detail of an event, in bytes.
const MaxDetail = 256

// Codes of events. They are only added to; a text for each stands in events.
const (
	PrivacyOn      = "privacy-on"
	PrivacyOff     = "privacy-off"
	CameraStalled  = "camera-stalled"
	AgentRestarted = "agent-restarted"
	BoardRebooted  = "board-rebooted"
	ClockStep      = "clock-step"
	TamperOpen     = "tamper-open"
	TamperClosed   = "tamper-closed"
	ConfigChanged  = "config-changed"
	FactoryReset   = "factory-reset"
	ConsoleLogin   = "console-login"
	ConsoleLocked  = "console-locked"
	OwnerChanged   = "owner-changed"
	UpdateBegun    = "update-begun"
	UpdateKept     = "update-kept"
	UpdateUndone   = "update-undone"
	UnderVoltage   = "under-voltage"
	ButtonHeld     = "button-held"
	ButtonPressed  = "button-pressed"
	PIR            = "pir"
)

// Who does what an event tells of.
const (
	Local    = "local"    // somebody at the board: a switch, a button, or its command line
	Console  = "console"  // a technician at the serial console
	Owner    = "owner"    // an owner's signed command
	Hub      = "hub"      // the hub's
	Schedule = "schedule" // the board itself, by its clock
	Agent    = "agent"    // the agent itself, by what it saw
)

var events = map[string]string{
	PrivacyOn:      "privacy mode begins: the sensor is closed",
	PrivacyOff:     "privacy mode ends",
	CameraStalled:  "the camera gives no frames; a loss record says until when",
	AgentRestarted: "the agent started again on a board that ran on",
	BoardRebooted:  "the board started",
	ClockStep:      "the clock was set",
	TamperOpen:     "the housing was opened",
	TamperClosed:   "the housing was closed",
	ConfigChanged:  "the configuration was changed",
	FactoryReset:   "a factory reset was begun",
	ConsoleLogin:   "a technician logged in at the console",
	ConsoleLocked:  "the console locked itself after failed logins",
	OwnerChanged:   "the keys of owners were changed",
	UpdateBegun:    "an update is on trial",
	UpdateKept:     "an update is kept",
	UpdateUndone:   "an update was undone",
	UnderVoltage:   "the supply's voltage is too low",
	ButtonHeld:     "the button was held",
	ButtonPressed:  "the button was pressed",
	PIR:            "the sensor of warmth saw somebody",
}

// EventCodes returns the codes that this program makes, sorted.
func EventCodes() []string { return slices.Sorted(maps.Keys(events)) }

// Explain says in some words what the code of an event means, "" for one that this program does not know.
func Explain(code string) string { return events[code] }

func (e Event) validate() error {
	switch {
	case !isWord(e.Code):
		return fmt.Errorf("%w: code of the event", ErrMalformed)
	case e.By != "" && !isWord(e.By):
		return fmt.Errorf("%w: who did it", ErrMalformed)
	case len(e.Detail) > MaxDetail || !utf8.ValidString(e.Detail):
		return fmt.Errorf("%w: detail of the event", ErrMalformed)
	case !isTime(e.From) || !isTime(e.To) || e.To.Before(e.From):
		return fmt.Errorf("%w: span of the event", ErrMalformed)
	case e.Count < 1 || !areCounts(int64(e.Count)):
		return fmt.Errorf("%w: count of the event", ErrMalformed)
	}
	return nil
}

// isWord tells whether s is 1 to 40 lower-case letters, digits and hyphens, a letter first.
func isWord(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// version is that of the records of a kind: the first one that knew it, so that older programs read all that they can.
func (k Kind) version() int {
	if k == KindEvent {
		return EventVersion
	}
	return Version
}

// tooNew returns an error for a payload that says that it has a later version than this program knows. It is asked before the
// form is: a field that a later version added would only be called unknown.
func tooNew(payload []byte) error {
	var v struct {
		Version int `json:"v"`
	}
	if json.Unmarshal(payload, &v) != nil || v.Version <= EventVersion {
		return nil
	}
	return fmt.Errorf("%w: version %d, this program knows up to %d: update it", ErrMalformed, v.Version, EventVersion)
}
