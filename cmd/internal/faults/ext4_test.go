// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/spool"
)

// A promise is a clip that must be there in every cut behind a place in the record.
type promise struct {
	clip string
	from int
}

// receipted is the agent's log line once the hub has a clip for good; what is signed besides clips has such a line, too.
var receipted = regexp.MustCompile(`msg="receipt verified".* clip=([0-9a-f]{32})`)

// receipts is how many clips the hub has for good, by the agent's log.
func receipts(log string) int { return len(receipted.FindAllString(log, -1)) }

// promises follows a log while its program runs, and notes how far the record went when each line was seen, which is after it
// was written: what a promise rests on was on the disk before. end returns them.
func promises(p *process, r *recorder, line *regexp.Regexp) (end func() []promise) {
	stop, all := make(chan struct{}), make(chan []promise)
	go func() {
		var found []promise
		for last := false; ; {
			for _, m := range line.FindAllStringSubmatch(p.Log(), -1)[len(found):] {
				found = append(found, promise{m[1], r.at()})
			}
			if last {
				all <- found
				return
			}
			select {
			case <-stop:
				last = true
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() []promise { close(stop); return <-all }
}

// cuts makes n power cuts all over the record and has each mounted disk looked at with the promises that hold by then.
func cuts(t *testing.T, r *recorder, n int, made []promise, look func(dir string, at int, must []promise)) (mountable int) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for range n {
		at := 1 + random.IntN(len(r.log))
		var must []promise
		for _, p := range made {
			if p.from <= at {
				must = append(must, p)
			}
		}
		if mounted(t, r.cut(at, random), func(dir string) { look(dir, at, must) }) {
			mountable++
		}
	}
	// A superblock that is torn within itself is the file system's, not ours; more of them would prove nothing.
	if mountable < n*98/100 {
		t.Errorf("only %d of %d images can be mounted", mountable, n)
	}
	return mountable
}

func TestExt4Camera(t *testing.T) {
	t.Parallel()
	r := newRow(t, "power cut, ext4, camera's folder", ">= 150 images: 0 lost, 0 corrupt accepted")
	disk, folder := newDisk(t, r)
	s := newHub(t, t.TempDir(), freeAddr(t))
	s.behind = true
	if err := os.Symlink(folder, s.path(device)); err != nil {
		t.Fatal(err)
	}
	s.enroll(device, s.addr)
	command(t, "sync", "-f", folder)
	disk.begin()
	// First with the hub away: every promise rests on the spool alone. Then it comes, and clips go.
	s.hub.stop(t)
	agent := s.startAgent(device, s.config(device, film), []string{"--drain"})
	made := promises(agent, disk, recorded)
	await(t, time.Minute, "the clips to be recorded", func() bool { return len(s.promised(device)) >= visits })
	time.Sleep(300 * time.Millisecond)
	offline := disk.at()
	s.startHub()
	agent.Wait(t, time.Minute)
	all := made()
	command(t, "sync", "-f", folder)

	stored := map[string]bool{}
	for _, c := range s.clips() {
		stored[c.ID] = true
	}
	n := size(150, 5000)
	var lost, corrupt, checked int
	mountable := cuts(t, disk, n, all, func(dir string, at int, must []promise) {
		whole, broken, err := inSpool(filepath.Join(dir, "spool"))
		if err != nil {
			t.Errorf("cut at %d: %v", at, err)
			lost += len(must)
			return
		}
		corrupt += broken
		for _, p := range must {
			checked++
			if !whole[p.clip] && (at < offline || !stored[p.clip]) {
				lost++
				t.Errorf("cut at %d: clip %s, promised at %d, is gone", at, p.clip, p.from)
			}
		}
	})
	if corrupt > 0 {
		t.Errorf("%d damaged clips would be offered", corrupt)
	}
	writes, flushes := disk.counts()
	r.measured("%d images of %d writes, %d flushes (%d unmountable); %d promises, %d lost, %d corrupt", n, writes, flushes, n-mountable, checked, lost, corrupt)
	if checked < n {
		t.Errorf("only %d promises were checked", checked)
	}
}

// inSpool opens a spool as the agent does and returns the clips whose files are what their records say, and how many are not.
func inSpool(dir string) (whole map[string]bool, broken int, err error) {
	sp, err := spool.Open(dir, spool.Config{})
	if err != nil {
		return nil, 0, err
	}
	defer sp.Close()
	whole = map[string]bool{}
	for e, ok := sp.Next(0); ok; e, ok = sp.Next(e.Seq) {
		sums := true
		for _, part := range e.Parts {
			f, err := e.Open(part.Name)
			if err != nil {
				return nil, broken, err
			}
			sum, err := sum(f)
			f.Close()
			if err != nil {
				return nil, broken, err
			}
			sums = sums && strings.Contains(payload(e.Record), sum)
		}
		if sums && len(e.Parts) > 0 {
			whole[e.ID] = true
		} else if len(e.Parts) > 0 {
			broken++
		}
	}
	return whole, broken, nil
}

func sum(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func TestExt4Hub(t *testing.T) {
	t.Parallel()
	r := newRow(t, "power cut, ext4, hub's folder", ">= 150 images: 0 lost, 0 corrupt accepted")
	disk, folder := newDisk(t, r)
	s := &site{t: t, dir: t.TempDir(), addr: freeAddr(t), behind: true}
	if err := os.Symlink(folder, s.path("hub")); err != nil {
		t.Fatal(err)
	}
	s.run("nightjarctl", "keygen", "-o", s.path("owner.key"))
	s.run("nightjar-hub", "init", "--dir", s.path("hub"))
	s.startHub()
	s.enroll(device, s.addr)
	command(t, "sync", "-f", folder)
	disk.begin()
	agent := s.startAgent(device, s.config(device, film), []string{"--drain"})
	made := promises(agent, disk, receipted)
	agent.Wait(t, time.Minute)
	all := made()
	s.hub.stop(t)
	command(t, "sync", "-f", folder)

	n := size(150, 5000)
	var lost, corrupt, checked int
	mountable := cuts(t, disk, n, all, func(dir string, at int, must []promise) {
		var rows []clip
		out, err := exec.Command(filepath.Join(programs, "nightjarctl"), "clips", "ls", "--store", dir, "--json").Output()
		if err == nil {
			err = json.Unmarshal(out, &rows)
		}
		if err != nil {
			t.Errorf("cut at %d: list clips: %v", at, err)
			lost += len(must)
			return
		}
		stored := map[string]bool{}
		for _, c := range rows {
			if c.State != "stored" { // its details have come, and no more
				continue
			}
			name := filepath.Join("devices", device, "clips", c.ID+".mp4.age")
			got, err1 := os.ReadFile(filepath.Join(dir, name))
			want, err2 := os.ReadFile(filepath.Join(folder, name))
			if err1 == nil && err2 == nil && string(got) == string(want) {
				stored[c.ID] = true
			} else {
				corrupt++
				t.Errorf("cut at %d: the hub lists clip %s and has other bytes (%v, %v)", at, c.ID, err1, err2)
			}
		}
		for _, p := range must {
			checked++
			if !stored[p.clip] {
				lost++
				t.Errorf("cut at %d: clip %s, receipted at %d, is gone", at, p.clip, p.from)
			}
		}
	})
	writes, flushes := disk.counts()
	r.measured("%d images of %d writes, %d flushes (%d unmountable); %d receipts, %d lost, %d corrupt", n, writes, flushes, n-mountable, checked, lost, corrupt)
	if checked < n {
		t.Errorf("only %d receipts were checked", checked)
	}
}

// payload is what a compact JWS says.
func payload(jws []byte) string {
	_, rest, _ := strings.Cut(string(jws), ".")
	body, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return ""
	}
	return string(text)
}
