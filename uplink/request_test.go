// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/policy"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// What was asked for while there is no hub goes after a restart. Where the disk cannot keep it, it goes in this life all the same.
func TestRequestSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, taking)
		dir := t.TempDir()
		var err error
		if b.spool, err = spool.Open(dir, spool.Config{}); err != nil {
			t.Fatal(err)
		}
		defer func() { b.spool.Close() }()
		b.session.spool = b.spool
		asked, other := b.record(1000, 100, policy.Request), b.record(1000, 100, policy.Request)
		if err := b.session.Request(asked.ID); err != nil {
			t.Fatal(err)
		}
		if err := b.spool.Close(); err != nil {
			t.Fatal(err)
		}
		if b.spool, err = spool.Open(dir, spool.Config{}); err != nil {
			t.Fatal(err)
		}
		again := New(b.session.cfg, b.session.cred, b.spool, b.session.log)
		again.open, b.session = b.open, again
		b.run()
		time.Sleep(time.Minute)
		if got := b.held(asked.ID, wire.PartBody); got != 1000 {
			t.Errorf("%d bytes of it after the restart", got)
		}
		if got := b.held(other.ID, wire.PartBody); got != 0 {
			t.Errorf("%d bytes of one that nobody asked for", got)
		}
		if err := os.Remove(filepath.Join(dir, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := b.session.Request(other.ID); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if got := b.held(other.ID, wire.PartBody); got != 1000 {
			t.Errorf("%d bytes of it from a disk that writes nothing", got)
		}
	})
}
