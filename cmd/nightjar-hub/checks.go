// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	{"index-consistent", checkIndex},
	{"cameras-heard", checkHeard},
	{"chains-whole", checkChains},
}

const (
	// A clip has some 10 MB: below the first there is room for few, below the second for none worth naming.
	lowDisk, noDisk = 2 << 30, 64 << 20

	expiresSoon = 90 * 24 * time.Hour
)

func good(format string, args ...any) finding {
	return finding{Verdict: ok, Detail: fmt.Sprintf(format, args...)}
}

func bad(v verdict, remedy, format string, args ...any) finding {
	return finding{Verdict: v, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// unread is the finding of a check that could not look.
func unread(err error) finding {
	return bad(fail, "give the folder that `nightjar-hub init` made, as the user who owns it", "%v", err)
}

func checkFolder(_ context.Context, dir string) finding {
	info, err := os.Stat(dir)
	if err != nil {
		return unread(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return bad(fail, "chmod 700 "+dir, "%s is open to other users: %v", dir, info.Mode().Perm())
	}
	return good("%s is its owner's alone", dir)
}

func checkKeys(_ context.Context, dir string) finding {
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
			return bad(fail, "chmod 600 "+path+", and think of who may have read it", "%s is open to other users: %v", path, info.Mode().Perm())
		}
	}
	if _, _, err := hub.Certificates(dir); err != nil {
		return bad(fail, "bring the folder back with `nightjar-hub restore`: cameras trust these keys and no others", "%v", err)
	}
	return good("%d keys, private, and they fit their certificates", len(keys))
}

func checkExpiry(of func(ca, server *x509.Certificate) *x509.Certificate) func(context.Context, string) finding {
	return func(_ context.Context, dir string) finding {
		ca, server, err := hub.Certificates(dir)
		if err != nil {
			return unread(err)
		}
		cert, now := of(ca, server), time.Now()
		until := cert.NotAfter.Format("2006-01-02")
		switch {
		case now.Before(cert.NotBefore):
			return bad(fail, "set the clock", "valid only from %s on", cert.NotBefore.Format(minute))
		case now.After(cert.NotAfter):
			return bad(fail, "make a new hub and enrol the cameras again", "expired on %s", until)
		case now.Add(expiresSoon).After(cert.NotAfter):
			return bad(warn, "plan a new hub: cameras have to be enrolled again", "expires on %s", until)
		}
		return good("valid until %s", until)
	}
}

func checkDisk(_ context.Context, dir string) finding {
	free, total, err := hub.DiskSpace(dir)
	if err != nil {
		return unread(err)
	}
	const remedy = "make room, or have the hub do so with --retain-days or --retain-bytes; cameras keep their clips meanwhile"
	switch {
	case free < noDisk:
		return bad(fail, remedy, "%s of %s free: the hub stores nothing", size(free), size(total))
	case free < lowDisk:
		return bad(warn, remedy, "%s of %s free", size(free), size(total))
	}
	return good("%s of %s free", size(free), size(total))
}

// checkClock compares the clock with what was written by it: certificates and the newest record.
func checkClock(_ context.Context, dir string) finding {
	const remedy = "set the clock, and keep it set with NTP: certificates and retention go by it"
	ca, _, err := hub.Certificates(dir)
	if err != nil {
		return unread(err)
	}
	now := time.Now()
	if now.Before(ca.NotBefore) {
		return bad(fail, remedy, "the clock says %s, and the hub was made at %s", now.UTC().Format(minute), ca.NotBefore.Format(minute))
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
			return bad(fail, remedy, "the clock says %s, and %s sent a record at %s", now.UTC().Format(minute), d.ID, info.ModTime().UTC().Format(minute))
		}
	}
	return good("the clock says %s, and nothing was written later", now.UTC().Format(minute))
}

func checkPort(ctx context.Context, dir string) finding {
	s, err := hub.ReadStatus(dir)
	if err != nil {
		return unread(err)
	}
	if !s.Running {
		return bad(warn, "start it with `nightjar-hub run`", "the hub does not run")
	}
	ca, _, err := hub.Certificates(dir)
	if err != nil {
		return unread(err)
	}
	if err := hub.Reach(ctx, s.Addr, ca); err != nil {
		return bad(fail, "look at the hub's log, and for a firewall", "%v", err)
	}
	return good("the hub answers on %s", s.Addr)
}

func checkIndex(ctx context.Context, dir string) finding {
	var off map[string]int
	for range 2 { // a hub that is storing a record is off by one for a moment
		var err error
		if off, err = store.CheckIndex(ctx, dir); err != nil {
			return bad(warn, "restart the hub: it makes the index anew from the records", "%v", err)
		}
		if len(off) == 0 {
			return good("the index has all records")
		}
		time.Sleep(200 * time.Millisecond)
	}
	return bad(warn, "restart the hub: it makes the index anew from the records", "the index differs from the records of %s",
		strings.Join(slices.Sorted(maps.Keys(off)), ", "))
}

func checkHeard(_ context.Context, dir string) finding {
	s, err := hub.ReadStatus(dir)
	if err != nil {
		return unread(err)
	}
	if !s.Running {
		return bad(warn, "start the hub", "nobody listens to the cameras")
	}
	var silent []string
	for _, c := range s.Cameras {
		if c.Silent {
			silent = append(silent, c.Device)
		}
	}
	if len(silent) > 0 {
		return bad(fail, "see to their power and network, and that they are still there; `nightjar-hub revoke` locks a stolen one out",
			"silent: %s", strings.Join(silent, ", "))
	}
	return good("%d cameras, none silent", len(s.Cameras))
}

func checkChains(ctx context.Context, dir string) finding {
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
			return bad(fail, "`nightjarctl clips verify --store "+dir+"` names everything; a backup may have what is missing",
				"%s: %d wrong, first %v", d.ID, len(wrong), wrong[0])
		}
		records += r.Records
	}
	return good("%d records of %d cameras, no gap", records, len(devices))
}
