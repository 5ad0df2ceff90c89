// SPDX-License-Identifier: Apache-2.0

// Package config is the agent's configuration: one YAML file that composes the Configs of the packages.
// [Load] reads a file over the defaults, [Default] is what an absent file means, [Reference] is the
// commented file with all keys. Keys may be added; none changes its meaning.
//
// The file is strict: an unknown key, a value of the wrong kind or out of its range is an error with the
// line, the column and, where one is near, the key that was meant.
package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/nightjar-cam/nightjar/board/console"
	"github.com/nightjar-cam/nightjar/board/gpio"
	"github.com/nightjar-cam/nightjar/board/privacy"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/capture/rpicam"
	"github.com/nightjar-cam/nightjar/capture/v4l2"
	"github.com/nightjar-cam/nightjar/cmd/internal/suggest"
	"github.com/nightjar-cam/nightjar/keys/technician"
	"github.com/nightjar-cam/nightjar/motion"
	"github.com/nightjar-cam/nightjar/uplink/policy"
)

// DefaultPath is where the agent looks for its configuration.
const DefaultPath = "/etc/nightjar/nightjar.yml"

// maxFile bounds a configuration, in bytes. The YAML library takes time in the square of the depth of
// nesting: 64 KiB of brackets keep a laptop busy for 20 seconds. A file with 20 zones has about 6 KiB.
const maxFile = 16 << 10

// Config is the agent's whole configuration. Only cmd/nightjar may know it; a package gets its own part.
type Config struct {
	State  string        `yaml:"state"` // folder of keys and spool
	Run    string        `yaml:"run"`   // folder of what the running agent says of itself; empty: see RunDir
	Log    slog.Level    `yaml:"log"`
	Camera Camera        `yaml:"camera"`
	Motion motion.Config `yaml:"motion"`
	Clip   clip.Config   `yaml:"clip"`
	Spool  Spool         `yaml:"spool"`
	Upload policy.Config `yaml:"upload"`

	Privacy  privacy.Config `yaml:"privacy"`
	Wires    Wires          `yaml:"wires"`
	Watchdog Watchdog       `yaml:"watchdog"`
	Console  console.Config `yaml:"console"`
}

// Wires are the lines of the board that something is connected to.
type Wires struct {
	PIR     gpio.Wire     `yaml:"pir"`      // a sensor of warmth that moves
	PIRUse  string        `yaml:"pir_use"`  // PIRNote or PIRRequire
	PIRHold time.Duration `yaml:"pir_hold"` // how long it counts after it saw somebody
	Button  gpio.Wire     `yaml:"button"`
	Tamper  gpio.Wire     `yaml:"tamper"`  // a switch that is active while the housing is open
	Privacy gpio.Wire     `yaml:"privacy"` // a switch that is active while the sensor has to be closed
	LED     gpio.Wire     `yaml:"led"`
	Shutter gpio.Wire     `yaml:"shutter"` // an output that is active while the sensor is closed
}

// Values of Wires.PIRUse.
const (
	PIRNote    = "note"    // an event, and nothing else
	PIRRequire = "require" // only what moves while the sensor counts is motion
)

func (w Wires) validate() error {
	used := map[string]string{}
	for name, wire := range map[string]gpio.Wire{"pir": w.PIR, "button": w.Button, "tamper": w.Tamper, "privacy": w.Privacy, "led": w.LED, "shutter": w.Shutter} {
		if err := wire.Validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if other := used[wire.Line]; other != "" && wire.Is() {
			return fmt.Errorf("%s and %s are the same line %s", min(name, other), max(name, other), wire.Line)
		}
		used[wire.Line] = name
	}
	if w.PIRUse != PIRNote && w.PIRUse != PIRRequire {
		return fmt.Errorf("pir_use: %q: available are %s and %s", w.PIRUse, PIRNote, PIRRequire)
	}
	if w.PIRUse == PIRRequire && !w.PIR.Is() {
		return errors.New("pir_use: require: there is no pir, so nothing would ever be motion")
	}
	if w.PIRHold < 0 || w.PIRHold > 10*time.Minute {
		return fmt.Errorf("pir_hold: %v: must be 0s to 10m", w.PIRHold)
	}
	return nil
}

