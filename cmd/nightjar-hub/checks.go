// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/doctor"
	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// checks are in the order in which one trouble explains the next.
var checks = []check{
	{"folder-private", checkFolder},
	{"keys-readable", checkKeys},
	{"authority-expiry", checkExpiry(func(ca, _ *x509.Certificate) *x509.Certificate { return ca })},
	{"server-expiry", checkExpiry(func(_, server *x509.Certificate) *x509.Certificate { return server })},
	{"disk-space", checkDisk},
	{"clock-sane", checkClock},
	{"port-answers", checkPort},
	{"broker-reached", checkBroker},
	{"index-consistent", checkIndex},
	{"cameras-heard", checkHeard},
	{"chains-whole", checkChains},
}

const (
	// A clip has some 10 MB: below the first there is room for few, below the second for none worth naming.
	lowDisk, noDisk = 2 << 30, 64 << 20

	expiresSoon = 90 * 24 * time.Hour
)

// unread is what is found by a check that could not look.
func unread(err error) doctor.Finding {
	return doctor.Bad("give the folder that `nightjar-hub init` made, as the user who owns it", "%v", err)
}

func checkFolder(_ context.Context, dir string) doctor.Finding {
	info, err := os.Stat(dir)
	if err != nil {
		return unread(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return doctor.Bad("chmod 700 "+dir, "%s is open to other users: %v", dir, info.Mode().Perm())
	}
	return doctor.Good("%s is its owner's alone", dir)
}

func checkKeys(_ context.Context, dir string) doctor.Finding {
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil {
		return unread(err)
	}
	for _, path := range keys {
		info, err := os.Stat(path)
		if err != nil {
			return unread(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			return doctor.Bad("chmod 600 "+path+", and think of who may have read it", "%s is open to other users: %v", path, info.Mode().Perm())
		}
	}
	if _, _, err := hub.Certificates(dir); err != nil {
		return doctor.Bad("bring the folder back with `nightjar-hub restore`: cameras trust these keys and no others", "%v", err)
	}
	return doctor.Good("%d keys, private, and they fit their certificates", len(keys))
}

func checkExpiry(of func(ca, server *x509.Certificate) *x509.Certificate) func(context.Context, string) doctor.Finding {
	return func(_ context.Context, dir string) doctor.Finding {
		ca, server, err := hub.Certificates(dir)
		if err != nil {
			return unread(err)
		}
		cert, now := of(ca, server), time.Now()
		until := cert.NotAfter.Format("2006-01-02")
		switch {
		case now.Before(cert.NotBefore):
			return doctor.Bad("set the clock", "valid only from %s on", cert.NotBefore.Format(minute))
		case now.After(cert.NotAfter):
			return doctor.Bad("`nightjar-hub ca rotate` makes new ones; a camera that trusts them already comes back by itself", "expired on %s", until)
		case now.Add(expiresSoon).After(cert.NotAfter):
			return doctor.Doubtful("`nightjar-hub ca rotate`, while the cameras can be reached", "expires on %s", until)
		}
		return doctor.Good("valid until %s", until)
	}
}

func checkDisk(_ context.Context, dir string) doctor.Finding {
	free, total, err := hub.DiskSpace(dir)
	if err != nil {
		return unread(err)
	}
	const remedy = "make room, or have the hub do so with --retain-days or --retain-bytes; cameras keep their clips meanwhile"
	switch {
	case free < noDisk:
		return doctor.Bad(remedy, "%s of %s free: the hub stores nothing", size(free), size(total))
	case free < lowDisk:
		return doctor.Doubtful(remedy, "%s of %s free", size(free), size(total))
	}
	return doctor.Good("%s of %s free", size(free), size(total))
}

// checkClock compares the clock with what was written by it: certificates and the newest record.
func checkClock(_ context.Context, dir string) doctor.Finding {
	const remedy = "set the clock, and keep it set with NTP: certificates and retention go by it"
	ca, _, err := hub.Certificates(dir)
	if err != nil {
		return unread(err)
	}
	now := time.Now()
	if now.Before(ca.NotBefore) {
		return doctor.Bad(remedy, "the clock says %s, and the hub was made at %s", now.UTC().Format(minute), ca.NotBefore.Format(minute))
	}
	a, err := archive.Open(dir)
	if err != nil {
		return unread(err)
	}
	devices, err := a.Devices()
	if err != nil {
		return unread(err)
	}
	for _, d := range devices {
		info, err := os.Stat(filepath.Dir(archive.RecordPath(archive.DeviceDir(dir, d.ID), 1)))
		if err == nil && info.ModTime().After(now.Add(time.Minute)) {
			return doctor.Bad(remedy, "the clock says %s, and %s sent a record at %s", now.UTC().Format(minute), d.ID, info.ModTime().UTC().Format(minute))
		}
	}
	return doctor.Good("the clock says %s, and nothing was written later", now.UTC().Format(minute))
}

func checkPort(ctx context.Context, dir string) doctor.Finding {
	s, err := hub.ReadStatus(dir)
	if err != nil {
		return unread(err)
	}
	if !s.Running {
		return doctor.Doubtful("start it with `nightjar-hub run`", "the hub does not run")
	}
	ca, _, err := hub.Certificates(dir)
	if err != nil {
		return unread(err)
	}
	if err := hub.Reach(ctx, s.Addr, ca); err != nil {
		return doctor.Bad("look at the hub's log, and for a firewall", "%v", err)
	}
	return doctor.Good("the hub answers on %s", s.Addr)
}

func checkBroker(_ context.Context, dir string) doctor.Finding {
	s, err := hub.ReadStatus(dir)
	switch {
	case err != nil:
		return unread(err)
	case !s.Running:
		return doctor.Skipped("the hub does not run")
	case s.Broker == nil:
		return doctor.Skipped("the hub is its own broker")
	case !s.Broker.Connected:
		return doctor.Bad("see that the broker runs; after a rotation, run `nightjar-hub broker certificate` again", "%s: %s", s.Broker.Addr, s.Broker.Trouble)
	}
	return doctor.Good("subscribed at %s", s.Broker.Addr)
}

func checkIndex(ctx context.Context, dir string) doctor.Finding {
	var off map[string]int
	for range 2 { // a hub that is storing a record is off by one for a moment
		var err error
		if off, err = store.CheckIndex(ctx, dir); err != nil {
			return doctor.Doubtful("restart the hub: it makes the index anew from the records", "%v", err)
		}
		if len(off) == 0 {
			return doctor.Good("the index has all records")
		}
		time.Sleep(200 * time.Millisecond)
	}
	return doctor.Doubtful("restart the hub: it makes the index anew from the records", "the index differs from the records of %s",
		strings.Join(slices.Sorted(maps.Keys(off)), ", "))
}

func checkHeard(_ context.Context, dir string) doctor.Finding {
	s, err := hub.ReadStatus(dir)
	if err != nil {
		return unread(err)
	}
	if !s.Running {
		return doctor.Doubtful("start the hub", "nobody listens to the cameras")
	}
	var silent []string
	for _, c := range s.Cameras {
		if c.Silent {
			silent = append(silent, c.Device)
		}
	}
	if len(silent) > 0 {
		return doctor.Bad("see to their power and network, and that they are still there; `nightjar-hub revoke` locks a stolen one out",
			"silent: %s", strings.Join(silent, ", "))
	}
	return doctor.Good("%d cameras, none silent", len(s.Cameras))
}

func checkChains(ctx context.Context, dir string) doctor.Finding {
	a, err := archive.Open(dir)
	if err != nil {
		return unread(err)
	}
	devices, err := a.Devices()
	if err != nil {
		return unread(err)
	}
	records := 0
	for _, d := range devices {
		r, err := d.Check(ctx)
		if err != nil {
			return unread(err)
		}
		// The clip that a running hub is about to commit has no record yet.
		wrong := slices.DeleteFunc(r.Problems, func(p archive.Problem) bool { return p.Fault == archive.Stray })
		if len(wrong) > 0 {
			return doctor.Bad("`nightjarctl clips verify --store "+dir+"` names everything; a backup may have what is missing",
				"%s: %d wrong, first %v", d.ID, len(wrong), wrong[0])
		}
		records += r.Records
	}
	return doctor.Good("%d records of %d cameras, no gap", records, len(devices))
}
