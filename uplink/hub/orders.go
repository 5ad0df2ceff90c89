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
// uses of the key apart.
type Order struct {
	Device  string          `json:"device"`
	Seq     uint64          `json:"seq"`
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args,omitempty"`
	Issued  time.Time       `json:"issued"`
	Expires time.Time       `json:"expires"`
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
		all, err := orderSeqs(dir, device)
		if err != nil {
			return none, fmt.Errorf("order a command: %w", err)
		}
		if len(all) >= maxOrders {
			if err := forget(dir, device, all[:len(all)-maxOrders+1]); err != nil {
				return none, err
			}
		}
		if len(all) > 0 {
			o.Seq = max(o.Seq, all[len(all)-1]+1)
		}
		err = writeOrder(orderPath(dir, device, o.Seq, ""), o)
		if !errors.Is(err, fs.ErrExist) {
			return o, err
		}
	}
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
			return o.settle(device, wire.Result{Signer: string(command.Hub), Seq: seq, Message: "the camera did not answer before the command expired"})
		}
		if last := o.sent[device]; last.seq == seq && now.Sub(last.at) < resendOrder {
			return nil
		}
		jws, err := command.Sign(o.key, command.Command{Device: device, Seq: seq, Name: order.Name, Args: order.Args, Issued: order.Issued, Expires: order.Expires})
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
	if _, err := os.Stat(orderPath(o.dir, device, r.Seq, "")); r.Signer != string(command.Hub) || err != nil {
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
