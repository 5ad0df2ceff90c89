// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
	"github.com/nightjar-cam/nightjar/uplink/spool"
)

const (
	lookEvery   = time.Second     // at what can be wrong: a trouble is known within two looks
	writeEvery  = 5 * time.Second // of the status, which lies in memory
	rateSpan    = 10              // looks that the frame rate is measured over
	certificate = 15 * 24 * time.Hour
	leastFree   = 64 << 20 // bytes of the state's disk
)

// vitals is the task that looks each second whether the agent does what it is for, and writes what it saw where
// `nightjar status` reads it. No socket listens for that: a file cannot be attacked from the network.
type vitals struct {
	cfg        config.Config
	record     *health.Record
	camera     *camera
	session    interface{ Status() uplink.Status }
	spool      *spool.Spool
	buffer     interface{ Status() spool.BufferStatus }
	credential func() keys.Credential // it is renewed, and the hub may move
	clock      clock.Clock
	curtain    *curtain
	wires      *wires
	log        *slog.Logger
	ready      chan struct{}

	status  status
	rates   []sample // of the last looks
	unsaved bool     // the status could not be written, and it was said
}

// sample is the camera's count at a time.
type sample struct {
	at              time.Time
	frames, dropped int64
}

func newVitals(cfg config.Config, r *health.Record, e *eye, s *sink, session *uplink.Session, curtain *curtain, wires *wires, credential func() keys.Credential, log *slog.Logger) *vitals {
	v := &vitals{
		cfg: cfg, record: r, camera: e.camera, session: session, spool: s.spool, buffer: s.buffer, credential: credential, clock: s.clock, curtain: curtain, wires: wires, log: log,
		ready: make(chan struct{}),
	}
	cred := credential()
	v.status = status{
		Version: statusVersion, Release: cli.Release(), PID: os.Getpid(), Started: time.Now().UTC(), Device: cred.Device, Boot: s.boot,
		Spool: spoolStatus{MaxBytes: cfg.Spool.MaxBytes},
	}
	close(v.ready)
	return v
}

func (v *vitals) String() string         { return "vitals" }
func (v *vitals) Ready() <-chan struct{} { return v.ready }

// Run looks until ctx ends; then the status file goes, so that nobody takes it for a running agent's.
func (v *vitals) Run(ctx context.Context) error {
	file := statusFile(v.cfg)
	defer os.Remove(file)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var written time.Time
	var before int
	for {
		v.look(time.Now())
		// A trouble is worth a line at once, everything else can wait.
		if n := len(v.status.Events); n != before || time.Since(written) >= writeEvery {
			before, written = n, time.Now()
			v.write(file)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look asks everybody and brings record and status up to date.
func (v *vitals) look(now time.Time) {
	s := &v.status
	wall := v.clock.Now()
	s.Updated, s.Clock = wall.Time.UTC(), string(wall.Quality)

	v.lookAtCamera(now)
	v.lookAtHub(wall)
	v.lookAtDisk()

	s.Privacy, s.Wires = v.curtain.status(), v.wires.status()
	s.Memory = memoryUsed()
	var err error
	if most := v.cfg.Clip.RingBytes + 64<<20; s.Memory > most {
		err = fmt.Errorf("%d MiB, more than %d", s.Memory>>20, most>>20)
	}
	v.record.Set(health.MemoryHigh, err)
	err = nil
	if wall.Quality == clock.Unset {
		err = fmt.Errorf("it shows %s", wall.Time.UTC().Format(time.DateTime))
	}
	v.record.Set(health.ClockUnset, err)
	s.Troubles, s.Events = v.record.Troubles(), v.record.Events()
}

func (v *vitals) lookAtCamera(now time.Time) {
	c := &v.status.Camera
	format := v.camera.format()
	c.Source, c.Width, c.Height, c.Live = v.camera.name(), format.Width, format.Height, format.Live
	v.record.Set(health.CameraStalled, v.camera.stall())
	c.Frames, c.Dropped = v.camera.frames.Load(), v.camera.dropped.Load()
	v.rates = append(v.rates, sample{now, c.Frames, c.Dropped})
	if len(v.rates) > rateSpan {
		v.rates = v.rates[1:]
	}
	first := v.rates[0]
	span := now.Sub(first.at).Seconds()
	c.Rate = 0
	if span > 0 {
		c.Rate = float64(c.Frames-first.frames) / span
	}
	var err error
	if lost, seen := c.Dropped-first.dropped, c.Frames-first.frames; lost > seen/20 { // one in twenty can be seen in a film
		err = fmt.Errorf("%d of %d frames in %.0f s", lost, lost+seen, span)
	}
	v.record.Set(health.FramesDropped, err)
}

func (v *vitals) lookAtHub(wall clock.Wall) {
	st := v.session.Status()
	h := &v.status.Hub
	v.status.Spool.Queue, v.status.Spool.Paused = st.Queue, st.Paused
	h.Connected, h.Since, h.Error = st.Connected, st.Since.UTC(), ""
	if st.Err != nil {
		h.Error = st.Err.Error()
	}
	var unreachable, refused error
	switch {
	case st.Err != nil && !st.Connected:
		unreachable = st.Err
	case st.Err != nil:
		refused = st.Err
	}
	v.record.Set(health.HubUnreachable, unreachable)
	v.record.Set(health.EntryRefused, refused)

	cred := v.credential()
	h.Address, h.CertificateEnds = cred.Hub, cred.TLS.Leaf.NotAfter.UTC()
	var err error
	if left := h.CertificateEnds.Sub(wall.Time); left < certificate {
		err = fmt.Errorf("on %s", h.CertificateEnds.Format(time.DateOnly))
	}
	v.record.Set(health.CertificateEnds, err)
}

func (v *vitals) lookAtDisk() {
	s := &v.status.Spool
	s.Entries, s.Bytes = v.spool.Usage()
	buffer := v.buffer.Status()
	s.Memory, s.GivenUp = buffer.Bytes, buffer.GivenUp
	var err error
	if tr := buffer.Trouble; tr.Code != "" {
		err = tr.Err
		if err == nil {
			err = fmt.Errorf("%s since %v", tr.Code, time.Since(tr.Since).Round(time.Second))
		}
	}
	v.record.Set(health.CardFails, err)
	err = nil
	if s.MaxBytes > 0 && s.Bytes > s.MaxBytes/10*8 {
		err = fmt.Errorf("%d MiB of %d MiB are used", s.Bytes>>20, s.MaxBytes>>20)
	}
	v.record.Set(health.SpoolFull, err)

	var fs unix.Statfs_t
	if err = unix.Statfs(v.cfg.State, &fs); err == nil {
		s.Free = int64(fs.Bavail) * int64(fs.Bsize)
		if s.Free < leastFree {
			err = fmt.Errorf("%d MiB are free", s.Free>>20)
		}
	}
	v.record.Set(health.DiskFull, err)
}

// write replaces the status file. What cannot be written is said once: the agent works without it.
func (v *vitals) write(file string) {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = v.status.save(file)
	}
	if err != nil && !v.unsaved {
		v.log.Warn("`nightjar status` will know nothing: set run to a folder that can be written", "err", err)
	}
	v.unsaved = err != nil
}
