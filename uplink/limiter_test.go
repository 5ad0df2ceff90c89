// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A script is a connection on which the hub says what is in it.
type script struct {
	net.Conn
	says bytes.Buffer
}

func (s *script) Read(b []byte) (int, error)  { return s.says.Read(b) }
func (s *script) Write(b []byte) (int, error) { return len(b), nil }

// A control is an encoded MQTT packet.
func control(t testing.TB, kind byte, change func(packets.ControlPacket)) []byte {
	t.Helper()
	p := packets.NewControlPacket(kind)
	if change != nil {
		change(p)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func publication(t testing.TB, topic string, size int, qos byte) []byte {
	return control(t, packets.Publish, func(p packets.ControlPacket) {
		m := p.(*packets.PublishPacket)
		m.TopicName, m.Payload, m.Qos = topic, make([]byte, size), qos
	})
}

// longestID is a device whose topics are the longest.
var longestID = strings.Repeat("a", 63)

func TestLimiter(t *testing.T) {
	suback := control(t, packets.Suback, func(p packets.ControlPacket) { p.(*packets.SubackPacket).ReturnCodes = []byte{1} })
	connack, puback, pong := control(t, packets.Connack, nil), control(t, packets.Puback, nil), control(t, packets.Pingresp, nil)
	largest := publication(t, wire.Topic(longestID, wire.DownCommand), wire.MaxCommand, 1)
	small := publication(t, wire.Topic("porch", wire.DownWelcome), 100, 0)
	asked := [][]byte{
		control(t, packets.Connect, func(p packets.ControlPacket) { p.(*packets.ConnectPacket).ClientIdentifier = "porch" }),
		control(t, packets.Subscribe, func(p packets.ControlPacket) {
			p.(*packets.SubscribePacket).Topics, p.(*packets.SubscribePacket).Qoss = []string{"x"}, []byte{1}
		}),
		publication(t, wire.Topic("porch", wire.UpStatus), 100, 1),
		publication(t, wire.Topic("porch", wire.UpChunk), 100, 0), // which nobody acknowledges
		control(t, packets.Pingreq, nil),
	}
	for name, row := range map[string]struct {
		says [][]byte
		want string // what is wrong with the last packet, of which nothing but the header may pass
	}{
		"all answers":                    {[][]byte{connack, suback, puback, pong}, ""},
		"the largest message":            {[][]byte{largest}, ""},
		"all that may come at once":      {[][]byte{bytes.Repeat(small, mostPurse/(messageCost+len(small)))}, ""},
		"more than may come at once":     {[][]byte{bytes.Repeat(small, mostPurse/(messageCost+150)), bytes.Repeat(small, 10)}, "more messages"},
		"a byte too large":               {[][]byte{small, publication(t, wire.Topic(longestID, wire.DownCommand), wire.MaxCommand+1, 1)}, "more than"},
		"claim of 256 MiB":               {[][]byte{{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1}}, "268435455 bytes"},
		"claim of 1 GiB":                 {[][]byte{{0x30, 0x80, 0x80, 0x80, 0x80, 0x04, 0, 1}}, "no end"},
		"a second CONNACK":               {[][]byte{connack, connack}, "answers nothing"},
		"a second SUBACK":                {[][]byte{suback, suback}, "answers nothing"},
		"PUBACK of what nobody sent":     {[][]byte{puback, puback}, "answers nothing"},
		"a second PINGRESP":              {[][]byte{pong, pong}, "answers nothing"},
		"a long CONNACK":                 {[][]byte{{0x20, 0x90, 0x4e, 0, 0}}, "10000 bytes"},
		"a SUBACK to more than we asked": {[][]byte{{0x90, 4, 0, 1, 1, 1}}, "4 bytes"},
		"QoS 2":                          {[][]byte{publication(t, "x", 1, 2)}, "QoS"},
		"QoS 3":                          {[][]byte{{0x36, 4, 0, 0, 0, 0}}, "QoS"},
		"PUBREC":                         {[][]byte{control(t, packets.Pubrec, nil)}, "type 5"},
		"SUBSCRIBE":                      {[][]byte{asked[1]}, "type 8"},
		"no type":                        {[][]byte{{0, 0}}, "type 0"},
		"another type that is none":      {[][]byte{{0xf0, 0}}, "type 15"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := &script{}
				l := newLimiter(conn)
				for _, p := range asked {
					if _, err := l.Write(p); err != nil {
						t.Fatal(err)
					}
				}
				sound := 0
				for i, p := range row.says {
					conn.says.Write(p)
					if row.want == "" || i < len(row.says)-1 {
						sound += len(p)
					}
				}
				got, err := io.ReadAll(l)
				if row.want == "" {
					if err != nil || len(got) != sound {
						t.Errorf("%d of %d bytes, error %v", len(got), sound, err)
					}
					return
				}
				if !errors.Is(err, errUnruly) || !strings.Contains(err.Error(), row.want) {
					t.Fatalf("error %v, want %q", err, row.want)
				}
				if most := sound + 10*len(small); len(got) < sound || len(got) > most || len(got) > sound && name != "more than may come at once" {
					t.Errorf("%d bytes passed, want %d", len(got), sound)
				}
				if n, again := l.Read(make([]byte, 1)); n != 0 || again != err {
					t.Errorf("then %d bytes, error %v", n, again)
				}
			})
		})
	}
}

