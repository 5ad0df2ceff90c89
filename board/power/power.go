// SPDX-License-Identifier: Apache-2.0

// Package power restarts the board: [Reboot].
package power

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the service manager may take to bring the board down.
const patience = 45 * time.Second

// Reboot has process 1 reboot the board in good order, as Ctrl-Alt-Del does (SIGINT: systemd, BusyBox and sysvinit all take it).
// Where that brings nothing about, or is not allowed, the kernel is asked, after everything was written. It returns only when
// neither worked; the error says what to allow.
func Reboot() error { return reboot(kernel{}, patience) }

// machine is what Reboot needs of the kernel.
type machine interface {
	kill(pid int, sig unix.Signal) error
	sync()
	reboot(cmd int) error
}

type kernel struct{}

func (kernel) kill(pid int, sig unix.Signal) error { return unix.Kill(pid, sig) }
func (kernel) sync()                               { unix.Sync() }
func (kernel) reboot(cmd int) error                { return unix.Reboot(cmd) }

func reboot(m machine, patience time.Duration) error {
	m.sync() // first: whoever brings the board down may be in a hurry
	asked := m.kill(1, unix.SIGINT)
	if asked == nil {
		time.Sleep(patience)
	}
	m.sync()
	err := m.reboot(unix.LINUX_REBOOT_CMD_RESTART)
	return fmt.Errorf("reboot the board: %w: give the agent's service the capability CAP_SYS_BOOT, or a hardware watchdog",
		errors.Join(asked, err))
}
