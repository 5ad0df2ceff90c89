// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
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

// A brokered site is one whose cameras and hub meet at mosquitto, set up by the lines of docs/mosquitto/README.md.
type brokered struct {
	*site
	broker    string // mosquitto's address
	mosquitto *process
	lines     []string // that are still to be run
}

// newMosquitto makes a site by the documented lines, up to the one that starts mosquitto; change alters the
// documented files.
func newMosquitto(t *testing.T, r *row, change *strings.Replacer) *brokered {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		r.notRun("mosquitto is not installed: run `make interop`")
	}
	b := &brokered{site: &site{t: t, dir: t.TempDir(), addr: freeAddr(t)}, broker: freeAddr(t)}
	b.site.run("nightjarctl", "keygen", "-o", b.path("owner.key"))
	b.lines = b.documented()
	b.until("mosquitto ")
	_, port, _ := net.SplitHostPort(b.broker)
	// As root it would become the user mosquitto, who cannot read this test's folder.
	b.edit("mosquitto.conf", func(conf string) string {
		return "user root\n" + change.Replace(strings.NewReplacer("/etc/mosquitto/nightjar", b.path("broker"),
			"listener 8883", "listener "+port+" 127.0.0.1").Replace(conf))
	})
	b.edit("acl", change.Replace)
	b.startMosquitto()
	b.lines = b.lines[1:]
	return b
}

var asDocumented = strings.NewReplacer()

