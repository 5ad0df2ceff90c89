// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const mosquittoDocs = "../../../docs/mosquitto/"

// newMosquitto is a site whose broker is mosquitto, with the documented files; change alters the access list.
func newMosquitto(t *testing.T, r *row, change func(acl string) string) *site {
	t.Helper()
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		r.notRun("mosquitto is not installed: run `make interop`")
	}
	s := &site{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	s.run("nightjar-hub", "init", "--dir", s.path("hub"))
	read := func(name string) string {
		b, err := os.ReadFile(mosquittoDocs + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	_, port, _ := net.SplitHostPort(s.addr)
	// As root it would become the user mosquitto, who cannot read this test's folder.
	conf := "user root\n" + strings.NewReplacer("/etc/nightjar/acl", s.path("acl"), "/etc/nightjar", s.path("hub"),
		"listener 8883", "listener "+port+" 127.0.0.1").Replace(read("mosquitto.conf"))
	for name, text := range map[string]string{"acl": change(read("acl")), "mosquitto.conf": conf} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.hub = s.start("mosquitto.log", binary, "-c", s.path("mosquitto.conf"))
	s.awaitHub()
	return s
}

// impersonated lets a camera act as another through the broker. It returns what the rogue heard of the victim, what came to the hub
// and the victim from the rogue in the victim's name, and how much of their own true traffic both heard.
func (s *site) impersonated() (heard, taken, genuine int64) {
	s.t.Helper()
	ca := s.authority()
	dial := func(cert tls.Certificate) func() (net.Conn, error) {
		cfg := s.client(cert)
		return func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.addr, cfg)
		}
	}
	var atRogue, forged, own atomic.Int64
	hear := func(im impostor, filter string) net.Conn {
		conn, in := im.session(im.own)
		if conn == nil {
			s.t.Fatalf("%s cannot connect\n%s", im.own, s.hub.log())
		}
		conn.Write(subscribePacket(filter))
		if _, ok := hears(conn, in, mqttSuback, 5*time.Second); !ok {
			s.t.Fatalf("%s: no answer to its subscription", im.own)
		}
		go func() {
			for {
				body, ok := hears(conn, in, mqttPublish, time.Minute)
				if !ok {
					return
				}
				if strings.Contains(string(body), forgedText) && strings.Contains(string(body), "/"+device+"/") {
					forged.Add(1)
				} else {
					own.Add(1)
				}
			}
		}()
		return conn
	}
	hub := hear(impostor{dial: dial(ca.camera("nightjar.hub")), own: "nightjar.hub"}, "nightjar/v1/+/up/#")
	defer hub.Close()
	victim := hear(impostor{dial: dial(ca.camera(device)), own: device}, "nightjar/v1/"+device+"/down/#")
	defer victim.Close()

	rogue := impostor{dial: dial(ca.camera("rogue")), own: "rogue", victim: device, heard: &atRogue}
	rogue.attempts(6 * time.Second)
	time.Sleep(2 * time.Second) // its subscriptions stand, if anything lets them
	// The victim's client id is taken over by the rogue, which is a nuisance and no more: it connects again, as the agent does.
	again := hear(impostor{dial: dial(ca.camera(device)), own: device}, "nightjar/v1/"+device+"/down/#")
	defer again.Close()
	for range 20 {
		again.Write(publishPacket("nightjar/v1/"+device+"/up/status", []byte("true status"), false))
		hub.Write(publishPacket("nightjar/v1/"+device+"/down/have", []byte("true answer"), false))
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	return atRogue.Load(), forged.Load(), own.Load()
}

func TestMosquitto(t *testing.T) {
	t.Parallel()
	r := newRow(t, "device A as B through mosquitto", "0 deliveries")
	s := newMosquitto(t, r, func(acl string) string { return acl })
	heard, taken, genuine := s.impersonated()
	r.measured("%d heard, %d taken; %d true messages went through", heard, taken, genuine)
	if heard > 0 || taken > 0 {
		t.Errorf("a camera heard %d messages of another and was heard in its name %d times", heard, taken)
	}
	if genuine < 30 {
		t.Errorf("only %d true messages went through: the access list keeps out those who may, too", genuine)
	}
	old := s.client(s.authority().camera(device))
	old.MaxVersion = tls.VersionTLS12
	if s.takes(old) {
		t.Error("TLS 1.2: taken")
	}
	if s.takes(s.client(tls.Certificate{})) {
		t.Error("no certificate: taken")
	}
	if !s.takes(s.client(s.authority().camera(device))) {
		t.Error("a good camera is not taken either")
	}
}

// The mutant: an access list that names nobody lets the rogue in.
func TestMosquittoMutantACL(t *testing.T) {
	t.Parallel()
	open := func(acl string) string { return strings.ReplaceAll(acl, "%u", "+") }
	if heard, taken, _ := newMosquitto(t, &row{t: t}, open).impersonated(); heard == 0 || taken == 0 {
		t.Errorf("%d were heard and %d taken: the rig is blind", heard, taken)
	}
}
