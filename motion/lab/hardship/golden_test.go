// SPDX-License-Identifier: Apache-2.0

package hardship_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/motion/lab/hardship"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// specs are every effect, early enough to be seen in the first seconds, and the corners of some.
var specs = []string{
	"clouds:period=1", "exposure:at=0.5,back=1.5,ramp=0.3", "exposure:at=0.5,ev=-3", "flicker", "flicker:mains=60,fps=30,exposure=12",
	"headlights:from=0.2,to=1.8", "headlights:from=0.2,to=1.8,dir=-1", "ircut:at=0.5,back=1.5", "ircut:at=0,remap=0.5,gain=64",
	"lamp:at=0.5,off=1.5", "night", "night:denoise=0.8,level=0.03", "night:fullwell=100000,gain=1,level=1,row=20",
	"person:from=0,to=2", "person:from=0,to=2,dir=-1,seed=2,height=1.2", "rain", "rain:rate=150,wind=-20", "shake", "shake:amp=40,freq=1",
	"shake:bump=0.5", "snow", "snow:density=1000,wind=-10,light=16",
}

// parse is for specs that are right.
func parse(t testing.TB, spec string) hardship.Effect {
	t.Helper()
	e, err := hardship.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// scene draws a picture with edges, gradients, black and white; its rows are padded with 0xa5.
func scene(w, h, stride int) motion.Plane {
	p := motion.Plane{Pix: bytes.Repeat([]byte{0xa5}, stride*h), Stride: stride, W: w, H: h}
	for y := range h {
		for x := range w {
			v := x*200/w + 30*(x/7%2) + 25*(y/5%2)
			switch {
			case y < h/16:
				v = 0
			case y > h-h/16:
				v = 255
			}
			p.Pix[y*stride+x] = byte(v)
		}
	}
	return p
}

const frameTime = 40 * time.Millisecond

// film hashes some frames of an effect. It does not apply the frames in between: frames do not depend on each other.
func film(e hardship.Effect, w, h, stride int, frames ...int) string {
	sum := sha256.New()
	for _, n := range frames {
		p := scene(w, h, stride)
		e.Apply(p, n, time.Duration(n)*frameTime)
		for y := range h {
			sum.Write(p.Pix[y*stride : y*stride+w])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// TestGolden holds every byte: the hashes are those of amd64, and other processors must come to the same.
func TestGolden(t *testing.T) {
	const path = "testdata/golden.txt"
	var got strings.Builder
	for _, spec := range specs {
		fmt.Fprintf(&got, "%s %s\n", film(parse(t, spec), 131, 77, 131, 0, 1, 13, 14, 25, 41), spec)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wanted := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(wanted) || line != wanted[i] {
			t.Errorf("line %d is %q and not in %s; if that is meant, run with -update", i+1, line, path)
		}
	}
}

// Every effect changes the scene, and each seed makes another one.
func TestEffectsDiffer(t *testing.T) {
	seen := map[string]string{"nothing": film(hardship.Chain(), 131, 77, 131, 13, 14, 25)}
	for _, spec := range specs {
		hash := film(parse(t, spec), 131, 77, 131, 13, 14, 25)
		for other, h := range seen {
			if h == hash {
				t.Errorf("%s does the same as %s", spec, other)
			}
		}
		seen[spec] = hash
	}
	for _, name := range []string{"clouds", "ircut:at=0", "night", "person:from=0", "rain", "shake", "snow"} {
		sep := ","
		if !strings.Contains(name, ":") {
			sep = ":"
		}
		if film(parse(t, name+sep+"seed=1"), 64, 48, 64, 90) == film(parse(t, name+sep+"seed=3"), 64, 48, 64, 90) {
			t.Errorf("%s is the same with another seed", name)
		}
	}
}

// A frame depends on nothing but its number, time and picture: not on what came before, nor on the stride, nor on the
// size of the picture before.
func TestFramesStandAlone(t *testing.T) {
	for _, spec := range specs {
		e := parse(t, spec)
		film(e, 200, 20, 200, 3, 90)
		film(e, 3, 2, 5, 7)
		fresh := film(parse(t, spec), 64, 48, 64, 20)
		if got := film(e, 64, 48, 64, 20); got != fresh {
			t.Errorf("%s: a frame depends on those before", spec)
		}
		if got := film(e, 64, 48, 80, 20); got != fresh {
			t.Errorf("%s: a frame depends on the stride", spec)
		}
	}
}

// Nothing is written beside the picture, whatever its size; the last row may end without padding.
func TestBounds(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {3, 2, 3}, {1, 40, 4}, {40, 1, 64}, {7, 8, 9}, {8, 7, 8}, {16, 16, 21}, {33, 47, 48}, {160, 90, 192}}
	for _, spec := range specs {
		e := parse(t, spec)
		for _, s := range sizes {
			w, h, stride := s[0], s[1], s[2]
			for _, frame := range []int{0, 1, 14, 30, 1_000_000} {
				p := scene(w, h, stride)
				p.Pix = p.Pix[: (h-1)*stride+w : (h-1)*stride+w]
				e.Apply(p, frame, time.Duration(frame)*frameTime)
				for i, v := range p.Pix {
					if i%stride >= w && v != 0xa5 {
						t.Fatalf("%s, %dx%d with stride %d, frame %d: wrote at column %d of row %d", spec, w, h, stride, frame, i%stride, i/stride)
					}
				}
			}
		}
		e.Apply(motion.Plane{}, 0, frameTime) // an empty picture is no reason to panic
	}
}

// Light that is not switched on yet, a person not there yet: the picture stays as it is.
func TestBeforeAndAfter(t *testing.T) {
	plain := film(hardship.Chain(), 64, 48, 64, 0, 10, 300)
	for _, spec := range []string{
		"exposure:at=1,back=3", "lamp:at=1,off=3", "headlights:from=1,to=3", "person:from=1,to=3", "shake:bump=1,damp=0.1", "ircut:at=1,back=3",
	} {
		if film(parse(t, spec), 64, 48, 64, 0, 10, 300) != plain {
			t.Errorf("%s changes the picture before 1 s or after 3 s", spec)
		}
		if film(parse(t, spec), 64, 48, 64, 28, 45) == film(hardship.Chain(), 64, 48, 64, 28, 45) {
			t.Errorf("%s changes nothing at 1.12 s and 1.8 s", spec)
		}
	}
}

func TestChain(t *testing.T) {
	a, b := parse(t, "lamp:at=0"), parse(t, "night")
	p, q := scene(64, 48, 64), scene(64, 48, 64)
	a.Apply(p, 5, frameTime)
	b.Apply(p, 5, frameTime)
	both := hardship.Chain(parse(t, "lamp:at=0"), parse(t, "night"))
	both.Apply(q, 5, frameTime)
	if !bytes.Equal(p.Pix, q.Pix) {
		t.Error("a chain is not its parts one after the other")
	}
	if want := a.String() + " " + b.String(); both.String() != want {
		t.Errorf("chain is %q, want %q", both, want)
	}
	if _, ok := both.(hardship.Truth); ok {
		t.Error("a chain with nobody in it is a Truth")
	}
	truth, ok := hardship.Chain(b, parse(t, "person:from=4,to=6"), parse(t, "person:from=2,to=3"), a).(hardship.Truth)
	if !ok {
		t.Fatal("a chain with persons is no Truth")
	}
	if from, to := truth.Interval(); from != 2*time.Second || to != 6*time.Second {
		t.Errorf("interval is %v to %v, want 2s to 6s", from, to)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, name := range hardship.Names() {
		b.Run(name, func(b *testing.B) {
			e, p := parse(b, name), scene(640, 360, 640)
			b.SetBytes(640 * 360)
			for i := range b.N {
				e.Apply(p, i, 4*time.Second+time.Duration(i%50)*frameTime)
			}
		})
	}
}
