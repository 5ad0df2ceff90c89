// SPDX-License-Identifier: Apache-2.0

// Package uplink brings what is in the spool to the hub. Start with [New]; a [Session] is a task that connects by MQTT over
// mutually authenticated TLS 1.3, sends entry by entry, and removes one from the spool when the hub's signed receipt for it
// verifies, and for no other reason: an MQTT acknowledgement says that a broker took a message, not that a clip is stored.
package uplink
