// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// remedies are what to do about the common troubles, by a piece of the error's text: TLS alerts of the other side and
// refusals of MQTT have no type to tell them by.
var remedies = []struct{ sign, remedy string }{
	{"certificate required", "the hub asks for a certificate: run `nightjar enroll`"},
	{"expired certificate", "the hub says that this camera's certificate has expired: the agent renews it within a minute; if this stays, check the hub's clock, or run `nightjar enroll` with a new token"},
	{"bad certificate", "the hub refuses this camera's certificate: the agent asks for a new one within a minute; if this stays, run `nightjar enroll` with a new token"},
	{"unknown certificate authority", "the hub does not know this camera's CA: is it another hub? If its CA was rotated, the agent renews within a minute; if not, run `nightjar enroll` with a token of this one"},
	{"protocol version", "the other side does not speak TLS 1.3: is it a Nightjar hub?"},
	{"first record does not look like a TLS handshake", "the other side does not speak TLS: is the port right?"},
	{"signed by unknown authority", "this is not the hub the camera was enrolled at: check the address with `nightjar hub show`; at another hub the camera has to be enrolled anew"},
	{"not Authorized", "the hub does not know this camera any more: run `nightjar enroll` with a new token"},
	{"bad user name or password", "the hub does not know this camera any more: run `nightjar enroll` with a new token"},
	{"unacceptable protocol version", "the other side does not speak MQTT 3.1.1: is it a Nightjar hub?"},
}

// explain adds to a connection's error what to do about it.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("%w (the hub's name is not found: check the address and the camera's network)", err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w (nothing listens there: is the hub running, and is the address right?)", err)
	}
	if errors.Is(err, errSilent) {
		return fmt.Errorf("%w (it hangs, or the network between swallows everything: it is tried again)", err)
	}
	if errors.Is(err, errUnruly) {
		return fmt.Errorf("%w (update the hub, and look whether it is still yours; it is tried again more and more rarely)", err)
	}
	text := err.Error()
	for _, r := range remedies {
		if strings.Contains(text, r.sign) {
			return fmt.Errorf("%w (%s)", err, r.remedy)
		}
	}
	return err
}

// trouble is the code of a connection's error, for the log.
func trouble(err error) string {
	if errors.Is(err, errUnruly) {
		return "hub-unruly"
	}
	return "hub-unreachable"
}
