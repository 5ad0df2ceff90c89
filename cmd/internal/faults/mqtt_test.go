// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// MQTT 3.1.1 by hand, for peers that speak it wrongly: no library sends what these rigs have to send.

const (
	mqttConnect, mqttConnack, mqttPublish, mqttPuback = 1, 2, 3, 4
	mqttSubscribe, mqttSuback, mqttPingreq            = 8, 9, 12
)

func packet(first byte, body ...[]byte) []byte {
	n := 0
	for _, b := range body {
		n += len(b)
	}
	p := appendLength([]byte{first}, n)
	for _, b := range body {
		p = append(p, b...)
	}
	return p
}

// appendLength appends a remaining length of any size; four bytes, up to 256 MiB, are legal.
func appendLength(b []byte, n int) []byte {
	for ; n > 127; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func mqttString(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func connectPacket(id string) []byte {
	return packet(mqttConnect<<4, mqttString("MQTT"), []byte{4, 2, 0, 60}, mqttString(id))
}

func publishPacket(topic string, payload []byte, retain bool) []byte {
	first := byte(mqttPublish << 4)
	if retain {
		first |= 1
	}
	return packet(first, mqttString(topic), payload)
}

// publishQoS1 asks for an acknowledgement.
func publishQoS1(topic string, payload []byte) []byte {
	return packet(mqttPublish<<4|2, mqttString(topic), []byte{0, 7}, payload)
}

func subscribePacket(filter string) []byte {
	return packet(mqttSubscribe<<4|2, []byte{0, 9}, mqttString(filter), []byte{1})
}

// readPacket reads one packet of up to 1 MiB.
func readPacket(r *bufio.Reader) (first byte, body []byte, err error) {
	if first, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		return 0, nil, errors.New("packet is too large")
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return first, body, err
}

// hears returns the first packet of a kind within the time, and false when the other side ends or stays silent.
func hears(conn net.Conn, r *bufio.Reader, kind byte, within time.Duration) ([]byte, bool) {
	conn.SetReadDeadline(time.Now().Add(within))
	for {
		first, body, err := readPacket(r)
		if err != nil {
			return nil, false
		}
		if first>>4 == kind {
			return body, true
		}
	}
}
