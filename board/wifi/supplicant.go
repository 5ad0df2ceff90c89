// SPDX-License-Identifier: Apache-2.0

package wifi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Dir is where wpa_supplicant has its sockets, one for each radio.
const Dir = "/run/wpa_supplicant"

const (
	replyWithin = 5 * time.Second
	scanWithin  = 12 * time.Second
	joinWithin  = 30 * time.Second
	maxReply    = 64 << 10 // bytes of one datagram
	maxNetworks = 128
)

// supplicant speaks wpa_supplicant's control interface: a datagram each way, and events that begin with <priority>.
type supplicant struct {
	conn  *net.UnixConn
	radio string
	buf   []byte
}

// Open connects to the supplicant of the first radio in dir.
func Open(dir string) (Radio, error) {
	sockets, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNone, err)
	}
	for _, s := range sockets {
		if s.Type()&os.ModeSocket == 0 || strings.HasPrefix(s.Name(), "p2p-") {
			continue
		}
		return open(dir, s.Name())
	}
	return nil, ErrNone
}

// open binds an abstract address to be answered at: a file would have to lie where the supplicant may write, which a service with a /tmp
// of its own does not have.
func open(dir, radio string) (*supplicant, error) {
	var id [8]byte
	rand.Read(id[:])
	own := &net.UnixAddr{Net: "unixgram", Name: "@nightjar-wifi-" + hex.EncodeToString(id[:])}
	conn, err := net.DialUnix("unixgram", own, &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, radio)})
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("ask wpa_supplicant: %w: let the agent's user be in the group of its sockets, often netdev", err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask wpa_supplicant: %w", err)
	}
	s := &supplicant{conn: conn, radio: radio, buf: make([]byte, maxReply)}
	if err := s.ok(context.Background(), "ATTACH"); err != nil { // for events
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func (s *supplicant) Close() error { return s.conn.Close() }

// receive returns the next datagram.
func (s *supplicant) receive(ctx context.Context, until time.Time) (string, error) {
	if err := s.conn.SetReadDeadline(until); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := s.conn.Read(s.buf)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return string(s.buf[:n]), err
}

// ask sends a request and returns its answer. what stands in errors instead of the request, which may hold a secret.
func (s *supplicant) ask(ctx context.Context, what, request string) (string, error) {
	until := time.Now().Add(replyWithin)
	if err := s.conn.SetWriteDeadline(until); err != nil {
		return "", err
	}
	if _, err := s.conn.Write([]byte(request)); err != nil {
		return "", fmt.Errorf("wpa_supplicant %s: %w", what, err)
	}
	for {
		reply, err := s.receive(ctx, until)
		if err != nil {
			return "", fmt.Errorf("wpa_supplicant %s: %w", what, err)
		}
		if !strings.HasPrefix(reply, "<") {
			return reply, nil
		}
	}
}

// ok asks for something that is answered with OK; its first word names it in errors.
func (s *supplicant) ok(ctx context.Context, request string) error {
	what, _, _ := strings.Cut(request, " ")
	reply, err := s.ask(ctx, what, request)
	if err == nil && strings.TrimSpace(reply) != "OK" {
		err = fmt.Errorf("wpa_supplicant %s: it answers %.40q", what, strings.TrimSpace(reply))
	}
	return err
}

// event waits for an event that has one of the words, and returns that one.
func (s *supplicant) event(ctx context.Context, within time.Duration, words ...string) (string, error) {
	until := time.Now().Add(within)
	for {
		e, err := s.receive(ctx, until)
		if err != nil {
			return "", err
		}
		for _, w := range words {
			if strings.HasPrefix(e, "<") && strings.Contains(e, w) {
				return w, nil
			}
		}
	}
}

// State implements [Radio].
func (s *supplicant) State(ctx context.Context) (State, error) {
	reply, err := s.ask(ctx, "STATUS", "STATUS")
	if err != nil {
		return State{}, err
	}
	fields := assignments(reply)
	st := State{Interface: s.radio, State: fields["wpa_state"], SSID: unescape(fields["ssid"]), Address: fields["ip_address"]}
	if st.Joined() {
		if reply, err := s.ask(ctx, "SIGNAL_POLL", "SIGNAL_POLL"); err == nil { // not every driver can
			st.Signal, _ = strconv.Atoi(assignments(reply)["RSSI"])
		}
	}
	return st, nil
}

// Scan implements [Radio].
func (s *supplicant) Scan(ctx context.Context) ([]Network, error) {
	if err := s.ok(ctx, "SCAN"); err != nil && !strings.Contains(err.Error(), "BUSY") { // busy: one is under way
		return nil, err
	}
	const done, failed = "CTRL-EVENT-SCAN-RESULTS", "CTRL-EVENT-SCAN-FAILED"
	got, err := s.event(ctx, scanWithin, done, failed)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // then what it heard before is shown
		return nil, fmt.Errorf("wait for the scan: %w", err)
	}
	if got == failed {
		return nil, errors.New("the radio cannot look around: is it switched off (rfkill), or is its country not set?")
	}
	reply, err := s.ask(ctx, "SCAN_RESULTS", "SCAN_RESULTS")
	if err != nil {
		return nil, err
	}
	return heard(scanResults(reply)), nil
}

