// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/uplink"
)

// actions are what this agent does when it is told to.
func actions(cfg config.Config, s *sink, e *eye, session *uplink.Session, curtain *curtain, stage func([]byte) error, reset func() error) map[string]action {
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
		command.Privacy:     curtain.set,
		command.PrivacyShow: plain(func(context.Context) (any, error) { return curtain.status(), nil }),
		command.Reset:       plain(func(context.Context) (any, error) { return nil, reset() }),
		command.Pause:       plain(func(context.Context) (any, error) { session.Pause(true); return nil, nil }),
		command.Resume:      plain(func(context.Context) (any, error) { session.Pause(false); return nil, nil }),
		command.Retry:       plain(func(context.Context) (any, error) { session.Retry(); return nil, nil }),
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
			err = e.camera.ask(ctx, func(d *motion.Detector) { busy = learnt(d).shown() })
			return busy, err
		}),
		command.MotionReset: plain(func(ctx context.Context) (any, error) {
			return nil, e.busy.forget(ctx)
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
