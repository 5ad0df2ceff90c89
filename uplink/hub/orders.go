// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/command"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// An Order is a command that waits in the hub's folder to be given to a device, at commands/<device>/<seq>.json. Beside it is
// its result, <seq>.result.json, once there is one. The hub signs it with its receipt key; the statement's type keeps the two
// uses of the key apart. One that somebody else has signed it only carries.
type Order struct {
	Device  string          `json:"device"`
	Seq     uint64          `json:"seq"`
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args,omitempty"`
	Issued  time.Time       `json:"issued"`
	Expires time.Time       `json:"expires"`
	Signed  string          `json:"signed,omitempty"` // the command as its owner signed it, unverified; empty: the hub signs it
}

// Bounds of orders.
const (
	maxOrders   = 100              // of a device that are kept, the answered included
	resendOrder = 10 * time.Second // until the result is there
	lookEvery   = time.Second      // for new orders
	orderFile   = 32 << 10         // bytes of a file
)

// ErrNoResult says that an order is not answered yet.
var ErrNoResult = errors.New("no result yet")

func ordersDir(dir, device string) string { return filepath.Join(dir, "commands", device) }

func orderPath(dir, device string, seq uint64, what string) string {
	return filepath.Join(ordersDir(dir, device), fmt.Sprintf("%016d%s.json", seq, what))
}

// NewOrder puts a command for a device into the hub's folder; the hub that runs there, perhaps later, gives it to the camera
// until it answers or the command expires. life is at most command.MaxLife.
func NewOrder(dir, device, name string, args json.RawMessage, life time.Duration) (Order, error) {
	var none Order
	if err := keys.ValidDevice(device); err != nil {
		return none, err
	}
	if err := command.Allowed(name, command.Hub); err != nil {
		return none, err
	}
	if len(args) > command.MaxArgs {
		return none, fmt.Errorf("arguments of %d bytes: at most %d", len(args), command.MaxArgs)
	}
	if len(args) > 0 && (!json.Valid(args) || args[0] != '{') {
		return none, errors.New("arguments are no JSON object")
	}
	if life < time.Second || life > command.MaxLife {
		return none, fmt.Errorf("a life of %v: must be 1s to %v", life, command.MaxLife)
	}
	if err := os.MkdirAll(ordersDir(dir, device), 0o700); err != nil {
		return none, fmt.Errorf("order a command: %w", err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	o := Order{Device: device, Name: name, Args: args, Issued: now, Expires: now.Add(life).Truncate(time.Millisecond)}
	// The number grows with time, so that it does even if the folder is lost.
	for o.Seq = uint64(now.UnixMilli()); ; o.Seq++ {
		last, err := spare(dir, device)
		if err != nil {
			return none, err
		}
		o.Seq = max(o.Seq, last+1)
		err = writeOrder(orderPath(dir, device, o.Seq, ""), o)
		if !errors.Is(err, fs.ErrExist) {
			return o, err
		}
	}
}

// CarryOrder puts a command that somebody else has signed into the hub's folder. The hub does not know its signer's key: the
// camera does, and nobody else needs to.
func CarryOrder(dir, device string, jws []byte, now time.Time) (Order, error) {
	var none Order
	if len(jws) > wire.MaxCommand {
		return none, fmt.Errorf("a signed command of %d bytes: at most %d", len(jws), wire.MaxCommand)
	}
	c, err := command.Peek(jws)
	switch {
	case err != nil:
		return none, err
	case c.Device != device:
		return none, fmt.Errorf("the command is for %s, not for %s", c.Device, device)
	case !now.Before(c.Expires):
		return none, fmt.Errorf("the command has expired at %s: sign it anew", c.Expires.Format(time.RFC3339))
	case c.Seq > uint64(now.Add(command.MaxLife).UnixMilli()): // the hub's own would have to be higher still
		return none, fmt.Errorf("the command's number %d is of days to come: the clock where it was signed was wrong", c.Seq)
	}
	if err := os.MkdirAll(ordersDir(dir, device), 0o700); err != nil {
		return none, fmt.Errorf("carry a command: %w", err)
	}
	if _, err := spare(dir, device); err != nil {
		return none, err
	}
	o := Order{Device: device, Seq: c.Seq, Name: c.Name, Issued: c.Issued, Expires: c.Expires, Signed: string(jws)}
	err = writeOrder(orderPath(dir, device, o.Seq, ""), o)
	if errors.Is(err, fs.ErrExist) {
		return none, fmt.Errorf("command %d for %s is there already: sign it anew to give it once more", o.Seq, device)
	}
	return o, err
}

// spare makes room for one order more, and returns the last one's number.
func spare(dir, device string) (last uint64, err error) {
	all, err := orderSeqs(dir, device)
	if err != nil {
		return 0, fmt.Errorf("order a command: %w", err)
	}
	if len(all) >= maxOrders {
		if err := forget(dir, device, all[:len(all)-maxOrders+1]); err != nil {
			return 0, err
		}
	}
	if len(all) > 0 {
		last = all[len(all)-1]
	}
	return last, nil
}

// writeOrder writes a file as a whole, and never over another one.
func writeOrder(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("order a command: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("order a command: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return fmt.Errorf("order a command: %w", err)
	}
	return nil
}

// forget removes old orders and their results, but none that still waits.
func forget(dir, device string, seqs []uint64) error {
	for _, seq := range seqs {
		if _, err := OrderResult(dir, device, seq); errors.Is(err, ErrNoResult) {
			return fmt.Errorf("%d commands wait for %s already", maxOrders, device)
		}
		if err := errors.Join(os.Remove(orderPath(dir, device, seq, "")), os.Remove(orderPath(dir, device, seq, ".result"))); err != nil {
			return fmt.Errorf("forget an old command: %w", err)
		}
	}
	return nil
}

// orderSeqs returns the numbers of a device's orders, rising.
func orderSeqs(dir, device string) ([]uint64, error) {
	entries, err := os.ReadDir(ordersDir(dir, device))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []uint64
	for _, e := range entries {
		if seq, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), ".json"), 10, 53); err == nil {
			all = append(all, seq)
		}
	}
	slices.Sort(all)
	return all, nil
}

