// SPDX-License-Identifier: Apache-2.0

package wifi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// daemon is a stand-in for wpa_supplicant: it answers by a script, and keeps what it was asked.
type daemon struct {
	conn   *net.UnixConn
	answer func(request string) (reply string, events []string)

	mu    sync.Mutex
	asked []string
}

func newDaemon(t *testing.T, answer func(string) (string, []string)) (dir string, d *daemon) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "wlan0")})
	if err != nil {
		t.Fatal(err)
	}
	d = &daemon{conn: conn, answer: answer}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUnix(buf)
			if err != nil {
				return
			}
			d.mu.Lock()
			d.asked = append(d.asked, string(buf[:n]))
			d.mu.Unlock()
			reply, events := d.answer(string(buf[:n]))
			for _, text := range append([]string{"<2>noise", reply}, events...) {
				conn.WriteToUnix([]byte(text), from)
			}
		}
	}()
	return dir, d
}

func (d *daemon) requests() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// house is a daemon near one network that needs the passphrase.
func house(ssid, passphrase string, saves bool) func(string) (string, []string) {
	var hexName, key string
	return func(request string) (string, []string) {
		words := strings.SplitN(request, " ", 4)
		switch {
		case request == "ADD_NETWORK":
			return "3\n", nil
		case words[0] == "SET_NETWORK" && words[2] == "ssid":
			hexName = words[3]
		case words[0] == "SET_NETWORK" && words[2] == "psk":
			key = strings.Trim(words[3], `"`)
		case words[0] == "SET_NETWORK" && strings.Contains(words[3], "SAE"):
			return "FAIL\n", nil
		case words[0] == "SELECT_NETWORK" && hexName == fmt.Sprintf("%x", ssid) && key == passphrase:
			return "OK\n", []string{"<3>CTRL-EVENT-CONNECTED - Connection to 00:11:22:33:44:55 completed"}
		case words[0] == "SELECT_NETWORK":
			return "OK\n", []string{"<3>CTRL-EVENT-SSID-TEMP-DISABLED id=3 ssid=\"x\" auth_failures=1 duration=10 reason=WRONG_KEY"}
		case request == "SAVE_CONFIG" && !saves:
			return "FAIL\n", nil
		case request == "STATUS":
			return "wpa_state=COMPLETED\nssid=" + `caf\xc3\xa9` + "\nip_address=192.0.2.7\n", nil
		case request == "SIGNAL_POLL":
			return "RSSI=-61\nLINKSPEED=65\n", nil
		case request == "SCAN":
			return "OK\n", []string{"<3>CTRL-EVENT-SCAN-STARTED ", "<3>CTRL-EVENT-SCAN-RESULTS "}
		case request == "SCAN_RESULTS":
			return "bssid / frequency / signal level / flags / ssid\n" +
				"00:11:22:33:44:55\t2412\t-70\t[WPA2-PSK-CCMP][ESS]\tweak\n" +
				"00:11:22:33:44:56\t5180\t-40\t[WPA2-PSK+SAE-CCMP][ESS]\tstrong\n" +
				"00:11:22:33:44:57\t5180\t-90\t[ESS]\tstrong\n" +
				"00:11:22:33:44:58\t5180\t-50\t[ESS]\t\\x1b[31mred\n" +
				"00:11:22:33:44:59\t5180\t-30\t[ESS]\t\n" + // hidden
				"rubbish\n", nil
		}
		return "OK\n", nil
	}
}

func TestSupplicant(t *testing.T) {
	dir, d := newDaemon(t, house("porch net", `pass"word one`, true))
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	st, err := r.State(t.Context())
	if want := (State{"wlan0", "COMPLETED", "café", "192.0.2.7", -61}); err != nil || st != want {
		t.Errorf("state %+v, %v, want %+v", st, err, want)
	}
	near, err := r.Scan(t.Context())
	want := []Network{{"strong", -40, "WPA3"}, {"\x1b[31mred", -50, "open"}, {"weak", -70, "WPA2"}}
	if err != nil || !slices.Equal(near, want) {
		t.Errorf("scan %+v, %v, want %+v", near, err, want)
	}
	if err := r.Join(t.Context(), "porch net", `pass"word one`); err != nil {
		t.Error(err)
	}
	if asked := d.requests(); !slices.Contains(asked, "SAVE_CONFIG") || !slices.Contains(asked, "ENABLE_NETWORK all") {
		t.Errorf("not kept: %q", asked)
	}
}

// A wrong passphrase is said so, undone, and is not in the error.
func TestJoinFails(t *testing.T) {
	dir, d := newDaemon(t, house("porch", "right-passphrase", true))
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Join(t.Context(), "porch", "wrong-passphrase")
	if !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "wrong-passphrase") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	asked := d.requests()
	if tail := asked[len(asked)-3:]; !slices.Equal(tail, []string{"REMOVE_NETWORK 3", "ENABLE_NETWORK all", "RECONNECT"}) {
		t.Errorf("not undone: %q", tail)
	}
	for _, bad := range [][2]string{{"", ""}, {strings.Repeat("x", 33), ""}, {"porch", "short"}, {"porch", "line\nfeed-line"}, {"porch", strings.Repeat("x", 64)}} {
		if err := r.Join(t.Context(), bad[0], bad[1]); err == nil {
			t.Errorf("%q is tried", bad)
		}
	}
	if len(d.requests()) != len(asked) {
		t.Error("something that cannot be got to wpa_supplicant")
	}
}

func TestUnsaved(t *testing.T) {
	dir, _ := newDaemon(t, house("porch", "", false))
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Join(t.Context(), "porch", ""); !errors.Is(err, ErrUnsaved) {
		t.Errorf("%v, want %v", err, ErrUnsaved)
	}
}

func TestNone(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := Open(dir); !errors.Is(err, ErrNone) {
			t.Errorf("%v, want %v", err, ErrNone)
		}
	}
}

// Who waits can give up at any time.
func TestCancel(t *testing.T) {
	dir, _ := newDaemon(t, func(request string) (string, []string) { return "OK\n", nil }) // a scan that never ends
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Scan(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("scan: %v", err)
	}
}

func FuzzReplies(f *testing.F) {
	f.Add("00:11:22:33:44:55\t2412\t-70\t[WPA2-PSK-CCMP][ESS]\tca\\xc3\\xa9\n")
	f.Add(`a=\x`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range heard(scanResults(text)) {
			if n.SSID == "" || len(n.SSID) > 32 {
				t.Errorf("a name of %d bytes", len(n.SSID))
			}
		}
		assignments(text)
		if u := unescape(text); len(u) > len(text) {
			t.Errorf("%q grows to %q", text, u)
		}
	})
}
