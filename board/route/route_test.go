// SPDX-License-Identifier: Apache-2.0

package route

import (
	"net"
	"strings"
	"testing"
)

const head4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

func TestPreferred(t *testing.T) {
	for _, tt := range []struct {
		name, table string
		route       func([]string) (string, uint64, bool)
		want        string
	}{
		{"none", head4 + "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n", route4, ""},
		{"one", head4 + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", route4, "eth0"},
		{"least metric", head4 + "wwan0\t00000000\t0101A8C0\t0003\t0\t0\t700\t00000000\t0\t0\t0\nwlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n", route4, "wlan0"},
		{"a VPN's half of the world", head4 + "tun0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", route4, ""},
		{"down", head4 + "eth0\t00000000\t0101A8C0\t0002\t0\t0\t100\t00000000\t0\t0\t0\n", route4, ""},
		{"damaged", head4 + "eth0\t00000000\n\nx\ty\tz", route4, ""},
		{"IPv6", strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wwan0\n" +
			strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " ffffffff 00000001 00000000 00200200       lo\n", route6, "wwan0"},
		{"IPv6 without", strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " ffffffff 00000001 00000000 00200201       lo\n", route6, ""},
	} {
		if got := preferred(strings.NewReader(tt.table), tt.route); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What this machine says is an interface that it has.
func TestDefault(t *testing.T) {
	device := Default()
	if device == "" {
		t.Skip("this machine has no default route")
	}
	if _, err := net.InterfaceByName(device); err != nil {
		t.Errorf("%q: %v", device, err)
	}
}

// Whatever the table holds, its answer is a word of it.
func FuzzTable(f *testing.F) {
	f.Add(head4 + "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
	f.Add("0 00 0 00 0 00000400 1 0 00000003 wwan0\n")
	f.Fuzz(func(t *testing.T, table string) {
		for _, route := range []func([]string) (string, uint64, bool){route4, route6} {
			if got := preferred(strings.NewReader(table), route); got != "" && !strings.Contains(table, got) {
				t.Errorf("%q", got)
			}
		}
	})
}
