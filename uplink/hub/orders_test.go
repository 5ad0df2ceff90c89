// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// given is what the hub gave to devices.
type given struct {
	*orders
	public  ed25519.PublicKey
	there   bool
	heard   []command.Command
	devices []string
}

func newGiven(t *testing.T) *given {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g := &given{public: public, there: true}
	g.orders = &orders{dir: t.TempDir(), key: private, log: slog.New(slog.DiscardHandler), sent: map[string]sentOrder{},
		send: func(device string, jws []byte) bool {
			if !g.there {
				return false
			}
			c, err := command.Verify(public, jws)
			if err != nil {
				t.Error(err)
			}
			g.heard, g.devices = append(g.heard, c), append(g.devices, device)
			return true
		}}
	return g
}

func (g *given) order(t *testing.T, name string) Order {
	t.Helper()
	o, err := NewOrder(g.dir, "porch", name, json.RawMessage(`{"a": 1}`), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// answer is the device's to the last command.
func (g *given) answer(t *testing.T, device string, change func(*wire.Result)) {
	t.Helper()
	r := wire.Result{Signer: "hub", Seq: g.heard[len(g.heard)-1].Seq, OK: true, Message: "done"}
	change(&r)
	payload, err := r.Marshal()
	if err == nil {
		err = g.take(device, payload)
	}
	if err != nil {
		t.Error(err)
	}
}

// Orders are given one at a time, in order, again and again until they are answered, by the device that they are for.
func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGiven(t)
		first, second := g.order(t, command.Pause), g.order(t, command.Resume)
		if second.Seq <= first.Seq {
			t.Errorf("numbers %d, %d", first.Seq, second.Seq)
		}
		g.there = false
		g.look(time.Now())
		g.there = true
		for range 21 {
			g.look(time.Now())
			time.Sleep(time.Second)
		}
		if len(g.heard) != 3 || g.heard[2].Seq != first.Seq || g.heard[0].Name != command.Pause || string(g.heard[0].Args) != `{"a":1}` || g.devices[0] != "porch" {
			t.Fatalf("given %+v", g.heard)
		}
		// Nobody else's answer counts, nor one that nobody waits for.
		g.answer(t, "yard", func(*wire.Result) {})
		g.answer(t, "porch", func(r *wire.Result) { r.Seq += 1000 })
		g.answer(t, "porch", func(r *wire.Result) { r.Signer = "owner" })
		if _, err := OrderResult(g.dir, "porch", first.Seq); !errors.Is(err, ErrNoResult) {
			t.Errorf("result: %v", err)
		}
		g.answer(t, "porch", func(*wire.Result) {})
		g.answer(t, "porch", func(r *wire.Result) { r.Message = "done twice" })
		if r, err := OrderResult(g.dir, "porch", first.Seq); err != nil || !r.OK || r.Message != "done" {
			t.Errorf("result %+v, %v", r, err)
		}
		g.look(time.Now())
		if c := g.heard[len(g.heard)-1]; c.Seq != second.Seq {
			t.Errorf("then given %+v", c)
		}
		// It expires without an answer.
		time.Sleep(time.Minute)
		n := len(g.heard)
		g.look(time.Now())
		g.look(time.Now())
		if r, err := OrderResult(g.dir, "porch", second.Seq); err != nil || r.OK || !strings.Contains(r.Message, "expired") || len(g.heard) != n {
			t.Errorf("result %+v, %v", r, err)
		}
	})
}