// A hub that answers as fast as it is asked, for as long as it is asked, has all it needs; one that goes on alone has not.
func TestPurse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &script{}
		l := newLimiter(conn)
		offer, puback := publication(t, wire.Topic("porch", wire.UpOffer), 1000, 1), control(t, packets.Puback, nil)
		have, receipt := publication(t, wire.Topic("porch", wire.DownHave), 200, 0), publication(t, wire.Topic("porch", wire.DownReceipt), 1000, 0)
		hear := func(says ...[]byte) error {
			for _, p := range says {
				conn.says.Write(p)
			}
			_, err := io.Copy(io.Discard, l)
			return err
		}
		for range 100_000 { // in no time at all
			if _, err := l.Write(offer); err != nil {
				t.Fatal(err)
			}
			if err := hear(puback, have, receipt); err != nil {
				t.Fatal(err)
			}
		}
		for range 24 * 3600 / 4 { // a busy hub, for a day
			if err := hear(have); err != nil {
				t.Fatal(err)
			}
			time.Sleep(breath)
		}
		for range mostPurse / (messageCost + len(have)) {
			if err := hear(have); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		for range perSecond / (messageCost + len(have)) {
			if err := hear(have); err != nil {
				t.Fatal(err)
			}
		}
		if err := hear(have, have); !errors.Is(err, errUnruly) {
			t.Errorf("error %v", err)
		}
	})
}

const breath = 4 * time.Second // of a busy hub

// claimed is how many bytes paho makes room for when a packet says that it is as large as a packet can be.
func claimed(t *testing.T, limit func(net.Conn) net.Conn) uint64 {
	t.Helper()
	conn := &script{}
	conn.says.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := packets.ReadPacket(limit(conn)); err == nil {
		t.Fatal("a packet was read")
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func limited(c net.Conn) net.Conn   { return newLimiter(c) }
func unlimited(c net.Conn) net.Conn { return c }

func TestClaimTakesNoMemory(t *testing.T) {
	if n := claimed(t, limited); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

func TestMutantClaimTakesMemory(t *testing.T) {
	if n := claimed(t, unlimited); n < 255<<20 {
		t.Errorf("%d bytes without the limiter: the test above proves nothing", n)
	}
}

// attacks are what a hostile hub says to a camera that is connected.
var attacks = map[string]func(b *bubble) error{
	"too large": func(b *bubble) error {
		return b.server.Publish(wire.Topic("porch", wire.DownHave), make([]byte, mostPublish), false, 0)
	},
	"too many": func(b *bubble) error {
		var err error
		for range 2 * mostPurse / messageCost {
			err = errors.Join(err, b.server.Publish(wire.Topic("porch", wire.DownHave), []byte("{}"), false, 0))
		}
		return err
	},
}

// attacked lets a hub attack on each connection for a while, and returns how often the camera came back to it.
func attacked(t *testing.T, attack func(*bubble) error, span time.Duration, limit func(net.Conn) net.Conn) (times int, status error) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, stored)
		b.session.limit = limit
		b.run()
		for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if b.session.Status().Connected {
				if err := attack(b); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
		}
		times = len(b.attempts())
		if st := b.session.Status(); !st.Connected {
			status = st.Err
		}
		b.clip(1)
		time.Sleep(longest)
		if b.waiting() != 0 {
			t.Error("the hub keeps to the protocol again, and the clip is not stored")
		}
	})
	return times, status
}

// A camera leaves a hub that attacks, says why, and comes back ever more rarely.
func TestUnrulyHub(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			times, err := attacked(t, attack, time.Hour, limited)
			if times < 10 || times > 150 {
				t.Errorf("%d connections in an hour", times)
			}
			if !errors.Is(err, errUnruly) || !strings.Contains(err.Error(), "still yours") {
				t.Errorf("status %v", err)
			}
		})
	}
}

// Without the limiter the camera stays, and takes it all.
func TestMutantUnrulyHub(t *testing.T) {
	for name, attack := range attacks {
		if times, err := attacked(t, attack, time.Minute, unlimited); times != 1 || err != nil {
			t.Errorf("%s: %d connections, %v without the limiter: the test above proves nothing", name, times, err)
		}
	}
}

// The first packet counts too.
func TestUnrulyBeforeConnack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, stored)
		b.session.limit = func(c net.Conn) net.Conn {
			conn := &script{Conn: c}
			conn.says.Write([]byte{0x20, 0xff, 0xff, 0xff, 0x7f})
			return newLimiter(conn)
		}
		b.run()
		time.Sleep(100 * time.Millisecond)
		if err := b.session.Status().Err; !errors.Is(err, errUnruly) || trouble(err) == trouble(io.EOF) {
			t.Errorf("status %v, code %s", err, trouble(err))
		}
	})
}
