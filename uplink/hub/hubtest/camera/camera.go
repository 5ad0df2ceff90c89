// SPDX-License-Identifier: Apache-2.0

// Package camera makes what a camera would send, for tests: [New] gives a camera with an identity,
// [Camera.Clip] and [Camera.Loss] the signed records of its chain. Bodies are bytes, not video: a hub
// cannot tell.
package camera

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/keys/record"
)

// Start is the time of every camera's first record; each further one comes a minute later.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A Camera signs a chain of records. It is for one goroutine.
type Camera struct {
	Device string
	Key    ed25519.PrivateKey
	Seq    uint64 // of the last record
	Prev   string // hash of the last record, lower hex
}

// New returns a camera with a fresh identity.
func New(device string) *Camera {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // the system's random source never fails
	}
	return &Camera{Device: device, Key: key, Prev: strings.Repeat("0", 2*sha256.Size)}
}

// Public is the camera's identity.
func (c *Camera) Public() ed25519.PublicKey { return c.Key.Public().(ed25519.PublicKey) }

// An Entry is a record and the bodies it speaks of.
type Entry struct {
	record.Record
	JWS           []byte
	Body, Details []byte
}

// ID is the id of the entry's clip.
func (e Entry) ID() string { return e.Clip.ID }

// Clip records a clip. Its id follows from device and sequence number.
func (c *Camera) Clip(body, details []byte) Entry {
	return c.ClipWith(body, details, func(*record.Record) {})
}

// ClipWith records a clip whose record change has altered before it is signed.
func (c *Camera) ClipWith(body, details []byte, change func(*record.Record)) Entry {
	id := sha256.Sum256(fmt.Append(nil, c.Device, c.Seq+1))
	at := Start.Add(time.Duration(c.Seq) * time.Minute)
	e := c.sign(func(r *record.Record) {
		r.Kind = record.KindClip
		r.Clip = &record.Clip{
			ID: hex.EncodeToString(id[:16]), Start: at, Quality: "synced",
			DurationUS: 10_000_000, PreRollUS: 2_000_000, Frames: 300,
			Body: part(body), Details: part(details),
		}
		change(r)
	})
	e.Body, e.Details = body, details
	return e
}

// Loss records a declared loss; clip may be empty.
func (c *Camera) Loss(reason, clip string) Entry {
	at := Start.Add(time.Duration(c.Seq) * time.Minute)
	return c.sign(func(r *record.Record) {
		r.Kind = record.KindLoss
		r.Loss = &record.Loss{Reason: reason, Clip: clip, From: at, To: at}
	})
}

// Event records something that happened to the camera itself.
func (c *Camera) Event(code, by string) Entry {
	at := Start.Add(time.Duration(c.Seq) * time.Minute)
	return c.sign(func(r *record.Record) {
		r.Version, r.Kind = record.EventVersion, record.KindEvent
		r.Event = &record.Event{Code: code, From: at, To: at, By: by, Count: 1}
	})
}

func (c *Camera) sign(fill func(*record.Record)) Entry {
	r := record.Record{
		Version: record.Version, Device: c.Device, Seq: c.Seq + 1, Prev: c.Prev,
		Boot: "3f2a0d6e-7c1b-4a52-9d55-0c9a8f6b1e20", Time: Start.Add(time.Duration(c.Seq) * time.Minute), Quality: "synced",
	}
	fill(&r)
	jws, err := record.Sign(c.Key, r)
	if err != nil {
		panic(fmt.Sprintf("sign record %d: %v", r.Seq, err)) // the test made a record that cannot be
	}
	hash := record.Hash(jws)
	c.Seq, c.Prev = r.Seq, hex.EncodeToString(hash[:])
	return Entry{Record: r, JWS: jws}
}

func part(b []byte) record.Part {
	sum := sha256.Sum256(b)
	return record.Part{Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
}
