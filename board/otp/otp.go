// SPDX-License-Identifier: Apache-2.0

// Package otp reads the secret that a Raspberry Pi can hold in its one-time programmable memory. [PrivateKey] is all there is;
// the owner writes it once, with rpi-otp-private-key of Raspberry Pi's usbboot.
//
// The secret is not on the SD card, so a card alone does not give away what is sealed to it. It is no hardware vault: who is root
// on the board can read it.
package otp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNone says that the board has no such secret: it is no Raspberry Pi, its kernel has no mailbox device, or nobody wrote one.
var ErrNone = errors.New("the board has no private key in its one-time programmable memory")

const (
	device = "/dev/vcio"

	// The firmware's property interface: a message of words, which the answer overwrites.
	getPrivateOTP = 0x00030081
	rows          = 8 // of 32 bits
	answered      = 0x80000000
)

// message is size, code, tag, room for the value, its length, first row, number of rows, the rows, and the end tag. The firmware
// wants a multiple of 16 bytes.
type message [16]uint32

// PrivateKey returns the board's secret; the error wraps [ErrNone] when it has none.
func PrivateKey() ([32]byte, error) {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return [32]byte{}, fmt.Errorf("%w: there is no %s", ErrNone, device)
	}
	if err != nil {
		return [32]byte{}, fmt.Errorf("read the board's private key: %w", err)
	}
	defer f.Close()
	return read(func(m *message) error {
		// _IOWR(100, 0, char *): the size of a pointer is in the number.
		request := uintptr(3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 100<<8)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(m))); errno != 0 {
			return errno
		}
		return nil
	})
}

// read asks the firmware through call.
func read(call func(*message) error) (key [32]byte, err error) {
	m := message{0: uint32(len(message{}) * 4), 2: getPrivateOTP, 3: 8 + 4*rows, 4: 8 + 4*rows, 6: rows}
	if err := call(&m); err != nil {
		return key, fmt.Errorf("read the board's private key: %w", err)
	}
	// A firmware that does not know the tag leaves its answer bit unset.
	if m[1] != answered || m[4] != answered|(8+4*rows) || m[6] != rows {
		return key, fmt.Errorf("%w: the firmware does not know of it", ErrNone)
	}
	for i := range rows {
		binary.BigEndian.PutUint32(key[4*i:], m[7+i])
	}
	if key == [32]byte{} {
		return key, fmt.Errorf("%w: nobody wrote one", ErrNone)
	}
	return key, nil
}
