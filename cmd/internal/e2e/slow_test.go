// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/proctest"
)

// A slowLink lets so many bytes a second of each connection through to the hub.
type slowLink struct {
	addr string
	rate atomic.Int64 // 0: new connections are refused
}

// newSlowLink stands between the camera and the hub at an address.
func newSlowLink(t *testing.T, hub string) *slowLink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &slowLink{addr: l.Addr().String()}
	s.rate.Store(1 << 20)
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			camera, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", hub)
			if err != nil || s.rate.Load() == 0 {
				camera.Close()
				continue
			}
			all.Go(func() { io.Copy(camera, far); camera.Close() })
			all.Go(func() { io.Copy(far, s.throttled(camera)); far.Close() })
		}
	})
	return s
}

func (s *slowLink) throttled(from io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := from.Read(b[:min(len(b), 4<<10)])
		time.Sleep(time.Duration(n) * time.Second / time.Duration(max(s.rate.Load(), 1<<10)))
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestSlowLink records clips while the hub cannot be reached, then lets the camera through a slow link: the owner sees what
// triggered each of them before the first is stored. What the policy keeps on the camera is seen, and stays.
func TestSlowLink(t *testing.T) {
	var link *slowLink
	s := newSiteBehind(t, func(hub string) string { link = newSlowLink(t, hub); return link.addr })
	link.rate.Store(0)
	config := s.config("slow.yml", "camera:\n  source: synthetic\n  speed: 0\nclip:\n  pre_roll: 500ms\n  post_roll: 500ms\nupload:\n  order: newest\n")
	agent := s.startAgent(config, "--drain")
	recorded := func() int { return strings.Count(agent.Log(), `msg="clip recorded"`) }
	const want = 5 // visitors of the synthetic room
	waitFor(t, agent, "the clips", func() bool { return recorded() == want })
	link.rate.Store(60 << 10)

	var told, stored bool
	waitFor(t, agent, "a clip to be stored", func() bool {
		clips := s.clips()
		for _, c := range clips {
			stored = stored || c.State == "stored"
			if c.State == "camera" && (c.Trigger == "" || c.Upload != "now") {
				t.Errorf("clip that arrives: %+v", c)
			}
		}
		if len(clips) == want && !stored {
			told = true
			s.run("nightjarctl", "clips", "verify", "--store", s.path("hub"))
		}
		if stored && !told {
			t.Errorf("a clip is stored, and the owner sees %d of %d", len(clips), want)
		}
		return stored
	})
	link.rate.Store(10 << 20)
	agent.Wait(t, 2*time.Minute)
	for _, c := range s.clips() {
		if c.State != "stored" {
			t.Errorf("in the end: %+v", c)
		}
	}

	// The same scene once more, and nothing of it may leave but records and details.
	keep := s.config("keep.yml", "camera:\n  source: synthetic\n  speed: 0\nupload:\n  rules:\n  - upload: never\n")
	s.startAgent(keep, "--drain").Wait(t, 2*time.Minute)
	kept := 0
	for _, c := range s.clips() {
		if c.State == "camera" && c.Upload == "never" && c.Trigger != "" {
			kept++
		}
	}
	if kept == 0 || len(s.clips()) != want+kept {
		t.Errorf("%d clips, %d of them on the camera; %d were stored before", len(s.clips()), kept, want)
	}
	queue, err := os.ReadDir(s.path("camera", "spool", "queue"))
	if err != nil || len(queue) != kept {
		t.Errorf("the camera holds %d entries (%v), the owner sees %d", len(queue), err, kept)
	}
	s.run("nightjarctl", "clips", "verify", "--store", s.path("hub"))
}

// waitFor looks until ok, for as long as the program runs and the test may take.
func waitFor(t *testing.T, p *proctest.Process, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if p.Done() || time.Now().After(end) {
			t.Fatalf("waited in vain for %s:\n%s", what, p.Log())
		}
	}
}
