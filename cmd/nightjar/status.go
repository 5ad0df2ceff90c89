// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/uplink"
)

const (
	statusVersion = 1
	maxStatus     = 256 << 10 // bytes of the file
)

// status is what a running agent says of itself.
type status struct {
	Version  int               `json:"v"`
	Release  string            `json:"release"`
	PID      int               `json:"pid"`
	Started  time.Time         `json:"started"`
	Updated  time.Time         `json:"updated"`
	Clock    string            `json:"clock"` // quality of these times
	Device   string            `json:"device"`
	Boot     string            `json:"boot"`
	Camera   cameraStatus      `json:"camera"`
	Hub      hubStatus         `json:"hub"`
	Spool    spoolStatus       `json:"spool"`
	Privacy  privacyStatus     `json:"privacy"`
	Wires    map[string]string `json:"wires,omitempty"` // on, off, or why it is absent
	Memory   int64             `json:"memory_bytes"`    // resident
	Troubles []health.Trouble  `json:"troubles"`
	Events   []health.Event    `json:"events"`
}

type cameraStatus struct {
	Source  string  `json:"source"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Live    bool    `json:"live"`
	Rate    float64 `json:"rate"` // frames a second, measured
	Frames  int64   `json:"frames"`
	Dropped int64   `json:"dropped"`
}

type hubStatus struct {
	Address         string    `json:"address"`
	Connected       bool      `json:"connected"`
	Since           time.Time `json:"since"`
	Error           string    `json:"error,omitempty"`
	CertificateEnds time.Time `json:"certificate_ends"`
}

type spoolStatus struct {
	Entries  int   `json:"entries"`
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Free     int64 `json:"disk_free_bytes"`
	Memory   int64 `json:"memory_bytes"` // of clips that are not on the card yet
	GivenUp  int   `json:"given_up"`     // clips, for want of that memory

	Queue  uplink.Queue `json:"queue"`  // what the entries wait for
	Paused bool         `json:"paused"` // no clip is sent
}

// waits says in words what the entries wait for.
func (s spoolStatus) waits() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{s.Queue.New, "not announced"}, {s.Queue.Now, "to be sent"}, {s.Queue.Idle, "when idle"}, {s.Queue.Request, "on request"}, {s.Queue.Never, "never"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if s.Paused {
		parts = append(parts, "paused")
	}
	if parts == nil {
		return "nothing waits"
	}
	return strings.Join(parts, ", ")
}

// statusFile lies where nothing wears: in memory, unless the state is somewhere of its own.
func statusFile(cfg config.Config) string { return filepath.Join(cfg.RunDir(), "status.json") }

func (s status) save(file string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// readStatus reads what the running agent wrote last.
func readStatus(cfg config.Config) (status, error) {
	var s status
	file := statusFile(cfg)
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("the agent is not running (there is no %s): start it with `nightjar run`", file)
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStatus))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", file, err)
	}
	if s.Version != statusVersion {
		return s, fmt.Errorf("%s is of another version of nightjar: restart the agent", file)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(s.PID)); err != nil {
		return s, fmt.Errorf("the agent is not running: it ended without a word some time after %s; start it with `nightjar run`",
			s.Updated.Format(time.DateTime+"Z"))
	}
	return s, nil
}

func statusCommand() cli.Command {
	var file string
	var asJSON bool
	return cli.Command{
		Name:  "status",
		Usage: "nightjar status [--config FILE] [--json]",
		Short: "Say what the running agent does, and what is wrong",
		Long: `Shows camera, hub, spool and clock of the agent that runs on this board, as of the last seconds, and each trouble with its
remedy. Exits with 1 when no agent runs; a trouble is no failure of this command.`,
		Flags: func(f *flag.FlagSet) {
			configFlag(f, &file)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			s, err := readStatus(cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return env.JSON(s)
			}
			return s.print(env.Stdout)
		},
	}
}

func (s status) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	span := func(from time.Time) time.Duration { return max(0, s.Updated.Sub(from)).Round(time.Second) }
	fmt.Fprintf(t, "nightjar\t%s, %s, for %v (pid %d)\n", s.Device, s.Release, span(s.Started), s.PID)
	fmt.Fprintf(t, "camera\t%s, %dx%d, %.1f frames/s, %d dropped of %d\n",
		s.Camera.Source, s.Camera.Width, s.Camera.Height, s.Camera.Rate, s.Camera.Dropped, s.Camera.Dropped+s.Camera.Frames)
	state := "not connected"
	if s.Hub.Connected {
		state = "connected"
	}
	fmt.Fprintf(t, "hub\t%s, %s for %v, certificate until %s\n", s.Hub.Address, state, span(s.Hub.Since), s.Hub.CertificateEnds.Format(time.DateOnly))
	fmt.Fprintf(t, "spool\t%d entries, %s of %s; %s free on disk\n",
		s.Spool.Entries, mib(s.Spool.Bytes), mib(s.Spool.MaxBytes), mib(s.Spool.Free))
	fmt.Fprintf(t, "upload\t%s\n", s.Spool.waits())
	fmt.Fprintf(t, "privacy\t%s\n", s.Privacy)
	for _, name := range slices.Sorted(maps.Keys(s.Wires)) {
		fmt.Fprintf(t, "%s\t%s\n", name, s.Wires[name])
	}
	fmt.Fprintf(t, "clock\t%s, %s\n", s.Updated.Format(time.DateTime+"Z"), s.Clock)
	fmt.Fprintf(t, "memory\t%s\n", mib(s.Memory))
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Troubles) == 0 {
		_, err := fmt.Fprintln(w, "\nall is well")
		return err
	}
	for _, tr := range s.Troubles {
		if _, err := fmt.Fprintf(w, "\n%s (%s, %s, since %s)\n  %s\n  -> %s\n",
			tr.Title, tr.Severity, tr.Code, tr.Since.UTC().Format(time.DateTime+"Z"), tr.Detail, tr.Remedy); err != nil {
			return err
		}
	}
	return nil
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// memoryUsed is the resident set of this process in bytes, 0 where the kernel does not tell (proc_pid_status(5)).
func memoryUsed() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte("\nVmRSS:"))
	number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	kib, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
