// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
)

// verdict is how long a hub has to refuse our certificate. In TLS 1.3 the client's handshake ends before the server has looked
// at its certificate (RFC 8446, 4.4.2): the refusal comes with the first read.
const verdict = time.Second

// Probe tries whether the hub and this camera accept each other's certificates, without an MQTT session, which would end the
// one that a running agent has. The error says what to do.
func Probe(ctx context.Context, cred keys.Credential) error {
	l := &link{silence: silence}
	conn, err := l.open(ctx, cred, openTCP)
	if err != nil {
		return explain(err)
	}
	defer conn.Close()
	return explain(refusedLater(conn))
}

func refusedLater(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(verdict)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err == nil {
		return errors.New("the other side speaks first: is it a Nightjar hub?")
	}
	return err
}
