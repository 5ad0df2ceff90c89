// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestClosed watches the agent in a network namespace of its own: sockets, packets and programs.
func TestClosed(t *testing.T) {
	t.Parallel()
	r := newRow(t, "closed: listeners, egress, exec", "0 listeners, the hub only, 0 programs")
	s, ns := inNamespace(t, r)
	// The kernel's own IPv6 would greet its neighbours.
	ns.in("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
	ns.in("nft", "add table inet egress; add chain inet egress o { type filter hook output priority 0; }; "+
		"add rule inet egress o ip daddr "+ns.hub+" tcp dport 8883 counter accept comment hub; "+
		"add rule inet egress o counter accept comment other")
	calls := s.path("calls")
	agent := s.startAgent(device, s.config(device, live), nil,
		append(ns.exec(), "strace", "-f", "-qq", "-o", calls, "-e", "trace=execve,execveat,bind,listen,connect")...)
	listeners, looks := map[string]bool{}, 0
	await(t, time.Minute, "a clip to be sent", func() bool {
		for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"} {
			_, lines, _ := strings.Cut(ns.in("cat", "/proc/net/"+table), "\n") // a head comes first
			for line := range strings.Lines(lines) {
				f := strings.Fields(line)
				// Of tcp only what listens; of the others every socket hears.
				if listening := f[3] == "0A"; listening || !strings.HasPrefix(table, "tcp") {
					listeners[table+" "+f[1]] = true
				}
			}
		}
		looks++
		return strings.Contains(agent.Log(), "receipt verified")
	})
	rules := ns.in("nft", "list", "table", "inet", "egress")
	// strace that is killed lets its program go on: end that one, and strace follows.
	for _, child := range strings.Fields(command(t, "cat", fmt.Sprintf("/proc/%d/task/%d/children", agent.PID(), agent.PID()))) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			t.Fatal(err)
		}
		stop(pid)
	}
	<-agent.Exit
	trace, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	execs := regexp.MustCompile(`execve(at)?\(`).FindAllString(string(trace), -1)
	binds := regexp.MustCompile(`(?m)^.*(bind|listen)\((\d+, \{sa_family=AF_INET|\d+, \d+\)).*$`).FindAllString(string(trace), -1)
	hub := packets(rules, "hub")
	other := packets(rules, "other")
	r.measured("%d listeners in %d looks, %d binds; %d packets to the hub, %d elsewhere; %d programs", len(listeners), looks, len(binds), hub, other, len(execs)-1)
	if len(listeners) > 0 || len(binds) > 0 || other > 0 {
		t.Errorf("listeners %v, binds %q, rules:\n%s", listeners, binds, rules)
	}
	if len(execs) != 1 || hub == 0 {
		t.Errorf("%d programs were executed and %d packets went to the hub: want the agent itself, and some\n%s", len(execs), hub, trace)
	}
}

// packets reads a rule's counter.
func packets(rules, comment string) (n int) {
	m := regexp.MustCompile(`counter packets (\d+) .*comment "` + comment + `"`).FindStringSubmatch(rules)
	if m != nil {
		fmt.Sscan(m[1], &n)
	}
	return n
}

// TestLeaks lets the agent record and send clip after clip, and compares what it holds early and late.
func TestLeaks(t *testing.T) {
	t.Parallel()
	clips := size(1000, 100_000)
	r := newRow(t, fmt.Sprintf("leaks over %d clips", clips), "descriptors, threads and RSS flat")
	s := newSite(t)
	s.behind = true
	agent := s.startAgent(device, s.config(device, "camera:\n  source: synthetic\n  speed: 0\n  loop: true\n"+shortClips), nil)
	sent := func() int { return receipts(agent.Log()) }
	at := func(n int) (fds, threads, rss int) {
		await(t, time.Duration(60+n)*time.Second, fmt.Sprintf("clip %d", n), func() bool { time.Sleep(200 * time.Millisecond); return sent() >= n })
		// A clip being written has files open: what it holds at rest is the least of some looks.
		fds = 1 << 30
		for range 20 {
			fds = min(fds, len(agent.fds(t)))
			time.Sleep(10 * time.Millisecond)
		}
		return fds, agent.status(t, "Threads"), agent.status(t, "VmHWM")
	}
	fds0, threads0, rss0 := at(clips / 4)
	fds1, threads1, rss1 := at(clips)
	r.measured("descriptors %d, then %d; threads %d, then %d; RSS peak %s, then %s", fds0, fds1, threads0, threads1, mib(rss0), mib(rss1))
	if fds1 > fds0+2 || threads1 > threads0+4 || rss1 > rss0+8<<10 {
		t.Error("it grew")
	}
}
