// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/ed25519"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// newTestIngest returns an ingest that knows the camera, without any transport, and its store's folder.
func newTestIngest(t testing.TB, c *camera.Camera) (*ingest, string) {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), dir, store.Config{Key: key, MaxClipBytes: 1 << 20, MaxPartials: 2, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if err := st.Add(archive.About{ID: c.Device, Identity: c.Public(), Enrolled: camera.Start}); err != nil {
		t.Fatal(err)
	}
	return newIngest(t.Context(), st, log), dir
}

// one expects a single reply of a kind.
func one(t *testing.T, got []reply, err error, kind wire.Kind) []byte {
	t.Helper()
	if err != nil || len(got) != 1 || got[0].kind != kind {
		t.Fatalf("replies %s, %v; want one %s", got, err, kind)
	}
	return got[0].payload
}

func offer(t *testing.T, e camera.Entry) []byte {
	t.Helper()
	b, err := wire.Offer{Record: string(e.JWS)}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func chunk(t *testing.T, e camera.Entry, part wire.Part, data []byte) []byte {
	t.Helper()
	id, err := hex.DecodeString(e.ID())
	if err != nil {
		t.Fatal(err)
	}
	b, err := wire.Chunk{Part: part, Clip: [16]byte(id), Data: data}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIngestWithoutTransport(t *testing.T) {
	c := camera.New("porch")
	in, _ := newTestIngest(t, c)
	e := c.Clip([]byte("sealed clip"), []byte("sealed details"))

	got, err := in.take("porch", wire.UpOffer, offer(t, e))
	one(t, got, err, wire.DownHave)
	if got, err := in.take("porch", wire.UpChunk, chunk(t, e, wire.PartBody, e.Body)); err != nil || len(got) != 0 {
		t.Errorf("first part: %v, %v", got, err)
	}
	got, err = in.take("porch", wire.UpChunk, chunk(t, e, wire.PartDetails, e.Details))
	one(t, got, err, wire.DownReceipt)
	if got, err := in.take("porch", wire.UpChunk, chunk(t, e, wire.PartBody, e.Body)); err != nil || len(got) != 0 {
		t.Errorf("late chunk: %v, %v", got, err)
	}
	if _, err := in.take("porch", wire.DownReceipt, nil); err == nil {
		t.Error("a receipt was taken from a device")
	}
}

// Nobody speaks for another device, whatever the transport let through.
func TestIngestTrustsTheTransportsName(t *testing.T) {
	c := camera.New("porch")
	in, _ := newTestIngest(t, c)
	garage := camera.New("garage")
	if err := in.store.Add(archive.About{ID: "garage", Identity: garage.Public(), Enrolled: camera.Start}); err != nil {
		t.Fatal(err)
	}
	got, err := in.take("garage", wire.UpOffer, offer(t, c.Loss(record.Overflow, "")))
	r, perr := wire.ParseRefuse(one(t, got, err, wire.DownRefuse))
	if perr != nil || r.Code != wire.CodeMalformed {
		t.Errorf("refusal %+v, %v", r, perr)
	}
}

// The store's own trouble is no fault of the record: the device is told to come back, and not told paths.
func TestStorageTrouble(t *testing.T) {
	c := camera.New("porch")
	in, dir := newTestIngest(t, c)
	e := c.Clip([]byte("sealed clip"), nil)
	blocker := filepath.Join(dir, "incoming", "porch") // a file where a folder is to be
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := in.take("porch", wire.UpOffer, offer(t, e))
	r, perr := wire.ParseRefuse(one(t, got, err, wire.DownRefuse))
	if perr != nil || r.Code != wire.CodeStorage || r.Seq != 1 || r.Message != "the hub cannot store it now" {
		t.Errorf("refusal %+v, %v", r, perr)
	}
	if err := os.Remove(blocker); err != nil {
		t.Fatal(err)
	}
	got, err = in.take("porch", wire.UpOffer, offer(t, e))
	one(t, got, err, wire.DownHave)
}

func TestPruneTokens(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	if err := Init(dir, nil); err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{-time.Hour, time.Hour, keepTokens + time.Hour} {
		if _, err := NewToken(dir, "porch", -age); err != nil {
			t.Fatal(err)
		}
	}
	if err := pruneTokens(tokensDir(dir), now); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(tokensDir(dir))
	if err != nil || len(left) != 2 {
		t.Errorf("%d tokens are left (%v), want the open one and the one that just expired", len(left), err)
	}
}

func TestConfig(t *testing.T) {
	ok := Config{Dir: "d", Listen: ":1"}
	if err := ok.Validate(); err != nil || ok.MaxClipBytes != DefaultConfig().MaxClipBytes || ok.MaxConnections != DefaultConfig().MaxConnections {
		t.Errorf("%+v, %v", ok, err)
	}
	for name, c := range map[string]Config{
		"no folder":      {Listen: ":1"},
		"no address":     {Dir: "d"},
		"negative size":  {Dir: "d", Listen: ":1", MaxClipBytes: -1},
		"negative count": {Dir: "d", Listen: ":1", MaxConnections: -1},
	} {
		if c.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Whatever a device sends, the hub stands, and stores nothing that the device did not sign.
func FuzzMessages(f *testing.F) {
	c := camera.New("porch")
	e := c.Clip([]byte("sealed clip"), []byte("details"))
	o, err := wire.Offer{Record: string(e.JWS)}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	st, err := wire.Status{State: wire.Online}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	kinds := []wire.Kind{wire.UpOffer, wire.UpChunk, wire.UpStatus, wire.DownHave}
	f.Add(byte(0), o)
	f.Add(byte(0), []byte(`{"v":1,"record":"a.b.c","evicted":true}`))
	f.Add(byte(1), append([]byte{1, 1}, make([]byte, 25)...))
	f.Add(byte(2), st)
	f.Add(byte(3), []byte("{}"))
	in, _ := newTestIngest(f, camera.New("porch")) // it knows another key by the same name
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		replies, _ := in.take("porch", kinds[int(kind)%len(kinds)], payload)
		for _, r := range replies {
			if r.kind != wire.DownRefuse {
				t.Errorf("the hub answers %s %s", r.kind, r.payload)
			}
		}
	})
}
