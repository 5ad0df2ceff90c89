// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// recorded is the agent's log line once a clip is committed to its spool: from then on it may not be lost.
var recorded = regexp.MustCompile(`msg="clip recorded".* id=([0-9a-f]{32})`)

// TestKills ends agent or hub with SIGKILL at random moments while clips are made and sent. In the
// end every clip that was ever recorded is in the hub exactly once and the chain has no gap.
func TestKills(t *testing.T) {
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("NIGHTJAR_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d kills, seed %d", kills, seed)
	random := rand.New(rand.NewPCG(seed, 0))

	s := newSite(t)
	// A busy scene, ten times as fast as real: a clip about every 300 ms.
	scene := "camera:\n  source: synthetic\n  speed: 10\n  loop: true\n"
	short := "clip:\n  pre_roll: 500ms\n  post_roll: 500ms\n"
	endless := s.config("endless.yml", scene+short)
	finite := s.config("finite.yml", "camera:\n  source: synthetic\n  speed: 0\n"+short)

	agent := s.startAgent(endless)
	var killedAgents int
	for range kills {
		// Start-up, the first clip, the upload and its receipt all lie within this span.
		time.Sleep(time.Duration(20+random.IntN(1200)) * time.Millisecond)
		if random.IntN(2) == 0 {
			killedAgents++
			if agent.Done() {
				t.Fatalf("the agent ended by itself: %v\n%s", agent.Err, agent.Log())
			}
			agent.Kill()
			agent = s.startAgent(endless)
		} else {
			s.hub.Kill()
			s.startHub()
		}
	}
	agent.Kill()
	// Undisturbed at last: a short scene, then everything that is spooled goes out.
	s.startAgent(finite, "--drain").Wait(t, 3*time.Minute)

	stored := map[string]int{}
	for _, c := range s.clips() {
		stored[c.ID]++
	}
	var promised int
	logs, err := filepath.Glob(s.path("logs", "agent-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range logs {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range recorded.FindAllSubmatch(b, -1) {
			promised++
			if n := stored[string(m[1])]; n != 1 {
				t.Errorf("clip %s was recorded and is %d times in the hub", m[1], n)
			}
		}
	}
	t.Logf("%d clips recorded through %d kills of the agent and %d of the hub", promised, killedAgents, kills-killedAgents)
	if promised < kills/5 {
		t.Errorf("only %d clips were recorded: the kills proved little", promised)
	}
	if files, _ := filepath.Glob(s.path("hub", "devices", device, "clips", "*.mp4.age")); len(files) != len(stored) {
		t.Errorf("%d clip files in the hub for %d records", len(files), len(stored))
	}
	if left, _ := filepath.Glob(s.path("camera", "spool", "queue", "*")); len(left) != 0 {
		t.Errorf("the camera still holds %q", left)
	}
	s.run("nightjarctl", "clips", "verify", "--store", s.path("hub"))
}