// documented returns the lines of the README, with the site's folders and addresses in them.
func (b *brokered) documented() []string {
	b.t.Helper()
	text, err := os.ReadFile(mosquittoDocs + "README.md")
	if err != nil {
		b.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```sh\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		b.t.Fatal("README.md has no lines to run")
	}
	return strings.Split(strings.TrimSpace(strings.NewReplacer(
		"/var/lib/nightjar-hub", b.path("hub"), "/etc/mosquitto/nightjar", b.path("broker"), "docs/mosquitto/", mosquittoDocs,
		"hub.lan:8884", b.addr, "--listen :8884", "--listen "+b.addr, "broker.lan:8883", b.broker,
		"/var/lib/nightjar", b.path(device), "age1...", b.recipient()).Replace(block)), "\n")
}

// until runs the lines ahead of the one that begins so.
func (b *brokered) until(prefix string) {
	b.t.Helper()
	for i, line := range b.lines {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		sh := exec.Command("sh", "-euc", strings.Join(b.lines[:i], "\n"))
		sh.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
		if out, err := sh.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: %v\n%s", strings.Join(b.lines[:i], "\n"), err, out)
		}
		b.lines = b.lines[i:]
		return
	}
	b.t.Fatalf("README.md has no line %q", prefix)
}

func (b *brokered) edit(name string, change func(string) string) {
	b.t.Helper()
	text, err := os.ReadFile(b.path("broker", name))
	if err == nil {
		err = os.WriteFile(b.path("broker", name), []byte(change(string(text))), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *brokered) startMosquitto() {
	b.t.Helper()
	b.mosquitto = b.start("mosquitto.log", "mosquitto", "-c", b.path("broker", "mosquitto.conf"))
	b.listens(b.mosquitto, b.broker)
}

// startHub starts the hub, or starts it again, and waits until it hears what the cameras say.
func (b *brokered) startHub() {
	b.t.Helper()
	before := strings.Count(b.hubLog(), brokerReached)
	b.hub = b.start("hub.log", programs+"/nightjar-hub", "run", "--dir", b.path("hub"), "--listen", b.addr, "--broker", b.broker)
	b.listens(b.hub, b.addr)
	await(b.t, time.Minute, "the hub to reach mosquitto", func() bool { return strings.Count(b.hubLog(), brokerReached) > before })
}

const brokerReached = `msg="connected to the broker"`

func (b *brokered) hubLog() string {
	text, _ := os.ReadFile(b.path("logs", "hub.log"))
	return string(text)
}

func (b *brokered) listens(p *process, addr string) {
	b.t.Helper()
	await(b.t, 20*time.Second, "a port to open", func() bool {
		if p.Done() {
			b.t.Fatalf("%s ended at start:\n%s", p.Cmd, p.Log())
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// newBrokered is a whole site: mosquitto, the hub behind it, and an enrolled camera.
func newBrokered(t *testing.T, r *row) *brokered {
	t.Helper()
	b := newMosquitto(t, r, asDocumented)
	line := b.lines[0]
	if want := "nightjar-hub run --dir " + b.path("hub") + " --listen " + b.addr + " --broker " + b.broker + " &"; line != want {
		t.Fatalf("README.md starts the hub by %q, this test by %q", line, want)
	}
	b.startHub()
	b.lines = b.lines[1:]
	b.until("nightjar run ")
	return b
}

// impersonated lets a camera act as another through the broker. It returns what the rogue heard of the victim, what came to the hub
// and the victim from the rogue in the victim's name, and how much of their own true traffic both heard.
func (b *brokered) impersonated() (heard, taken, genuine int64) {
	b.t.Helper()
	ca := b.authority()
	dial := func(cert tls.Certificate) func() (net.Conn, error) {
		cfg := b.client(cert)
		return func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", b.broker, cfg)
		}
	}
	var atRogue, forged, own atomic.Int64
	hear := func(im impostor, filter string) net.Conn {
		conn, in := im.session(im.own)
		if conn == nil {
			b.t.Fatalf("%s cannot connect\n%s", im.own, b.mosquitto.Log())
		}
		conn.Write(subscribePacket(filter))
		if _, ok := hears(conn, in, mqttSuback, 5*time.Second); !ok {
			b.t.Fatalf("%s: no answer to its subscription", im.own)
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
	defer rogue.oneByOne(b.t).Close()
	// The sessions of hub and victim stand, whatever client ids the rogue came with.
	for range 20 {
		victim.Write(publishPacket("nightjar/v1/"+device+"/up/status", []byte("true status"), false))
		hub.Write(publishPacket("nightjar/v1/"+device+"/down/have", []byte("true answer"), false))
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	return atRogue.Load(), forged.Load(), own.Load()
}

// oneByOne tries what attempts does, one session after the other: mosquitto takes the certificate's name for the client id, so
// they would end each other. The last session is still subscribed to all that it was let, and listens until it is closed.
func (im impostor) oneByOne(t *testing.T) net.Conn {
	t.Helper()
	victim := "nightjar/v1/" + im.victim + "/"
	for _, topic := range []string{victim + "up/status", victim + "down/receipt"} {
		conn, err := im.dial()
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(packet(mqttConnect<<4, mqttString("MQTT"), []byte{4, 2 | 4, 0, 60}, mqttString(im.own), mqttString(topic), mqttString(forgedText)))
		hears(conn, bufio.NewReader(conn), mqttConnack, 5*time.Second)
		conn.Close() // without a good-bye: its will is done, if anything lets it
	}
	for _, id := range []string{im.victim, "nightjar.hub", im.own + "/", im.own + "#", "", im.own} {
		conn, in := im.session(id)
		if conn == nil {
			continue
		}
		for _, filter := range []string{
			victim + "down/#", victim + "#", victim + "down/have", "nightjar/v1/+/down/#", "nightjar/v1/+/up/#", "nightjar/#", "#", "+/#",
			"$SYS/#", "$share/x/" + victim + "up/#", "$share/x/nightjar/v1/+/up/#",
		} {
			conn.Write(subscribePacket(filter))
			hears(conn, in, mqttSuback, 5*time.Second)
		}
		for _, kind := range []string{"up/offer", "up/chunk", "up/status", "down/have", "down/receipt", "down/refuse"} {
			status := []byte(forgedText)
			conn.Write(publishPacket(victim+kind, status, false))
			conn.Write(publishPacket(victim+kind, status, true))
			conn.Write(publishQoS1(victim+kind, status))
			hears(conn, in, mqttPuback, 5*time.Second)
		}
		if id != im.own {
			conn.Close()
			continue
		}
		go func() {
			for {
				body, ok := hears(conn, in, mqttPublish, time.Minute)
				if !ok {
					return
				}
				if strings.Contains(string(body), "true ") || strings.Contains(string(body), "$SYS") {
					im.heard.Add(1)
				}
			}
		}()
		return conn
	}
	t.Fatal("the rogue cannot connect: it proves nothing")
	return nil
}

func TestMosquitto(t *testing.T) {
	t.Parallel()
	r := newRow(t, "device A as B through mosquitto", "0 deliveries")
	b := newMosquitto(t, r, asDocumented)
	heard, taken, genuine := b.impersonated()
	r.measured("%d heard, %d taken; %d true messages went through", heard, taken, genuine)
	if heard > 0 || taken > 0 {
		t.Errorf("a camera heard %d messages of another and was heard in its name %d times", heard, taken)
	}
	if genuine < 30 {
		t.Errorf("only %d true messages went through: the access list keeps out those who may, too", genuine)
	}
	b.addr = b.broker // where takes connects to
	old := b.client(b.authority().camera(device))
	old.MaxVersion = tls.VersionTLS12
	if b.takes(old) {
		t.Error("TLS 1.2: taken")
	}
	if b.takes(b.client(tls.Certificate{})) {
		t.Error("no certificate: taken")
	}
	if !b.takes(b.client(b.authority().camera(device))) {
		t.Error("a good camera is not taken either")
	}
}

// The mutant: an access list that names nobody lets the rogue in.
func TestMosquittoMutantACL(t *testing.T) {
	t.Parallel()
	if heard, taken, _ := newMosquitto(t, &row{t: t}, strings.NewReplacer("%u", "+")).impersonated(); heard == 0 || taken == 0 {
		t.Errorf("%d were heard and %d taken: the rig is blind", heard, taken)
	}
}

// The mutant: where client ids count, the rogue ends the sessions of hub and victim by theirs.
func TestMosquittoMutantClientID(t *testing.T) {
	t.Parallel()
	any := strings.NewReplacer("use_username_as_clientid true", "use_username_as_clientid false")
	if _, _, genuine := newMosquitto(t, &row{t: t}, any).impersonated(); genuine > 0 {
		t.Errorf("%d true messages went through: the rig is blind", genuine)
	}
}
