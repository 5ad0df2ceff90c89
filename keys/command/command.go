// SPDX-License-Identifier: Apache-2.0

// Package command is what a camera may be told to do, and by whom. [Sign] makes a command; a camera's [Gate] lets it through
// once, if its signer may give it: [Allowed] asks the one table of who may do what. A command is signed, is for one device,
// carries a number that its signer counts up, and expires: whoever carries it can only drop it.
package command

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
)

// Version of the commands that this program knows.
const Version = 1

// Bounds of a command.
const (
	MaxArgs = 8 << 10         // bytes of its arguments, in JSON
	MaxLife = 24 * time.Hour  // from issue to expiry
	skew    = 5 * time.Minute // by which a signer's clock may be ahead
	maxSeq  = 1<<53 - 1       // what JSON carries exactly
)

const typ = "nightjar-command+jws"

// Role is what a signer is.
type Role string

// The roles. A device commands nobody: it is here so that the table says so.
const (
	Device     Role = "device"
	Owner      Role = "owner"
	Operator   Role = "operator"
	Technician Role = "technician"
	Hub        Role = "hub"
)

// Roles are all of them.
func Roles() []Role { return []Role{Device, Owner, Operator, Technician, Hub} }

// The names of the commands.
const (
	Status      = "status"            // answers with what the camera is doing
	ConfigShow  = "config.show"       // answers with the configuration in force
	ConfigSet   = "config.set"        // tries a configuration over the file's, and keeps it if the hub is reached: {"yaml": text}
	Pause       = "upload.pause"      // sends no clips
	Resume      = "upload.resume"     // sends clips again
	Request     = "upload.request"    // sends a clip that waits to be asked for: {"clip": id}
	Retry       = "upload.retry"      // offers again what the hub has refused
	HubSet      = "hub.set"           // goes to another address of the hub: {"hub": "host:port"}
	MotionBusy  = "motion.busy"       // answers with where it is busy by habit
	MotionReset = "motion.reset-busy" // forgets it
	Privacy     = "privacy.set"       // closes the sensor, or takes that back: {"on": bool}
	PrivacyShow = "privacy.show"      // answers with whether it is closed, and by whom
	Reset       = "factory-reset"     // destroys keys, clips and settings: this is no camera of anybody's then

	// What can be asked for at the board only.
	Doctor = "doctor" // tries each part that the camera needs
	Net    = "net"    // shows addresses, the route, and how far the way to the hub goes
	Wifi   = "wifi"   // shows radio networks, and joins one
	Logs   = "logs"   // shows what the agent said
	Focus  = "focus"  // shows how sharp the picture is
	Zones  = "zones"  // shows the parts of the picture that count
	Enroll = "enroll" // takes a token of the hub
	Reboot = "reboot" // starts the board anew

	AtPrivacy = "privacy" // closes the sensor for who is there, or takes that back
)

// table says who may give which command. What is not in it does not exist.
var table = map[string][]Role{
	Status:      {Owner, Operator, Technician, Hub},
	ConfigShow:  {Owner, Technician, Hub},
	ConfigSet:   {Owner, Technician, Hub},
	Pause:       {Owner, Operator, Technician, Hub},
	Resume:      {Owner, Operator, Technician, Hub},
	Request:     {Owner, Operator, Hub},
	Retry:       {Owner, Operator, Technician, Hub},
	HubSet:      {Owner, Technician, Hub}, // the certificate authority stays the same, whoever asks
	MotionBusy:  {Owner, Operator, Technician, Hub},
	MotionReset: {Owner, Technician, Hub},
	Privacy:     {Owner, Hub}, // a hub can take back its own word only
	PrivacyShow: {Owner, Operator, Technician, Hub},
	Reset:       {Owner, Technician}, // a hub that was taken over must not take the cameras along
}

// atBoard says who may give which command at the board itself, besides those of the table. No signed command has such a name: what
// needs somebody before the camera is not to be had from afar.
var atBoard = map[string][]Role{
	Doctor: {Owner, Technician},
	Net:    {Owner, Technician},
	Wifi:   {Owner, Technician},
	Logs:   {Owner, Technician},
	Focus:  {Owner, Technician},
	Zones:  {Owner, Technician},
	Enroll: {Owner, Technician},
	Reboot: {Owner, Technician},

	AtPrivacy: {Owner, Technician},
}

