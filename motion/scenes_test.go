// SPDX-License-Identifier: Apache-2.0

package motion_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/motion"
)

// scene is a labelled film and what the detector must reach on it: the least share of the frames with something in
// them that it finds (recall), and the greatest share of the others that it takes for motion (false alarms).
type scene struct {
	file, labels     string
	width, height    int
	recall, falsePos float64
}

// The floors lie a little below what the defaults reach. In Camouflage the false alarms are the bars on a screen.
var scenes = []scene{
	{"WavingTrees.mp4", "WavingTrees.events.csv", 160, 120, 0.45, 0.02},
	{"Camouflage.mp4", "Camouflage.events.csv", 160, 120, 0.88, 0.23},
	{"ForegroundAperture.mp4", "ForegroundAperture.events.csv", 160, 120, 0.85, 0.07},
	{"LightSwitch.mp4", "LightSwitch.events.csv", 160, 120, 0.93, 0.04},
	{"MovedObject.mp4", "MovedObject.events.csv", 160, 120, 0.94, 0.05},
	{"TimeOfDay.mp4", "TimeOfDay.events.csv", 160, 120, 0.87, 0.03},
	{"highway.mp4", "highway.csv", 320, 240, 0.98, 0},
	{"issue53_brightness_change.avi", "", 960, 1080, 0, 0},
}

// TestScenes measures the detector on films that may not be part of this repository.
func TestScenes(t *testing.T) {
	folder := os.Getenv("NIGHTJAR_FOOTAGE")
	if folder == "" {
		t.Skip("NIGHTJAR_FOOTAGE names no folder with the labelled films; their licences keep them out of the repository")
	}
	text, err := os.ReadFile(filepath.Join(folder, "scenes.json"))
	if err != nil {
		t.Fatal(err)
	}
	rates := map[string]struct{ FPS float64 }{}
	if err := json.Unmarshal(text, &rates); err != nil {
		t.Fatal(err)
	}
	table := new(bytes.Buffer)
	fmt.Fprintf(table, "%-20s %7s %7s %8s %8s %7s\n", "scene", "present", "empty", "recall", "false", "onsets")
	for _, s := range scenes {
		name := s.file[:len(s.file)-len(filepath.Ext(s.file))]
		t.Run(name, func(t *testing.T) {
			frames := watchScene(t, filepath.Join(folder, s.file), s.width, s.height, rates[name].FPS)
			present, scored := truth(t, folder, s, len(frames))
			var n, hit [2]int
			onsets := 0
			for i, m := range frames {
				if m && (i == 0 || !frames[i-1]) {
					onsets++
				}
				if scored[i] {
					n[present[i]]++
					if m {
						hit[present[i]]++
					}
				}
			}
			recall, falsePos := share(hit[1], n[1]), share(hit[0], n[0])
			fmt.Fprintf(table, "%-20.20s %7d %7d %8.3f %8.3f %7d\n", name, n[1], n[0], recall, falsePos, onsets)
			if n[0]+n[1] == 0 {
				t.Fatal("no frame is scored")
			}
			if n[1] > 0 && recall < s.recall {
				t.Errorf("recall %.3f, want at least %.3f", recall, s.recall)
			}
			if falsePos > s.falsePos {
				t.Errorf("false alarms in %.3f of the empty frames, want at most %.3f", falsePos, s.falsePos)
			}
		})
	}
	t.Logf("frames of each scene with the defaults:\n%s", table)
}

func share(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) }

// watchScene decodes a film with ffmpeg and returns for each frame whether it shows motion.
func watchScene(t *testing.T, path string, width, height int, rate float64) (frames []bool) {
	t.Helper()
	if rate <= 0 {
		t.Fatalf("no frame rate for %s", path)
	}
	decoder := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough",
		"-f", "rawvideo", "-pix_fmt", "gray", "-")
	decoder.Stderr = os.Stderr
	pipe, err := decoder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := decoder.Start(); err != nil {
		t.Fatal(err)
	}
	detector, err := motion.New(motion.DefaultConfig(), width, height)
	if err != nil {
		t.Fatal(err)
	}
	p := motion.Plane{Pix: make([]byte, width*height), Stride: width, W: width, H: height}
	for {
		if _, err := io.ReadFull(pipe, p.Pix); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pts := time.Duration(float64(len(frames)) / rate * float64(time.Second))
		frames = append(frames, detector.Process(p, pts).Motion)
	}
	if err := decoder.Wait(); err != nil {
		t.Fatal(err)
	}
	return frames
}

// truth reads the labels: present is 1 where there is something to find, and scored where the frame counts. A scene
// without labels is empty. Of highway only frames with half a per cent of foreground count.
func truth(t *testing.T, folder string, s scene, n int) (present []int, scored []bool) {
	t.Helper()
	present, scored = make([]int, n), make([]bool, n)
	if s.labels == "" {
		for i := range scored {
			scored[i] = true
		}
		return present, scored
	}
	file, err := os.Open(filepath.Join(folder, s.labels))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	number := func(row []string, name string) int {
		v, err := strconv.Atoi(row[column[name]])
		if err != nil {
			t.Fatalf("%s: %v", s.labels, err)
		}
		return v
	}
	for _, row := range rows[1:] {
		i := number(row, "frame")
		if i >= n || number(row, "valid") == 0 {
			continue
		}
		if _, ok := column["fg_px"]; ok {
			present[i] = 1
			scored[i] = number(row, "fg_px")*200 >= s.width*s.height
		} else {
			present[i], scored[i] = number(row, "present"), true
		}
	}
	return present, scored
}
