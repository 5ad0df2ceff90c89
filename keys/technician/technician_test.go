// SPDX-License-Identifier: Apache-2.0

package technician

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/sshsig"
)

var noon = time.Date(2026, time.November, 2, 12, 0, 0, 0, time.UTC)

const challenge = "-----BEGIN-----\nnonce 1\n-----END-----\n"

func newKey(t *testing.T) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	fatal(t, err)
	s, err := ssh.NewSignerFromKey(private)
	fatal(t, err)
	return s, private
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func line(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

func sign(t *testing.T, s ssh.Signer, text string) string {
	t.Helper()
	armor, err := sshsig.Sign(s, []byte(text), Namespace)
	fatal(t, err)
	return armor
}

// certify returns a signer with a certificate by the authority, after change.
func certify(t *testing.T, key, authority ssh.Signer, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "ann", ValidPrincipals: []string{"porch"},
		ValidAfter: uint64(noon.Add(-time.Hour).Unix()), ValidBefore: uint64(noon.Add(time.Hour).Unix()),
	}
	change(cert)
	fatal(t, cert.SignCert(rand.Reader, authority))
	s, err := ssh.NewCertSigner(cert, key)
	fatal(t, err)
	return s
}

func TestJudge(t *testing.T) {
	known, _ := newKey(t)
	stranger, _ := newKey(t)
	owner, ownerKey := newKey(t)
	authority, _ := newKey(t)
	foreign, _ := newKey(t)
	list, err := New([]string{line(known) + " bob@van"}, []string{line(authority)})
	fatal(t, err)
	owners := []ed25519.PublicKey{ownerKey.Public().(ed25519.PublicKey)}
	set, same := Time{noon, true}, func(*ssh.Certificate) {}

	for name, row := range map[string]struct {
		signer ssh.Signer
		now    Time
		want   error
		who    Who
	}{
		"technician":                 {known, set, nil, Who{Name: "bob@van", Role: command.Technician}},
		"technician without a clock": {known, Time{}, nil, Who{Name: "bob@van", Role: command.Technician}},
		"owner":                      {owner, set, nil, Who{Name: "owner", Role: command.Owner}},
		"stranger":                   {stranger, set, ErrUnknown, Who{}},
		"certificate":                {certify(t, stranger, authority, same), set, nil, Who{Name: "ann", Role: command.Technician, Certificate: true}},
		"certificate of the site": {certify(t, stranger, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"farm"} }), set, nil,
			Who{Name: "ann", Role: command.Technician, Certificate: true}},
		"foreign authority": {certify(t, stranger, foreign, same), set, ErrCertificate, Who{}},
		"self-signed":       {certify(t, stranger, stranger, same), set, ErrCertificate, Who{}},
		"unset clock":       {certify(t, stranger, authority, same), Time{noon, false}, ErrClock, Who{}},
		"before its time":   {certify(t, stranger, authority, same), Time{noon.Add(-2 * time.Hour), true}, ErrCertificate, Who{}},
		"expired":           {certify(t, stranger, authority, same), Time{noon.Add(2 * time.Hour), true}, ErrCertificate, Who{}},
		"another camera":    {certify(t, stranger, authority, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"yard"} }), set, ErrCertificate, Who{}},
		"any camera":        {certify(t, stranger, authority, func(c *ssh.Certificate) { c.ValidPrincipals = nil }), set, ErrCertificate, Who{}},
		"a host's":          {certify(t, stranger, authority, func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), set, ErrCertificate, Who{}},
		"an option we do not know": {certify(t, stranger, authority, func(c *ssh.Certificate) {
			c.CriticalOptions = map[string]string{"source-address": "10.0.0.0/8"}
		}), set, ErrCertificate, Who{}},
		// A certificate does not make an owner of an owner's key: it says technician.
		"owner's key with a certificate": {certify(t, owner, authority, same), set, nil, Who{Name: "ann", Role: command.Technician, Certificate: true}},
	} {
		who, err := list.Judge(challenge, sign(t, row.signer, challenge), []string{"porch", "farm"}, row.now, owners)
		if !errors.Is(err, row.want) || err == nil && who.Fingerprint == "" {
			t.Errorf("%s: %v, %v, want %v", name, who, err, row.want)
		}
		if who.Fingerprint = ""; err == nil && who != row.who {
			t.Errorf("%s: %+v, want %+v", name, who, row.who)
		}
		if _, err := list.Judge("another challenge\n", sign(t, row.signer, challenge), []string{"porch", "farm"}, row.now, owners); err == nil {
			t.Errorf("%s: an answer to another challenge counts", name)
		}
	}
}

// An editor or a clipboard may change how lines end, and nothing else.
func TestClipboards(t *testing.T) {
	known, _ := newKey(t)
	list, err := New([]string{line(known)}, nil)
	fatal(t, err)
	for text, want := range map[string]bool{
		challenge: true, strings.TrimSuffix(challenge, "\n"): true, strings.ReplaceAll(challenge, "\n", "\r\n"): true,
		strings.TrimSuffix(strings.ReplaceAll(challenge, "\n", "\r\n"), "\r\n"): true,
		challenge + "\n": false, strings.ReplaceAll(challenge, "\n", ""): false, "": false,
	} {
		if _, err := list.Judge(challenge, sign(t, known, text), []string{"porch"}, Time{}, nil); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	git, err := sshsig.Sign(known, []byte(challenge), "git")
	fatal(t, err)
	if _, err := list.Judge(challenge, git, []string{"porch"}, Time{}, nil); !errors.Is(err, sshsig.ErrNamespace) {
		t.Errorf("a signature for git: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	key, _ := newKey(t)
	cert := certify(t, key, key, func(*ssh.Certificate) {})
	for _, text := range []string{"", "nonsense", `from="10.0.0.1" ` + line(key), line(cert), line(key) + "\n" + line(key)} {
		if _, err := New([]string{text}, nil); err == nil {
			t.Errorf("technician %.30q is taken", text)
		}
		if _, err := New(nil, []string{text}); err == nil {
			t.Errorf("authority %.30q is taken", text)
		}
	}
	many := make([]string, MaxKeys+1)
	for i := range many {
		many[i] = line(key)
	}
	if _, err := New(many, nil); err == nil {
		t.Error("any number of keys is taken")
	}
	if l, err := New(nil, nil); err != nil || !l.Empty() {
		t.Errorf("no key: %v", err)
	}
}