func TestNewOrderRefuses(t *testing.T) {
	dir := t.TempDir()
	for what, row := range map[string]struct {
		device, name, args string
		life               time.Duration
	}{
		"device":       {"../x", command.Status, "", time.Minute},
		"no command":   {"porch", "dance", "", time.Minute},
		"no JSON":      {"porch", command.Status, "{", time.Minute},
		"no object":    {"porch", command.Status, "[]", time.Minute},
		"much":         {"porch", command.Status, `{"a":"` + strings.Repeat("x", command.MaxArgs) + `"}`, time.Minute},
		"lives long":   {"porch", command.Status, "", command.MaxLife + 1},
		"lives no day": {"porch", command.Status, "", 0},
	} {
		if _, err := NewOrder(dir, row.device, row.name, json.RawMessage(row.args), row.life); err == nil {
			t.Errorf("%s: ordered", what)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind %v", entries)
	}
}

// The folder keeps so many orders of a device: answered ones go, waiting ones do not.
func TestOrdersAreBounded(t *testing.T) {
	g := newGiven(t)
	var all []Order
	for range maxOrders {
		all = append(all, g.order(t, command.Status))
	}
	if _, err := NewOrder(g.dir, "porch", command.Status, nil, time.Minute); err == nil || !strings.Contains(err.Error(), "wait for porch already") {
		t.Errorf("one more: %v", err)
	}
	if err := g.settle("porch", wire.Result{Signer: "hub", Seq: all[0].Seq}); err != nil {
		t.Fatal(err)
	}
	g.order(t, command.Status)
	if seqs, err := orderSeqs(g.dir, "porch"); len(seqs) != maxOrders || seqs[0] != all[1].Seq {
		t.Errorf("%d are kept, %v", len(seqs), err)
	}
	// A damaged file is answered for, and holds up nothing.
	if err := os.WriteFile(orderPath(g.dir, "porch", all[1].Seq, ""), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.look(time.Now())
	g.look(time.Now())
	if len(g.heard) != 1 || g.heard[0].Seq != all[2].Seq {
		t.Errorf("given %+v", g.heard)
	}
}

// The hub carries what an owner has signed as it is, and takes the answer for its signer only.
func TestCarryOrder(t *testing.T) {
	_, owner, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	sign := func(change func(*command.Command)) []byte {
		c := command.Command{Device: "porch", Seq: uint64(now.UnixMilli()), Issued: now, Expires: now.Add(time.Hour), Name: command.Reset}
		change(&c)
		jws, err := command.Sign(owner, c)
		if err != nil {
			t.Fatal(err)
		}
		return jws
	}
	g := newGiven(t)
	var carried [][]byte
	g.send = func(_ string, jws []byte) bool { carried = append(carried, jws); return true }
	if _, err := NewOrder(g.dir, "porch", command.Reset, nil, time.Minute); !errors.Is(err, command.ErrRole) {
		t.Errorf("a reset by the hub: %v", err)
	}
	jws := sign(func(*command.Command) {})
	o, err := CarryOrder(g.dir, "porch", jws, now)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{
		"again":          jws,
		"for another":    sign(func(c *command.Command) { c.Device = "yard" }),
		"expired":        sign(func(c *command.Command) { c.Issued, c.Expires = now.Add(-time.Hour), now }),
		"far number":     sign(func(c *command.Command) { c.Seq += uint64((command.MaxLife + time.Minute).Milliseconds()) }),
		"no command":     []byte("e30.e30.e30"),
		"a large one":    []byte(strings.Repeat("x", wire.MaxCommand+1)),
		"half a command": jws[:len(jws)/3],
	} {
		if _, err := CarryOrder(g.dir, "porch", bad, now); err == nil {
			t.Errorf("%s: carried", what)
		}
	}
	g.look(time.Now())
	if len(carried) != 1 || string(carried[0]) != string(jws) {
		t.Fatalf("carried %q", carried)
	}
	result := func(signer string) {
		t.Helper()
		payload, err := wire.Result{Signer: signer, Seq: o.Seq, OK: true, Message: "by " + signer}.Marshal()
		if err == nil {
			err = g.take("porch", payload)
		}
		if err != nil {
			t.Error(err)
		}
	}
	result("hub")
	if _, err := OrderResult(g.dir, "porch", o.Seq); !errors.Is(err, ErrNoResult) {
		t.Errorf("the hub's result is the owner's: %v", err)
	}
	result("owner")
	if r, err := OrderResult(g.dir, "porch", o.Seq); err != nil || r.Message != "by owner" {
		t.Errorf("result %+v, %v", r, err)
	}
	// The hub's own numbers go on above it, and a camera that does not know the signer is told of when it expires.
	if next := g.order(t, command.Status); next.Seq <= o.Seq {
		t.Errorf("then number %d after %d", next.Seq, o.Seq)
	}
	if _, err := CarryOrder(g.dir, "porch", sign(func(c *command.Command) { c.Seq += 5000 }), now); err != nil {
		t.Fatal(err)
	}
	g.look(now.Add(2 * time.Hour)) // the hub's own
	g.look(now.Add(2 * time.Hour))
	if r, err := OrderResult(g.dir, "porch", uint64(now.UnixMilli())+5000); err != nil || r.OK || !strings.Contains(r.Message, "nightjar owner list") {
		t.Errorf("unanswered: %+v, %v", r, err)
	}
}
