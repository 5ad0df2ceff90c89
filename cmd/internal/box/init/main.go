// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Init is the first process of the emulated board: it loads modules, sets the network, keeps the agent running, and does what
// the test on the host says over a serial line. It is test equipment; no camera carries it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
)

func main() {
	if err := boot(); err != nil {
		fmt.Println("init:", err)
	}
	serve()
}

// boot makes what a distribution's own init makes.
func boot() error {
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"}, {"devtmpfs", "/dev", "devtmpfs"}, {"tmpfs", "/run", "tmpfs"}, {"tmpfs", "/tmp", "tmpfs"},
	} {
		os.MkdirAll(m.target, 0o755)
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := modules(); err != nil {
		return err
	}
	unix.Mount("configfs", "/sys/kernel/config", "configfs", 0, "")
	if err := network(); err != nil {
		return err
	}
	return state()
}

// modules loads what the image has, in its order.
func modules() error {
	order, err := os.ReadFile("/mods/order")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(order)) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		f, err := os.Open("/mods/" + name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), args, 0)
		f.Close()
		if err != nil && err != unix.EEXIST {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// network gives the card the address that QEMU's user network has for it.
func network() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	for _, name := range []string{"lo", "eth0"} {
		address := []byte{127, 0, 0, 1}
		if name == "eth0" {
			address = []byte{10, 0, 2, 15}
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetInet4Addr(address)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, r); err != nil {
			return fmt.Errorf("address of %s: %w", name, err)
		}
		if name == "eth0" {
			r.SetInet4Addr([]byte{255, 255, 255, 0})
			if err := unix.IoctlIfreq(s, unix.SIOCSIFNETMASK, r); err != nil {
				return fmt.Errorf("netmask of %s: %w", name, err)
			}
		}
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r); err != nil {
			return fmt.Errorf("bring %s up: %w", name, err)
		}
	}
	return nil
}

// state mounts the disk, which outlives a restart.
func state() error {
	os.MkdirAll("/state", 0o700)
	return unix.Mount("/dev/vda", "/state", "ext4", unix.MS_NOATIME, "")
}

// serve does what the host says, line by line, for as long as the board runs.
func serve() {
	line, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	if err == nil {
		err = raw(int(line.Fd()))
	}
	if err != nil {
		fmt.Println("init: no line to the host:", err)
		for {
			time.Sleep(time.Hour)
		}
	}
	a := &agent{}
	go a.keep()
	in := bufio.NewScanner(line)
	in.Buffer(make([]byte, 0, 64<<10), 1<<20)
	fmt.Fprintln(line, wire.Hello)
	for in.Scan() {
		var q wire.Request
		var r wire.Reply
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			r.Error = err.Error()
		} else {
			r = do(a, q)
		}
		text, _ := json.Marshal(r)
		fmt.Fprintf(line, "%s\n", text)
	}
	fmt.Println("init: the line to the host ended:", in.Err())
	select {}
}

// raw makes the line carry bytes as they are.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
