// SPDX-License-Identifier: Apache-2.0

// Package bugreport packs what a maintainer needs to understand a trouble into one file, and no secret. Make a [Report] with
// [New], add to it with [Report.Add], [Report.File], [Report.Listing] and [Report.System], then [Report.Save] it, a gzipped
// tar. Only what is added goes in; files of keys are never read, only listed.
//
// What looks like a secret is struck out on the way in, whatever it came in: a log into which somebody pasted a token, say.
package bugreport

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of a report.
const (
	maxPart  = 1 << 20 // bytes of a part; the end of what is longer
	maxNames = 2000    // of a listing
)

// Report is a report in the making. One goroutine uses it.
type Report struct {
	now   time.Time
	parts []part
	lost  []string // what could not be added, and why
}

type part struct {
	name string
	text []byte
}

// New begins a report of the program with that name and release.
func New(program, release string, now time.Time) *Report {
	r := &Report{now: now}
	r.Add("report.txt", fmt.Appendf(nil, "%s %s\nmade %s\n", program, release, now.UTC().Format(time.RFC3339)))
	if info, ok := debug.ReadBuildInfo(); ok {
		r.Add("build.txt", []byte(info.String()))
	}
	return r
}

// Add adds a text under a name.
func (r *Report) Add(name string, text []byte) {
	if len(text) > maxPart {
		text = append([]byte("[the beginning is left out]\n"), text[len(text)-maxPart:]...)
	}
	r.parts = append(r.parts, part{name, Strike(text)})
}

// File adds the end of a file that holds no secret by its nature: a status, a configuration, a log. One that cannot be read is
// named in the report.
func (r *Report) File(name, path string) {
	text, err := tail(path)
	if err != nil {
		r.lost = append(r.lost, fmt.Sprintf("%s: %v", name, err))
		return
	}
	r.Add(name, text)
}

func tail(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	if _, err := f.Seek(max(0, info.Size()-maxPart), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxPart+1))
}

// Listing adds the names, sizes, modes and times below a folder, and no content.
func (r *Report) Listing(name, dir string) {
	var b bytes.Buffer
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", path, err)
			return nil
		}
		if n++; n > maxNames {
			fmt.Fprintf(&b, "[more than %d names]\n", maxNames)
			return fs.SkipAll
		}
		info, err := d.Info()
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", path, err)
			return nil
		}
		fmt.Fprintf(&b, "%s %12d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format(time.RFC3339), path)
		return nil
	})
	if err != nil {
		fmt.Fprintln(&b, err)
	}
	r.Add(name, b.Bytes())
}

// System adds what kernel, board and distribution this is, its memory, and the room on the disks of the folders.
func (r *Report) System(dirs ...string) {
	var b bytes.Buffer
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		fmt.Fprintf(&b, "%s %s %s\n", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]))
	}
	for _, file := range []string{"/proc/device-tree/model", "/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/meminfo"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // not every board has each
		}
		fmt.Fprintf(&b, "\n%s:\n%s\n", file, bytes.TrimRight(text, "\x00\n"))
	}
	for _, dir := range dirs {
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			fmt.Fprintf(&b, "\n%s: %v\n", dir, err)
			continue
		}
		fmt.Fprintf(&b, "\n%s: %d of %d MiB free, %d of %d files\n", dir,
			int64(s.Bavail)*int64(s.Bsize)>>20, int64(s.Blocks)*int64(s.Bsize)>>20, s.Ffree, s.Files)
	}
	r.Add("system.txt", b.Bytes())
}

// Write writes the report, a gzipped tar with one folder.
func (r *Report) Write(w io.Writer) error {
	if len(r.lost) > 0 {
		r.Add("not-included.txt", []byte(strings.Join(r.lost, "\n")+"\n"))
	}
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, p := range r.parts {
		err := t.WriteHeader(&tar.Header{
			Name: "nightjar-report/" + p.name, Mode: 0o600, Size: int64(len(p.text)), ModTime: r.now, Format: tar.FormatPAX,
		})
		if err == nil {
			_, err = t.Write(p.text)
		}
		if err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// Save writes the report to a file that nobody else may read. Without a path it is called after the time it was made. It
// returns the path; a file that is there already is an error.
func (r *Report) Save(path string) (string, error) {
	if path == "" {
		path = "nightjar-report-" + r.now.UTC().Format("20060102T150405Z") + ".tar.gz"
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("save report: %w", err)
	}
	if err := errors.Join(r.Write(f), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("save report: %w", err), os.Remove(path))
	}
	return path, nil
}

// secrets are the forms of all that is secret with us: an age identity, an enrolment token, a private key in PEM, and the
// binary keys of a JSON file.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?i)AGE-SECRET-KEY-[0-9A-Z-]+`),
	regexp.MustCompile(`(?i)njt1[a-z2-7]{8,}`),
	regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)`),
	regexp.MustCompile(`(?i)"[a-z_]*(key|secret|passphrase|password|token)"\s*:\s*"[^"]*"`),
}

// Strike replaces what looks like a secret.
func Strike(text []byte) []byte {
	for _, s := range secrets {
		text = s.ReplaceAll(text, []byte("[struck out]"))
	}
	return text
}
