// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

// CertifyBroker writes into the folder out what an external broker needs: broker.crt and broker.key, a server's certificate of the
// CA of the hub in dir, for the name that cameras and hub ask for, and ca.crt, the CAs whose clients it is to let in. They are
// made anew after each rotation, after [Retire] too. It returns until when ca.crt holds: the end of a rotation's overlap, else zero.
func CertifyBroker(dir, out string) (until time.Time, err error) {
	h := &Hub{cfg: Config{Dir: dir}}
	if err := h.loadKeys(); err != nil {
		return until, err
	}
	now := time.Now()
	files, err := serverFiles(h.ca, "broker", &x509.Certificate{}, now)
	if err != nil {
		return until, err
	}
	clients := pemCertificate(h.ca.cert.Raw)
	if h.ca.old != nil && now.Before(h.ca.oldUntil) {
		clients, until = append(clients, pemCertificate(h.ca.old.Raw)...), h.ca.oldUntil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return until, fmt.Errorf("certify a broker: %w", err)
	}
	if err := writeFiles(out, append(files, keyFile{"ca.crt", clients})); err != nil {
		return until, fmt.Errorf("certify a broker: %w", err)
	}
	return until, nil
}
