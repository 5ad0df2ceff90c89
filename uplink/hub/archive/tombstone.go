// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nightjar-cam/nightjar/keys/record"
)

const (
	tombstonesDir   = "tombstones"
	receiptKeysFile = "receipt.pub"
)

// TombstonePath is the path of the tombstone of the clip of record seq, of the device in folder dir.
func TombstonePath(dir string, seq uint64) string {
	return filepath.Join(dir, tombstonesDir, fmt.Sprintf("%08d.jws", seq))
}

// ReceiptKeysPath is the path of the public keys that tombstones and receipts of the store in dir verify with.
func ReceiptKeysPath(dir string) string { return filepath.Join(dir, receiptKeysFile) }

// ReceiptKeys returns the hub's public receipt keys, the newest last: PEM blocks in one file, to which a
// new key is added. The error wraps [fs.ErrNotExist] in a store that has none yet.
func (a *Archive) ReceiptKeys() ([]ed25519.PublicKey, error) { return receiptKeys(a.dir) }

func receiptKeys(dir string) (all []ed25519.PublicKey, err error) {
	rest, err := readBounded(ReceiptKeysPath(dir), maxDeviceFile)
	if err != nil {
		return nil, fmt.Errorf("read receipt keys: %w", err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all, nil
		}
		any, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := any.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("read receipt keys: %s holds something else than Ed25519 keys", ReceiptKeysPath(dir))
		}
		all = append(all, key)
	}
}

// Tombstone returns the hub's signed statement that it removed the clip of an entry. The error wraps
// [fs.ErrNotExist] when there is none; any other one says that what is there is not to be believed.
func (d *Device) Tombstone(e Entry) (record.Tombstone, error) {
	none := record.Tombstone{}
	jws, err := readBounded(TombstonePath(d.dir, e.Seq), record.MaxSize)
	if err != nil {
		return none, fmt.Errorf("tombstone %d: %w", e.Seq, err)
	}
	keys, err := receiptKeys(filepath.Dir(filepath.Dir(d.dir)))
	if err != nil {
		// Not wrapped: a missing key is not a missing tombstone.
		return none, fmt.Errorf("tombstone %d: %v", e.Seq, err)
	}
	err = fmt.Errorf("no key in %s", receiptKeysFile)
	for _, key := range keys {
		var t record.Tombstone
		if t, err = record.VerifyTombstone(key, jws); err == nil {
			return t, matches(t, d, e)
		}
	}
	return none, fmt.Errorf("tombstone %d: %w", e.Seq, err)
}

// Gone reports whether the hub removed the clip of an entry and says so with a tombstone that verifies.
func (d *Device) Gone(e Entry) bool {
	_, err := d.Tombstone(e)
	return err == nil
}

func matches(t record.Tombstone, d *Device, e Entry) error {
	hash := record.Hash(e.JWS)
	c := e.Record.Clip
	if c == nil || t.Device != d.ID || t.Seq != e.Seq || t.Clip != c.ID || t.Record != hex.EncodeToString(hash[:]) {
		return fmt.Errorf("tombstone %d: it is of record %d of device %q", e.Seq, t.Seq, t.Device)
	}
	return nil
}

// noFolder makes a folder that does not exist an empty one.
func noFolder(entries []os.DirEntry, err error) ([]os.DirEntry, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}
