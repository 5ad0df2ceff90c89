// SPDX-License-Identifier: Apache-2.0

package bugreport

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// unpack returns the texts of a report by their names.
func unpack(t *testing.T, r *Report) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, "nightjar-report/")
		if !ok {
			t.Errorf("%s lies outside of the folder", h.Name)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		parts[name] = string(text)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every secret that we have is made for real, put into each thing that a report takes, and looked for in what comes out.
func TestNoSecretGetsIn(t *testing.T) {
	dir := t.TempDir()
	var owner strings.Builder
	if _, err := seal.GenerateOwner(&owner, time.Now()); err != nil {
		t.Fatal(err)
	}
	store, err := keys.OpenStore(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Identity(); err != nil {
		t.Fatal(err)
	}
	identity, err := os.ReadFile(filepath.Join(dir, "keys", "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	token := enroll.Token{Secret: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, CA: [32]byte{9}}.String()
	canaries := map[string]string{}
	for _, line := range strings.Split(owner.String(), "\n") {
		if strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			canaries["owner's identity"] = line
		}
	}
	canaries["camera's identity"] = strings.Split(string(identity), "\n")[1]
	canaries["token"] = token
	canaries["key in JSON"] = "bm90aGluZyB0byBzZWU="

	everything := owner.String() + string(identity) + "enrol with " + token + "\n{\"tls_key\": \"" + canaries["key in JSON"] + "\"}\n"
	for name, secret := range canaries {
		if !strings.Contains(everything, secret) || len(secret) < 8 {
			t.Fatalf("%s is not there to be found: %q", name, secret)
		}
	}
	r := New("nightjar", "v1", time.Now())
	r.Add("added.txt", []byte(everything))
	r.File("file.txt", write(t, filepath.Join(dir, "log"), everything))
	r.Listing("files.txt", dir)
	r.System(dir)
	parts := unpack(t, r)
	for name, text := range parts {
		for what, secret := range canaries {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the %s", name, what)
			}
		}
	}
	if n := strings.Count(parts["file.txt"], "[struck out]"); n != len(canaries) {
		t.Errorf("%d secrets are struck out of the file, want %d:\n%s", n, len(canaries), parts["file.txt"])
	}
	if !strings.Contains(parts["files.txt"], "identity.key") {
		t.Error("the key's file is not even listed")
	}
	for _, want := range []string{"report.txt", "build.txt", "system.txt"} {
		if parts[want] == "" {
			t.Errorf("no %s", want)
		}
	}
}

func TestKeyThatIsCutOffIsStruckOut(t *testing.T) {
	const text = "before\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"
	if got := string(Strike([]byte(text))); got != "before\n[struck out]" {
		t.Errorf("left %q", got)
	}
}

func TestPartsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 2*maxPart) + "the end\n"
	r := New("nightjar", "v1", time.Now())
	r.Add("added.txt", []byte(long))
	r.File("file.txt", write(t, filepath.Join(t.TempDir(), "log"), long))
	parts := unpack(t, r)
	for _, name := range []string{"added.txt", "file.txt"} {
		if n := len(parts[name]); n > maxPart+100 || !strings.HasSuffix(parts[name], "the end\n") {
			t.Errorf("%s has %d bytes and ends with %q", name, n, parts[name][n-10:])
		}
	}
}

// What is not there is said: a report without a status is a finding, too.
func TestMissingFilesAreNamed(t *testing.T) {
	r := New("nightjar", "v1", time.Now())
	r.File("status.json", filepath.Join(t.TempDir(), "absent"))
	r.File("device", "/dev/zero")
	got := unpack(t, r)["not-included.txt"]
	if !strings.Contains(got, "status.json: open ") || !strings.Contains(got, "device: it is no regular file") {
		t.Errorf("it says %q", got)
	}
}

func TestListingIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range maxNames + 10 {
		write(t, filepath.Join(dir, strings.Repeat("a", 1+i%200)+string(rune('a'+i/200))), "")
	}
	r := New("nightjar", "v1", time.Now())
	r.Listing("files.txt", dir)
	if got := unpack(t, r)["files.txt"]; strings.Count(got, "\n") != maxNames+1 || !strings.Contains(got, "[more than") {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestFailedWriteIsAnError(t *testing.T) {
	if err := New("nightjar", "v1", time.Now()).Write(failing{}); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error %v", err)
	}
}

func TestSave(t *testing.T) {
	t.Chdir(t.TempDir())
	r := New("nightjar", "v1", time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC))
	path, err := r.Save("")
	if err != nil || path != "nightjar-report-20261102T120000Z.tar.gz" {
		t.Fatalf("saved %q, %v", path, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := r.Save(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a file was written over: %v", err)
	}
}
