// SPDX-License-Identifier: Apache-2.0

// Package technician says who may log in at a camera's console, by an SSH key or a certificate of the owner's technician CA.
// [New] makes a list of whom the configuration names; [List.Judge] says who signed a challenge. No password is known here.
package technician

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/keys/sshsig"
)

// Namespace of the signatures: one that was made for git or for a file does not open a console.
const Namespace = "nightjar-console"

// MaxKeys bounds the keys, and the authorities, of a list.
const MaxKeys = 32

// Reasons why somebody is turned away; every error of Judge that is not of package sshsig wraps one of them.
var (
	ErrUnknown     = errors.New("this key may not log in here")
	ErrCertificate = errors.New("the certificate does not count here")
	ErrClock       = errors.New("the camera's clock is not set, so no certificate can be judged: log in with a plain key")
)

// Who logged in.
type Who struct {
	Name        string // the key's comment, or the certificate's id
	Fingerprint string // SHA256:... of the key that signed
	Role        command.Role
	Certificate bool
}

// Time is what the camera knows of the time: Set is false before its clock was ever set.
type Time struct {
	At  time.Time
	Set bool
}

// List is who may log in. It does not change, and any goroutine may use it.
type List struct {
	keys        []entry
	authorities []ssh.PublicKey
}

type entry struct {
	key  ssh.PublicKey
	name string
}

// New reads lines as in authorized_keys, without options: keys of technicians, and of authorities whose certificates count.
func New(keys, authorities []string) (*List, error) {
	l := &List{}
	for i, line := range keys {
		e, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("technician %d: %w", i+1, err)
		}
		l.keys = append(l.keys, e)
	}
	for i, line := range authorities {
		e, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("technician authority %d: %w", i+1, err)
		}
		l.authorities = append(l.authorities, e.key)
	}
	if len(keys) > MaxKeys || len(authorities) > MaxKeys {
		return nil, fmt.Errorf("more than %d technicians or authorities", MaxKeys)
	}
	return l, nil
}

// parse refuses options: one such as from= would promise what a serial line cannot keep.
func parse(line string) (entry, error) {
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		return entry{}, errors.New("it is no public key: give the one line of a file such as id_ed25519.pub")
	case len(options) > 0 || len(bytes.TrimSpace(rest)) > 0:
		return entry{}, errors.New("give one public key, without options")
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return entry{}, errors.New("it is a certificate: give the key of its authority instead")
	}
	if key.Type() == ssh.KeyAlgoRSA {
		if err := sshsig.Strong(key, ssh.KeyAlgoRSASHA512); err != nil {
			return entry{}, err
		}
	} else if err := sshsig.Strong(key, key.Type()); err != nil {
		return entry{}, err
	}
	return entry{key, strings.TrimSpace(comment)}, nil
}

// Empty tells whether the list lets nobody in.
func (l *List) Empty() bool { return len(l.keys) == 0 && len(l.authorities) == 0 }

// Judge says who signed the challenge, with an armored SSH signature. A certificate has to have one of principals, which are the
// camera's name and that of its site; owners are the keys whose holders are owners here.
func (l *List) Judge(challenge, armor string, principals []string, now Time, owners []ed25519.PublicKey) (Who, error) {
	sig, err := sshsig.Parse(armor)
	if err != nil {
		return Who{}, err
	}
	who, err := l.find(sig.Key, principals, now, owners)
	if err != nil {
		return Who{}, err
	}
	return who, verify(sig, challenge)
}

// verify takes the challenge as it may come out of an editor or a clipboard: with other ends of lines, or without the last one.
func verify(sig *sshsig.Signature, challenge string) (err error) {
	text := strings.TrimSuffix(challenge, "\n")
	dos := strings.ReplaceAll(text, "\n", "\r\n")
	for _, form := range []string{text + "\n", text, dos + "\r\n", dos} {
		if err = sig.Verify([]byte(form), Namespace); err == nil || !errors.Is(err, sshsig.ErrSignature) {
			return err
		}
	}
	return err
}

func (l *List) find(key ssh.PublicKey, principals []string, now Time, owners []ed25519.PublicKey) (Who, error) {
	if cert, ok := key.(*ssh.Certificate); ok {
		return l.certified(cert, principals, now)
	}
	who := Who{Fingerprint: ssh.FingerprintSHA256(key)}
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		if pub, ok := c.CryptoPublicKey().(ed25519.PublicKey); ok && key.Type() == ssh.KeyAlgoED25519 &&
			slices.ContainsFunc(owners, func(o ed25519.PublicKey) bool { return o.Equal(pub) }) {
			who.Name, who.Role = "owner", command.Owner
			return who, nil
		}
	}
	for _, e := range l.keys {
		if bytes.Equal(e.key.Marshal(), key.Marshal()) {
			who.Name, who.Role = e.name, command.Technician
			return who, nil
		}
	}
	return Who{}, fmt.Errorf("%w: %s", ErrUnknown, who.Fingerprint)
}

// certified judges a certificate. A certificate makes a technician, and never an owner.
func (l *List) certified(cert *ssh.Certificate, principals []string, now Time) (Who, error) {
	// CheckCert does not look who signed: it would take one that anybody made.
	if !slices.ContainsFunc(l.authorities, func(a ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), cert.SignatureKey.Marshal()) }) {
		return Who{}, fmt.Errorf("%w: its authority is unknown: %s", ErrCertificate, ssh.FingerprintSHA256(cert.SignatureKey))
	}
	if err := sshsig.Strong(cert.SignatureKey, cert.Signature.Format); err != nil {
		return Who{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if !now.Set {
		return Who{}, ErrClock
	}
	if cert.CertType != ssh.UserCert {
		return Who{}, fmt.Errorf("%w: it is no user's", ErrCertificate)
	}
	if len(cert.ValidPrincipals) == 0 { // which CheckCert takes for "any"
		return Who{}, fmt.Errorf("%w: it names no camera: sign it with -n %s", ErrCertificate, strings.Join(principals, " or "))
	}
	checker := ssh.CertChecker{Clock: func() time.Time { return now.At }}
	err := errors.New("no principal")
	for _, p := range principals {
		if err = checker.CheckCert(p, cert); err == nil {
			break
		}
	}
	if err != nil {
		return Who{}, fmt.Errorf("%w: %s", ErrCertificate, strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return Who{Name: cert.KeyId, Fingerprint: ssh.FingerprintSHA256(cert.Key), Role: command.Technician, Certificate: true}, nil
}
