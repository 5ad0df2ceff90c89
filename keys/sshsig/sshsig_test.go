// SPDX-License-Identifier: Apache-2.0

package sshsig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

const namespace = "nightjar-test"

func signers(t testing.TB) map[string]ssh.Signer {
	t.Helper()
	all := map[string]ssh.Signer{}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	fatal(t, err)
	for name, key := range map[string]any{"ed25519": ed, "ecdsa": ec, "rsa": rs} {
		all[name], err = ssh.NewSignerFromKey(key)
		fatal(t, err)
	}
	return all
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignAndVerify(t *testing.T) {
	for name, signer := range signers(t) {
		armor, err := Sign(signer, []byte("hello\n"), namespace)
		fatal(t, err)
		sig, err := Parse("\r\n" + strings.ReplaceAll(armor, "\n", "\r\n"))
		fatal(t, err)
		for _, row := range []struct {
			message, namespace string
			want               error
		}{
			{"hello\n", namespace, nil}, {"hello", namespace, ErrSignature}, {"hello\n", "git", ErrNamespace},
		} {
			if err := sig.Verify([]byte(row.message), row.namespace); !errors.Is(err, row.want) {
				t.Errorf("%s: %q for %s: %v, want %v", name, row.message, row.namespace, err, row.want)
			}
		}
		if string(sig.Key.Marshal()) != string(signer.PublicKey().Marshal()) {
			t.Errorf("%s: another key", name)
		}
	}
}

// What OpenSSH signs we verify, and what we sign OpenSSH does.
func TestAgainstOpenSSH(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen is missing: apt-get install openssh-client")
	}
	dir := t.TempDir()
	run := func(stdin string, args ...string) string {
		cmd := exec.Command(keygen, args...)
		cmd.Stdin, cmd.Dir = strings.NewReader(stdin), dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		run("", "-q", "-t", kind, "-N", "", "-f", kind)
		sig, err := Parse(run("hello\n", "-Y", "sign", "-n", namespace, "-f", kind))
		fatal(t, err)
		fatal(t, sig.Verify([]byte("hello\n"), namespace))

		pem, err := os.ReadFile(filepath.Join(dir, kind))
		fatal(t, err)
		signer, err := ssh.ParsePrivateKey(pem)
		fatal(t, err)
		armor, err := Sign(signer, []byte("hello\n"), namespace)
		fatal(t, err)
		fatal(t, os.WriteFile(filepath.Join(dir, "sig"), []byte(armor), 0o600))
		if out := run("hello\n", "-Y", "check-novalidate", "-n", namespace, "-s", "sig"); !strings.Contains(out, "Good") {
			t.Errorf("%s: OpenSSH says of our signature: %s", kind, out)
		}
	}
}

// A security key's signature counts only when it says that the key was touched: x/crypto sees to that. The key is made up; the format is that of
// PROTOCOL.u2f.
func TestTouch(t *testing.T) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, pub, "ssh:"}))
	fatal(t, err)
	for flags, want := range map[byte]error{0: ErrSignature, 1: nil, 4: ErrSignature} {
		data, err := toSign([]byte("hello"), namespace, "sha512")
		fatal(t, err)
		rest := []byte{flags, 0, 0, 0, 7}
		app, sum := sha256Of("ssh:"), sha256Of(string(data))
		blob := append(append(append([]byte{}, app...), rest...), sum...)
		s := Signature{Key: key, Namespace: namespace, Hash: "sha512",
			blob: ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(private, blob), Rest: rest}}
		if err := s.Verify([]byte("hello"), namespace); !errors.Is(err, want) {
			t.Errorf("flags %d: %v, want %v", flags, err, want)
		}
	}
}

func TestWeak(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	fatal(t, err)
	key, err := ssh.NewPublicKey(&small.PublicKey)
	fatal(t, err)
	if err := Strong(key, ssh.KeyAlgoRSASHA512); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("RSA of 1024 bits: %v", err)
	}
	signer := signers(t)["rsa"]
	data, err := toSign([]byte("hello"), namespace, "sha512")
	fatal(t, err)
	old, err := signer.Sign(rand.Reader, data) // with SHA-1
	fatal(t, err)
	s := Signature{Key: signer.PublicKey(), Namespace: namespace, Hash: "sha512", blob: *old}
	if err := s.Key.Verify(data, old); err != nil || old.Format != ssh.KeyAlgoRSA {
		t.Fatalf("x/crypto refuses %s by itself: %v; this test is blind", old.Format, err)
	}
	if err := s.Verify([]byte("hello"), namespace); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("SHA-1: %v", err)
	}
}

func TestReadBlock(t *testing.T) {
	for _, row := range []struct {
		lines []string
		ok    bool
	}{
		{[]string{" " + Begin, "AAAA", End + "\r"}, true},
		{[]string{""}, false},
		{[]string{"status"}, false},
		{append([]string{Begin}, strings.Split(strings.Repeat("A\n", MaxArmor), "\n")...), false},
	} {
		lines := row.lines
		armor, ok, err := ReadBlock(func() (string, error) { l := lines[0]; lines = lines[1:]; return l, nil })
		if ok != row.ok || err != nil || ok && armor != Begin+"\nAAAA\n"+End+"\n" {
			t.Errorf("%.40q: %q, %v, %v", row.lines, armor, ok, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	armor, err := Sign(signers(f)["ed25519"], []byte("hello"), namespace)
	fatal(f, err)
	f.Add(armor)
	f.Add(Begin + "U1NIU0lH" + End)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse(text); err == nil && s.Verify([]byte("other"), namespace) == nil {
			t.Error("a signature of something else counts")
		}
	})
}

func sha256Of(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}
