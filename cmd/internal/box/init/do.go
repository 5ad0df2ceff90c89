// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
)

// most bounds what goes back to the host of one program or file.
const most = 256 << 10

func do(a *agent, q wire.Request) (r wire.Reply) {
	var err error
	switch q.Op {
	case wire.Run:
		r.Output, r.Code, err = run(q.Args)
	case wire.Write:
		if err = os.WriteFile(q.Path, q.Data, 0o600); err == nil {
			unix.Sync() // a configuration was there before the power went
		}
	case wire.Read:
		r.Output, err = os.ReadFile(q.Path)
		r.Output = r.Output[:min(len(r.Output), most)]
	case wire.Mkdir:
		err = os.MkdirAll(q.Path, 0o700)
	case wire.List:
		var entries []os.DirEntry
		entries, err = os.ReadDir(q.Path)
		for _, e := range entries {
			target, _ := os.Readlink(q.Path + "/" + e.Name())
			r.Names = append(r.Names, e.Name()+"\t"+target)
		}
	case wire.Start:
		a.want(q.Args)
	case wire.Signal:
		err = a.signal(unix.Signal(q.Number))
	case wire.Status:
		r.Number = int64(a.pid())
		r.Uptime = uptime()
	case wire.Reboot:
		unix.Sync()
		err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	default:
		err = fmt.Errorf("no operation %q", q.Op)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// run runs a program of the image to its end.
func run(args []string) (out []byte, code int, err error) {
	if len(args) == 0 {
		return nil, 0, errors.New("no program")
	}
	var b bytes.Buffer
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = &b, &b
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		return nil, 0, err
	}
	timer := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	defer timer.Stop()
	if err := c.Wait(); c.ProcessState == nil {
		return nil, 0, err
	}
	return b.Bytes()[:min(b.Len(), most)], c.ProcessState.ExitCode(), nil
}

// uptime is the time since the kernel began, in milliseconds.
func uptime() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return t.Nano() / int64(time.Millisecond)
}

// agent is the program that is kept running, as a service manager does. Its log goes to the console.
type agent struct {
	mu      sync.Mutex
	args    []string
	running *exec.Cmd
}

func (a *agent) want(args []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.args = args
}

func (a *agent) signal(s unix.Signal) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		return errors.New("the agent does not run")
	}
	return a.running.Process.Signal(s)
}

func (a *agent) pid() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		return 0
	}
	return a.running.Process.Pid
}

// keep starts the agent whenever it should run and does not.
func (a *agent) keep() {
	for ; ; time.Sleep(200 * time.Millisecond) {
		a.mu.Lock()
		if len(a.args) == 0 {
			a.mu.Unlock()
			continue
		}
		c := exec.Command(a.args[0], a.args[1:]...)
		c.Stdout, c.Stderr = os.Stdout, os.Stdout
		err := c.Start()
		if err == nil {
			a.running = c
		}
		a.mu.Unlock()
		if err == nil {
			err = c.Wait()
		}
		a.mu.Lock()
		a.running = nil
		a.mu.Unlock()
		fmt.Println("init: the agent ended:", err)
	}
}
