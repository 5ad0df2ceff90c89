// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"os"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// The retention works at the start of the hub; the camera is told nothing else than before.
func TestRetention(t *testing.T) {
	s := newSite(t, hub.Retain(store.Retention{DeviceBytes: 600}))
	c := s.connect(t)
	first, second := s.cam.Clip(blob(500, 1), blob(10, 2)), s.cam.Clip(blob(500, 3), blob(10, 4))
	c.send(first)
	c.send(second)
	s.wantStored(t, "porch", 2, 2)
	s.Restart(t)
	s.Log.Await(t, "clips-removed")
	s.wantStored(t, "porch", 2, 1)
	d := s.Device(t, "porch")
	if _, err := os.Stat(d.ClipPath(second.ID())); err != nil {
		t.Errorf("the newest clip: %v", err)
	}
	e, err := d.Entry(1)
	if err != nil {
		t.Fatal(err)
	}
	// The receipt key of the hub, which cameras know, is what signs.
	jws, err := os.ReadFile(archive.TombstonePath(archive.DeviceDir(s.Dir, "porch"), 1))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := record.VerifyTombstone(s.key, jws); err != nil || got.Clip != first.ID() || got.Reason != record.Displaced || !d.Gone(e) {
		t.Errorf("tombstone %+v, %v", got, err)
	}
	c = s.connect(t)
	c.offer(first)
	c.reply(wire.DownReceipt)

	x, err := hub.Sexton(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err = d.Entry(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Remove(d, e, record.ByOwner, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.wantStored(t, "porch", 2, 0)
}
