// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"time"
)

// Config says which port is served, and to whom.
type Config struct {
	Device      string        `yaml:"device"`      // the serial port; empty: there is no console
	Baud        int           `yaml:"baud"`        // bits a second
	Technicians []string      `yaml:"technicians"` // public SSH keys, a line each
	Authorities []string      `yaml:"authorities"` // public SSH keys whose certificates make technicians
	Site        string        `yaml:"site"`        // a certificate may name it instead of the camera; empty: none
	Button      bool          `yaml:"button"`      // who logs in has to press the camera's button
	Idle        time.Duration `yaml:"-"`           // a visitor who types nothing for so long is logged out
}

// DefaultConfig serves no port until one is named.
func DefaultConfig() Config {
	return Config{Baud: 115200, Idle: 10 * time.Minute}
}

// Validate returns an error for a value out of range. The keys are checked by who judges them.
func (c Config) Validate() error {
	switch {
	case c.Device != "" && c.Device[0] != '/':
		return fmt.Errorf("device: %q: give the path of a serial port, such as /dev/ttyGS0 or /dev/serial0", c.Device)
	case c.Baud < 1200 || c.Baud > 4_000_000:
		return fmt.Errorf("baud: %d: must be 1200 to 4000000; 115200 is usual", c.Baud)
	case c.Idle < 10*time.Second || c.Idle > 24*time.Hour:
		return fmt.Errorf("idle: %v: must be 10s to 24h", c.Idle)
	case len(c.Site) > 64:
		return errors.New("site: more than 64 bytes")
	}
	return nil
}

// Serves tells whether there is a port to serve.
func (c Config) Serves() bool { return c.Device != "" }
