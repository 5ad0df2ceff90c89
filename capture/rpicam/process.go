// SPDX-License-Identifier: Apache-2.0

package rpicam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// metadataPath is the child's third descriptor beyond the usual, by a name that it can open.
const metadataPath = "/dev/fd/3"

// How long a program may take to end, after SIGTERM and after SIGKILL.
const (
	termWait = 1200 * time.Millisecond
	killWait = 600 * time.Millisecond
)

// pipeBytes is what a pipe is made to hold, which is what Linux allows anybody.
const pipeBytes = 1 << 20

// errHangs is what stop returns for a program that SIGKILL does not end.
var errHangs = errors.New("it hangs in the kernel, which only a restart of the board ends")

// process is a program that runs, with a process group of its own. Methods may be called from any goroutine.
type process struct {
	out, meta *os.File // our ends of its stdout and its metadata
	said      *tail    // its stderr

	mu     sync.Mutex
	pid    int
	reaped bool  // the pid may be somebody else's by now
	reason error // why we ended it, nil if we did not

	exited chan struct{}
	status error // how it ended; after exited
}

// launch starts a program. hear is called with each line of its stderr, by a goroutine that ends when stderr does.
func launch(program string, args []string, hear func(p *process, line string)) (*process, error) {
	p := &process{exited: make(chan struct{})}
	theirs, err := p.pipes()
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: program, Args: append([]string{program}, args...), Dir: "/",
		// No proxy, preload or tuning of whoever started the agent.
		Env:    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"},
		Stdout: theirs[0], Stderr: theirs[1], ExtraFiles: theirs[2:],
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	started := make(chan error)
	go p.keep(cmd, started)
	err = <-started
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	go p.said.read(func(line string) {
		if hear != nil {
			hear(p, line)
		}
	})
	return p, nil
}

// pipes makes the three pipes and returns the program's ends.
func (p *process) pipes() (theirs []*os.File, err error) {
	var ours [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			for j := range theirs {
				theirs[j].Close()
				ours[j].Close()
			}
			return nil, err
		}
		ours[i], theirs = r, append(theirs, w)
	}
	p.out, p.said, p.meta = ours[0], newTail(ours[1]), ours[2]
	for _, f := range []*os.File{p.out, p.meta} {
		if raw, err := f.SyscallConn(); err == nil {
			// May be refused to a user with many pipes; then it is a smaller one.
			_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
		}
	}
	return theirs, nil
}

// keep starts the program and waits for its end. The kernel sends Pdeathsig when the thread that started the program ends, not
// when the process does: so that thread is kept.
func (p *process) keep(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if err == nil {
		p.pid = cmd.Process.Pid
	}
	started <- err
	if err != nil {
		return
	}
	// Wait without reaping: until it is reaped nobody else can have its number, and the rest of its group can be ended safely.
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			break
		}
	}
	p.mu.Lock()
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	p.status = cmd.Wait()
	p.reaped = true
	p.mu.Unlock()
	close(p.exited)
}

// signal sends a signal to the program's group while there is one.
func (p *process) signal(s unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = unix.Kill(-p.pid, s)
	}
}

// refuse ends the program for a reason, which becomes the error of whoever reads from it.
func (p *process) refuse(reason error) {
	p.mu.Lock()
	if p.reason == nil {
		p.reason = reason
	}
	p.mu.Unlock()
	p.signal(unix.SIGKILL)
}

// ends waits until the program has ended, at most for d.
func (p *process) ends(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// stop ends the program within termWait + killWait, and whoever reads from it. The error says that it could not be ended.
func (p *process) stop() error {
	var err error
	p.signal(unix.SIGTERM)
	if !p.ends(termWait) {
		p.signal(unix.SIGKILL)
		if !p.ends(killWait) {
			err = fmt.Errorf("process %d does not end: %w", p.pid, errHangs)
		}
	}
	p.close()
	<-p.said.done
	return err
}

// close closes our ends of the pipes, which ends a read from them.
func (p *process) close() {
	p.out.Close()
	p.meta.Close()
	p.said.from.Close()
}

// failure says why the program ended, or gave no more. It waits a moment for its last words.
func (p *process) failure() error {
	p.mu.Lock()
	reason := p.reason
	p.mu.Unlock()
	if reason != nil {
		return reason
	}
	if !p.ends(termWait) {
		return errors.New("closed its output and goes on")
	}
	select {
	case <-p.said.done:
	case <-time.After(killWait): // a child of it may still have stderr
	}
	return explain(p.status, p.said.lines())
}
