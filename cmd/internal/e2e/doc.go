// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the tests of the three programs together, as a user runs them: a hub, a camera
// and an owner, each a process of its own, over real TLS on the loopback interface. Start with
// newSite, which makes all three; nothing here is linked into a program.
package e2e
