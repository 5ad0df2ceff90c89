// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest/camera"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// fill DIR CAMERA DAYS... puts a new camera into the hub in DIR, with a clip stored each so many days ago,
// and prints the clips' ids. The hub must not run.
func fill() {
	dir, cam := os.Args[1], camera.New(os.Args[2])
	s, err := store.Open(context.Background(), dir, store.Config{
		Key: ed25519.NewKeyFromSeed(make([]byte, 32)), MaxClipBytes: 1 << 20, MaxPartials: 1, Log: slog.New(slog.DiscardHandler)})
	exitOn(err)
	exitOn(s.Add(archive.About{ID: cam.Device, Identity: cam.Public(), Enrolled: camera.Start}))
	for _, word := range os.Args[3:] {
		var days int
		_, err := fmt.Sscan(word, &days)
		exitOn(err)
		e := cam.Clip(bytes.Repeat([]byte("clip"), 250), []byte("details"))
		_, err = s.Offer(context.Background(), cam.Device, e.JWS, false)
		exitOn(err)
		_, _, err = s.Write(context.Background(), cam.Device, e.ID(), store.Body, 0, e.Body)
		exitOn(err)
		_, _, err = s.Write(context.Background(), cam.Device, e.ID(), store.Details, 0, e.Details)
		exitOn(err)
		at := time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		exitOn(os.Chtimes(archive.RecordPath(archive.DeviceDir(dir, cam.Device), e.Seq), at, at))
		fmt.Println(e.ID())
	}
	exitOn(s.Rebuild(context.Background()))
	exitOn(s.Close())
}
