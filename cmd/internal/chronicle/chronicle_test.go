// SPDX-License-Identifier: Apache-2.0

package chronicle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/cmd/internal/chronicle"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
)

// store is a hub's folder with the records of one camera.
func store(t *testing.T, c *camera.Camera, entries ...camera.Entry) *archive.Device {
	t.Helper()
	root := t.TempDir()
	dir := archive.DeviceDir(root, c.Device)
	about, err := archive.About{ID: c.Device, Identity: c.Public(), Enrolled: camera.Start}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	put := func(path string, b []byte) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(archive.AboutPath(dir), about)
	for _, e := range entries {
		put(archive.RecordPath(dir, e.Seq), e.JWS)
	}
	a, err := archive.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.Device(c.Device)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEventsAndLossesAreShown(t *testing.T) {
	c := camera.New("porch")
	d := store(t, c, c.Event(record.PrivacyOn, record.Local), c.Loss(record.Private, ""), c.Clip([]byte("body"), nil),
		c.Loss(record.Evicted, strings.Repeat("ab", 16)), c.Event("of-tomorrow", ""))
	rows, err := chronicle.List([]*archive.Device{d})
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v: %+v", len(rows), err, rows)
	}
	if r := rows[0]; r.Seq != 1 || r.Kind != "event" || r.Code != record.PrivacyOn || r.By != record.Local || r.Count != 1 || !r.From.Equal(camera.Start) {
		t.Errorf("event is %+v", r)
	}
	var out strings.Builder
	if err := chronicle.Print(&out, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"privacy-on", "local", "the sensor is closed", "loss", "clip abab", "of-tomorrow", "unknown to this program"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 5 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

func TestForgedEventIsNamed(t *testing.T) {
	c := camera.New("porch")
	good, forged := c.Event(record.BoardRebooted, ""), camera.New("porch").Event(record.PrivacyOff, record.Local)
	forged.JWS[len(forged.JWS)-3] ^= 1
	forged.Seq = 2
	rows, err := chronicle.List([]*archive.Device{store(t, c, good, forged)})
	if err == nil || len(rows) != 1 || rows[0].Code != record.BoardRebooted {
		t.Errorf("rows %+v, error %v", rows, err)
	}
	if rows, err := chronicle.List(nil); rows == nil || err != nil {
		t.Errorf("nothing: %#v, %v", rows, err)
	}
}
