// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A boundary is the moment before, or the moment after, a system call that changes a file; the nth of its kind.
type boundary struct {
	kind string // such as "before fsync spool/queue", ids and numbers left out
	nth  int    // from 1
}

// A traced program runs under ptrace and is ended with SIGKILL at a boundary. strace's own injection counts per thread, and
// a Go program has many, so that the nth call of the program cannot be named with it.
type traced struct {
	argv []string
	dir  string   // what the program changes below this folder counts
	cut  boundary // where to kill it; the zero value lets it run to its end
	log  *os.File
}

// An outcome tells how a run under ptrace ended.
type outcome struct {
	boundaries []boundary // what was passed
	killed     bool
	status     syscall.WaitStatus
}

// changing are the calls that change files. Those with a descriptor count when it is open below dir.
var changing = map[uint64]string{
	unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "write", unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fsync",
	unix.SYS_FTRUNCATE: "truncate", unix.SYS_RENAMEAT: "rename", unix.SYS_RENAMEAT2: "rename",
	unix.SYS_UNLINKAT: "unlink", unix.SYS_MKDIRAT: "mkdir",
}

// run blocks until the program has ended. started is called, when it is not nil, with its process id.
func (s traced) run(started func(pid int)) (o outcome, err error) {
	// ptrace obeys the thread that started the program, and nobody else. The program gets a process group of its own, so
	// that waiting for its threads takes no other child's end away.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(s.argv[0], s.argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, s.log.Fd(), s.log.Fd()},
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return o, err
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		return o, err
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL); err != nil {
		return o, err
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, pid, 19); err != nil { // as site.behind
		return o, err
	}
	if started != nil {
		started(pid)
	}
	pending := map[int]string{} // threads that are in a call that counts
	met := map[string]int{}
	thread, signal := pid, 0
	for {
		// A thread that is gone by now needs no answer.
		_ = syscall.PtraceSyscall(thread, signal)
		signal = 0
		if thread, err = syscall.Wait4(-pid, &ws, unix.WALL, nil); err != nil {
			return o, err
		}
		switch {
		case (ws.Exited() || ws.Signaled()) && thread == pid:
			o.status = ws
			return o, nil
		case !ws.Stopped():
		case ws.StopSignal() == syscall.SIGTRAP|0x80:
			what, ok := pending[thread]
			if ok {
				delete(pending, thread)
				what = "after " + what
			} else if what = s.entered(thread, pid); what != "" {
				pending[thread] = what
				what = "before " + what
			}
			if what != "" && !o.killed {
				met[what]++
				b := boundary{what, met[what]}
				o.boundaries = append(o.boundaries, b)
				if b == s.cut {
					o.killed = true
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		case ws.StopSignal() != syscall.SIGTRAP && ws.StopSignal() != syscall.SIGSTOP:
			signal = int(ws.StopSignal())
		}
	}
}

// variable is what differs between two runs.
var variable = regexp.MustCompile(`[0-9a-f]{32,}|[0-9]{20}|-[0-9]+$`)

// entered names the call that the thread is about to make, or returns "" for one that does not count.
func (s traced) entered(thread, pid int) string {
	var info struct {
		op   uint8
		_    [3]uint8
		_    uint32
		_    [2]uint64
		nr   uint64
		args [6]uint64
	}
	const entry = 1 // PTRACE_SYSCALL_INFO_ENTRY
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0); e != 0 || info.op != entry {
		return ""
	}
	name, ok := changing[info.nr]
	if !ok {
		return ""
	}
	var path string
	switch name {
	case "write", "fsync", "truncate":
		path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, info.args[0]))
	default:
		path = text(pid, info.args[1])
	}
	rel, err := filepath.Rel(s.dir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return ""
	}
	return name + " " + variable.ReplaceAllString(rel, "*")
}

// text reads a path from the program's memory.
func text(pid int, at uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	var buf [512]byte
	n, _ := mem.ReadAt(buf[:], int64(at))
	path, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return path
}
