// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

const (
	maxIdle  = 24 << 10 // KiB resident, connected and nothing moves
	maxAgent = 64 << 10 // KiB resident under every fault
)

// asShipped is a camera with all defaults: three seconds of pre-roll in memory.
const asShipped = "camera:\n  source: synthetic\n  loop: true\n"

// blind is the same, seeing no visitor.
const blind = asShipped + "motion:\n  zones:\n    - name: all\n      kind: ignore\n      polygon: [[0, 0], [1, 0], [1, 1], [0, 1]]\n"

func TestIdleAgent(t *testing.T) {
	r := newRow(t, "idle agent, defaults", "RSS <= 24 MiB")
	s := newSite(t)
	agent := s.startAgent(device, s.config(device, blind), nil)
	await(t, 20*time.Second, "the agent to connect", func() bool { return strings.Contains(agent.Log(), "connected to the hub") })
	time.Sleep(8 * time.Second) // the ring of pre-roll frames is full by then
	rss := agent.status(t, "VmHWM")
	r.measured("%s at most", mib(rss))
	if rss > maxIdle {
		t.Errorf("%s resident, want %s at most", mib(rss), mib(maxIdle))
	}
}

// An attack is what a hostile hub sends on an open session until its time is over.
type attack struct {
	name string
	send func(w *bufio.Writer) error // once or again and again
}

const attackTime = 3 * time.Second

func topic(kind string) string { return "nightjar/v1/" + device + "/" + kind }

// repeated is an attack that sends the same bytes all the time.
func repeated(name string, b []byte) attack {
	return attack{name, func(w *bufio.Writer) error { _, err := w.Write(b); return err }}
}

// claim is an attack whose packet says it has n bytes, of which all that go through are sent.
func claim(name string, n int) attack {
	begun := false
	return attack{name, func(w *bufio.Writer) error {
		if !begun {
			begun = true
			w.Write(appendLength([]byte{mqttPublish << 4}, n))
			w.Write(mqttString(topic("down/receipt")))
		}
		_, err := w.Write(make([]byte, 32<<10))
		return err
	}}
}

func attacks() []attack {
	deep := strings.Repeat(`{"v":1,"seq":`, 20_000) + strings.Repeat("}", 20_000)
	noise := make([]byte, 7<<10)
	rand.Read(noise)
	garbage := bytes.Join([][]byte{
		publishPacket(topic("down/receipt"), noise, true), publishPacket(topic("down/have"), noise[:3000], true),
		publishPacket("nightjar/v1/other/down/have", noise, true), publishPacket("$SYS/broker", noise, true),
		publishPacket(topic("down/x/#"), noise, true),
	}, nil)
	forged := publishPacket(topic("down/receipt"), []byte("eyJhbGciOiJFZERTQSJ9."+strings.Repeat("QUFB", 1000)+"."+strings.Repeat("A", 86)), false)
	return []attack{
		claim("payload of 256 MiB, the most MQTT can say", 256<<20-1),
		claim("payload of 1 GiB", 1<<30),
		repeated("small messages as fast as they go", bytes.Repeat(publishPacket(topic("down/have"), []byte(`{}`), false), 100)),
		repeated("deep JSON", publishPacket(topic("down/have"), []byte(deep), false)),
		repeated("retained garbage", garbage),
		repeated("forged receipts", forged),
		repeated("packets of no type", []byte{0xf0, 0x00, 0x00, 0x02}),
	}
}

// TestHostileHub lets the agent meet a hub with the site's own keys that attacks instead of storing, and then the true one.
func TestHostileHub(t *testing.T) {
	r := newRow(t, "hostile hub", "RSS <= 64 MiB, gap <= 2 frames, every clip")
	s := newSite(t)
	s.hub.stop(t)
	pair, err := tls.LoadX509KeyPair(s.path("hub", "hub.crt"), s.path("hub", "hub.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", s.addr, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"mqtt"}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	agent := s.startAgent(device, s.config(device, asShipped), nil)
	worst, worstBy := 0, "start"
	for _, a := range attacks() {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		agent.forgetPeak(t)
		sent := a.run(t, conn)
		conn.Close()
		rss := agent.status(t, "VmHWM")
		if rss > worst {
			worst, worstBy = rss, a.name
		}
		t.Logf("%-42s %9d KiB sent, %s resident at most", a.name, sent>>10, mib(rss))
	}
	l.Close()
	s.startHub()
	before := len(s.promised(device))
	await(t, 2*time.Minute, "the clips to arrive at the true hub", func() bool {
		return receipts(agent.Log()) > before
	})
	gap := 0
	agent.stop(t)
	for _, c := range s.clips() {
		gap = max(gap, c.Dropped)
	}
	s.drain(device)
	promised, wrong := s.verify(device)
	r.measured("%s at most (%s), gap %d frames, %d of %d clips", mib(worst), worstBy, gap, promised-wrong, promised)
	if worst > maxAgent {
		t.Errorf("%s resident, want %s at most", mib(worst), mib(maxAgent))
	}
	if gap > maxGap {
		t.Errorf("a clip lacks %d frames", gap)
	}
}

// run takes the agent's CONNECT and first SUBSCRIBE as a hub does, and then attacks. It returns how many bytes went out.
func (a attack) run(t *testing.T, conn net.Conn) (sent int64) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	if _, ok := hears(conn, in, mqttConnect, 20*time.Second); !ok {
		t.Fatalf("%s: the agent sends no CONNECT", a.name)
	}
	conn.Write([]byte{mqttConnack << 4, 2, 0, 0})
	if body, ok := hears(conn, in, mqttSubscribe, 20*time.Second); ok {
		conn.Write([]byte{mqttSuback << 4, 3, body[0], body[1], 1})
	}
	if body, ok := hears(conn, in, mqttPublish, 20*time.Second); ok { // its status: with this acknowledged it is connected
		n := 2 + int(body[0])<<8 + int(body[1])
		conn.Write([]byte{mqttPuback << 4, 2, body[n], body[n+1]})
	}
	end := time.Now().Add(attackTime)
	conn.SetDeadline(end)
	go func() { // what the agent says must not fill the connection
		for _, _, err := readPacket(in); err == nil; _, _, err = readPacket(in) {
		}
	}()
	count := &counter{Conn: conn}
	out := bufio.NewWriterSize(count, 64<<10)
	for time.Now().Before(end) && a.send(out) == nil && out.Flush() == nil {
	}
	if count.n == 0 {
		t.Errorf("%s: nothing went out: %s", a.name, fmt.Sprint(conn.RemoteAddr()))
	}
	return count.n
}

type counter struct {
	net.Conn
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n += int64(n)
	return n, err
}
