// SPDX-License-Identifier: Apache-2.0

package v4l2

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/nightjar-cam/nightjar/capture"
)

// Camera is a video node of this board.
type Camera struct {
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Bus     string   `json:"bus"`
	Formats []string `json:"formats"`           // all it has, by their four characters
	Modes   []Mode   `json:"modes"`             // of the formats that can be read
	Trouble string   `json:"trouble,omitempty"` // why it cannot be used
}

// Mode is a size of a format with its highest rate.
type Mode struct {
	Format string  `json:"format"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	Rate   float64 `json:"rate"`
}

// List returns the video nodes of this board, by number. Those that give no pictures, such as a camera's second node for
// metadata, are left out; those that cannot be used say why.
func List() ([]Camera, error) { return list("/dev", openNode) }

func list(dev string, open func(string) (device, error)) (all []Camera, err error) {
	paths, err := nodes(dev)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		d, err := open(path)
		if err != nil {
			all = append(all, Camera{Path: path, Trouble: err.Error()})
			continue
		}
		if c, ok := describe(path, d); ok {
			all = append(all, c)
		}
		d.close()
	}
	return all, nil
}

// nodes returns /dev/videoN by number.
func nodes(dev string) ([]string, error) {
	entries, err := os.ReadDir(dev)
	if err != nil {
		return nil, fmt.Errorf("look for cameras: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if digits, ok := strings.CutPrefix(e.Name(), "video"); ok {
			if n, err := strconv.Atoi(digits); err == nil && n >= 0 {
				numbers = append(numbers, n)
			}
		}
	}
	slices.Sort(numbers)
	var paths []string
	for _, n := range numbers {
		paths = append(paths, filepath.Join(dev, "video"+strconv.Itoa(n)))
	}
	return paths, nil
}

func describe(path string, d device) (Camera, bool) {
	id, err := identify(d)
	if err != nil {
		return Camera{}, false
	}
	c := Camera{Path: path, Name: text(id.Card[:]), Bus: text(id.Bus[:]), Formats: []string{}, Modes: []Mode{}}
	has := formats(d)
	usable := false
	for _, f := range has {
		c.Formats = append(c.Formats, fourccText(f))
		if _, ok := findLayout(f); ok {
			usable = true
			c.Modes = append(c.Modes, modes(d, f)...)
		}
	}
	if !usable {
		c.Trouble = noLayout(has).Error()
	}
	return c, true
}

// modes lists the sizes of a format, largest first; of a range, its ends.
func modes(d device, pixel uint32) (all []Mode) {
	for i := range uint32(maxEnumerated) {
		s := frmsizeenum{Index: i, PixelFormat: pixel}
		if d.ioctl(vidiocEnumSizes, unsafe.Pointer(&s)) != nil {
			break
		}
		sizes := [][2]uint32{{s.Sizes[0], s.Sizes[1]}}
		if s.Type != discrete { // min, max and step of both
			sizes = [][2]uint32{{s.Sizes[0], s.Sizes[3]}, {s.Sizes[1], s.Sizes[4]}}
		}
		for _, wh := range sizes {
			if capture.CheckSize(int(wh[0]), int(wh[1])) != nil {
				continue
			}
			pix := pixFormat{PixelFormat: pixel, Width: wh[0], Height: wh[1]}
			all = append(all, Mode{fourccText(pixel), int(wh[0]), int(wh[1]), rate(d, pix, 1000)})
		}
	}
	slices.SortStableFunc(all, func(a, b Mode) int { return cmp.Compare(b.Width*b.Height, a.Width*a.Height) })
	return all
}

// find returns the node of a camera: by path, by name, or the first that can be used.
func find(want string) (string, error) {
	if strings.HasPrefix(want, "/") {
		return want, nil
	}
	all, err := List()
	if err != nil {
		return "", err
	}
	return pick(all, want)
}

func pick(all []Camera, want string) (string, error) {
	var seen []string
	for _, c := range all {
		if want == "" && c.Trouble == "" || want != "" && c.Name == want {
			return c.Path, nil
		}
		seen = append(seen, strings.TrimSpace(c.Path+" "+c.Name+" "+c.Trouble))
	}
	switch {
	case len(all) == 0:
		return "", fmt.Errorf("%w: no camera is plugged in; one on the ribbon cable of a Raspberry Pi has source: rpicam", capture.ErrGone)
	case want == "":
		return "", fmt.Errorf("no camera can be used: %s", strings.Join(seen, "; "))
	}
	return "", fmt.Errorf("%w: no camera is called %q; there are %q", capture.ErrGone, want, seen)
}
