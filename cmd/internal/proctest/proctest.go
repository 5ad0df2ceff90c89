// SPDX-License-Identifier: Apache-2.0

// Package proctest runs our programs as processes of their own in tests: [Start] one, then look at its [Process.Log], and let it
// end by [Process.Wait] or [Process.Kill]. No program links it.
package proctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A Process is a running program whose output goes to a file. It ends with the test at the latest.
type Process struct {
	Cmd  *exec.Cmd
	Exit <-chan struct{} // closed once it has ended
	Err  error           // how; valid once Exit is closed

	file string
}

// Start starts argv and appends what it says to the file log, whose folder is made.
func Start(t testing.TB, log string, argv ...string) *Process {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	exit := make(chan struct{})
	p := &Process{Cmd: exec.Command(argv[0], argv[1:]...), Exit: exit, file: log}
	p.Cmd.Stdout, p.Cmd.Stderr = f, f
	// A killed test takes its children with it. The signal goes out with the thread that started them, which
	// Go keeps as long as no goroutine that is locked to it returns.
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Err = p.Cmd.Wait()
		close(exit)
	}()
	t.Cleanup(p.Kill)
	return p
}

// PID is the process' number.
func (p *Process) PID() int { return p.Cmd.Process.Pid }

// Log is what the program has said so far.
func (p *Process) Log() string {
	b, _ := os.ReadFile(p.file)
	return string(b)
}

// Tail is the end of what it said, for an error.
func (p *Process) Tail() string {
	log := p.Log()
	return log[max(0, len(log)-3000):]
}

// Done tells whether it has ended.
func (p *Process) Done() bool {
	select {
	case <-p.Exit:
		return true
	default:
		return false
	}
}

// Kill sends SIGKILL and waits until the process is gone.
func (p *Process) Kill() {
	p.Cmd.Process.Kill()
	<-p.Exit
}

// Wait waits until the process ends by itself, in good order and within limit; anything else fails the test.
func (p *Process) Wait(t testing.TB, limit time.Duration) {
	t.Helper()
	select {
	case <-p.Exit:
		if p.Err != nil {
			t.Fatalf("%s: %v\n%s", p.Cmd, p.Err, p.Tail())
		}
	case <-time.After(limit):
		p.Kill()
		t.Fatalf("%s still runs after %v\n%s", p.Cmd, limit, p.Tail())
	}
}
