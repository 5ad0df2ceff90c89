// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"testing"
)

// line prints a row of the table of `make ota-faults`.
func line(t *testing.T, name, figure, goal string, ok bool) {
	verdict := "ok"
	if !ok || t.Failed() {
		verdict = "short"
		t.Errorf("%s: %s, to reach: %s", name, figure, goal)
	}
	fmt.Fprintf(os.Stdout, "fault: %s | %s | %s | %s\n", name, figure, goal, verdict)
}

func sealed(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[crcAt:], crc32.Checksum(b[:crcAt], castagnoli))
	return b
}
