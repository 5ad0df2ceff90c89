// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/replay"
)

const footage = "../../../capture/footage/"

// labels is capture/footage/visits.json: the visits a person saw in the film, in frames.
type labels struct {
	FPS    float64 `json:"fps"`
	Visits []struct {
		First int    `json:"first"`
		Last  int    `json:"last"`
		Note  string `json:"note"`
	} `json:"visits"`
}

func (l labels) at(frame int) time.Duration {
	return time.Duration(float64(frame) / l.FPS * float64(time.Second))
}

// preRoll is what the configuration below asks for.
const preRoll = 2 * time.Second

// TestVisits takes the real film through camera, hub and owner, and lets stock tools judge.
func TestVisits(t *testing.T) {
	s := newSite(t)
	packets, capturing := captureLoopback(t)
	film, err := filepath.Abs(footage + "visits.avi")
	if err != nil {
		t.Fatal(err)
	}
	// Speed 0: as fast as the machine goes, with the film's own times, and no frame lost.
	config := s.config("visits.yml", "camera:\n  source: replay\n  path: "+film+"\n  speed: 0\nclip:\n  pre_roll: "+preRoll.String()+"\n")
	s.startAgent(config, "--drain").Wait(t, 4*time.Minute)

	clips := s.clips()
	s.run("nightjarctl", "clips", "open", "--store", s.path("hub"), "-i", s.path("owner.key"), "--all", "--sheet", "-o", s.path("clips"))

	t.Run("one clip a visit", func(t *testing.T) { oneClipAVisit(t, clips) })
	t.Run("stock tools open them", func(t *testing.T) { stockToolsOpen(t, s, clips) })
	t.Run("chain is whole", func(t *testing.T) {
		s.run("nightjarctl", "clips", "verify", "--store", s.path("hub"))
	})

	plain := ownersSecrets(t, s, film)
	t.Run("no plaintext on disk", func(t *testing.T) {
		found, read := plain.findInTree(t, s.path("hub"), s.path("camera"), s.path("logs"))
		if len(found) > 0 {
			t.Errorf("plaintext outside the owner's folder:\n%s", strings.Join(found, "\n"))
		}
		t.Logf("searched %d bytes for %d windows", read, len(plain))
	})
	t.Run("no plaintext on the wire", func(t *testing.T) {
		if !capturing {
			t.Skip("capturing loopback traffic needs CAP_NET_RAW: run as root")
		}
		noPlaintextOnTheWire(t, plain, packets, clips)
	})
}

// oneClipAVisit compares on the film's own timeline, which the sealed details carry.
func oneClipAVisit(t *testing.T, clips []clip) {
	var l labels
	b, err := os.ReadFile(footage + "visits.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &l); err != nil {
		t.Fatal(err)
	}
	if len(clips) != len(l.Visits) {
		t.Fatalf("%d clips for %d visits: %+v", len(clips), len(l.Visits), clips)
	}
	for i, v := range l.Visits {
		start := time.Duration(clips[i].PTSUS) * time.Microsecond
		end := start + time.Duration(clips[i].DurationUS)*time.Microsecond
		first, last := l.at(v.First), l.at(v.Last)
		if start > first-preRoll {
			t.Errorf("visit %d (%s): clip starts at %v, want %v or more before the visit at %v", i, v.Note, start, preRoll, first)
		}
		if end <= last {
			t.Errorf("visit %d (%s): clip ends at %v, the visit at %v", i, v.Note, end, last)
		}
	}
}

func stockToolsOpen(t *testing.T, s *site, clips []clip) {
	sealed, err := filepath.Glob(s.path("hub", "devices", "*", "clips", "*.mp4.age"))
	if err != nil || len(sealed) != len(clips) {
		t.Fatalf("%d sealed clips in the hub, %d records (%v)", len(sealed), len(clips), err)
	}
	byID := map[string]clip{}
	for _, c := range clips {
		byID[c.ID] = c
	}
	for _, file := range sealed {
		id := strings.TrimSuffix(filepath.Base(file), ".mp4.age")
		plain := filepath.Join(t.TempDir(), id+".mp4")
		stock(t, "age", "-d", "-i", s.path("owner.key"), "-o", plain, file)
		got, want := ffprobe(t, plain), byID[id]
		if got.Codec != "h264" || got.Frames != want.Frames {
			t.Errorf("%s: %s with %d frames, record says %d", id, got.Codec, got.Frames, want.Frames)
		}
		recorded := time.Duration(want.DurationUS) * time.Microsecond
		if frame := recorded / time.Duration(want.Frames); (got.Duration - recorded).Abs() > frame {
			t.Errorf("%s: lasts %v, record says %v", id, got.Duration, recorded)
		}
	}
}

// ownersSecrets are the opened clips and contact sheets, and one frame of the film as the camera saw it.
func ownersSecrets(t *testing.T, s *site, film string) secret {
	t.Helper()
	plain := secret{}
	opened, err := filepath.Glob(s.path("clips", "*"))
	if err != nil || len(opened) == 0 {
		t.Fatalf("nothing was opened: %v", err)
	}
	sheets := 0
	for _, file := range opened {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if plain.add(filepath.Base(file), data) == 0 {
			t.Errorf("%s gives nothing to search for", file)
		}
		if plain.find(data) == "" {
			t.Errorf("the search does not find %s in itself", file)
		}
		if filepath.Ext(file) == ".jpg" {
			sheets++
		}
	}
	if sheets == 0 {
		t.Error("no contact sheet was opened")
	}
	plain.add("marker frame", markerFrame(t, film))
	return plain
}

// markerFrame is the luma of a frame in the middle of the film.
func markerFrame(t *testing.T, film string) []byte {
	t.Helper()
	driver, err := replay.New(replay.Config{Path: film, Frames: 2, Clock: clock.System(time.Time{})})
	if err != nil {
		t.Fatal(err)
	}
	capture.Register("marker", driver)
	source, err := capture.Open("marker", prop.Media{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	for n := 0; ; n++ {
		frame, err := source.Read()
		if err != nil {
			t.Fatal(err)
		}
		if n == 100 {
			defer frame.Release()
			return append([]byte(nil), frame.Y...)
		}
		frame.Release()
	}
}

func noPlaintextOnTheWire(t *testing.T, plain secret, c *loopback, clips []clip) {
	packets, drops := c.take(t)
	if drops > 0 {
		t.Errorf("the capture lost %d packets", drops)
	}
	var sent, want int64
	for _, p := range packets {
		sent += int64(len(p))
		if what := plain.find(p); what != "" {
			t.Fatal("on the wire:", what)
		}
	}
	for _, c := range clips {
		want += c.Bytes
	}
	// A capture that missed the upload would find nothing either.
	if sent < want {
		t.Errorf("captured %d bytes, the clips alone have %d", sent, want)
	}
	t.Logf("searched %d packets, %d bytes", len(packets), sent)
}
