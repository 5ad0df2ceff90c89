// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A proxy stands between camera and hub and is the bad network: it cuts, freezes and counts. It reads nothing of what it carries.
type proxy struct {
	listener net.Listener
	hub      string
	carried  atomic.Int64 // bytes handed on to the hub
	conns    atomic.Int64 // connections that were made
	cuts     atomic.Int64

	cutEvery atomic.Int64 // each connection is reset once it has carried so many bytes; 0 for never
	deaf     atomic.Bool  // new connections are refused
	frozen   atomic.Bool  // nothing is read from either side, nothing is closed

	mu   sync.Mutex
	open map[net.Conn]bool // the camera's sides
	wg   sync.WaitGroup
}

func newProxy(t *testing.T, hub string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, hub: hub, open: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.frozen.Store(false)
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.deaf.Load() {
			reset(c)
			continue
		}
		hub, err := net.Dial("tcp", p.hub)
		if err != nil {
			reset(c)
			continue
		}
		p.conns.Add(1)
		p.mu.Lock()
		p.open[c] = true
		p.mu.Unlock()
		var both sync.WaitGroup
		both.Go(func() { p.carry(hub, c, true) })
		both.Go(func() { p.carry(c, hub, false) })
		p.wg.Go(func() {
			both.Wait()
			p.mu.Lock()
			delete(p.open, c)
			p.mu.Unlock()
		})
	}
}

// carry copies until an end fails, and then resets both.
func (p *proxy) carry(to, from net.Conn, up bool) {
	defer reset(to)
	defer reset(from)
	buf := make([]byte, 16<<10)
	var carried int64
	for {
		for p.frozen.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		n, err := from.Read(buf)
		for p.frozen.Load() { // what was under way when it froze
			time.Sleep(10 * time.Millisecond)
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			if up {
				p.carried.Add(int64(n))
				carried += int64(n)
			}
		}
		if every := p.cutEvery.Load(); up && every > 0 && carried >= every {
			p.cuts.Add(1)
			return
		}
		if err != nil {
			return
		}
	}
}

// cut resets all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		reset(c)
	}
	if len(p.open) > 0 {
		p.cuts.Add(1)
	}
}

// reset ends a connection with RST instead of FIN: what was not read is gone.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}
