// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/durable"
)

// A Signer is a key whose commands a camera hears.
type Signer struct {
	Role Role
	Key  ed25519.PublicKey
}

// A Gate lets commands through, each once. It is for one goroutine.
type Gate struct {
	device  string
	signers func() []Signer
	now     func() time.Time
	path    string
	highest map[string]uint64 // by the signer's fingerprint
	broken  error             // why the file could not be read

	replace func(path string, text []byte) error // tests cut the power here
	replays bool                                 // a test's: lets a command through again
}

// maxState bounds the file, and with it how many signers there can have been.
const maxState = 16 << 10

// OpenGate opens the gate of a device. The numbers that were let through are kept in the file at path; when that cannot be read,
// every command is refused. signers is asked for each command, and so is now, which must not go back before what is known to
// have been.
func OpenGate(path, device string, signers func() []Signer, now func() time.Time) *Gate {
	g := &Gate{device: device, signers: signers, now: now, path: path, highest: map[string]uint64{}, replace: durable.Replace}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return g
	}
	if err == nil {
		defer f.Close()
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(f, maxState)); err == nil {
			err = json.Unmarshal(text, &g.highest)
		}
	}
	if err != nil {
		g.broken = fmt.Errorf("%w: read %s: %w (remove it: commands older than a day stay refused)", ErrState, path, err)
	}
	return g
}

// Accept lets a command through, and remembers durably that it did before it returns: it is obeyed at most once, whatever
// happens next. When the error wraps [ErrReplayed], the command that it comes with was let through before, now or in an
// earlier life of the program. The role is the signer's, also of a command that is refused, if it is known.
func (g *Gate) Accept(jws []byte) (Command, Role, error) {
	var c Command
	var signer Signer
	err := error(ErrSigner)
	for _, s := range g.signers() {
		if c, err = Verify(s.Key, jws); err == nil {
			signer = s
			break
		}
		if !errors.Is(err, ErrSigner) {
			return Command{}, "", err
		}
	}
	if err != nil {
		return Command{}, "", err
	}
	if err := g.check(c, signer.Role); err != nil {
		return c, signer.Role, fmt.Errorf("command %d %s: %w", c.Seq, c.Name, err)
	}
	if err := g.count(c, keys.Fingerprint(signer.Key)); err != nil {
		return c, signer.Role, fmt.Errorf("command %d %s: %w", c.Seq, c.Name, err)
	}
	return c, signer.Role, nil
}

func (g *Gate) check(c Command, role Role) error {
	now := g.now()
	switch {
	case c.Device != g.device:
		return fmt.Errorf("%w: %s", ErrDevice, c.Device)
	case !now.Before(c.Expires):
		return fmt.Errorf("%w: at %s, and it is %s", ErrExpired, c.Expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case c.Issued.After(now.Add(skew)):
		return fmt.Errorf("%w: it was issued at %s, and it is %s", ErrEarly, c.Issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return Allowed(c.Name, role)
}

// count remembers the command's number, unless it or a later one was there before.
func (g *Gate) count(c Command, signer string) error {
	if g.broken != nil {
		return g.broken
	}
	before := g.highest[signer]
	if c.Seq <= before && !g.replays {
		return fmt.Errorf("%w, or one with a higher number: %d", ErrReplayed, before)
	}
	g.highest[signer] = c.Seq
	text, err := json.Marshal(g.highest)
	if err == nil && len(text) > maxState {
		err = errors.New("too many signers")
	}
	if err == nil {
		err = g.replace(g.path, text)
	}
	if err != nil { // the file may or may not have it; so the next one needs a higher number all the same
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}
