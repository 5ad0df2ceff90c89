// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"fmt"
	"net"
)

// bounded ends a connection whose other side begins a packet that is too large, before the library makes room for it.
type bounded struct {
	net.Conn
	left   int  // bytes of the present packet's body
	length int  // of the packet that begins, as far as it is known
	shift  uint // bits of it that are known; its first byte went by
	begun  bool // the first byte of a packet went by
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	for i := 0; i < n; {
		switch {
		case b.left > 0:
			skip := min(b.left, n-i)
			b.left -= skip
			i += skip
			continue
		case !b.begun:
			b.begun, b.length, b.shift = true, 0, 0
		default:
			b.length |= int(p[i]&0x7f) << b.shift
			b.shift += 7
			if b.length > maxPacket || b.shift > 28 {
				return 0, fmt.Errorf("the broker sends a packet of more than %d bytes", maxPacket)
			}
			if p[i]&0x80 == 0 {
				b.left, b.begun = b.length, false
			}
		}
		i++
	}
	return n, err
}
