// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/proctest"
)

// A process is a program of the rigs.
type process struct{ *proctest.Process }

func (s *site) start(log string, argv ...string) *process {
	s.t.Helper()
	if s.behind {
		argv = append([]string{"nice", "-n", "19"}, argv...)
	}
	return &process{proctest.Start(s.t, s.path("logs", log), argv...)}
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

// stop ends the process in good order, or by the signal itself when it has only just begun.
func (p *process) stop(t *testing.T) {
	t.Helper()
	stop(p.PID())
	select {
	case <-p.Exit:
	case <-time.After(30 * time.Second):
		t.Errorf("%s does not stop\n%s", p.Cmd, tail(p.Log()))
		p.Kill()
	}
}

func tail(log string) string { return log[max(0, len(log)-3000):] }

// status reads a line of /proc/PID/status in KiB, such as VmHWM, the most memory the process ever had resident.
func (p *process) status(t *testing.T, key string) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.Cmd, err, tail(p.Log()))
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
	t.Fatalf("%s: no %s: the process has ended\n%s", p.Cmd, key, tail(p.Log()))
	return 0
}

// forgetPeak makes VmHWM begin anew at what is resident now.
func (p *process) forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// fds returns what the process has open.
func (p *process) fds(t *testing.T) (open []string) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID()))
	if err != nil || len(links) == 0 {
		t.Fatalf("%s: no descriptors (%v): the process has ended\n%s", p.Cmd, err, tail(p.Log()))
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
