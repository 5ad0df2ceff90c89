// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

func TestShades(t *testing.T) {
	grey := color.RGBA{100, 100, 100, 255}
	for name, c := range map[string]struct {
		cell motion.Cell
		want color.RGBA
	}{
		"quiet":            {motion.Cell{}, grey},
		"strong":           {motion.Cell{Level: motion.CellStrong, Busy: 128}, color.RGBA{156, 74, 69, 255}}, // 100+(230-100)*110/255
		"weak":             {motion.Cell{Level: motion.CellWeak}, color.RGBA{149, 128, 64, 255}},
		"busy":             {motion.Cell{Busy: 128}, color.RGBA{71, 95, 170, 255}},
		"half busy":        {motion.Cell{Busy: 64}, color.RGBA{85, 97, 135, 255}},
		"ignored, strong":  {motion.Cell{Ignored: true, Level: motion.CellStrong}, color.RGBA{41, 41, 41, 255}},
		"busier than busy": {motion.Cell{Busy: 255}, color.RGBA{71, 95, 170, 255}},
	} {
		if got := over(grey, shade(c.cell)); got != c.want {
			t.Errorf("%s is %v, want %v", name, got, c.want)
		}
	}
}

// Small pictures are enlarged, or the text would hide them; edges are even, as codecs want them.
func TestCanvasSize(t *testing.T) {
	for _, c := range [][4]int{ // film, canvas
		{640, 360, 640, 378}, {160, 120, 640, 498}, {1920, 1080, 1920, 1098}, {1, 1, 640, 658}, {33, 17, 660, 358}, {8192, 8191, 8192, 8210}, {3, 5000, 4, 5018},
	} {
		got := newCanvas(c[0], c[1]).Bounds().Size()
		if got != (image.Point{c[2], c[3]}) || got.X%2+got.Y%2 != 0 {
			t.Errorf("a film of %dx%d is drawn in %v, want %dx%d", c[0], c[1], got, c[2], c[3])
		}
	}
}

// readPNG returns a drawing and how many of its samples have a colour.
func readPNG(t *testing.T, path string) (img image.Image, colours map[color.RGBA]int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if img, err = png.Decode(file); err != nil {
		t.Fatal(err)
	}
	colours = map[color.RGBA]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, a := img.At(x, y).RGBA()
			colours[color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)}]++
		}
	}
	return img, colours
}

