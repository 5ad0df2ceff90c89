// SPDX-License-Identifier: Apache-2.0

package hub_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/nightjar-cam/nightjar/uplink/hub"
	"github.com/nightjar-cam/nightjar/uplink/hub/hubtest"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// siegeBound is what a hub of 64 connections may take in the siege, its attackers' own memory included: a
// whole packet and 128 KiB of buffers for each connection.
const siegeBound = 64 * (hub.MaxPacket + 128<<10)

// siege keeps a hub of 64 connections busy with clients that want its memory, and returns by how many bytes
// the heap has grown while all of them hold on: enrolled cameras that announce a packet of announced bytes
// and send all but its end, or ask for answers and read none of them, and strangers that are in the
// middle of TLS, or say nothing at all.
func siege(t *testing.T, announced int, setup ...func(*hub.Hub)) int64 {
	t.Helper()
	h := hubtest.Start(t, append(setup, hub.Connections(64))...)
	var cams []*client
	for i := range 24 {
		name := fmt.Sprintf("cam-%d", i)
		_, cfg, _ := enrol(t, h, name)
		c := connect(t, h.Addr, cfg, name)
		c.subscribe(wire.Filter(name))
		c.ping()
		cams = append(cams, c)
	}
	before := heap()
	for i, c := range cams {
		if i%4 == 3 {
			// Offers of a record that does not verify: each one is answered, and nobody reads.
			for range 200 {
				c.publish(wire.Topic(c.device, wire.UpOffer), []byte(`{"v":1,"record":"e30.e30.e30"}`), 0)
			}
			continue
		}
		head := append([]byte{packets.Publish << 4}, varint(announced)...)
		topic := wire.Topic(c.device, wire.UpChunk)
		head = append(binary.BigEndian.AppendUint16(head, uint16(len(topic))), topic...)
		c.write(append(head, make([]byte, 1000)...))
	}
	for i := range 200 { // most find no place
		conn, err := net.Dial("tcp", h.Addr)
		if err != nil {
			continue
		}
		defer conn.Close()
		if i%2 == 0 {
			conn.Write([]byte{0x16, 0x03, 0x01, 0x3f, 0xff, 0x01}) // a TLS record of 16 KiB begins
		}
	}
	time.Sleep(500 * time.Millisecond) // let it all arrive
	grown := heap() - before
	// Whoever was inside and behaved is still served.
	if _, open := cams[3].ping(); !open {
		t.Error("a camera that only did not read is turned out")
	}
	return grown
}

func varint(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSiege(t *testing.T) {
	for name, announced := range map[string]int{"the largest packet": hub.MaxPacket - 64, "more than that": 64 << 20} {
		grown := siege(t, announced)
		t.Logf("heap_growth_mib=%.1f bound_mib=%d packets=%s", float64(grown)/(1<<20), siegeBound>>20, name)
		if grown > siegeBound {
			t.Errorf("%s: the heap grew by %d bytes, at most %d are stated", name, grown, siegeBound)
		}
	}
}

func TestSiegeMutant(t *testing.T) {
	if grown := siege(t, 8<<20, hub.AnyPacket); grown <= siegeBound {
		t.Errorf("without a limit on packets the heap grows by %d only: TestSiege proves nothing about it", grown)
	}
}
