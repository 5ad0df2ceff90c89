// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	maxLabelBytes = 64 << 20
	// present is the share of the picture that must be foreground, where labels count samples.
	leastForeground = 0.005
)

// Scene is an entry of scenes.json. All frames count from 0, and ranges include their last frame.
type Scene struct {
	Name string  `json:"-"`
	File string  `json:"file"` // beside the labels; empty: the film with the scene's name
	N    int     `json:"n"`
	FPS  float64 `json:"fps"` // replaces what the film says
	// Events are when something is to be seen. EventsROI are those within ROI, x0, y0, x1, y1 in samples; the detector
	// then has that region for its only zone.
	Events    [][2]int `json:"events"`
	EventsROI [][2]int `json:"events_roi"`
	ROI       *[4]int  `json:"roi"`
	// Empty says that nothing moves in the whole film.
	Empty bool `json:"empty"`
	// Ignore are frames in which the detector is neither right nor wrong.
	Ignore [][2]int `json:"ignore"`
	// Note is for those who read the labels.
	Note string `json:"note"`

	rows []row // of its CSV file, if there is one
}

// row is what a CSV file says of a frame.
type row struct {
	frame, foreground int // foreground is -1 where present is known
	present, valid    bool
}

// Folder is a folder of films with their labels.
type Folder struct {
	Dir    string
	Scenes []Scene // by name
}

// films are the names that a film may end with.
var films = []string{".avi", ".y4m", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".ts", ".h264"}

// OpenFolder reads the labels of a folder: scenes.json, NAME.events.csv or NAME.csv, and then labels.json, or the file named
// labels, whose entries add to those of scenes.json or replace single fields. Films without an entry are scenes without
// labels.
func OpenFolder(dir, labels string) (*Folder, error) {
	scenes := map[string]*Scene{}
	required := labels != ""
	if !required {
		labels = filepath.Join(dir, "labels.json")
	}
	if err := readScenes(scenes, filepath.Join(dir, "scenes.json"), false); err != nil {
		return nil, err
	}
	if err := readScenes(scenes, labels, required); err != nil {
		return nil, err
	}
	found, err := findFilms(dir)
	if err != nil {
		return nil, err
	}
	for name, file := range found {
		if scenes[name] == nil {
			scenes[name] = &Scene{}
		}
		if scenes[name].File == "" {
			scenes[name].File = file
		}
	}
	f := &Folder{Dir: dir}
	for _, name := range slices.Sorted(maps.Keys(scenes)) {
		s := scenes[name]
		s.Name = name
		if s.File == "" {
			return nil, fmt.Errorf("scene %s: no film of that name in %s, give its file or take it out of the labels", name, dir)
		}
		if s.rows, err = readRows(dir, name); err != nil {
			return nil, err
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("scene %s: %w", name, err)
		}
		f.Scenes = append(f.Scenes, *s)
	}
	if len(f.Scenes) == 0 {
		return nil, fmt.Errorf("no films in %s, give a folder with films and scenes.json", dir)
	}
	return f, nil
}

// Choose keeps the scenes named; none named keeps all.
func (f *Folder) Choose(names []string) error {
	var chosen []Scene
	for _, name := range names {
		i := slices.IndexFunc(f.Scenes, func(s Scene) bool { return s.Name == name })
		if i < 0 {
			var known []string
			for _, s := range f.Scenes {
				known = append(known, s.Name)
			}
			return fmt.Errorf("no scene %q, use one of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, f.Scenes[i])
	}
	if len(names) > 0 {
		f.Scenes = chosen
	}
	return nil
}

func readScenes(scenes map[string]*Scene, path string, required bool) error {
	text, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read labels: %w", err)
	}
	entries := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &entries); err != nil {
		return fmt.Errorf("read labels %s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if scenes[name] == nil {
			scenes[name] = &Scene{}
		}
		d := json.NewDecoder(bytes.NewReader(entries[name]))
		d.DisallowUnknownFields() // a misspelt "evnets" would make a film look empty
		if err := d.Decode(scenes[name]); err != nil {
			return fmt.Errorf("read labels %s: scene %s: %w", path, name, err)
		}
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxLabelBytes+1))
	if err == nil && len(text) > maxLabelBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, maxLabelBytes)
	}
	return text, err
}

// findFilms returns the films of a folder by name without its end. Of two with one name the first in the alphabet counts.
func findFilms(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder of films: %w", err)
	}
	found := map[string]string{}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext)
		if _, twice := found[name]; !twice && !e.IsDir() && slices.Contains(films, strings.ToLower(ext)) {
			found[name] = e.Name()
		}
	}
	return found, nil
}

// check finds labels that contradict each other.
func (s *Scene) check() error {
	for _, e := range slices.Concat(s.Events, s.EventsROI, s.Ignore) {
		if e[0] < 0 || e[1] < e[0] || e[1] >= maxFrames {
			return fmt.Errorf("frames %v: give the first and the last one", e)
		}
	}
	switch {
	case len(s.EventsROI) > 0 && s.ROI == nil:
		return errors.New("events_roi without a roi: give its x0, y0, x1, y1 in samples")
	case len(s.Events) > 0 && len(s.EventsROI) > 0:
		return errors.New("both events and events_roi: give one")
	case s.Empty && len(s.Events)+len(s.EventsROI)+len(s.rows) > 0:
		return errors.New("empty, and yet there are events: take one away")
	case s.ROI != nil && (s.ROI[0] < 0 || s.ROI[1] < 0 || s.ROI[2] <= s.ROI[0] || s.ROI[3] <= s.ROI[1]):
		return fmt.Errorf("roi %v: give x0, y0, x1, y1 in samples with x0 < x1 and y0 < y1", *s.ROI)
	case !(s.FPS >= 0 && s.FPS <= maxFPS):
		return fmt.Errorf("fps is %v: give 0 to %d", s.FPS, maxFPS)
	case s.File != filepath.Base(s.File):
		return fmt.Errorf("file %q: give the name of a file in the folder", s.File)
	}
	return nil
}

// readRows reads NAME.events.csv with the columns frame, present, valid, or NAME.csv with frame, fg_px, valid.
func readRows(dir, name string) ([]row, error) {
	for _, end := range []string{".events.csv", ".csv"} {
		path := filepath.Join(dir, name+end)
		text, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var rows []row
			if rows, err = parseRows(text); err == nil {
				return rows, nil
			}
		}
		return nil, fmt.Errorf("read labels %s: %w", path, err)
	}
	return nil, nil
}

func parseRows(text []byte) ([]row, error) {
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) < 2 {
		return nil, errors.New("no rows")
	}
	column := func(name string) int { return slices.Index(lines[0], name) }
	frame, valid, present, foreground := column("frame"), column("valid"), column("present"), column("fg_px")
	if frame < 0 || valid < 0 || present < 0 == (foreground < 0) {
		return nil, fmt.Errorf("columns are %q, want frame, valid, and either present or fg_px", lines[0])
	}
	rows := make([]row, 0, len(lines)-1)
	for i, line := range lines[1:] {
		number := func(column int) (n int) {
			if err == nil {
				n, err = strconv.Atoi(line[column])
			}
			return n
		}
		r := row{frame: number(frame), valid: number(valid) != 0, foreground: -1}
		if present >= 0 {
			r.present = number(present) != 0
		} else {
			r.foreground = number(foreground)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		if r.frame < 0 || r.frame >= maxFrames {
			return nil, fmt.Errorf("line %d: frame is %d", i+2, r.frame)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