// The folders of an installed agent.
const (
	defaultState = "/var/lib/nightjar"
	defaultRun   = "/run/nightjar"
)

// RunDir is where the running agent's status lies: in memory for the usual agent, below the state for any other, so that
// two do not meet.
func (c Config) RunDir() string {
	switch {
	case c.Run != "":
		return c.Run
	case c.State == defaultState:
		return defaultRun
	}
	return filepath.Join(c.State, "run")
}

// Camera says where frames come from.
type Camera struct {
	Source string  `yaml:"source"` // Synthetic, Replay, V4L2 or Rpicam
	Device string  `yaml:"device"` // which camera, where there are several
	Width  int     `yaml:"width"`  // of the picture that a device is asked for
	Height int     `yaml:"height"`
	Rate   float64 `yaml:"rate"`  // in frames per second
	Path   string  `yaml:"path"`  // of the film, for Replay
	Speed  float64 `yaml:"speed"` // 1 is real time, 0 as fast as possible without losing a frame
	Loop   bool    `yaml:"loop"`  // begin again at the end
	CSI    CSI     `yaml:"rpicam"`
}

// CSI is what only cameras on the ribbon cable of a Raspberry Pi have.
type CSI struct {
	Program  string `yaml:"program"`
	Rotation int    `yaml:"rotation"`
	HFlip    bool   `yaml:"hflip"`
	VFlip    bool   `yaml:"vflip"`
	Focus    string `yaml:"focus"`
}

// Rpicam returns the driver's configuration, for source: rpicam.
func (c Camera) Rpicam() rpicam.Config {
	return rpicam.Config{
		Program: c.CSI.Program, Camera: c.Device, Width: c.Width, Height: c.Height, Rate: c.Rate,
		Rotation: c.CSI.Rotation, HFlip: c.CSI.HFlip, VFlip: c.CSI.VFlip, Focus: c.CSI.Focus,
	}
}

// V4L2 returns the driver's configuration, for source: v4l2.
func (c Camera) V4L2() v4l2.Config {
	return v4l2.Config{Device: c.Device, Width: c.Width, Height: c.Height, Rate: c.Rate}
}

// Values of Camera.Source.
const (
	Synthetic = "synthetic" // a made-up room with scripted visitors
	Replay    = "replay"    // a film: Motion JPEG in AVI, or Y4M
	V4L2      = "v4l2"      // a USB camera, or another that the kernel gives pictures of
	Rpicam    = "rpicam"    // the camera on the ribbon cable of a Raspberry Pi
)

// Spool bounds the queue of sealed clips that the hub does not have yet.
type Spool struct {
	MaxBytes    int64         `yaml:"max_bytes"`    // on the card; beyond, the oldest is given up and declared lost
	MaxAge      time.Duration `yaml:"max_age"`      // likewise; 0 for any age
	MemoryBytes int64         `yaml:"memory_bytes"` // of clips that are not on the card yet
}

// Watchdog is the hardware that restarts a board that is frozen.
type Watchdog struct {
	Device  string        `yaml:"device"` // such as /dev/watchdog0; empty feeds none
	Timeout time.Duration `yaml:"timeout"`
}

func (w Watchdog) validate() error {
	if w.Timeout < 5*time.Second || w.Timeout > 10*time.Minute {
		return fmt.Errorf("timeout: %v: must be 5s to 10m", w.Timeout)
	}
	return nil
}

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		State:  defaultState,
		Log:    slog.LevelInfo,
		Camera: Camera{Source: Synthetic, Width: 640, Height: 360, Rate: 15, Speed: 1},
		Motion: motion.DefaultConfig(),
		Clip:   clip.DefaultConfig(),
		Spool:  Spool{MaxBytes: 2 << 30, MaxAge: 30 * 24 * time.Hour, MemoryBytes: 24 << 20},
		Upload: policy.DefaultConfig(),

		Privacy:  privacy.DefaultConfig(),
		Wires:    Wires{PIRUse: PIRNote, PIRHold: 10 * time.Second},
		Watchdog: Watchdog{Timeout: 15 * time.Second},
		Console:  console.DefaultConfig(),
	}
}

