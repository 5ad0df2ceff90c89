// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"image"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// fake is a driver with two modes that gives whatever reader it is told to.
type fake struct {
	reader video.Reader
	refuse error // of VideoRecord
	asked  prop.Media
	closed int
}

func (d *fake) Open() error  { return nil }
func (d *fake) Close() error { d.closed++; return nil }

func (d *fake) Properties() []prop.Media {
	return []prop.Media{Media(640, 480, Rate{30, 1}), Media(1280, 720, Rate{10, 1})}
}

func (d *fake) VideoRecord(p prop.Media) (video.Reader, error) {
	d.asked = p
	return d.reader, d.refuse
}

// still is a Reader of one picture.
type still struct {
	img      image.Image
	err      error
	released int
}

func (s *still) Live() bool { return true }
func (s *still) Read() (image.Image, func(), error) {
	return s.img, func() { s.released++ }, s.err
}

func register(t *testing.T, d driver.Adapter) {
	t.Helper()
	if err := Register(t.Name(), d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Unregister(t.Name()) })
}

// No driver of mediadevices may slip in by an import: its camera driver registers itself in an init.
func TestNothingRegisteredByImport(t *testing.T) {
	if labels := Labels(); len(labels) != 0 {
		t.Errorf("registered without being asked: %q", labels)
	}
}

func TestRegister(t *testing.T) {
	register(t, &fake{})
	if got := Labels(); !slices.Equal(got, []string{t.Name()}) {
		t.Errorf("labels %q", got)
	}
	if err := Register(t.Name(), &fake{}); !errors.Is(err, ErrTaken) {
		t.Errorf("second registration: %v", err)
	}
	if n := len(Labels()); n != 1 {
		t.Errorf("%d drivers after a refused registration", n)
	}
	if err := Register("no recorder", struct{ driver.Adapter }{}); err == nil {
		t.Error("registered an adapter that records no video")
	}
	Unregister(t.Name())
	if got := Labels(); len(got) != 0 {
		t.Errorf("labels %q after Unregister", got)
	}
}

func TestOpenChoosesMode(t *testing.T) {
	tests := []struct {
		name  string
		want  prop.Video
		width int // 0: refused
	}{
		{"anything", prop.Video{}, 640},
		{"by size", prop.Video{Width: 1280, Height: 720}, 1280},
		{"by rate", prop.Video{FrameRate: 10}, 1280},
		{"by format", prop.Video{FrameFormat: "I420"}, 640},
		{"none like it", prop.Video{Width: 640, FrameRate: 10}, 0},
		{"other format", prop.Video{FrameFormat: "MJPEG"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := &fake{reader: &still{}}
			register(t, d)
			s, err := Open(t.Name(), prop.Media{Video: test.want})
			if test.width == 0 {
				if err == nil || !strings.Contains(err.Error(), "1280x720 at 10 fps") {
					t.Errorf("got %v, want an error that lists the modes", err)
				}
				if d.closed != 1 {
					t.Errorf("closed %d times after the refusal, want once", d.closed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.Format().Width != test.width || d.asked.Width != test.width {
				t.Errorf("format %+v, driver was asked for %d", s.Format(), d.asked.Width)
			}
			if !s.Format().Live {
				t.Error("not live, but its reader is")
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open("nobody", prop.Media{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown label: %v", err)
	}
	refused := errors.New("sensor is gone")
	tests := map[string]struct {
		driver *fake
		reason string
	}{
		"driver error":   {&fake{refuse: refused}, refused.Error()},
		"foreign reader": {&fake{reader: video.ReaderFunc(nil)}, "no pooled frames"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			register(t, test.driver)
			if _, err := Open(t.Name(), prop.Media{}); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want %q", err, test.reason)
			}
			if test.driver.closed == 0 {
				t.Error("driver left open")
			}
		})
	}
}

func TestSourceRead(t *testing.T) {
	frame, _ := NewPool(2, 2, 1).Get()
	reader := &still{img: frame}
	d := &fake{reader: reader}
	register(t, d)
	s, err := Open(t.Name(), prop.Media{})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.Read(); f != frame || err != nil {
		t.Errorf("got %p, %v, want the driver's frame", f, err)
	}

	reader.img = image.NewGray(image.Rect(0, 0, 2, 2))
	if _, err := s.Read(); err == nil || reader.released != 1 {
		t.Errorf("foreign picture: %v, released %d times; want an error and one release", err, reader.released)
	}

	reader.err = io.EOF
	if _, err := s.Read(); err != io.EOF {
		t.Errorf("end: %v, want EOF as it is", err)
	}

	// A driver may still deliver a frame while it is being closed: the caller must not see it.
	reader.img, reader.err = frame, nil
	if err := errors.Join(s.Close(), s.Close()); err != nil || d.closed != 1 {
		t.Errorf("close twice: %v, driver closed %d times", err, d.closed)
	}
	if _, err := s.Read(); !errors.Is(err, ErrClosed) || reader.released != 2 {
		t.Errorf("read after Close: %v, released %d times", err, reader.released)
	}
}

func TestSourceString(t *testing.T) {
	register(t, &fake{reader: &still{}})
	s, err := Open(t.Name(), prop.Media{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.String(), "capture TestSourceString 640x480@30"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
