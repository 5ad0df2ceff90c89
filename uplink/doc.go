// SPDX-License-Identifier: Apache-2.0

// Package uplink brings what is in the spool to the hub. Start with [New]; a [Session] is a task that connects by MQTT over
// mutually authenticated TLS 1.3, and removes an entry from the spool when the hub's signed receipt for it verifies, and for no
// other reason: an MQTT acknowledgement says that a broker took a message, not that a clip is stored.
//
// Records and sealed details of all entries go first, so that the owner sees what is waiting on a slow link; then clip by clip,
// when the word of package policy in the entry's note lets it. [Session.Pause] and [Session.Request] change that meanwhile.
package uplink
