// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxHub is what the hub's own limits add up to: 256 connections, each with a TLS session and a packet of 256 KiB at most.
const maxHub = 256 << 10 // KiB

// TestHostileDevice lets enrolled and unknown clients misuse the hub while a good camera sends its clips.
func TestHostileDevice(t *testing.T) {
	r := newRow(t, "hostile device", "hub RSS <= 256 MiB, every clip")
	s := newSite(t)
	s.enroll("rogue", s.addr)
	rogue := s.client(s.authority().camera("rogue"))
	t.Run("misuse", func(t *testing.T) {
		for name, misuse := range map[string]func() int{
			"thousands of connections that say nothing": s.halfOpen,
			"a byte of ClientHello a second":            s.slowLoris,
			"claims of 1 GiB":                           func() int { return s.rogues(rogue, 64, claimBytes) },
			"packets at the limit":                      func() int { return s.rogues(rogue, 64, fullPackets) },
			"messages as fast as they go":               func() int { return s.rogues(rogue, 8, smallMessages) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Logf("%d connections, hub %s at most", misuse(), mib(s.hub.status(t, "VmHWM")))
			})
		}
	})
	during := s.hub.status(t, "VmHWM")
	// A good camera is served while half of them hold on.
	hold := s.open(2000)
	s.drain(device)
	for _, c := range hold {
		c.Close()
	}
	promised, wrong := s.verify(device)
	worst := max(during, s.hub.status(t, "VmHWM"))
	r.measured("hub %s at most, %d of %d clips of the good camera", mib(worst), promised-wrong, promised)
	if worst > maxHub {
		t.Errorf("hub has %s resident, want %s at most", mib(worst), mib(maxHub))
	}
}

// open makes up to n connections that say nothing.
func (s *site) open(n int) (conns []net.Conn) {
	for range n {
		c, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			break
		}
		conns = append(conns, c)
	}
	return conns
}

func (s *site) halfOpen() int {
	conns := s.open(3000)
	time.Sleep(time.Second)
	for _, c := range conns {
		c.Close()
	}
	return len(conns)
}

func (s *site) slowLoris() int {
	conns := s.open(200)
	for range 4 {
		for _, c := range conns {
			c.Write([]byte{0x16})
		}
		time.Sleep(time.Second)
	}
	for _, c := range conns {
		c.Close()
	}
	return len(conns)
}

// rogues connects n times as an enrolled device, again and again for a while, and misuses each session.
func (s *site) rogues(cfg *tls.Config, n int, misuse func(conn net.Conn, until time.Time)) int {
	until := time.Now().Add(4 * time.Second)
	var mu sync.Mutex
	made := 0
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for time.Now().Before(until) {
				conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 2 * time.Second}, "tcp", s.addr, cfg)
				if err != nil {
					continue
				}
				conn.SetDeadline(until)
				conn.Write(connectPacket("rogue"))
				if _, ok := hears(conn, bufio.NewReader(conn), mqttConnack, 2*time.Second); ok {
					mu.Lock()
					made++
					mu.Unlock()
					misuse(conn, until)
				}
				conn.Close()
			}
		})
	}
	wg.Wait()
	return made
}

func claimBytes(conn net.Conn, until time.Time) {
	conn.Write(appendLength([]byte{mqttPublish << 4}, 1<<28-1))
	send(conn, until, make([]byte, 64<<10))
}

func fullPackets(conn net.Conn, until time.Time) {
	topic := "nightjar/v1/rogue/up/chunk"
	// All but the last byte, so that the hub has to keep it.
	full := publishQoS1(topic, make([]byte, 256<<10-len(topic)-8))
	conn.Write(full[:len(full)-1])
	time.Sleep(time.Until(until))
}

func smallMessages(conn net.Conn, until time.Time) {
	one := publishQoS1("nightjar/v1/rogue/up/offer", []byte(`{"v":1,"record":"`+strings.Repeat("a.", 500)+`"}`))
	send(conn, until, []byte(strings.Repeat(string(one), 50)))
}

func send(conn net.Conn, until time.Time, b []byte) {
	conn.SetWriteDeadline(until)
	for {
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}
