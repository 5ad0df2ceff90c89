// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightjar-cam/nightjar/keys/seal"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
)

// The hub stores a clip between our look at what arrives and the look into its details, which are then at another place.
func TestDetailsStoredMeanwhile(t *testing.T) {
	store, id := t.TempDir(), strings.Repeat("e", 32)
	var file bytes.Buffer
	recipient, err := seal.GenerateOwner(&file, noon)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := seal.Identities(&file)
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := seal.Recipients(strings.NewReader(recipient))
	if err != nil {
		t.Fatal(err)
	}
	porch := newCamera(store, "porch", recipients)
	porch.arrive(id, "")
	all, err := (&source{store: store}).clips()
	if err != nil || len(all) != 1 || all[0].arriving == nil {
		t.Fatalf("clips %+v, %v", all, err)
	}
	incoming, err := filepath.Glob(filepath.Join(archive.IncomingDir(store, "porch"), "*", archive.ArrivingDetails))
	if err != nil || len(incoming) != 1 {
		t.Fatalf("details at %q, %v", incoming, err)
	}
	if err := os.Rename(incoming[0], archive.DetailsPath(porch.dir(), id)); err != nil {
		t.Fatal(err)
	}
	if d, err := all[0].details(owner); err != nil || d.Clip != id {
		t.Errorf("details %+v, %v", d, err)
	}
}
