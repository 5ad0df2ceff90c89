// SPDX-License-Identifier: Apache-2.0

// Package keys is what a camera holds: its identity, its certificate, the hub it trusts, and the recipients it seals clips
// to. Start with [OpenStore]; [Store.Identity] makes the identity on first use, [Store.Credential] is there after enrolment
// (package enroll). Package seal seals clips, package record signs what was recorded, package command
// signs what a camera is to do and lets each command through once.
//
// Private keys never leave the store but inside [Identity] and [Credential], which print as their public half.
package keys

import (
	"fmt"
	"strings"
)

// HubName is the name in every hub's certificate, whatever its address: the CA is what is trusted, and a hub may move.
const HubName = "nightjar-hub"

// ValidDevice returns an error unless id is 1 to 63 of a-z, 0-9 and dashes, with no dash at either end. A device id stands in
// MQTT topics and in paths: no wildcard, separator or dot can be smuggled in.
func ValidDevice(id string) error {
	if len(id) < 1 || len(id) > 63 {
		return fmt.Errorf("device id of %d characters: must have 1 to 63", len(id))
	}
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if strings.ContainsFunc(id, foreign) {
		return fmt.Errorf("device id %q: must be of a-z, 0-9 and dashes", id)
	}
	if id[0] == '-' || id[len(id)-1] == '-' {
		return fmt.Errorf("device id %q: must not begin or end with a dash", id)
	}
	return nil
}
