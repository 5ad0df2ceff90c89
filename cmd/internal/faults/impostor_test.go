// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// An impostor has the certificate of one camera and wants to be another. What counts is what is delivered, not what the broker answers.
type impostor struct {
	dial   func() (net.Conn, error)
	own    string // its name
	victim string
	heard  *atomic.Int64 // messages that came which speak of the victim
}

// attempts tries everything once; watch holds the subscriptions open for so long.
func (im impostor) attempts(watch time.Duration) (tried int) {
	victim := "nightjar/v1/" + im.victim + "/"
	for _, id := range []string{im.own, im.victim, im.own + "/", im.own + "#", im.own + "+", "", "nightjar/v1/" + im.victim} {
		for _, filter := range []string{
			victim + "down/#", victim + "#", victim + "down/receipt", "nightjar/v1/+/down/#", "nightjar/v1/+/up/#", "nightjar/#", "#", "+/#",
			"$SYS/#", "$share/x/" + victim + "up/#", "nightjar/v1/" + im.own + "/up/#",
		} {
			tried++
			go im.listen(id, filter, watch)
		}
		for _, kind := range []string{"up/offer", "up/chunk", "up/status", "down/have", "down/receipt", "down/refuse"} {
			tried++
			go im.publish(id, victim+kind)
		}
	}
	return tried
}

func (im impostor) session(id string) (net.Conn, *bufio.Reader) {
	conn, err := im.dial()
	if err != nil {
		return nil, nil
	}
	conn.Write(connectPacket(id))
	in := bufio.NewReader(conn)
	if body, ok := hears(conn, in, mqttConnack, 5*time.Second); !ok || body[1] != 0 {
		conn.Close()
		return nil, nil
	}
	return conn, in
}

func (im impostor) listen(id, filter string, watch time.Duration) {
	conn, in := im.session(id)
	if conn == nil {
		return
	}
	defer conn.Close()
	conn.Write(subscribePacket(filter))
	for end := time.Now().Add(watch); ; {
		body, ok := hears(conn, in, mqttPublish, time.Until(end))
		if !ok {
			return
		}
		if strings.Contains(string(body), "/"+im.victim+"/") || strings.Contains(string(body), "$SYS") {
			im.heard.Add(1)
		}
	}
}

// forgedText is in every message that an impostor publishes.
const forgedText = "forged-by-an-impostor"

func (im impostor) publish(id, topic string) {
	conn, _ := im.session(id)
	if conn == nil {
		return
	}
	defer conn.Close()
	status := fmt.Sprintf(`{"v":1,"state":"offline","release":%q,"boot":"x","entries":0,"bytes":0}`, forgedText)
	conn.Write(publishPacket(topic, []byte(status), false))
	conn.Write(publishQoS1(topic, []byte(status)))
	conn.Write(publishPacket(topic, []byte(status), true))
	time.Sleep(time.Second)
}

// TestImpostor lets a camera with its own certificate act as another while that one sends its clips.
func TestImpostor(t *testing.T) {
	t.Parallel()
	r := newRow(t, "device A as B", "0 deliveries")
	s := newSite(t)
	s.enroll("rogue", s.addr)
	cfg := s.client(s.authority().camera("rogue"))
	var heard atomic.Int64
	im := impostor{
		dial: func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.addr, cfg)
		},
		own: "rogue", victim: device, heard: &heard,
	}
	tried := im.attempts(8 * time.Second)
	time.Sleep(time.Second)
	s.drain(device) // offers, chunks and receipts that there would be to hear
	time.Sleep(8 * time.Second)
	promised, wrong := s.verify(device)
	// What the hub took from the victim's topics it logs with the victim's name.
	forged := 0
	for line := range strings.Lines(s.hub.Log()) {
		if strings.Contains(line, "device="+device+" ") && strings.Contains(line, forgedText) {
			forged++
		}
	}
	refused := strings.Count(s.hub.Log(), "topic-forbidden") + strings.Count(s.hub.Log(), "connect-unfit")
	r.measured("%d deliveries to it, %d of its own taken, in %d attempts (%d refusals logged); %d of %d clips", heard.Load(), forged, tried, refused, promised-wrong, promised)
	if heard.Load() > 0 || forged > 0 {
		t.Errorf("%d messages were heard, %d were taken", heard.Load(), forged)
	}
	if refused < tried/2 {
		t.Errorf("only %d refusals in the log for %d attempts: did they reach the hub?", refused, tried)
	}
}
