// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// A grant is what a token lets its bearer do: enrol one device, once. It is the content of
// tokens/<SHA-256 of the secret>.json; using the token renames the file to .used. The secret itself is
// not in the hub.
type grant struct {
	Device  string    `json:"device"`
	Expires time.Time `json:"expires"`
}

const (
	openSuffix = ".json"
	usedSuffix = ".used"

	// keepTokens is how long a token is remembered after it expired, to tell its bearer what is wrong.
	keepTokens = 30 * 24 * time.Hour
)

// NewToken makes a token that enrols device once within ttl, for the hub in dir, which may be running.
// The word it returns is to be given to the device and is not kept.
func NewToken(dir, device string, ttl time.Duration) (string, error) {
	if err := keys.ValidDevice(device); err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	if err := finishRotation(dir); err != nil {
		return "", err
	}
	ca, err := loadCA(dir)
	if err != nil {
		return "", err
	}
	token := enroll.Token{CA: sha256.Sum256(ca.Raw)}
	rand.Read(token.Secret[:]) // never fails
	b, err := json.Marshal(grant{Device: device, Expires: time.Now().Add(ttl).UTC()})
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	if err := store.WriteFile(tokenPath(tokensDir(dir), token.Secret, openSuffix), b); err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return token.String(), nil
}

func tokenPath(tokens string, secret [16]byte, suffix string) string {
	h := sha256.Sum256(secret[:])
	return filepath.Join(tokens, hex.EncodeToString(h[:])+suffix)
}

// lookUp returns what an unused token grants.
func lookUp(tokens string, secret [16]byte, now time.Time) (grant, error) {
	var g grant
	b, err := os.ReadFile(tokenPath(tokens, secret, openSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(tokenPath(tokens, secret, usedSuffix)); err == nil {
			return g, enroll.ErrTokenUsed
		}
		return g, enroll.ErrTokenUnknown
	}
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		return g, fmt.Errorf("read token: %w", err)
	}
	if now.After(g.Expires) {
		return g, enroll.ErrTokenExpired
	}
	return g, nil
}

// use marks a token as used. Of several calls, in any number of processes, one returns nil: rename
// finds the file only once. The mark is durable when use returns.
func use(tokens string, secret [16]byte) error {
	err := os.Rename(tokenPath(tokens, secret, openSuffix), tokenPath(tokens, secret, usedSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return enroll.ErrTokenUsed
	}
	if err == nil {
		err = store.SyncDir(tokens)
	}
	if err != nil {
		return fmt.Errorf("mark token as used: %w", err)
	}
	return nil
}

// pruneTokens forgets tokens that expired long ago.
func pruneTokens(tokens string, now time.Time) error {
	entries, err := os.ReadDir(tokens)
	if err != nil {
		return fmt.Errorf("prune tokens: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(tokens, e.Name())
		var g grant
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // used meanwhile
		}
		if err != nil {
			return fmt.Errorf("prune tokens: %w", err)
		}
		if json.Unmarshal(b, &g) != nil || now.Before(g.Expires.Add(keepTokens)) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("prune tokens: %w", err)
		}
	}
	return nil
}