func TestRenderPNG(t *testing.T) {
	dir := t.TempDir()
	film := writeY4M(t, filepath.Join(dir, "passing.y4m"), 128, 96, 60, passing)
	red, black := color.RGBA{140, 20, 20, 255}, color.RGBA{0, 0, 0, 255}
	draw := func(name string, frame int, at time.Duration) (Verdict, image.Image, map[color.RGBA]int) {
		t.Helper()
		r := Rendering{Path: film, Out: filepath.Join(dir, name), Config: motion.DefaultConfig(), Frame: frame, At: at}
		v, err := Render(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		img, colours := readPNG(t, r.Out)
		return v, img, colours
	}
	v, img, colours := draw("best.png", -1, -1)
	if v.Frame < 30 || v.Frame >= 50 || !v.Motion || img.Bounds().Size() != (image.Point{640, 498}) {
		t.Errorf("the best frame is %+v in %v", v, img.Bounds())
	}
	if colours[boxColour] < 100 || colours[red] < 5000 || colours[textColour] < 200 {
		t.Errorf("box, band and text have %d, %d and %d samples", colours[boxColour], colours[red], colours[textColour])
	}
	v, img, colours = draw("quiet.png", 25, -1)
	if v.Frame != 25 || v.Motion || colours[boxColour] > 0 || colours[red] > 0 || colours[black] < 5000 {
		t.Errorf("frame 25 is %+v, and has a box in %d samples", v, colours[boxColour])
	}
	if r, g, b, _ := img.At(5*20+2, 5*20+2).RGBA(); uint8(r>>8) != room(0, 20, 20) || r != g || g != b {
		t.Errorf("where nothing is, the picture has the colour %d %d %d, want the film's luma %d", r>>8, g>>8, b>>8, room(0, 20, 20))
	}
	if v, _, _ = draw("at.png", -1, 2150*time.Millisecond); v.Frame != 22 {
		t.Errorf("the first frame from 2.15 s on is %d, want 22", v.Frame)
	}
	// What no zone counts is dark.
	cfg := motion.DefaultConfig()
	cfg.Zones = []motion.Zone{{Name: "left", Kind: motion.Include, Polygon: [][2]float64{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}}}
	r := Rendering{Path: film, Out: filepath.Join(dir, "zone.png"), Config: cfg, Frame: 25, At: -1}
	if _, err := Render(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	img, _ = readPNG(t, r.Out)
	mean := func(from, to int) (sum int) {
		for y := range 480 {
			for x := from; x < to; x++ {
				g, _, _, _ := img.At(x, y).RGBA()
				sum += int(g >> 8)
			}
		}
		return sum
	}
	if in, out := mean(0, 320), mean(320, 640); out*3 > in*2 {
		t.Errorf("inside the zone the light is %d, outside %d: not darkened", in, out)
	}
}

// The cells are those of the grid, and what differs lies where the boxes are.
func TestCellsAgreeWithBoxes(t *testing.T) {
	path := writeY4M(t, filepath.Join(t.TempDir(), "passing.y4m"), 132, 98, 60, passing) // blocks at the edges are cut
	film, err := Open(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer film.Close()
	strong := 0
	err = Watch(t.Context(), film, nil, []motion.Config{motion.DefaultConfig()}, func(f Frame, d []*motion.Detector, results []motion.Result) error {
		cols, rows, w, h := d[0].Grid()
		cells := d[0].Cells(nil)
		if cols != 17 || rows != 13 || len(cells) != cols*rows || w != 8.0/132 || h != 8.0/98 {
			t.Fatalf("frame %d: %d cells in %d columns and %d rows of %v by %v", f.N, len(cells), cols, rows, w, h)
		}
		for _, b := range results[0].Boxes {
			inside := 0
			for i, c := range cells {
				x, y := (float64(i%cols)+0.5)*w, (float64(i/cols)+0.5)*h
				if c.Level != motion.CellQuiet && x > b.X0 && x < b.X1 && y > b.Y0 && y < b.Y1 {
					inside++
				}
				if c.Level == motion.CellStrong {
					strong++
				}
			}
			if inside < 2 {
				t.Errorf("frame %d: a box has %d cells that differ", f.N, inside)
			}
		}
		return nil
	})
	if err != nil || strong == 0 {
		t.Errorf("%d cells differ strongly, error %v", strong, err)
	}
}

func TestRenderErrors(t *testing.T) {
	dir := t.TempDir()
	film := writeY4M(t, filepath.Join(dir, "still.y4m"), 16, 16, 4, still)
	render := func(out string, change func(*Rendering)) error {
		r := Rendering{Path: film, Out: filepath.Join(dir, out), Config: motion.DefaultConfig(), Frame: -1, At: -1}
		if change != nil {
			change(&r)
		}
		_, err := Render(t.Context(), r)
		return err
	}
	if err := render("a.gif", nil); err == nil || !strings.Contains(err.Error(), ".png or .mp4") {
		t.Errorf("a gif: %v", err)
	}
	if err := render("a.png", func(r *Rendering) { r.Frame = 4 }); !errors.Is(err, ErrNoFrame) {
		t.Errorf("a frame behind the last: %v", err)
	}
	if err := render("a.png", func(r *Rendering) { r.At = time.Second }); !errors.Is(err, ErrNoFrame) {
		t.Errorf("a time behind the end: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.png")); err == nil {
		t.Error("an error left a picture")
	}
	if err := render("none/a.png", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := render("a.png", func(r *Rendering) { r.Hardships = []string{"fog"} }); err == nil {
		t.Error("fog is taken")
	}
	if err := render("a.png", func(r *Rendering) { r.Config.Confirm = 0 }); err == nil {
		t.Error("a wrong configuration is taken")
	}
	t.Setenv("PATH", "")
	if err := render("a.mp4", nil); !errors.Is(err, ErrNoFFmpeg) {
		t.Errorf("a film without ffmpeg: %v", err)
	}
}

// The film that is drawn has every frame, and can be opened again.
func TestRenderMP4(t *testing.T) {
	needFFmpeg(t)
	dir := t.TempDir()
	film := writeY4M(t, filepath.Join(dir, "passing.y4m"), 128, 96, 40, passing)
	r := Rendering{Path: film, Out: filepath.Join(dir, "seen.mp4"), Config: motion.DefaultConfig(), Hardships: []string{"night:level=0.8,gain=2"}, Frame: -1, At: -1}
	v, err := Render(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if v.Frame != 39 {
		t.Errorf("the last frame is %d, want 39", v.Frame)
	}
	f, frames := readAll(t, r.Out, 0)
	if f.Width != 640 || f.Height != 498 || len(frames) != 40 || f.FPS != 10 {
		t.Errorf("the drawing is %dx%d at %v fps with %d frames", f.Width, f.Height, f.FPS, len(frames))
	}
	r.Out = filepath.Join(dir, "none", "seen.mp4")
	if _, err := Render(t.Context(), r); err == nil || !strings.Contains(err.Error(), "ffmpeg cannot write it") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
