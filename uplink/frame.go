// SPDX-License-Identifier: Apache-2.0

package uplink

import "errors"

// Types of MQTT control packets (MQTT 3.1.1, 2.2.1).
const (
	mqttConnect, mqttConnack, mqttPublish, mqttPuback = 1, 2, 3, 4
	mqttSubscribe, mqttSuback                         = 8, 9
	mqttPingreq, mqttPingresp                         = 12, 13
)

// errLength is returned for a fixed header whose length does not end with its fourth byte (MQTT 3.1.1, 2.2.3).
var errLength = errors.New("packet of a length that has no end")

// framing finds the packets in a stream of MQTT that comes in pieces. It keeps none of it. The zero value is at the beginning.
type framing struct {
	first  byte // type and flags of the packet under way
	length int  // its remaining length, as far as it is known
	digits int  // bytes of the length that went by
	header bool // first has gone by, and the length is not complete
	left   int  // bytes of the packet's body that are to come
}

// feed goes through the next piece, and calls packet at the end of each fixed header, before anything of the body is looked at.
// It stops at the first error, that one's or errLength, and returns how many bytes of the piece belong to packets before.
func (f *framing) feed(piece []byte, packet func(first byte, length int) error) (sound int, err error) {
	for i := 0; i < len(piece); {
		if f.left > 0 {
			n := min(f.left, len(piece)-i)
			f.left -= n
			i += n
			sound = i
			continue
		}
		b := piece[i]
		i++
		if !f.header {
			f.first, f.length, f.digits, f.header = b, 0, 0, true
			continue
		}
		f.length |= int(b&0x7f) << (7 * f.digits)
		f.digits++
		if b&0x80 != 0 {
			if f.digits == 4 {
				return sound, errLength
			}
			continue
		}
		if err := packet(f.first, f.length); err != nil {
			return sound, err
		}
		f.header, f.left = false, f.length
		if f.left == 0 {
			sound = i
		}
	}
	return len(piece), nil
}