// OrderResult returns what the device answered, or an error that wraps [ErrNoResult].
func OrderResult(dir, device string, seq uint64) (wire.Result, error) {
	text, err := os.ReadFile(orderPath(dir, device, seq, ".result"))
	if errors.Is(err, fs.ErrNotExist) {
		return wire.Result{}, ErrNoResult
	}
	if err != nil {
		return wire.Result{}, fmt.Errorf("read result: %w", err)
	}
	return wire.ParseResult(text)
}

// orders is the running hub's part: it gives the orders to the devices that are there.
type orders struct {
	dir  string
	key  ed25519.PrivateKey
	send func(device string, jws []byte) bool // false when the device is not there
	log  *slog.Logger

	sent map[string]sentOrder // by device; run's alone
}

type sentOrder struct {
	seq uint64
	at  time.Time
}

// run looks for orders until ctx ends.
func (o *orders) run(ctx context.Context) error {
	o.sent = map[string]sentOrder{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.look(time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// look gives each device its oldest order that is not answered.
func (o *orders) look(now time.Time) {
	devices, err := os.ReadDir(filepath.Join(o.dir, "commands"))
	if err != nil {
		return // there are none yet
	}
	for _, d := range devices {
		if keys.ValidDevice(d.Name()) != nil {
			continue
		}
		if err := o.give(d.Name(), now); err != nil {
			o.log.Warn("command cannot be given", "code", "command-failed", "device", d.Name(), "err", err)
		}
	}
}

func (o *orders) give(device string, now time.Time) error {
	all, err := orderSeqs(o.dir, device)
	if err != nil {
		return err
	}
	for _, seq := range all {
		if _, err := OrderResult(o.dir, device, seq); !errors.Is(err, ErrNoResult) {
			continue
		}
		order, err := readOrder(orderPath(o.dir, device, seq, ""))
		if err != nil || order.Seq != seq || order.Device != device {
			return o.settle(device, wire.Result{Signer: string(command.Hub), Seq: seq, Message: "the order's file is damaged"})
		}
		if !now.Before(order.Expires) {
			return o.settle(device, wire.Result{Signer: string(command.Hub), Seq: seq, Message: order.unanswered()})
		}
		if last := o.sent[device]; last.seq == seq && now.Sub(last.at) < resendOrder {
			return nil
		}
		jws, err := order.sign(o.key)
		if err != nil {
			return o.settle(device, wire.Result{Signer: string(command.Hub), Seq: seq, Message: err.Error()})
		}
		if o.send(device, jws) {
			o.sent[device] = sentOrder{seq, now}
		}
		return nil // one at a time: a later number would make this one a replay
	}
	return nil
}

// sign returns what the camera is given.
func (o Order) sign(key ed25519.PrivateKey) ([]byte, error) {
	if o.Signed != "" {
		return []byte(o.Signed), nil
	}
	return command.Sign(key, command.Command{Device: o.Device, Seq: o.Seq, Name: o.Name, Args: o.Args, Issued: o.Issued, Expires: o.Expires})
}

func (o Order) unanswered() string {
	if o.Signed != "" { // a camera does not answer strangers
		return "the camera did not answer before the command expired: was it away, or does it not know who signed (nightjar owner list)?"
	}
	return "the camera did not answer before the command expired"
}

// answers tells whether a result can be this order's: the camera says as what it knows the signer.
func (o Order) answers(r wire.Result) bool {
	return o.Seq == r.Seq && (o.Signed == "") == (r.Signer == string(command.Hub))
}

func readOrder(path string) (o Order, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return o, err
	}
	if info.Size() > orderFile {
		return o, errors.New("too large")
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o, err
}

// take takes a device's result. One that nobody waits for is dropped: the device may not fill the disk.
func (o *orders) take(device string, payload []byte) error {
	r, err := wire.ParseResult(payload)
	if err != nil {
		return err
	}
	if order, err := readOrder(orderPath(o.dir, device, r.Seq, "")); err != nil || !order.answers(r) {
		return nil
	}
	if err := o.settle(device, r); err != nil {
		o.log.Error("result cannot be kept", "code", "command-failed", "device", device, "seq", r.Seq, "err", err)
	}
	return nil
}

// settle keeps the first result of an order.
func (o *orders) settle(device string, r wire.Result) error {
	r.Version = 1
	err := writeOrder(orderPath(o.dir, device, r.Seq, ".result"), r)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		o.log.Info("command answered", "device", device, "seq", r.Seq, "ok", r.OK, "message", r.Message)
	}
	return err
}