// Names returns the commands that can be signed, sorted.
func Names() []string {
	var names []string
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Reasons why a command is refused; every error of a Gate wraps one of them.
var (
	ErrMalformed = errors.New("malformed command")
	ErrSigner    = errors.New("nobody whom this camera knows has signed the command")
	ErrDevice    = errors.New("command is for another camera")
	ErrExpired   = errors.New("command has expired")
	ErrEarly     = errors.New("command is from the future: check the clocks")
	ErrRole      = errors.New("command is not allowed")
	ErrReplayed  = errors.New("command was given before")
	ErrState     = errors.New("cannot remember the command, so it is not obeyed")
)

// Allowed returns an error that wraps [ErrRole] unless the table lets the role give the command.
func Allowed(name string, role Role) error {
	roles, ok := table[name]
	if !ok {
		return fmt.Errorf("%w: there is no command %.80q", ErrRole, name)
	}
	if !slices.Contains(roles, role) {
		return fmt.Errorf("%w: %s is not for the %s", ErrRole, name, role)
	}
	return nil
}

// AllowedAtBoard is [Allowed] for somebody who proved their key at the board itself.
func AllowedAtBoard(name string, role Role) error {
	if roles, ok := atBoard[name]; ok && slices.Contains(roles, role) {
		return nil
	} else if ok {
		return fmt.Errorf("%w: %s is not for the %s", ErrRole, name, role)
	}
	return Allowed(name, role)
}

// Command is one order to one camera.
type Command struct {
	Version int             `json:"v"`
	Device  string          `json:"device"`
	Seq     uint64          `json:"seq"` // its signer counts up, for each device
	Issued  time.Time       `json:"issued"`
	Expires time.Time       `json:"expires"`
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args,omitempty"`
}

// Sign encodes and signs a command; it fills in the version. Times are in whole milliseconds, UTC.
func Sign(key ed25519.PrivateKey, c Command) ([]byte, error) {
	c.Version = Version
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("sign command %s: %w", c.Name, err)
	}
	jws, err := record.SignStatement(key, typ, c)
	if err != nil {
		return nil, fmt.Errorf("sign command %s: %w", c.Name, err)
	}
	return jws, nil
}

// Verify checks signature and form of a command, and nothing else; a camera asks its [Gate].
func Verify(pub ed25519.PublicKey, jws []byte) (Command, error) {
	var c Command
	err := record.VerifyStatement(pub, typ, jws, &c)
	if errors.Is(err, record.ErrSignature) {
		return Command{}, fmt.Errorf("verify command: %w", ErrSigner)
	}
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return Command{}, fmt.Errorf("verify command: %w: %w", ErrMalformed, err)
	}
	return c, nil
}

// Peek reads a command without a check of its signature, for who only carries it.
func Peek(jws []byte) (Command, error) {
	var c Command
	err := record.PeekStatement(typ, jws, &c)
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return Command{}, fmt.Errorf("read command: %w: %w", ErrMalformed, err)
	}
	return c, nil
}

func (c Command) validate() error {
	if c.Version != Version {
		return fmt.Errorf("version %d, this program knows %d", c.Version, Version)
	}
	if err := keys.ValidDevice(c.Device); err != nil {
		return err
	}
	if c.Seq == 0 || c.Seq > maxSeq {
		return errors.New("number is out of range")
	}
	if c.Name == "" || len(c.Name) > 64 {
		return errors.New("no name, or a long one")
	}
	if len(c.Args) > MaxArgs || len(c.Args) > 0 && c.Args[0] != '{' {
		return fmt.Errorf("arguments are no object, or have more than %d bytes", MaxArgs)
	}
	for _, t := range []time.Time{c.Issued, c.Expires} {
		if _, offset := t.Zone(); offset != 0 || t.Nanosecond()%int(time.Millisecond) != 0 || t.Year() < 1970 || t.Year() > 9999 {
			return errors.New("time is not UTC in whole milliseconds")
		}
	}
	if life := c.Expires.Sub(c.Issued); life <= 0 || life > MaxLife {
		return fmt.Errorf("lives for %v: must be more than 0 and at most %v", life, MaxLife)
	}
	return nil
}
