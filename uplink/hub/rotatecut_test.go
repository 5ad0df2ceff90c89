// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var errCut = errors.New("cut")

// cutRotation cuts a rotation before the write with the number n, and returns whether it was whole before that.
func cutRotation(t *testing.T, n int) (dir string, known Trust, whole bool) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "hub")
	if err := Init(dir, []string{"hub.lan"}); err != nil {
		t.Fatal(err)
	}
	known, err := LoadTrust(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = rotate(dir, false, time.Now(), func() error {
		if n--; n < 0 {
			return errCut
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	return dir, known, err == nil
}

// sound tells what is wrong with the keys of a hub for cameras that trust known.
func sound(h *Hub, known Trust) error {
	if !h.ca.cert.Equal(known.CA) && !h.ca.cert.Equal(known.Next) {
		return errors.New("the CA is one that no camera knows")
	}
	if h.ca.next == nil || h.ca.next.Equal(h.ca.cert) || h.nextReceipt == nil || h.nextReceipt.Equal(h.receipt.Public()) {
		return errors.New("there is no spare")
	}
	if h.ca.cert.Equal(known.Next) && (h.ca.old == nil || !h.ca.old.Equal(known.CA)) {
		return errors.New("certificates of the former CA do not count")
	}
	key, err := loadKey[*ecdsa.PrivateKey](filepath.Join(h.cfg.Dir, "ca-next.key"))
	if err != nil {
		return err
	}
	if !key.PublicKey.Equal(h.ca.next.PublicKey) {
		return errors.New("the spare's key is another one")
	}
	_, err = h.server.Leaf.Verify(x509.VerifyOptions{Roots: rootsOf(known), DNSName: "hub.lan"})
	return err
}

// At every step of a rotation a cut leaves a hub that starts, with the old keys or the new ones, and no camera is locked out.
func TestRotationCutAnywhere(t *testing.T) {
	cuts, swapped := 0, 0
	for n := 0; ; n++ {
		dir, known, whole := cutRotation(t, n)
		h, err := New(Config{Dir: dir, Listen: ":0"}, nil)
		if err == nil {
			err = sound(h, known)
		}
		if err != nil {
			t.Errorf("cut before write %d: %v", n, err)
			continue
		}
		if h.ca.cert.Equal(known.Next) {
			swapped++
		}
		if _, err := os.Stat(filepath.Join(dir, rotationDir)); !os.IsNotExist(err) {
			t.Errorf("cut before write %d: the rotation is not finished: %v", n, err)
		}
		if whole {
			break
		}
		cuts++
	}
	if cuts < 15 || swapped < 5 || swapped > cuts {
		t.Errorf("%d cuts, %d of them ended with the new keys", cuts, swapped)
	}
	t.Logf("a rotation cut before each of %d writes: 0 cameras locked out", cuts)
}

// The mutant does not finish what was begun: then some cuts leave keys that do not fit together.
func TestMutantRotationNotFinished(t *testing.T) {
	broken := 0
	for n := 0; ; n++ {
		dir, known, whole := cutRotation(t, n)
		if whole {
			break
		}
		h := &Hub{cfg: Config{Dir: dir}}
		err := h.readKeys()
		if err == nil {
			err = sound(h, known)
		}
		if err != nil {
			broken++
		}
	}
	if broken == 0 {
		t.Error("without finishing it, every cut leaves sound keys: the test above sees nothing")
	}
}

// A hub that was made before there were spares gets them first, and rotates the next time.
func TestRotationWithoutSpares(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hub")
	if err := Init(dir, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca-next.crt", "ca-next.key", "receipt-next.key"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := LoadTrust(dir)
	if err != nil || before.Next != nil {
		t.Fatalf("%+v, %v", before, err)
	}
	if err := Rotate(dir, false); err != nil {
		t.Fatal(err)
	}
	spared, err := LoadTrust(dir)
	if err != nil || !spared.CA.Equal(before.CA) || spared.Next == nil {
		t.Fatalf("%+v, %v", spared, err)
	}
	if err := Rotate(dir, false); err != nil {
		t.Fatal(err)
	}
	if rotated, err := LoadTrust(dir); err != nil || !rotated.CA.Equal(spared.Next) {
		t.Errorf("%+v, %v", rotated, err)
	}
}

// The spare's key may lie in a safe until it is needed; then its absence is told, and nothing has changed.
func TestRotationWithoutTheSparesKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hub")
	if err := Init(dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ca-next.key")); err != nil {
		t.Fatal(err)
	}
	if err := Rotate(dir, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := New(Config{Dir: dir, Listen: ":0"}, nil); err != nil {
		t.Error(err)
	}
}

func rootsOf(t Trust) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(t.CA)
	pool.AddCert(t.Next)
	return pool
}
