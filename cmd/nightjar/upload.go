// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/uplink/policy"
)

// upload decides when clips go. The zones that a rule looks at are known here alone: what leaves is a word.
type upload struct {
	policy    policy.Config
	clock     clock.Clock
	link      func() string // interface of the default route
	recording atomic.Int32  // clips that are being recorded
}

// record notes that a clip is being recorded, until ended is called; more than once does no harm.
func (u *upload) record() (ended func()) {
	u.recording.Add(1)
	return sync.OnceFunc(func() { u.recording.Add(-1) })
}

// decide returns the word for a clip whose sealed body has so many bytes.
func (u *upload) decide(sum clip.Summary, bytes int64) policy.When {
	if len(u.policy.Rules) == 0 {
		return policy.Now
	}
	c := policy.Clip{Zones: sum.Zones, Bytes: bytes, Link: u.link()}
	if sum.Wall.Quality != clock.Unset {
		c.Start = sum.Wall.Time.Local()
	}
	return u.policy.Decide(c)
}

// idle tells whether clips may go that wait until the camera is idle. It may be called from any goroutine.
func (u *upload) idle(time.Time) bool {
	if u.recording.Load() > 0 {
		return false
	}
	// The session's time is the kernel's, which may not be set.
	now := u.clock.Now()
	if now.Quality == clock.Unset {
		return u.policy.IdleHours == ""
	}
	return u.policy.IdleHours.Contain(now.Time.Local())
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n *int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	*c.n += int64(n)
	return n, err
}
