// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/keys/seal"
)

// newKey is what keygen and recover have in common: where the key goes, and how it is protected.
type newKey struct {
	ownerKey
	pq     bool
	want   bool // a passphrase
	plain  bool
	asJSON bool
}

func (n *newKey) flags(f *flag.FlagSet) {
	n.fileFlags(f)
	f.BoolVar(&n.pq, "pq", false, "hybrid post-quantum key; opening a clip takes age 1.3 or later")
}

func (n *newKey) fileFlags(f *flag.FlagSet) {
	f.StringVar(&n.file, "o", "", "write the key to a new `FILE`")
	n.passphraseFlag(f)
	f.BoolVar(&n.want, "passphrase", false, "ask for a passphrase; at a terminal this is the default with -o")
	f.BoolVar(&n.plain, "no-passphrase", false, "write the key unprotected")
	cli.JSONFlag(f, &n.asJSON)
}

const aboutProtection = `With -o the key is written to a new file that only you may read, and the public key (age1...), which cameras get
with --recipient, is printed; at a terminal a passphrase is asked for, which protects the file as "age -p" does.
Without -o the key itself is printed, as age-keygen does.`

func keygenCommand() cli.Command {
	var key newKey
	var paper bool
	return cli.Command{
		Name:  "keygen",
		Usage: "nightjarctl keygen [-o FILE] [--passphrase-file FILE|--no-passphrase] [--recovery] [--pq] [--json]",
		Short: "Make an owner's key, the only thing that opens clips",
		Long: `Makes an age identity. ` + aboutProtection + `

Nobody can open a clip whose key is lost, and nobody can replace the key. With --recovery it is also shown as 24
words, to be written on paper and kept in a safe place: "nightjarctl keys recover" makes the same key of them. Or
give each camera a second recipient whose key is kept elsewhere.

With --pq the key withstands quantum computers. A camera's recipients must all be of that kind, or none.`,
		Flags: func(f *flag.FlagSet) {
			key.flags(f)
			f.BoolVar(&paper, "recovery", false, "show the key as 24 words for paper")
		},
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			owner, err := seal.NewOwner(key.pq)
			if err != nil {
				return err
			}
			if err := key.write(env, owner); err != nil {
				return err
			}
			if paper {
				showPhrase(env.Stderr, owner.Phrase())
			} else if key.file != "" {
				fmt.Fprintf(env.Stderr, "the key is in %s; keep a copy: without it no clip can be opened\n", key.file)
			}
			return nil
		},
	}
}

// showPhrase numbers the words, so that none is left out on paper.
func showPhrase(w io.Writer, phrase string) {
	fmt.Fprintln(w, "\nWrite these words on paper, with their numbers, and keep them where no camera looks.")
	fmt.Fprintln(w, "Who has them can open every clip; they are not shown again.")
	for i, word := range strings.Fields(phrase) {
		if i%6 == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%2d %-9s", i+1, word)
	}
	fmt.Fprintln(w)
}

// write puts the key where the flags say, and prints the recipient.
func (n *newKey) write(env *cli.Env, owner seal.Owner) error {
	if n.asJSON && n.file == "" {
		return cli.Usagef("--json needs -o: the key itself is an age file, not JSON")
	}
	text, err := n.protect(env, owner.File(time.Now()))
	if err != nil {
		return err
	}
	if n.file == "" {
		fmt.Fprintf(env.Stderr, "public key: %s\n", owner.Recipient())
		_, err := env.Stdout.Write(text)
		return err
	}
	if err := n.place(text); err != nil {
		return err
	}
	if n.asJSON {
		return env.JSON(struct {
			File      string `json:"file"`
			Recipient string `json:"recipient"`
		}{n.file, owner.Recipient()})
	}
	fmt.Fprintln(env.Stdout, owner.Recipient())
	return nil
}

// protect seals the key with a passphrase, if the flags or the person say so.
func (n *newKey) protect(env *cli.Env, text []byte) ([]byte, error) {
	if n.plain && (n.want || n.passphrase != "") {
		return nil, cli.Usagef("a passphrase and --no-passphrase: give one of them")
	}
	if !n.want && n.passphrase == "" && (n.plain || n.file == "" || !atTerminal(env.Stdin)) {
		return text, nil
	}
	passphrase, err := n.newPassphrase()
	if err != nil {
		return nil, err
	}
	return seal.Protect(text, passphrase)
}

// place writes the key's file.
func (n *newKey) place(text []byte) error {
	err := writeNew(n.file, text)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write key: %w", err)
	if errors.Is(err, fs.ErrExist) {
		err = cli.Hint(err, "a key is never written over: give another file")
	}
	return err
}

func keysCommand() cli.Command {
	return cli.Command{
		Name:  "keys",
		Usage: "nightjarctl keys COMMAND",
		Short: "Restore an owner's key from paper",
		Sub:   []cli.Command{recoverCommand()},
	}
}

func recoverCommand() cli.Command {
	var key newKey
	return cli.Command{
		Name:  "recover",
		Usage: "nightjarctl keys recover [-o FILE] [--passphrase-file FILE|--no-passphrase] [--pq] [--json]",
		Short: "Make the key of 24 words on paper, the same as it was",
		Long: `Reads the 24 words that "nightjarctl keygen --recovery" showed from stdin, in one line or several, in any case; the
first four letters of a word are enough. A mistake is found by the checksum. Give --pq if the key was made with it.
` + aboutProtection,
		Flags: key.flags,
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			words, err := readWords(env)
			if err != nil {
				return err
			}
			owner, err := seal.OwnerOfPhrase(words, key.pq)
			if err != nil {
				return err
			}
			return key.write(env, owner)
		},
	}
}

// readWords reads to the 24th word, which may be in any line, or to the end.
func readWords(env *cli.Env) (string, error) {
	if atTerminal(env.Stdin) {
		fmt.Fprintln(env.Stderr, "The 24 words, then Enter:")
	}
	var text strings.Builder
	one := make([]byte, 1) // no further: what follows may be the passphrase's
	for text.Len() < 4<<10 {
		_, err := io.ReadFull(env.Stdin, one)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("read words: %w", err)
		}
		text.Write(one)
		if one[0] == '\n' && len(strings.Fields(text.String())) >= 24 {
			break
		}
	}
	return text.String(), nil
}
