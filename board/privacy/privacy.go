// SPDX-License-Identifier: Apache-2.0

// Package privacy decides when the sensor has to be closed. Start with [Open]; [Mode.Closed] and [Mode.Changed] are what a camera asks.
// It is closed while anybody wants it closed: the switch at the camera, somebody at the board, the owner, the hub, or the schedule, which
// the board follows by its own clock. Who wants it open can take back their own word only, but the owner the hub's too.
package privacy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/board/durable"
)

// Who may want the sensor closed. The words are those of signed events.
const (
	Switch   = "switch" // a wire at the camera
	Local    = "local"  // somebody at the board
	Owner    = "owner"
	Hub      = "hub"
	Schedule = "schedule"
)

var askers = []string{Switch, Local, Owner, Hub, Schedule}

// Config is the part of the configuration.
type Config struct {
	Schedule []Span `yaml:"schedule"` // spans of the week in which the sensor is closed
	Uploads  string `yaml:"uploads"`  // of what was recorded before: Send, or Hold while the sensor is closed
}

// Values of Config.Uploads.
const (
	Send = "send"
	Hold = "hold"
)

// DefaultConfig has no schedule, and sends what was recorded before.
func DefaultConfig() Config { return Config{Uploads: Send} }

const maxSpans = 32

// Validate checks it.
func (c Config) Validate() error {
	if len(c.Schedule) > maxSpans {
		return fmt.Errorf("schedule: %d spans, at most %d", len(c.Schedule), maxSpans)
	}
	if c.Uploads != Send && c.Uploads != Hold {
		return fmt.Errorf("uploads: %q: available are %s and %s", c.Uploads, Send, Hold)
	}
	return nil
}

// Mode is the privacy mode of a camera. Its methods may be called from any goroutine.
type Mode struct {
	cfg  Config
	file string
	sync func(*os.File) error
	told func(on bool, by string) // called with each change, in order

	telling sync.Mutex // held while a change is told, so that the order is that of the changes
	mu      sync.Mutex
	wants   map[string]bool
	changed chan struct{}
	trouble error // why what is wanted would be forgotten at a restart
}

// saved is the file. A word that is unknown is one of a later version.
type saved struct {
	Wants []string `json:"wants"`
}

// Open reads what was wanted before the restart. A file that cannot be read closes the sensor: it may have said so. told is called with
// each change and who made it; it must not call the Mode.
func Open(file string, cfg Config, told func(on bool, by string)) *Mode {
	m := &Mode{cfg: cfg, file: file, sync: (*os.File).Sync, told: told, wants: map[string]bool{}, changed: make(chan struct{})}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	for _, w := range s.Wants {
		if !slices.Contains(askers, w) && err == nil {
			err = fmt.Errorf("unknown word %.40q", w)
		}
		m.wants[w] = true
	}
	if err != nil {
		m.wants = map[string]bool{Local: true}
		m.trouble = fmt.Errorf("read %s, so the sensor is closed until `nightjar privacy off`: %w", file, err)
	}
	if len(cfg.Schedule) == 0 {
		delete(m.wants, Schedule)
	}
	return m
}

// Closed tells whether the sensor has to be closed.
func (m *Mode) Closed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.wants) > 0
}

// Changed returns a channel that is closed with the next change of Closed.
func (m *Mode) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Holds tells whether nothing that shows a picture is to be sent now.
func (m *Mode) Holds() bool { return m.cfg.Uploads == Hold && m.Closed() }

// By returns who wants the sensor closed, in a fixed order; nobody when it is open.
func (m *Mode) By() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by()
}

func (m *Mode) by() []string {
	return slices.DeleteFunc(slices.Clone(askers), func(a string) bool { return !m.wants[a] })
}

// Trouble returns why what is wanted would be forgotten at a restart; nil if it would not.
func (m *Mode) Trouble() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trouble
}

// ErrHeld says that the sensor stays closed, since somebody else wants it closed.
var ErrHeld = errors.New("the camera stays private")

// Set says what somebody wants. The sensor is closed when it returns, whatever the error: one that wraps [ErrHeld] says who else
// wants it closed, any other that it will be forgotten at a restart.
func (m *Mode) Set(by string, on bool) error {
	err := m.change(by, func() {
		switch {
		case on:
			m.wants[by] = true
		case by == Owner:
			delete(m.wants, Hub)
			fallthrough
		default:
			delete(m.wants, by)
		}
	})
	if others := m.By(); err == nil && !on && len(others) > 0 {
		return fmt.Errorf("%w: that is wanted by: %s", ErrHeld, strings.Join(others, ", "))
	}
	return err
}

// Tick follows the schedule. A clock that was never set tells nothing: then what was wanted last stays. now is in the camera's time zone.
func (m *Mode) Tick(now time.Time, sure bool) {
	if len(m.cfg.Schedule) == 0 || !sure {
		return
	}
	in := slices.ContainsFunc(m.cfg.Schedule, func(s Span) bool { return s.Contains(now) })
	_ = m.change(Schedule, func() { // an error stays in Trouble
		if in {
			m.wants[Schedule] = true
		} else {
			delete(m.wants, Schedule)
		}
	})
}

// change makes a change, tells of it, and keeps it.
func (m *Mode) change(by string, f func()) error {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	before := m.by()
	f()
	after := m.by()
	if slices.Equal(before, after) {
		err := m.trouble
		m.mu.Unlock()
		return err
	}
	turned := len(before) == 0 || len(after) == 0
	if turned {
		close(m.changed) // before it is on the disk: a card that hangs must not keep the sensor open
		m.changed = make(chan struct{})
	}
	m.mu.Unlock()

	text, err := json.Marshal(saved{after})
	if err == nil {
		err = durable.Replace(m.file, text, m.sync)
	}
	if err != nil {
		err = fmt.Errorf("remember privacy mode over a restart: %w", err)
	}
	m.mu.Lock()
	m.trouble = err
	m.mu.Unlock()
	if turned && m.told != nil {
		m.told(len(after) > 0, by)
	}
	return err
}
