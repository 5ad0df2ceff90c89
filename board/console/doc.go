// SPDX-License-Identifier: Apache-2.0

// Package console serves a technician at a serial port. [New] makes the task of a port from a [Config] and a [Site], which is what the
// rest of the agent gives it: who may log in, what the commands are, what to say first. [OpenLock] counts failed logins.
//
// There is no password and no shell. A visitor proves a key by signing a challenge, and gets the commands of their role. Nothing here
// waits for the far end: what a line does not take is dropped, and counted.
package console
