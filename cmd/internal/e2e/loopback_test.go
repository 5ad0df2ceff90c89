// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A loopback holds the bytes of every packet that crossed the loopback interface while it ran.
type loopback struct {
	mu      sync.Mutex
	packets [][]byte
	fd      int
	end     chan struct{}
}

// captureLoopback starts a raw capture. It needs CAP_NET_RAW: ok is false where that is not to be had.
func captureLoopback(t *testing.T) (c *loopback, ok bool) {
	t.Helper()
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if errors.Is(err, unix.EPERM) {
		return nil, false
	}
	if err != nil {
		t.Fatal("open packet socket:", err)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index}); err != nil {
		t.Fatal("bind packet socket:", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	// A time-out lets the reader notice the end.
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000})
	c = &loopback{fd: fd, end: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(c.read)
	t.Cleanup(func() {
		c.stop()
		wg.Wait()
		unix.Close(fd)
	})
	return c, true
}

func (c *loopback) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.end:
	default:
		close(c.end)
	}
}

func (c *loopback) read() {
	buf := make([]byte, 128<<10)
	for {
		select {
		case <-c.end:
			return
		default:
		}
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if err != nil || n == 0 {
			continue
		}
		c.mu.Lock()
		c.packets = append(c.packets, append([]byte(nil), buf[:n]...))
		c.mu.Unlock()
	}
}

// take returns the packets seen so far and how many the kernel had to drop.
func (c *loopback) take(t *testing.T) ([][]byte, uint32) {
	t.Helper()
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal("packet statistics:", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.packets, stats.Drops
}
