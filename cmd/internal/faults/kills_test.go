// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// killGoal says which of the calls that change a file are cut: all of them is an hour's work.
func killGoal() string {
	if os.Getenv("NIGHTJAR_FAULTS") == "long" {
		return "every boundary: exactly once"
	}
	return "a sample, every kind of call: exactly once"
}

// TestKillAgent ends the agent before and after its calls that change a file, from its start until five clips are sent.
func TestKillAgent(t *testing.T) {
	t.Parallel()
	killEverywhere(t, newRow(t, "SIGKILL of the agent", killGoal()), func(s *site, at boundary) outcome {
		log := s.openLog(s.agentLog(device))
		defer log.Close()
		o, err := traced{argv: s.agent(s.config(device, film), "--drain"), dir: s.path(device), cut: at, log: log}.run(nil)
		if err != nil {
			t.Error("trace the agent:", err)
		}
		if o.killed {
			s.drain(device)
		}
		return o
	})
}

// TestKillHub does the same with the hub, while a camera sends five clips to it.
func TestKillHub(t *testing.T) {
	t.Parallel()
	killEverywhere(t, newRow(t, "SIGKILL of the hub", killGoal()), func(s *site, at boundary) (o outcome) {
		s.hub.stop(t)
		log := s.openLog("hub-traced.log")
		defer log.Close()
		pids, ended := make(chan int, 1), make(chan error, 1)
		go func() {
			var err error
			o, err = traced{argv: s.hubCommand(), dir: s.path("hub"), cut: at, log: log}.run(func(pid int) { pids <- pid })
			ended <- err
		}()
		agent := s.startAgent(device, s.config(device, film), []string{"--drain"})
		pid := <-pids
		var err error
		select {
		case err = <-ended:
			s.startHub()
			agent.Wait(t, time.Minute)
		case <-agent.Exit:
			agent.Wait(t, time.Minute)
			stop(pid)
			err = <-ended
			s.startHub()
		}
		if err != nil {
			t.Error("trace the hub:", err)
		}
		return o
	})
}

// killEverywhere runs a program once undisturbed, to see its boundaries, and then once for each of them, or for a sample
// with one of each kind at least. Each run begins with the same state of camera and hub. run returns when both are idle again.
func killEverywhere(t *testing.T, r *row, run func(s *site, at boundary) outcome) {
	const workers = 3
	sites := make([]*site, workers)
	for i := range sites {
		sites[i] = newSite(t)
		sites[i].behind = true
		sites[i].hub.stop(t)
		sites[i].save()
		sites[i].startHub()
	}
	whole := run(sites[0], boundary{})
	if whole.killed || whole.status.ExitStatus() != 0 {
		t.Fatalf("undisturbed, it ends with status %v\n%s", whole.status, tail(sites[0].agentLogs(device)))
	}
	kinds := map[string]bool{}
	for _, b := range whole.boundaries {
		kinds[b.kind] = true
	}
	cuts := chosen(whole.boundaries, size(12, len(whole.boundaries)))

	jobs := make(chan boundary, len(cuts))
	for _, at := range cuts {
		jobs <- at
	}
	close(jobs)
	var mu sync.Mutex
	var promised, wrong, killed int
	cut := map[string]bool{}
	var wg sync.WaitGroup
	for _, s := range sites {
		wg.Go(func() {
			for at := range jobs {
				s.hub.stop(t)
				s.restore()
				s.startHub()
				o := run(s, at)
				p, w := s.verify(device)
				mu.Lock()
				promised, wrong = promised+p, wrong+w
				if o.killed {
					killed++
					cut[at.kind] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.measured("%d kills, %d boundaries, %d of %d kinds cut; %d clips, %d lost or doubled",
		killed, len(whole.boundaries), len(cut), len(kinds), promised, wrong)
	// Which of two goroutines comes first is not ours to say: a few late boundaries may not come up again.
	if killed < len(cuts)*9/10 || len(cut) < len(kinds)*9/10 {
		t.Errorf("%d of %d boundaries were met, and %d of %d kinds", killed, len(cuts), len(cut), len(kinds))
	}
	for kind := range kinds {
		if !cut[kind] {
			t.Log("never cut:", kind)
		}
	}
}

// chosen spreads n of the boundaries evenly, and adds the first of each kind.
func chosen(all []boundary, n int) (some []boundary) {
	step := max(1, len(all)/n)
	for i, b := range all {
		if b.nth == 1 || i%step == 0 {
			some = append(some, b)
		}
	}
	return some
}

// save keeps the state of cameras and hub for restore.
func (s *site) save() { s.copy(s.path("saved"), s.path(device), s.path("hub")) }

// restore puts the saved state back, and forgets the logs.
func (s *site) restore() {
	s.t.Helper()
	for _, dir := range []string{s.path(device), s.path("hub"), s.path("logs")} {
		if err := os.RemoveAll(dir); err != nil {
			s.t.Error(err)
		}
	}
	s.copy(s.dir, s.path("saved", device), s.path("saved", "hub"))
}

func (s *site) copy(to string, from ...string) {
	s.t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		s.t.Error(err)
	}
	if out, err := exec.Command("cp", append([]string{"-a", "-t", to}, from...)...).CombinedOutput(); err != nil {
		s.t.Errorf("copy state: %v\n%s", err, out)
	}
}
