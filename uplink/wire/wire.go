// SPDX-License-Identifier: Apache-2.0

// Package wire is the language of camera and hub: MQTT topics and the messages on them. Start with [Topic] and [ParseTopic],
// and the Parse function of each message. Decoders are strict and bounded: what they accept was written by an encoder of the
// same version. Names and fields are stable: they are only added to, under a new version in the topic.
//
// A camera offers a record (up/offer). The hub says what it has of the clip (down/have), the camera sends the rest in chunks
// (up/chunk), and the hub answers with a signed receipt (down/receipt) or a refusal (down/refuse). A camera may send the
// details alone, and offer the record again: when the hub says that it has all of them, the owner sees the clip, and the body
// may come later, under another offer, or never.
//
// When a camera says that it is online, the hub welcomes it (down/welcome). It says so again every few seconds while it works
// on one message for long: who hears nothing at all takes the other side for dead. A signed command (down/command) is answered
// by one result (up/result).
package wire

import (
	"fmt"
	"strings"
)

// Prefix begins every topic; the device's id follows.
const Prefix = "nightjar/v1/"

// Kind is the part of a topic behind the device's id.
type Kind string

const (
	UpOffer     Kind = "up/offer"     // [Offer]
	UpChunk     Kind = "up/chunk"     // [Chunk]
	UpStatus    Kind = "up/status"    // [Status], retained, and the will
	UpResult    Kind = "up/result"    // [Result]
	DownHave    Kind = "down/have"    // [Have]
	DownReceipt Kind = "down/receipt" // a compact JWS of package record, at most [MaxReceipt] bytes
	DownRefuse  Kind = "down/refuse"  // [Refuse]
	DownWelcome Kind = "down/welcome" // [Welcome]
	DownCommand Kind = "down/command" // a compact JWS of package command, at most [MaxCommand] bytes
)

// Up tells whether messages of the kind come from a camera.
func (k Kind) Up() bool { return strings.HasPrefix(string(k), "up/") }

// Topic returns the topic of a device's messages of a kind.
func Topic(device string, kind Kind) string { return Prefix + device + "/" + string(kind) }

// Filter returns the subscription to all that the hub says to a device.
func Filter(device string) string { return Prefix + device + "/down/#" }

// HubFilter is the subscription to all that devices say, for a hub that is itself a client of a broker.
const HubFilter = Prefix + "+/up/#"

// ParseTopic takes a topic apart; it knows the kinds above and no other. The device is a valid device id in form only.
func ParseTopic(topic string) (device string, kind Kind, err error) {
	rest, ok := strings.CutPrefix(topic, Prefix)
	device, k, cut := strings.Cut(rest, "/")
	if !ok || !cut || !validDevice(device) {
		return "", "", fmt.Errorf("topic %.80q is not of this protocol", topic)
	}
	switch kind := Kind(k); kind {
	case UpOffer, UpChunk, UpStatus, UpResult, DownHave, DownReceipt, DownRefuse, DownWelcome, DownCommand:
		return device, kind, nil
	}
	return "", "", fmt.Errorf("topic %.80q is of an unknown kind", topic)
}

// validDevice is the rule of keys.ValidDevice, which a leaf cannot import.
func validDevice(id string) bool {
	foreign := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return len(id) >= 1 && len(id) <= 63 && !strings.ContainsFunc(id, foreign) && id[0] != '-' && id[len(id)-1] != '-'
}
