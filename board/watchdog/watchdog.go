// SPDX-License-Identifier: Apache-2.0

// Package watchdog feeds the board's hardware watchdog, which restarts the board when nobody does: [Open] starts it, [Dog.Feed]
// feeds it, [Dog.Close] ends that. The interface is that of the kernel's Documentation/watchdog/watchdog-api.rst.
package watchdog

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dog is a watchdog that runs. One goroutine uses it.
type Dog struct {
	device   device
	identity string
	timeout  time.Duration
	fired    bool
	magic    bool
}

// device is the open node, or a fake.
type device interface {
	ioctl(request uintptr, arg unsafe.Pointer) error
	write([]byte) error
	close() error
}

// The kernel's, <linux/watchdog.h>.
const (
	wdiocGetSupport    = 0x80285700
	wdiocGetBootStatus = 0x80045702
	wdiocSetTimeout    = 0xc0045706
	wdiocGetTimeout    = 0x80045707

	optionMagicClose = 0x0100
	statusCardReset  = 0x0020
)

// info is struct watchdog_info.
type info struct {
	Options, Firmware uint32
	Identity          [32]byte
}

// Open starts the watchdog at a device node: from now on the board restarts unless it is fed within the time-out. What the
// hardware makes of the time-out is [Dog.Timeout]; a Raspberry Pi has no more than 15 s.
func Open(path string, timeout time.Duration) (*Dog, error) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open watchdog %s: %w", path, hint(err))
	}
	d, err := begin(node(fd), timeout)
	if err != nil {
		return nil, fmt.Errorf("start watchdog %s: %w", path, err)
	}
	return d, nil
}

func hint(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: the board has none, or its driver is not loaded", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: another program feeds it, perhaps systemd (RuntimeWatchdogSec)", err)
	}
	return err
}

// begin sets the time-out of a device that has just been opened, which started it.
func begin(dev device, timeout time.Duration) (*Dog, error) {
	d := &Dog{device: dev}
	var about info
	if dev.ioctl(wdiocGetSupport, unsafe.Pointer(&about)) == nil {
		d.magic = about.Options&optionMagicClose != 0
		d.identity = text(about.Identity[:])
	}
	var status int32
	if dev.ioctl(wdiocGetBootStatus, unsafe.Pointer(&status)) == nil {
		d.fired = status&statusCardReset != 0
	}
	seconds := int32(max(1, timeout/time.Second))
	if err := dev.ioctl(wdiocSetTimeout, unsafe.Pointer(&seconds)); err != nil {
		// It has a time-out of its own, then: that counts.
		if err := dev.ioctl(wdiocGetTimeout, unsafe.Pointer(&seconds)); err != nil || seconds < 1 {
			return nil, errors.Join(fmt.Errorf("set its time-out: it takes neither %v nor tells its own", timeout), d.Close(true))
		}
	}
	d.timeout = time.Duration(seconds) * time.Second
	return d, d.Feed()
}

// Feed keeps the board running for another time-out.
func (d *Dog) Feed() error {
	if err := d.device.write([]byte{'.'}); err != nil {
		return fmt.Errorf("feed watchdog: %w", err)
	}
	return nil
}

// Close lets go of the watchdog. With disarm it stops, if the hardware can; without, the board restarts unless somebody else opens
// it in time.
func (d *Dog) Close(disarm bool) error {
	var err error
	if disarm && d.magic {
		err = d.device.write([]byte{'V'})
	}
	return errors.Join(err, d.device.close())
}

// Timeout is how long the board goes on without being fed.
func (d *Dog) Timeout() time.Duration { return d.timeout }

// Identity is what the driver calls itself.
func (d *Dog) Identity() string { return d.identity }

// Fired tells whether the watchdog was what restarted the board last, as far as the driver knows.
func (d *Dog) Fired() bool { return d.fired }

// node is a file descriptor.
type node int

func (n node) ioctl(request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (n node) write(b []byte) error {
	_, err := unix.Write(int(n), b)
	return err
}

func (n node) close() error { return unix.Close(int(n)) }

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
