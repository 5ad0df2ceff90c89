// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/capture"
)

// device is an open node, as far as the driver needs it: /dev/videoN, or the fake in the tests.
type device interface {
	// ioctl fills or reads the structure that arg points to.
	ioctl(request uintptr, arg unsafe.Pointer) error
	mmap(offset int64, length int) ([]byte, error)
	munmap([]byte) error
	// wait returns when a buffer can be dequeued, the device is gone, or wake was called; woken tells the last.
	wait() (woken bool, err error)
	// wake ends every wait from now on. It may be called from any goroutine.
	wake()
	close() error
}

// node is the kernel's.
type node struct {
	fd, event int
	polled    [2]unix.PollFd
}

// openNode opens a device node without waiting for anybody.
func openNode(path string) (device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, opening(path, err)
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make event: %w", err)
	}
	return &node{fd: fd, event: event, polled: [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(event), Events: unix.POLLIN}}}, nil
}

// opening says what to do about a node that does not open.
func opening(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%s: %w: plug it in; `nightjar camera list` shows what is there", path, capture.ErrGone)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: put the agent's user into the group video", path, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: %w: another program uses the camera; end it", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func (n *node) ioctl(request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(n.fd), request, uintptr(arg))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

func (n *node) mmap(offset int64, length int) ([]byte, error) {
	return unix.Mmap(n.fd, offset, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (n *node) munmap(b []byte) error { return unix.Munmap(b) }

func (n *node) wait() (bool, error) {
	for {
		n.polled[0].Revents, n.polled[1].Revents = 0, 0
		if _, err := unix.Poll(n.polled[:], -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return false, fmt.Errorf("wait for a picture: %w", err)
		}
		return n.polled[1].Revents != 0, nil
	}
}

func (n *node) wake() { unix.Write(n.event, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

func (n *node) close() error { return errors.Join(unix.Close(n.fd), unix.Close(n.event)) }
