// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/board/health"
	"github.com/nightjar-cam/nightjar/capture"
	"github.com/nightjar-cam/nightjar/capture/clip"
	"github.com/nightjar-cam/nightjar/capture/h264"
	"github.com/nightjar-cam/nightjar/capture/replay"
	"github.com/nightjar-cam/nightjar/capture/rpicam"
	"github.com/nightjar-cam/nightjar/capture/synthetic"
	"github.com/nightjar-cam/nightjar/capture/v4l2"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/motion"
)

// eye is everything from the sensor to the clip.
type eye struct {
	camera *camera
	busy   *busyKeeper
}

// cameraLabel is what the one camera of this board is called in the registry of drivers.
const cameraLabel = "camera"

// newEye makes the camera's task. The source is opened by it, and not before: a board whose camera is missing, or has to be
// closed, is one that can be asked why.
func newEye(cfg config.Config, sink clip.Sink, around surroundings, h *health.Record, log *slog.Logger) *eye {
	camera := newCamera(h, log)
	busy := newBusyKeeper(cfg.State, camera, log)
	super := &camera.super
	super.surroundings = around
	super.open = func() (*capture.Source, error) { return openSource(cfg, around.clock) }
	super.hardware = cfg.Camera.Source != config.Replay && cfg.Camera.Source != config.Synthetic
	super.build = func(format capture.Format) (*motion.Detector, *clip.Recorder, error) {
		detector, err := motion.New(cfg.Motion, format.Width, format.Height)
		if err != nil {
			return nil, nil, err
		}
		if format.Live { // of a film nothing is kept: it is judged the same each time
			busy.restore(detector)
		}
		own := cfg.Clip
		own.Lossless = !format.Live
		return detector, clip.NewRecorder(own, format, newEncoder, sink, log), nil
	}
	super.forget = busy.retire
	return &eye{camera, busy}
}

func newEncoder(f capture.Format) (clip.Encoder, error) {
	return h264.New(h264.Config{Width: f.Width, Height: f.Height, FrameRate: f.FrameRate})
}

func openSource(cfg config.Config, wall clock.Clock) (*capture.Source, error) {
	adapter, err := newDriver(cfg, wall)
	if err != nil {
		return nil, err
	}
	capture.Unregister(cameraLabel) // it may be another device than the last time
	if err := capture.Register(cameraLabel, adapter); err != nil {
		return nil, err
	}
	return capture.Open(cameraLabel, prop.Media{})
}

// newDriver makes the driver that the configuration asks for. What the recorder's ring holds is added to its pool.
func newDriver(cfg config.Config, wall clock.Clock) (driver.Adapter, error) {
	c := cfg.Camera
	held := cfg.Clip.RingBytes
	switch c.Source {
	case config.Replay:
		return replay.New(replay.Config{Path: c.Path, Speed: c.Speed, Loop: c.Loop, Held: held, Clock: wall})
	case config.Synthetic:
		scene := room()
		scene.Speed, scene.Loop, scene.Held, scene.Clock = c.Speed, c.Loop, held, wall
		return synthetic.New(scene)
	case config.V4L2:
		camera := c.V4L2()
		camera.Held, camera.Clock = held, wall
		return v4l2.New(camera)
	case config.Rpicam:
		camera := c.Rpicam()
		camera.Held, camera.Clock = held, wall
		return rpicam.New(camera)
	}
	return nil, fmt.Errorf("camera source %q is unknown", c.Source)
}

// room is what the synthetic camera shows: a visitor walks through every eight seconds, in front of sensor noise.
func room() synthetic.Config {
	scene := synthetic.Config{
		Width: 640, Height: 360, Rate: capture.Rate{Num: 15, Den: 1}, Length: 40 * time.Second, Seed: 1, Noise: 3,
	}
	for at := 4 * time.Second; at < scene.Length; at += 8 * time.Second {
		scene.Objects = append(scene.Objects, synthetic.Object{
			From: at, To: at + 2*time.Second, Width: 0.12, Height: 0.5, Contrast: 70,
			Path: []synthetic.Point{{X: -0.1, Y: 0.6}, {X: 1.1, Y: 0.6}},
		})
	}
	return scene
}
