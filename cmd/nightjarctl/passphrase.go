// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"filippo.io/age"
	"golang.org/x/term"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// minPassphrase is the least length of a new passphrase, in characters: who steals the file can try for ever.
const minPassphrase = 12

// ownerKey is the owner's identity file and where its passphrase comes from: the terminal or a file, never the command line or
// the environment, which other programs see.
type ownerKey struct {
	file       string
	passphrase string
}

func (k *ownerKey) flags(f *flag.FlagSet) {
	f.StringVar(&k.file, "i", "", "owner's key `FILE`")
	k.passphraseFlag(f)
}

func (k *ownerKey) passphraseFlag(f *flag.FlagSet) {
	f.StringVar(&k.passphrase, "passphrase-file", "", "read the key's passphrase from the first line of `FILE`, instead of asking")
}

// identities reads the owner's key and asks for the passphrase if it has one.
func (k *ownerKey) identities() ([]age.Identity, error) {
	f, err := os.Open(k.file)
	if err != nil {
		return nil, fmt.Errorf("read owner's key: %w", err)
	}
	defer f.Close()
	all, err := seal.ProtectedIdentities(f, k.ask)
	if err != nil {
		return nil, fmt.Errorf("read owner's key %s: %w", k.file, err)
	}
	return all, nil
}

// ask returns the passphrase of the key.
func (k *ownerKey) ask() ([]byte, error) {
	if k.passphrase != "" {
		return readPassphrase(k.passphrase)
	}
	return ask("Passphrase of " + k.file + ": ")
}

// readPassphrase returns the first line of a file.
func readPassphrase(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return nil, fmt.Errorf("read passphrase: the first line of %s is empty", name)
	}
	return line, nil
}

// newPassphrase returns the passphrase for a new key.
func (k *ownerKey) newPassphrase() ([]byte, error) {
	if k.passphrase != "" {
		p, err := readPassphrase(k.passphrase)
		if err == nil {
			err = strong(p)
		}
		return p, err
	}
	p, err := ask(fmt.Sprintf("New passphrase, %d characters or more: ", minPassphrase))
	if err == nil {
		err = strong(p)
	}
	if err != nil {
		return nil, err
	}
	again, err := ask("Once more: ")
	if err == nil && !bytes.Equal(p, again) {
		err = errors.New("the two passphrases differ")
	}
	return p, err
}

func strong(p []byte) error {
	if n := utf8.RuneCount(p); n < minPassphrase {
		return cli.Hint(fmt.Errorf("a passphrase of %d characters is too short: %d are the least", n, minPassphrase), "four words drawn by lot are easy to keep")
	}
	return nil
}

// ask reads a line from the terminal without showing it. What is piped in or out does not matter.
func ask(prompt string) (line []byte, err error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, cli.Hint(errors.New("the key has a passphrase, and there is no terminal to ask at"), "give it with --passphrase-file")
	}
	defer tty.Close()
	if _, err := io.WriteString(tty, prompt); err != nil {
		return nil, err
	}
	line, err = term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(tty)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	return line, nil
}

// atTerminal tells whether a person may be asked.
func atTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
