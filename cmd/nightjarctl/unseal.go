// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// errAltered says that a stored file is not the one the camera signed for.
var errAltered = errors.New("not what the camera recorded")

// unseal opens the sealed file name into w and checks in the same pass that it is the one the camera
// signed for. With an error, what was written to w must not be used: age proves that nothing was changed
// since it was sealed, but anyone could have sealed it.
func unseal(w io.Writer, name string, want record.Part, owner []age.Identity) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	// One pass over one open file: nobody can change it between the check and the opening.
	hash := sha256.New()
	sealed := io.TeeReader(f, hash)
	plain, err := seal.Open(sealed, owner)
	if err == nil {
		_, err = io.Copy(w, plain)
	}
	// An altered file is told as that, also when the seal notices first.
	size, restErr := restOf(f, sealed)
	if restErr != nil {
		return restErr
	}
	if size != want.Size {
		return fmt.Errorf("%s: %w: it has %d bytes, the record says %d", name, errAltered, size, want.Size)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want.SHA256 {
		return fmt.Errorf("%s: %w: its SHA-256 is %s, the record says %s", name, errAltered, sum, want.SHA256)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// restOf reads sealed, which reads f, to its end and returns the size of f.
func restOf(f *os.File, sealed io.Reader) (int64, error) {
	if _, err := io.Copy(io.Discard, sealed); err != nil {
		return 0, err
	}
	return f.Seek(0, io.SeekCurrent)
}
