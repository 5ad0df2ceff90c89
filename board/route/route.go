// SPDX-License-Identifier: Apache-2.0

// Package route tells which network interface the board uses. Start with [Default].
package route

import (
	"bufio"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// The kernel's tables, and how much of one is read, in bytes.
const (
	table4   = "/proc/net/route"
	table6   = "/proc/net/ipv6_route"
	maxTable = 256 << 10
)

// up is the flag of a route that can be used (RTF_UP).
const up = 1

// Default returns the interface of the default route, the one that is preferred if there are several; IPv4 goes before IPv6.
// It is empty when there is none, or no such table can be read.
func Default() string {
	for _, t := range []struct {
		path  string
		route func(fields []string) (device string, metric uint64, ok bool)
	}{{table4, route4}, {table6, route6}} {
		f, err := os.Open(t.path)
		if err != nil {
			continue
		}
		device := preferred(io.LimitReader(f, maxTable), t.route)
		f.Close()
		if device != "" {
			return device
		}
	}
	return ""
}

// preferred returns the device of the default route with the least metric in a table.
func preferred(table io.Reader, route func([]string) (string, uint64, bool)) (best string) {
	least := uint64(math.MaxUint64)
	for lines := bufio.NewScanner(table); lines.Scan(); {
		if device, metric, ok := route(strings.Fields(lines.Text())); ok && metric < least {
			best, least = device, metric
		}
	}
	return best
}

// route4 reads "Iface Destination Gateway Flags RefCnt Use Metric Mask ...".
func route4(f []string) (device string, metric uint64, ok bool) {
	if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
		return "", 0, false
	}
	flags, err1 := strconv.ParseUint(f[3], 16, 32)
	metric, err2 := strconv.ParseUint(f[6], 10, 32)
	return f[0], metric, err1 == nil && err2 == nil && flags&up != 0
}

// route6 reads "destination length source length gateway metric references uses flags device".
func route6(f []string) (device string, metric uint64, ok bool) {
	if len(f) < 10 || strings.Trim(f[0], "0") != "" || f[1] != "00" || f[9] == "lo" {
		return "", 0, false
	}
	metric, err1 := strconv.ParseUint(f[5], 16, 32)
	flags, err2 := strconv.ParseUint(f[8], 16, 32)
	return f[9], metric, err1 == nil && err2 == nil && flags&up != 0
}
