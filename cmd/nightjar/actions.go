// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/uplink"
)

// actions are what this agent does when it is told to.
func actions(cfg config.Config, s *sink, e *eye, session *uplink.Session, stage func([]byte) error) map[string]action {
	return map[string]action{
		command.Status: plain(func(context.Context) (any, error) { return statusOf(s, session), nil }),
		command.ConfigShow: plain(func(context.Context) (any, error) {
			text, err := cfg.Show()
			return map[string]string{"yaml": string(text)}, err
		}),
		command.ConfigSet: func(_ context.Context, args json.RawMessage) (any, error) {
			var a struct {
				YAML string `json:"yaml"`
			}
			if err := strictArgs(args, &a); err != nil {
				return nil, err
			}
			return nil, stage([]byte(a.YAML))
		},
		command.Pause:  plain(func(context.Context) (any, error) { session.Pause(true); return nil, nil }),
		command.Resume: plain(func(context.Context) (any, error) { session.Pause(false); return nil, nil }),
		command.Retry:  plain(func(context.Context) (any, error) { session.Retry(); return nil, nil }),
		command.Request: func(_ context.Context, args json.RawMessage) (any, error) {
			var a struct {
				Clip string `json:"clip"`
			}
			if err := strictArgs(args, &a); err != nil {
				return nil, err
			}
			return nil, session.Request(a.Clip)
		},
		// The credential watch sees the change, and the answer goes to the old address before.
		command.HubSet: func(ctx context.Context, args json.RawMessage) (any, error) {
			var a struct {
				Hub string `json:"hub"`
			}
			if err := strictArgs(args, &a); err != nil {
				return nil, err
			}
			return nil, setHub(ctx, s.keys, a.Hub, true)
		},
		command.MotionBusy: plain(func(ctx context.Context) (busy any, err error) {
			err = e.camera.ask(ctx, func(d *motion.Detector) { busy = busyOf(d) })
			return busy, err
		}),
		command.MotionReset: plain(func(ctx context.Context) (any, error) {
			return nil, e.camera.ask(ctx, (*motion.Detector).ResetBusy)
		}),
	}
}

// plain is an action without arguments.
func plain(act func(context.Context) (any, error)) action {
	return func(ctx context.Context, args json.RawMessage) (any, error) {
		if err := strictArgs(args, &struct{}{}); err != nil {
			return nil, err
		}
		return act(ctx)
	}
}

// strictJSON decodes one object without unknown fields.
func strictJSON(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// agentStatus is the answer to the command status. Fields are only added.
type agentStatus struct {
	Release     string         `json:"release"`
	Boot        string         `json:"boot"`
	Time        time.Time      `json:"time"`
	Quality     string         `json:"quality"` // of the time
	Connected   bool           `json:"connected"`
	Since       time.Time      `json:"since"`
	Trouble     string         `json:"trouble,omitempty"`
	Paused      bool           `json:"paused"`
	Entries     int            `json:"entries"` // that wait in the spool
	Bytes       int64          `json:"bytes"`
	Queue       uplink.Queue   `json:"queue"`
	Quarantined map[string]int `json:"quarantined,omitempty"`
}

func statusOf(s *sink, session *uplink.Session) agentStatus {
	now, st := s.clock.Now(), session.Status()
	a := agentStatus{Release: cli.Release(), Boot: s.boot, Time: instant(now.Time), Quality: string(now.Quality),
		Connected: st.Connected, Since: st.Since.UTC(), Paused: st.Paused, Queue: st.Queue}
	a.Entries, a.Bytes = s.spool.Usage()
	if st.Err != nil {
		a.Trouble = st.Err.Error()
	}
	for code, n := range st.Quarantined {
		if a.Quarantined == nil {
			a.Quarantined = map[string]int{}
		}
		a.Quarantined[string(code)] = n
	}
	return a
}

// busyMap shows where the detector is used to motion: a text of one hexadecimal digit for each block, row by row, 0 for not
// at all and f for all day.
type busyMap struct {
	Cols int      `json:"cols"`
	Rows []string `json:"rows"`
}

func busyOf(d *motion.Detector) busyMap {
	cols, _, _, _ := d.Grid()
	m := busyMap{Cols: cols}
	var row strings.Builder
	for i, c := range d.Cells(nil) {
		fmt.Fprintf(&row, "%x", c.Habit>>4)
		if (i+1)%cols == 0 {
			m.Rows = append(m.Rows, row.String())
			row.Reset()
		}
	}
	return m
}
