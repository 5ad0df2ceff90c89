// SPDX-License-Identifier: Apache-2.0

package proctest

import (
	"path/filepath"
	"testing"
	"time"
)

func TestProcess(t *testing.T) {
	log := filepath.Join(t.TempDir(), "logs", "log")
	p := Start(t, log, "sh", "-c", "echo out; echo err >&2")
	p.Wait(t, time.Minute)
	if !p.Done() || p.Err != nil || p.Log() != "out\nerr\n" || p.Tail() != p.Log() || p.PID() == 0 {
		t.Errorf("ended %v with %v, said %q", p.Done(), p.Err, p.Log())
	}
	p = Start(t, log, "sh", "-c", "echo more; exec sleep 1000")
	if p.Done() {
		t.Error("it ended by itself")
	}
	p.Kill()
	if !p.Done() || p.Err == nil {
		t.Errorf("killed: ended %v with %v", p.Done(), p.Err)
	}
}

// A process that a test forgets must not outlive it.
func TestProcessEndsWithTheTest(t *testing.T) {
	var p *Process
	t.Run("forgetful", func(t *testing.T) { p = Start(t, filepath.Join(t.TempDir(), "log"), "sleep", "1000") })
	if !p.Done() {
		t.Error("it lives")
	}
}
