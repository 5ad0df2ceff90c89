// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/enroll"
	"github.com/nightjar-cam/nightjar/uplink/hub/archive"
	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
)

// A front accepts connections, finds out who they are, and hands them to the broker or to enrolment.
// Each connection has one goroutine here, and all are gone when run returns.
type front struct {
	listener  net.Listener
	tls       *serverTLS
	handshake time.Duration // for the handshake and the MQTT CONNECT together
	broker    *broker       // nil behind an external one: tls lets no device through then
	roster    *presence.Roster
	tally     *tally
	issuer    enroll.Issuer
	log       *slog.Logger
	slots     chan struct{} // one for each open connection

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	sessions map[*session]struct{} // devices that are through TLS
	wg       sync.WaitGroup
}

// run accepts until ctx ends.
func (f *front) run(ctx context.Context) error {
	f.mu.Lock()
	f.conns, f.sessions = map[net.Conn]struct{}{}, map[*session]struct{}{}
	f.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { f.listener.Close() })
	defer func() {
		stop()
		f.listener.Close()
		f.closeAll()
		f.wg.Wait()
	}()
	for pause := time.Duration(0); ; {
		conn, err := f.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Out of descriptors or memory: clients that leave give some back. To return here, as a
			// plain accept loop does, would leave the hub deaf for good.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			f.log.Error("cannot accept connections", "code", "accept-failed", "err", err, "retry", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil
			}
			continue
		}
		pause = 0
		f.start(ctx, conn)
	}
}

// start serves a connection in a goroutine of its own, if there is a slot for it.
func (f *front) start(ctx context.Context, conn net.Conn) {
	select {
	case f.slots <- struct{}{}:
	default:
		f.report(conn, "", refuse(RefusedTooMany, "%d connections are open", cap(f.slots)))
		conn.Close()
		return
	}
	f.mu.Lock()
	f.conns[conn] = struct{}{}
	f.mu.Unlock()
	f.wg.Go(func() {
		f.serve(ctx, conn)
		conn.Close()
		f.mu.Lock()
		delete(f.conns, conn)
		f.mu.Unlock()
		<-f.slots
	})
}

// closeAll closes the sockets themselves, not the TLS or MQTT on top: saying good-bye to a client that
// no longer listens would hold the hub up.
func (f *front) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for conn := range f.conns {
		conn.Close()
	}
}

// serve takes a connection from its first byte to its last.
func (f *front) serve(ctx context.Context, conn net.Conn) {
	// Holds until the MQTT CONNECT, whose keep-alive takes over, or until enroll.Serve sets its own.
	conn.SetDeadline(time.Now().Add(f.handshake))
	var hello *tls.ClientHelloInfo
	tconn := tls.Server(conn, f.tls.config(func(h *tls.ClientHelloInfo) { hello = h }))
	if err := tconn.HandshakeContext(ctx); err != nil {
		f.report(conn, "", handshakeRefusal(err, hello))
		return
	}
	state := tconn.ConnectionState()
	switch state.NegotiatedProtocol {
	case enroll.ALPN:
		if err := enroll.Serve(ctx, tconn, f.issuer); err != nil {
			f.report(conn, "", &refusal{RefusedEnrolment, err})
		}
		return
	case enroll.RenewALPN:
		if err := enroll.ServeRenewal(ctx, tconn, f.issuer); err != nil {
			f.report(conn, "", &refusal{RefusedRenewal, err})
		}
		return
	case enroll.ReleaseALPN:
		if err := enroll.ServeRelease(ctx, tconn, f.issuer); err != nil {
			f.report(conn, "", &refusal{RefusedRelease, err})
		}
		return
	}
	if f.broker == nil { // tls has refused it
		return
	}
	leaf := state.PeerCertificates[0]
	// A certificate counts for as long as it is valid, not for as long as the connection holds.
	expiry := time.AfterFunc(time.Until(leaf.NotAfter), func() { conn.Close() })
	defer expiry.Stop()
	device := leaf.Subject.CommonName
	s := &session{Conn: tconn, device: device, gone: make(chan struct{}), heard: func() { f.roster.Heard(device, time.Now()) }}
	f.mu.Lock()
	f.sessions[s] = struct{}{}
	f.mu.Unlock()
	end := f.broker.serve(s)
	f.mu.Lock()
	delete(f.sessions, s)
	f.mu.Unlock()
	if s.online.Load() {
		f.roster.Gone(device)
	}
	f.report(conn, device, end)
}