//go:embed reference.yml
var reference []byte

// Reference returns the commented file with all keys at their defaults. The caller owns the bytes.
func Reference() []byte { return append([]byte(nil), reference...) }

// Load reads the file over the defaults and validates the whole. The error has a line for each mistake.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return parse(path, text)
}

func parse(file string, text []byte) (Config, error) {
	if len(text) > maxFile {
		return Config{}, fmt.Errorf("%s: more than %d bytes", file, maxFile)
	}
	c := Default()
	if err := decode(file, text, &c); err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Validate checks every part, and what the parts must be together.
func (c Config) Validate() error {
	if c.State == "" {
		return errors.New("state: give a folder")
	}
	if err := c.Camera.validate(); err != nil {
		return fmt.Errorf("camera: %w", err)
	}
	if err := c.Motion.Validate(); err != nil {
		return fmt.Errorf("motion: %w", err)
	}
	if err := c.Clip.Validate(); err != nil {
		return fmt.Errorf("clip: %w", err)
	}
	if err := c.Spool.validate(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := c.Privacy.Validate(); err != nil {
		return fmt.Errorf("privacy: %w", err)
	}
	if err := c.Wires.validate(); err != nil {
		return fmt.Errorf("wires: %w", err)
	}
	if err := c.Watchdog.validate(); err != nil {
		return fmt.Errorf("watchdog: %w", err)
	}
	if err := c.validateConsole(); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if err := c.validateUpload(); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// validateConsole also reads the keys: who waits at the console would learn too late that theirs has a missing letter.
func (c Config) validateConsole() error {
	if _, err := technician.New(c.Console.Technicians, c.Console.Authorities); err != nil {
		return err
	}
	return c.Console.Validate()
}

func (s Spool) validate() error {
	switch {
	case s.MaxBytes <= 0:
		return fmt.Errorf("max_bytes: %d: must be more than 0", s.MaxBytes)
	case s.MaxAge != 0 && s.MaxAge < time.Hour:
		return fmt.Errorf("max_age: %v: must be 0s for any age, or at least 1h", s.MaxAge)
	case s.MemoryBytes < 1<<20 || s.MemoryBytes > 1<<30:
		return fmt.Errorf("memory_bytes: %d: must be 1 MiB to 1 GiB", s.MemoryBytes)
	}
	return nil
}

// validateUpload also checks that rules speak of zones that there are: one for a zone that was renamed would never count.
func (c Config) validateUpload() error {
	if err := c.Upload.Validate(); err != nil {
		return err
	}
	var names []string
	for _, z := range c.Motion.Zones {
		if z.Kind == motion.Include {
			names = append(names, z.Name)
		}
	}
	for i, r := range c.Upload.Rules {
		if r.Zone == "" || slices.Contains(names, r.Zone) {
			continue
		}
		if best := suggest.Nearest(r.Zone, names); best != "" {
			return fmt.Errorf("rule %d: zone: there is no include zone %q: did you mean %q?", i+1, r.Zone, best)
		}
		return fmt.Errorf("rule %d: zone: there is no include zone %q in motion", i+1, r.Zone)
	}
	return nil
}

func (c Camera) validate() error {
	switch c.Source {
	case Replay:
		if c.Path == "" {
			return errors.New("path: give the film that source: replay plays")
		}
	case Synthetic:
		if c.Path != "" {
			return fmt.Errorf("path: %s: source: synthetic plays no film; did you mean source: replay?", c.Path)
		}
	case V4L2, Rpicam:
		if c.Path != "" || c.Speed != 1 {
			return errors.New("path and speed: a camera plays no film and has its own pace; did you mean source: replay?")
		}
		if c.Source == V4L2 {
			return c.V4L2().Validate()
		}
		return c.Rpicam().Validate()
	default:
		return fmt.Errorf("source: %q: available are %s, %s, %s and %s", c.Source, Synthetic, Replay, V4L2, Rpicam)
	}
	return capture.Playback{Speed: c.Speed, Loop: c.Loop}.Validate()
}

// Show returns the configuration as YAML that Load reads back to the same.
func (c Config) Show() ([]byte, error) {
	b, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("show configuration: %w", err)
	}
	return b, nil
}
