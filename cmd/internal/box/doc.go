// SPDX-License-Identifier: Apache-2.0

// Package box tests the agent on an emulated ARM64 board: QEMU, a Debian kernel with a virtual camera, and our agent. It has tests
// only, which `make board-test` runs; without NIGHTJAR_BOX, as set there, they say that they are skipped.
//
// A scenario boots a board with boot, and tells its init what to do with box.do or its short forms: run a program of the image,
// start or signal the agent, read and write files. What the board says on its console, the agent's log among it, is in box.log.
// The state folder is on a disk that outlives restarts. The hub runs on the host; the board reaches it at 10.0.2.2.
package box
