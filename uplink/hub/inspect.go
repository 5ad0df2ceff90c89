// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
)

// Certificates loads the keys of the hub in dir as a hub does at its start, and returns the certificates
// of its authority and its server.
func Certificates(dir string) (ca, server *x509.Certificate, err error) {
	h := &Hub{cfg: Config{Dir: dir}}
	if err := h.loadKeys(); err != nil {
		return nil, nil, err
	}
	if server, err = x509.ParseCertificate(h.server.Certificate[0]); err != nil {
		return nil, nil, fmt.Errorf("load the hub's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(h.ca.cert)
	if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: keys.HubName, CurrentTime: server.NotBefore}); err != nil {
		return nil, nil, fmt.Errorf("the hub's certificate is not of its authority: %w", err)
	}
	return h.ca.cert, server, nil
}

// Reach connects to addr and makes sure that a hub of the authority answers there. It shows no certificate
// of its own, and asks for enrolment, which is where a hub serves those that have none. The address of all interfaces, as a hub
// listens on, is this machine (package net).
func Reach(ctx context.Context, addr string, ca *x509.Certificate) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: keys.HubName, NextProtos: []string{enroll.ALPN}}}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("reach hub at %s: %w", addr, err)
	}
	return conn.Close()
}
