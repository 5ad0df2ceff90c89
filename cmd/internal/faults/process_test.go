// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A process is a running program whose output goes to a file in the site's logs.
type process struct {
	cmd  *exec.Cmd
	file string
	exit chan struct{}
	err  error // valid once exit is closed
}

func (s *site) start(log string, argv ...string) *process {
	s.t.Helper()
	p := &process{file: s.path("logs", log), exit: make(chan struct{})}
	f := s.openLog(log)
	defer f.Close()
	if s.behind {
		argv = append([]string{"nice", "-n", "19"}, argv...)
	}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	// A killed test takes its children with it. The signal goes out with the thread that started them, which
	// Go keeps as long as no goroutine that is locked to it returns.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exit)
	}()
	s.t.Cleanup(p.kill)
	return p
}

func (s *site) openLog(log string) *os.File {
	s.t.Helper()
	if err := os.MkdirAll(s.path("logs"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.OpenFile(s.path("logs", log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (p *process) log() string {
	b, _ := os.ReadFile(p.file)
	return string(b)
}

func (p *process) done() bool {
	select {
	case <-p.exit:
		return true
	default:
		return false
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill sends SIGKILL and waits until the process is gone.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.exit
}

// stop ends the process in good order, or by the signal itself when it has only just begun.
func (p *process) stop(t *testing.T) {
	t.Helper()
	stop(p.pid())
	select {
	case <-p.exit:
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not stop\n%s", p.cmd, tail(p.log()))
		p.kill()
	}
}

// wait waits for the process to end by itself.
func (p *process) wait(t *testing.T, limit time.Duration) {
	t.Helper()
	select {
	case <-p.exit:
		if p.err != nil {
			t.Fatalf("%s: %v\n%s", p.cmd, p.err, tail(p.log()))
		}
	case <-time.After(limit):
		p.kill()
		t.Fatalf("%s still runs after %v\n%s", p.cmd, limit, tail(p.log()))
	}
}

func tail(log string) string { return log[max(0, len(log)-3000):] }

// status reads a line of /proc/PID/status in KiB, such as VmHWM, the most memory the process ever had resident.
func (p *process) status(t *testing.T, key string) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.cmd, err, tail(p.log()))
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), key+":"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s: no %s: the process has ended\n%s", p.cmd, key, tail(p.log()))
	return 0
}

// forgetPeak makes VmHWM begin anew at what is resident now.
func (p *process) forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// fds returns what the process has open.
func (p *process) fds(t *testing.T) (open []string) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.pid()))
	if err != nil || len(links) == 0 {
		t.Fatalf("%s: no descriptors (%v): the process has ended\n%s", p.cmd, err, tail(p.log()))
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			open = append(open, to)
		}
	}
	return open
}

func mib(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

// stop asks a process to end in good order.
func stop(pid int) { syscall.Kill(pid, syscall.SIGTERM) }
