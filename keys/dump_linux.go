// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NoDumps keeps this process' memory out of core files, and from being read by other processes of the same user: a program that
// holds keys calls it first. It holds until the process ends.
func NoDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	// The limit alone does not bind a core_pattern that pipes to a program.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	return nil
}
