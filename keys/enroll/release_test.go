// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

func TestRelease(t *testing.T) {
	ca, issuer, c, identity := enrolled(t)
	foreign := newAuthority(t)
	for name, test := range map[string]struct {
		authority authority
		refusal   error
		change    func()
		want      error
	}{
		"by the device":       {authority: ca},
		"by another identity": {authority: ca, change: func() { identity = newIdentity(t) }, want: ErrUnknownDevice},
		"refused":             {authority: ca, refusal: ErrHub, want: ErrHub},
		"to somebody else":    {authority: foreign, want: ErrNotOurHub},
		"of no device's name": {authority: ca, change: func() { c.Device = "../x" }, want: ErrBadRequest},
	} {
		issuer.err = test.refusal
		before, device := identity, c.Device
		if test.change != nil {
			test.change()
		}
		server := test.authority.server(t).Clone()
		server.NextProtos = []string{ReleaseALPN}
		hub := listen(t, server, func(conn net.Conn) error { return ServeRelease(t.Context(), conn.(*tls.Conn), issuer) })
		c.Hub = hub.addr
		err := Release(t.Context(), c, identity)
		if served := <-hub.done; !errors.Is(err, test.want) || test.want == nil && errors.Join(err, served) != nil {
			t.Errorf("%s: %v, at the hub %v, want %v", name, err, served, test.want)
		}
		identity, c.Device = before, device
	}
}

// A proof is of one connection: a hub that passes it on to another gains nothing.
func TestReleaseIsBound(t *testing.T) {
	ca, _, c, identity := enrolled(t)
	var heard ReleaseRequest
	server := ca.server(t).Clone()
	server.NextProtos = []string{ReleaseALPN}
	hub := listen(t, server, func(conn net.Conn) error {
		return ServeRelease(t.Context(), conn.(*tls.Conn), listening{&heard})
	})
	c.Hub = hub.addr
	if err := errors.Join(Release(t.Context(), c, identity), <-hub.done); err != nil {
		t.Fatal(err)
	}
	if err := heard.Verify(identity.Public()); err != nil {
		t.Errorf("on its own connection: %v", err)
	}
	heard.binding = append([]byte{}, heard.binding...)
	heard.binding[0] ^= 1
	if err := heard.Verify(identity.Public()); !errors.Is(err, ErrUnknownDevice) {
		t.Errorf("on another: %v", err)
	}
	heard.binding = nil
	if err := heard.Verify(identity.Public()); !errors.Is(err, ErrUnknownDevice) {
		t.Errorf("on none: %v", err)
	}
}

// listening is an issuer that releases whoever asks, and keeps the request.
type listening struct{ heard *ReleaseRequest }

func (l listening) Issue(context.Context, Request) (Response, error) { return Response{}, ErrHub }

func (l listening) Renew(context.Context, RenewRequest) (Response, error) { return Response{}, ErrHub }

func (l listening) Release(_ context.Context, r ReleaseRequest) error { *l.heard = r; return nil }
