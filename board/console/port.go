// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// readWait is how long a read waits for bytes: it is also how soon a port is given back.
const readWait = 500 * time.Millisecond

// writeWait is how long a write may wait for the line.
const writeWait = 250 * time.Millisecond

// A port is an open serial port: set to raw and locked, for one reader and one writer.
type port struct {
	serial serial.Port
	// line is a second descriptor of the same device, without blocking. The library's Write has no time-out: at a line that nobody
	// drains it would wait for ever, and Close does not free it. It carries our lock, too: TIOCEXCL does not hold for root.
	line    *os.File
	present bool // the far end was seen to hold its modem line
	modem   bool // the port has modem lines
}

// errBusy is returned for a port that another program has locked.
var errBusy = errors.New("another program uses it: stop that one, a getty for instance")

func openPort(path string, baud int) (*port, error) {
	line, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err // it names the path
	}
	if err := flock(line); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), line.Close())
	}
	s, err := serial.Open(path, &serial.Mode{BaudRate: baud})
	if err == nil {
		err = s.SetReadTimeout(readWait) // before the reader begins: the library races otherwise
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), line.Close())
	}
	return &port{serial: s, line: line, modem: true}, nil
}

func flock(f *os.File) (err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) }); e != nil {
		return e
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errBusy
	}
	return err
}

// Read returns 0 bytes when nothing came for readWait.
func (p *port) Read(b []byte) (int, error) { return p.serial.Read(b) }

// Write returns how much the line took within writeWait; that it did not take all is no error.
func (p *port) Write(b []byte) (int, error) {
	if err := p.line.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return 0, err
	}
	n, err := p.line.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// left tells, once, that a far end that held its modem lines holds them no more: the cable was pulled, or the terminal closed. Ports
// without such lines never tell. It is called by the reader.
func (p *port) left() bool {
	if !p.modem {
		return false
	}
	bits, err := p.serial.GetModemStatusBits()
	if err != nil {
		p.modem = false
		return false
	}
	was := p.present
	p.present = bits.DSR || bits.DCD
	return was && !p.present
}

// Close gives the port back. No Read may be under way: the library closes the descriptor before it wakes readers, and its number may be
// another file's by then.
func (p *port) Close() error { return errors.Join(p.serial.Close(), p.line.Close()) }

// wait sets how long a read waits: shortly, when what was read may be the beginning of something. It is called by the reader, between
// two reads.
func (p *port) wait(shortly bool) error {
	if shortly {
		return p.serial.SetReadTimeout(splitAfter)
	}
	return p.serial.SetReadTimeout(readWait)
}
