// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// A namespace is a network of the camera's own, with one cable to the hub.
type namespace struct {
	t            *testing.T
	name         string
	inner, outer string // ends of the cable
	hub          string // address of the outer end
}

var namespaces atomic.Int32

// inNamespace is a site whose hub listens at one end of the cable; agents started behind ns.exec() are at the other.
func inNamespace(t *testing.T, r *row) (*site, *namespace) {
	t.Helper()
	n := namespaces.Add(1)
	id := fmt.Sprintf("nj%d-%d", os.Getpid()%100000, n)
	ns := &namespace{t: t, name: id, inner: id + "i", outer: id + "o", hub: fmt.Sprintf("10.213.%d.1", n)}
	if out, err := exec.Command("ip", "netns", "add", ns.name).CombinedOutput(); err != nil {
		r.notRun("no network namespace: %v %s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("ip", "link", "del", ns.outer).Run()
		exec.Command("ip", "netns", "del", ns.name).Run()
	})
	command(t, "ip", "link", "add", ns.outer, "type", "veth", "peer", "name", ns.inner, "netns", ns.name)
	command(t, "ip", "addr", "add", ns.hub+"/30", "dev", ns.outer)
	// Without segmentation offload a packet on the cable is one of 1500 bytes, and not one of 64 KiB.
	command(t, "ip", "link", "set", ns.outer, "gso_max_segs", "1", "up")
	ns.in("ip", "addr", "add", fmt.Sprintf("10.213.%d.2/30", n), "dev", ns.inner)
	ns.in("ip", "link", "set", ns.inner, "gso_max_segs", "1", "up")
	ns.in("ip", "link", "set", "lo", "up")
	s := newHub(t, t.TempDir(), ns.hub+":8883")
	s.enroll(device, s.addr)
	return s, ns
}

// exec is not `ip netns exec`: that makes a mount namespace, too, which keeps other rigs' disks mounted.
func (ns *namespace) exec() []string { return []string{"nsenter", "--net=/run/netns/" + ns.name} }

// in runs a command in the namespace.
func (ns *namespace) in(argv ...string) string {
	ns.t.Helper()
	return command(ns.t, append(ns.exec(), argv...)...)
}

func command(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}