// live returns the sessions of the moment.
func (f *front) live() []*session {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.sessions))
}

// sweep ends the sessions of devices that were revoked while they were connected: one that is silent
// sends nothing that could be refused.
func (f *front) sweep(a *archive.Archive) {
	for _, s := range f.live() {
		if r := revocation(a, s.device); r != nil {
			s.end(r)
		}
	}
}

// report logs the one message about the end of a connection: a warning when this side ended it.
func (f *front) report(conn net.Conn, device string, end *refusal) {
	f.tally.end(end.code)
	log := f.log.With("remote", conn.RemoteAddr().String())
	if device != "" {
		log = log.With("device", device)
	}
	if end.code == brokenOff {
		log.Debug("connection ended", "code", string(end.code), "err", end.err)
		return
	}
	log.Warn("connection refused", "code", string(end.code), "err", end.err)
}

// serverTLS makes the TLS configuration of a connection by what its client asks for.
type serverTLS struct{ enrol, mqtt *tls.Config }

// newServerTLS makes them for a hub that speaks MQTT itself, or whose devices are to speak it with an external broker.
func newServerTLS(cert tls.Certificate, ca *authority, external string) *serverTLS {
	base := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		// A resumed session would skip the check of the client's certificate.
		SessionTicketsDisabled: true,
	}
	t := &serverTLS{enrol: base.Clone(), mqtt: base.Clone()}
	t.enrol.NextProtos = []string{enroll.ALPN, enroll.RenewALPN, enroll.ReleaseALPN}
	t.mqtt.NextProtos = []string{"mqtt"}
	t.mqtt.ClientAuth = tls.RequireAndVerifyClientCert // chain, time and EKU clientAuth
	t.mqtt.ClientCAs = x509.NewCertPool()
	t.mqtt.ClientCAs.AddCert(ca.cert)
	if ca.old != nil {
		t.mqtt.ClientCAs.AddCert(ca.old)
	}
	t.mqtt.VerifyConnection = func(cs tls.ConnectionState) error {
		leaf := cs.PeerCertificates[0]
		if external != "" {
			// A refusal of the certificate makes the device renew it, and so learn where the broker is.
			return refuse(RefusedElsewhere, "%q speaks MQTT with the hub and not with the broker at %s", leaf.Subject.CommonName, external)
		}
		// crypto/x509 takes a certificate without any extended key usage for one with all of them.
		if len(leaf.ExtKeyUsage) == 0 {
			return refuse(RefusedCertificate, "certificate %q is not for clients", leaf.Subject.CommonName)
		}
		// Who has the former CA's key could date a certificate as he likes.
		if chain := cs.VerifiedChains[0]; !chain[len(chain)-1].Equal(ca.cert) && time.Now().After(ca.oldUntil) {
			return refuse(RefusedForeignCA, "certificate %q is of the CA before the last rotation", leaf.Subject.CommonName)
		}
		if err := keys.ValidDevice(leaf.Subject.CommonName); err != nil {
			return refuse(RefusedCertificate, "certificate names no device: %w", err)
		}
		return nil
	}
	return t
}

// config returns the configuration for one connection; seen is told what its client offers.
func (t *serverTLS) config(seen func(*tls.ClientHelloInfo)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			seen(hello)
			for _, proto := range hello.SupportedProtos {
				if slices.Contains(t.enrol.NextProtos, proto) {
					return t.enrol, nil
				}
			}
			return t.mqtt, nil
		},
	}
}
