// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// makestore DIR RECIPIENT [arriving|events] makes a hub's folder as two cameras fill it, sealed to RECIPIENT:
//
//	porch  1 clip aaaa…, 2 clip abbb…, 3 clip cccc…, 4 loss: abbb… was evicted, its files are not there
//	yard   1 clip dddd…
//
// and with arriving, clips that are still on porch: 5 eeee… on its way, 6 ffff… on request.
//
// and with events instead of arriving: 5 event privacy-on by the hub, 6 loss stall, of no clip.
//
// The film of clip aaaa… is the text "film aaaa…".
func makestore() {
	if len(os.Args) != 3 && len(os.Args) != 4 {
		panic("makestore DIR RECIPIENT [arriving]")
	}
	recipients, err := seal.Recipients(strings.NewReader(os.Args[2]))
	must(err)
	porch := newCamera(os.Args[1], "porch", recipients)
	porch.clip("a" + strings.Repeat("a", 31))
	porch.clip("a" + strings.Repeat("b", 31))
	porch.clip(strings.Repeat("c", 32))
	porch.evict("a" + strings.Repeat("b", 31))
	if len(os.Args) == 4 && os.Args[3] == "events" {
		porch.sign(record.Record{Version: record.EventVersion, Kind: record.KindEvent, Event: &record.Event{
			Code: record.PrivacyOn, From: noon, To: noon.Add(time.Minute), By: record.Hub, Detail: "guests", Count: 3}})
		porch.sign(record.Record{Kind: record.KindLoss, Loss: &record.Loss{Reason: record.Stall, From: noon, To: noon.Add(time.Minute)}})
	} else if len(os.Args) == 4 {
		porch.arrive(strings.Repeat("e", 32), "")
		porch.arrive(strings.Repeat("f", 32), "request")
	}
	yard := newCamera(os.Args[1], "yard", recipients)
	yard.clip(strings.Repeat("d", 32))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// camera writes into the store what a hub would have taken from it.
type camera struct {
	store, id  string
	identity   keys.Identity
	recipients []age.Recipient
	seq        uint64
	prev       [32]byte
}

// noon is when the first clip starts.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func newCamera(store, id string, recipients []age.Recipient) *camera {
	c := &camera{store: store, id: id, recipients: recipients}
	var err error
	c.identity, err = keys.NewIdentity()
	must(err)
	about, err := archive.About{ID: id, Identity: c.identity.Public(), Enrolled: noon}.Marshal()
	must(err)
	for _, path := range []string{archive.RecordPath(c.dir(), 1), archive.ClipPath(c.dir(), "x")} {
		must(os.MkdirAll(filepath.Dir(path), 0o700))
	}
	must(os.WriteFile(archive.AboutPath(c.dir()), about, 0o600))
	return c
}

func (c *camera) dir() string { return archive.DeviceDir(c.store, c.id) }

func (c *camera) sign(r record.Record) []byte {
	c.seq++
	if r.Version == 0 {
		r.Version = record.Version
	}
	r.Device, r.Seq, r.Prev = c.id, c.seq, hex.EncodeToString(c.prev[:])
	r.Boot, r.Time, r.Quality = "boot", noon, "synced"
	jws, err := record.Sign(c.identity.Key(), r)
	must(err)
	c.prev = record.Hash(jws)
	must(os.WriteFile(archive.RecordPath(c.dir(), c.seq), jws, 0o600))
	return jws
}

// sealed writes plain to path, sealed, and returns what the record says of it.
func (c *camera) sealed(path string, plain []byte) record.Part {
	var b bytes.Buffer
	w, err := seal.NewWriter(&b, c.recipients)
	must(err)
	_, err = w.Write(plain)
	must(err)
	must(w.Close())
	must(os.WriteFile(path, b.Bytes(), 0o600))
	sum := sha256.Sum256(b.Bytes())
	return record.Part{Size: int64(b.Len()), SHA256: hex.EncodeToString(sum[:])}
}

func (c *camera) clip(id string) []byte {
	start := noon.Add(time.Duration(c.seq) * time.Minute)
	details, err := seal.Details{Version: seal.DetailsVersion, Clip: id, Start: start, PTSUS: int64(c.seq) * 6e7, Trigger: "motion",
		Peak: 0.5, Zones: []string{"door"}, Width: 640, Height: 360, ContactSheet: []byte("sheet " + id)}.Marshal()
	must(err)
	return c.sign(record.Record{Kind: record.KindClip, Clip: &record.Clip{
		ID: id, Start: start, Quality: "synced", DurationUS: 12_400_000, PreRollUS: 3_000_000, Frames: 310,
		Body:    c.sealed(archive.ClipPath(c.dir(), id), fmt.Appendf(nil, "film %s", id)),
		Details: c.sealed(archive.DetailsPath(c.dir(), id), details),
	}})
}

// arrive leaves of a clip what the hub has before its body.
func (c *camera) arrive(id, hold string) {
	jws := c.clip(id)
	sum := sha256.Sum256(jws)
	dir := filepath.Join(archive.IncomingDir(c.store, c.id), hex.EncodeToString(sum[:]))
	must(os.MkdirAll(dir, 0o700))
	must(os.Rename(archive.RecordPath(c.dir(), c.seq), filepath.Join(dir, archive.ArrivingRecord)))
	must(os.Rename(archive.DetailsPath(c.dir(), id), filepath.Join(dir, archive.ArrivingDetails)))
	must(os.Rename(archive.ClipPath(c.dir(), id), filepath.Join(dir, archive.ArrivingClip)))
	must(os.Truncate(filepath.Join(dir, archive.ArrivingClip), 100))
	if hold != "" {
		must(os.WriteFile(filepath.Join(dir, archive.ArrivingHold), []byte(hold), 0o600))
	}
}

func (c *camera) evict(id string) {
	must(os.Remove(archive.ClipPath(c.dir(), id)))
	must(os.Remove(archive.DetailsPath(c.dir(), id)))
	c.sign(record.Record{Kind: record.KindLoss, Loss: &record.Loss{Reason: record.Evicted, Clip: id, From: noon, To: noon.Add(time.Minute), Frames: 310}})
}

// entomb DIR CAMERA SEQ removes the clip of a record as a hub does.
func entomb() {
	a, err := archive.Open(os.Args[1])
	must(err)
	d, err := a.Device(os.Args[2])
	must(err)
	seq, err := strconv.ParseUint(os.Args[3], 10, 64)
	must(err)
	e, err := d.Entry(seq)
	must(err)
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	must(store.NewSexton(os.Args[1], key).Remove(d, e, record.Aged, noon))
}
