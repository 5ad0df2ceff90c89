// SPDX-License-Identifier: Apache-2.0

package wifi

import (
	"strconv"
	"strings"
)

// assignments reads lines of key=value.
func assignments(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			fields[key] = value
		}
	}
	return fields
}

// scanResults reads lines of "bssid frequency signal flags ssid", with tabs between, after a headline. A line that is none is passed
// over: what a radio hears is anybody's.
func scanResults(text string) (all []Network) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 5)
		if len(f) < 5 {
			continue
		}
		signal, err := strconv.Atoi(f[2])
		ssid := unescape(f[4])
		if err != nil || len(ssid) > 32 || len(all) >= maxNetworks {
			continue
		}
		all = append(all, Network{SSID: ssid, Signal: signal, Security: security(f[3])})
	}
	return all
}

func security(flags string) string {
	for _, s := range []struct{ flag, name string }{{"SAE", "WPA3"}, {"WPA2", "WPA2"}, {"RSN", "WPA2"}, {"WPA", "WPA"}, {"WEP", "WEP"}} {
		if strings.Contains(flags, s.flag) {
			return s.name
		}
	}
	return "open"
}

// unescape undoes what wpa_supplicant's printf_encode did to the bytes of a name.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'e':
			b.WriteByte(0x1b)
		case 'x':
			if i+2 < len(text) {
				if v, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(v))
					i += 2
					continue
				}
			}
			b.WriteString(`\x`)
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