// Join implements [Radio].
func (s *supplicant) Join(ctx context.Context, ssid, passphrase string) error {
	if err := check(ssid, passphrase); err != nil {
		return err
	}
	id, err := s.ask(ctx, "ADD_NETWORK", "ADD_NETWORK")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(id))
	if err != nil {
		return fmt.Errorf("wpa_supplicant ADD_NETWORK: it answers %.40q", id)
	}
	if err = s.configure(ctx, n, ssid, passphrase); err == nil {
		err = s.selected(ctx, n)
	}
	// The others were switched off by the choice of this one, and are wanted back either way.
	late := context.WithoutCancel(ctx)
	if err != nil {
		return errors.Join(err, s.ok(late, fmt.Sprintf("REMOVE_NETWORK %d", n)), s.ok(late, "ENABLE_NETWORK all"), s.ok(late, "RECONNECT"))
	}
	if err := s.ok(late, "ENABLE_NETWORK all"); err != nil {
		return err
	}
	if s.ok(late, "SAVE_CONFIG") != nil {
		return ErrUnsaved
	}
	return nil
}

func (s *supplicant) configure(ctx context.Context, n int, ssid, passphrase string) error {
	set := func(key, value string) error { return s.ok(ctx, fmt.Sprintf("SET_NETWORK %d %s %s", n, key, value)) }
	if err := set("ssid", hex.EncodeToString([]byte(ssid))); err != nil {
		return err
	}
	if passphrase == "" {
		return set("key_mgmt", "NONE")
	}
	// The value ends with the last quotation mark, so one inside needs no escape.
	if err := set("psk", `"`+passphrase+`"`); err != nil {
		return err
	}
	if set("key_mgmt", "WPA-PSK WPA-PSK-SHA256 SAE") == nil { // WPA2 and WPA3
		return set("ieee80211w", "1")
	}
	return set("key_mgmt", "WPA-PSK") // built without WPA3
}

func (s *supplicant) selected(ctx context.Context, n int) error {
	if err := s.ok(ctx, fmt.Sprintf("SELECT_NETWORK %d", n)); err != nil {
		return err
	}
	const joined, wrong, refused = "CTRL-EVENT-CONNECTED", "reason=WRONG_KEY", "CTRL-EVENT-SSID-TEMP-DISABLED"
	switch got, err := s.event(ctx, joinWithin, joined, wrong, refused); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case err != nil:
		return fmt.Errorf("join: %w", err)
	case got == wrong:
		return ErrKey
	case got == refused:
		return errors.New("the network does not let the board in")
	}
	return nil
}
