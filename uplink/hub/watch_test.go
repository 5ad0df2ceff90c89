// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/hub/metrics/parse"
)

// A camera whose connection stays open and says nothing, as after a cut cable, is told once, and so is its
// first word after that. Package presence holds the times; here the wiring is tested.
func TestSilentCamera(t *testing.T) {
	s := newSite(t, hub.LookOften, hub.Nervous)
	c := s.connect(t)
	s.Log.Await(t, "camera-silent")
	for s.Log.Count("camera-back") == 0 {
		if _, open := c.ping(); !open {
			t.Fatal("the session ended")
		}
	}
	if n := s.Log.Count("camera-silent"); n != 1 {
		t.Errorf("the silence was told %d times", n)
	}
}

func TestSilentCameraMutant(t *testing.T) {
	s := newSite(t, hub.NeverLook, hub.Nervous)
	s.connect(t)
	time.Sleep(time.Second)
	if s.Log.Count("camera-silent") > 0 {
		t.Error("silence is told without a look: TestSilentCamera proves nothing about it")
	}
}

// awaitStatus waits until a status satisfies want.
func awaitStatus(t *testing.T, h *hubtest.Hub, want func(hub.Status) bool) hub.Status {
	t.Helper()
	var s hub.Status
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		if s, err = hub.ReadStatus(h.Dir); err != nil {
			t.Fatal(err) // also when it is read while it is written
		}
		if want(s) {
			return s
		}
	}
	t.Fatalf("last status %+v", s)
	return s
}

func TestStatus(t *testing.T) {
	prom := filepath.Join(t.TempDir(), "nightjar.prom")
	s := newSite(t, hub.LookOften, hub.MetricsTo(prom))
	e := s.cam.Clip(blob(100_000, 1), blob(50, 2))
	c := s.connect(t)
	c.send(e)
	c.offer(e)                                                                  // again: another receipt, no other clip
	awaitStatus(t, s.Hub, func(st hub.Status) bool { return st.Receipts == 2 }) // before the next connection ends this one
	dial(t, s.Addr, s.tls, "porch").connect(nil)
	wrong := dial(t, s.Addr, s.tls, "porch")
	wrong.device = "yard"
	wrong.connect(nil)
	got := awaitStatus(t, s.Hub, func(st hub.Status) bool { return st.Receipts == 2 && st.Refused[hub.RefusedConnect] == 1 })
	if !got.Running || got.PID != os.Getpid() || got.Addr != s.Addr || got.Clips != 1 || got.Bytes != 100_050 ||
		got.StoreCalls < 3 || got.StoreSeconds <= 0 || got.DiskFree <= 0 || got.DiskTotal < got.DiskFree ||
		len(got.Cameras) != 1 || got.Cameras[0].Device != "porch" || got.Cameras[0].Heard.Before(got.Started) {
		t.Errorf("status %+v", got)
	}

	s.Stop(t)
	ended, err := hub.ReadStatus(s.Dir)
	if err != nil || ended.Running || ended.Cameras[0].Connected {
		t.Errorf("status of a hub that ended: %+v, %v", ended, err)
	}
	text, err := os.ReadFile(prom)
	if err != nil {
		t.Fatal(err)
	}
	values, err := parse.Text(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, want := range map[string]float64{
		"nightjar_hub_up": 0, "nightjar_hub_clips_stored_total": 1, "nightjar_hub_clip_bytes_stored_total": 100_050,
		"nightjar_hub_receipts_total": 2, "nightjar_hub_refused_total{connect-unfit}": 1, "nightjar_hub_devices": 1,
		"nightjar_hub_devices_silent": 0, "nightjar_hub_store_seconds_count": float64(ended.StoreCalls),
	} {
		if values[name] != want {
			t.Errorf("%s is %v, want %v", name, values[name], want)
		}
	}
}

// The next hub knows when cameras were heard last.
func TestHeardBeforeTheRestart(t *testing.T) {
	s := newSite(t, hub.LookOften)
	s.connect(t).ping()
	heard := awaitStatus(t, s.Hub, func(st hub.Status) bool { return len(st.Cameras) == 1 && st.Cameras[0].Connected }).Cameras[0].Heard
	s.Restart(t)
	got := awaitStatus(t, s.Hub, func(st hub.Status) bool { return st.Running && len(st.Cameras) == 1 })
	if got.Cameras[0].Heard.Before(heard) || got.Cameras[0].Connected {
		t.Errorf("after the restart %+v, heard before it %v", got.Cameras[0], heard)
	}
}

func TestStatusOfNoHub(t *testing.T) {
	dir := t.TempDir()
	if s, err := hub.ReadStatus(dir); err != nil || s.Running {
		t.Errorf("never run: %+v, %v", s, err)
	}
	for _, text := range []string{"{", `{"pid": "x"}`} {
		if err := os.WriteFile(filepath.Join(dir, "status.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := hub.ReadStatus(dir); err == nil {
			t.Errorf("%s was taken for a status", text)
		}
	}
	// A hub that was killed, and whose number another process may have.
	old := `{"running": true, "pid": 1, "updated": "2026-01-01T00:00:00Z"}`
	if err := os.WriteFile(filepath.Join(dir, "status.json"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := hub.ReadStatus(dir); err != nil || s.Running {
		t.Errorf("killed: %+v, %v", s, err)
	}
}
