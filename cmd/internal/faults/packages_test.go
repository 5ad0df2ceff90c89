// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A proof is what tests of another package show, at the size of the table. They run in processes of their own.
type proof struct {
	name, goal string
	pkg, tests string // packages, and a pattern
	env        string
	figure     func(t *testing.T, log string) string
}

// numbers returns what a pattern's first group matches in the log.
func numbers(t *testing.T, log, pattern string) (all []float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(log, -1) {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		t.Fatalf("nothing in the log is %s:\n%s", pattern, tail(log))
	}
	return all
}

func sumOf(all []float64) (sum float64) {
	for _, n := range all {
		sum += n
	}
	return sum
}

// atLeast counts power cuts.
func atLeast(want int) func(*testing.T, string) string {
	return func(t *testing.T, log string) string {
		n := int(sumOf(numbers(t, log, `cuts=(\d+)`)))
		if n < want {
			t.Errorf("%d cuts, want %d", n, want)
		}
		return fmt.Sprintf("%d cuts, 0 lost, 0 corrupt", n)
	}
}

// said is the figure that a test logs itself.
func said(pattern string) func(*testing.T, string) string {
	return func(t *testing.T, log string) string {
		m := regexp.MustCompile(pattern).FindAllString(log, -1)
		if m == nil {
			t.Fatalf("nothing in the log is %s:\n%s", pattern, tail(log))
		}
		return strings.Join(m, "; ")
	}
}

func proofs() []proof {
	// The longest come first.
	const cuts, cutsLong = 10_000, 900_000
	return []proof{
		{"leaks over 100,000 virtual events", "goroutines and descriptors flat, heap within 4 MiB", "./cmd/nightjar", "^TestEventsLeakNothing$",
			"NIGHTJAR_EVENTS=100000", said(`\d+ events: .*`)},
		{"10,000 provisions", "0 equal keys", "./cmd/internal/canary", "^TestProvisions$", "NIGHTJAR_PROVISIONS=10000", said(`\d+ provisions, .*`)},
		{"power cut, in memory, spool", fmt.Sprintf(">= %d cuts at 512 B and 4 KiB: 0 lost, 0 corrupt", size(cuts, cutsLong)),
			"./uplink/spool", "^(TestPowerCut|TestKillThenPowerCut)$", // the second makes half as many
			fmt.Sprint("NIGHTJAR_CUTS=", size(cuts, cutsLong)*2/3), atLeast(size(cuts, cutsLong))},
		{"power cut, in memory, hub's store", fmt.Sprintf(">= %d cuts at 512 B and 4 KiB: 0 lost, 0 corrupt", size(3000, 100_000)),
			"./uplink/hub/store", "^(TestRandomCuts|TestCuts)$", fmt.Sprint("NIGHTJAR_CUTS=", size(3000, 100_000)), atLeast(size(3000, 100_000))},
		{"receipts dropped for an hour", "0 lost, each stored once", "./uplink", "^TestNoReceiptForAnHour$", "",
			said(`\d+ offers without a receipt.*`)},
		{"acknowledged and never stored, forged", "nothing removed", "./uplink", "^(TestAcknowledgementRemovesNothing|TestForgedReceiptRemovesNothing)$", "",
			func(_ *testing.T, log string) string {
				return fmt.Sprintf("%d forgeries and a broker that only acknowledges: 0 removed", strings.Count(log, "--- PASS: TestForgedReceiptRemovesNothing/")-1)
			}},
		{"1,000 cameras after an outage", "peak <= 5 % a second", "./uplink", "^(TestFleetComesBackSpread|TestMutantFleetWithoutSpread)$", "",
			func(t *testing.T, log string) string {
				most := 0.0
				for _, n := range numbers(t, log, `at most ([\d.]+) % a second`) {
					most = max(most, n)
				}
				return fmt.Sprintf("at most %.1f %% a second", most)
			}},
		{"canaries in logs, panics, dumps, reports", "0 hits", "./cmd/internal/canary", "^(TestNoSecretShows|TestPanickingProcess|TestMutantLeak)$", "",
			func(_ *testing.T, log string) string {
				return fmt.Sprintf("0 hits in %d tests, a mutant's leak found", strings.Count(log, "--- PASS: "))
			}},
		{"fuzz targets, committed seeds", "0 panics (`make fuzz` goes on)",
			"./uplink/... ./keys/... ./board/... ./cmd/internal/config ./capture/replay", "^Fuzz", "",
			func(t *testing.T, log string) string {
				targets, seeds := strings.Count(log, "\n--- PASS: Fuzz"), strings.Count(log, "\n    --- PASS: Fuzz")
				if targets < 25 {
					t.Errorf("%d targets", targets)
				}
				return fmt.Sprintf("%d targets, %d inputs, 0 panics", targets, seeds)
			}},
	}
}

// TestPackages has the tests of other packages run beside the rigs.
func TestPackages(t *testing.T) {
	t.Parallel()
	for _, p := range proofs() {
		t.Run(strings.ReplaceAll(p.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			p.prove(t, "nice", "-n", "19")
		})
	}
}

// TestFleet has the hub for itself.
func TestFleet(t *testing.T) {
	proof{"1,000 sessions of mutual TLS, a clip each", ">= 50 clips/s, 0 lost", "./uplink/hub", "^TestFleet$", "NIGHTJAR_FLEET=1000",
		func(t *testing.T, log string) string {
			if rate := numbers(t, log, `clips_per_s=(\d+)`)[0]; rate < 50 {
				t.Errorf("%.0f clips a second", rate)
			}
			return said(`sessions=1000 .*`)(t, log)
		},
	}.prove(t)
}

func (p proof) prove(t *testing.T, wrap ...string) {
	t.Helper()
	r := newRow(t, p.name, p.goal)
	argv := append(wrap, "go", "test", "-count=1", "-v", "-vet=off", "-timeout", "24h", "-run", p.tests)
	argv = append(argv, strings.Fields(p.pkg)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), p.env)
	// In memory an fsync costs nothing, and these tests cut what they simulate.
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		cmd.Env = append(cmd.Env, "GOTMPDIR="+os.TempDir(), "TMPDIR=/dev/shm")
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil || !strings.Contains(log.String(), "\n--- PASS: ") {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, tail(log.String()))
	}
	if n := strings.Count(log.String(), "--- SKIP"); n > 0 {
		r.notRun("%d tests were skipped: %s", n, tail(log.String()))
	}
	r.measured("%s", p.figure(t, log.String()))
}
