// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/nightjar-cam/nightjar/motion"
)

// Passer is who walks through in a trial: late enough that every hardship of the suite has begun, and that the detector
// has settled.
const Passer = "person:from=6,to=11"

// beyond is what the suite tries beyond the list of what a camera must bear: light with edges, which is hard to tell from
// a thing.
var beyond = []string{"lamp", "headlights", "clouds"}

// Suite returns the hardships of the standard trial. The first of them are what a camera must bear, those from split on
// are beyond that list.
func Suite() (specs []string, split int) {
	specs = []string{
		"night", "night:level=0.3,gain=8", "night:level=0.1,gain=32,denoise=0.7",
		"rain", "rain:rate=80", "rain:rate=25,light=4",
		"snow", "snow:density=200",
		"exposure", "exposure:ev=-1.5", "exposure:ev=2.5", "exposure:ev=1,ramp=1,back=8",
		"ircut", "ircut:back=9",
		"flicker", "flicker:mains=60,depth=0.6",
		"shake", "shake:amp=4,freq=3", "shake:bump=5,amp=8",
	}
	return append(specs, beyond...), len(specs)
}

// Trial is what a hardship did to a stretch of film in which nothing moves.
type Trial struct {
	Hardship string `json:"hardship"`
	Beyond   bool   `json:"beyond_the_list"`
	// FalseEvents are stretches of motion without anybody there.
	FalseEvents int `json:"false_events"`
	// Hit tells whether a person who walks through is seen while there, Late how long after the first frame that
	// shows any part.
	Hit  bool     `json:"hit"`
	Late *float64 `json:"late_seconds"` // null if not hit
}

// Try tries hardships, each one alone, on a stretch in which nothing moves, without anybody and with [Passer] in front. One
// hardship may be several, parted by spaces. As many run at a time as there are processors.
func (s Stretch) Try(ctx context.Context, cfg motion.Config, hardships []string) ([]Trial, error) {
	for _, h := range hardships {
		if _, err := Harden(strings.Fields(h)); err != nil {
			return nil, err
		}
	}
	r, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	specs, split := Suite()
	trials := make([]Trial, len(hardships))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, h := range hardships {
		trials[i].Hardship = h
		for _, b := range specs[split:] {
			trials[i].Beyond = trials[i].Beyond || h == b
		}
		group.Go(func() error {
			o, err := r.try(ctx, cfg, strings.Fields(h))
			trials[i].FalseEvents = o.FalseEvents
			return err
		})
		group.Go(func() error {
			o, err := r.try(ctx, cfg, append([]string{Passer}, strings.Fields(h)...))
			if err == nil && o.Events == 0 {
				err = fmt.Errorf("%s: %d frames are too short for somebody to walk through: try with swing, or a greater length", s.Path, r.n)
			}
			if o.Hit > 0 {
				late := math.Round(o.Late.Seconds()*1e4) / 1e4
				trials[i].Hit, trials[i].Late = true, &late
			}
			return err
		})
	}
	return trials, group.Wait()
}

// try shows the reel to one detector.
func (r *reel) try(ctx context.Context, cfg motion.Config, hardships []string) (Outcome, error) {
	effects, err := Harden(hardships)
	if err != nil {
		return Outcome{}, err
	}
	empty := Scene{Name: r.Path, Empty: true}
	outcomes, err := empty.tryFilm(ctx, r.film(), effects, []motion.Config{cfg})
	if err != nil {
		return Outcome{}, err
	}
	return outcomes[0], nil
}

// WriteTrials prints trials, one a line.
func WriteTrials(w io.Writer, trials []Trial) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "hardship\tfalse events\tperson\tlate")
	for _, t := range trials {
		seen, late := "missed", "-"
		if t.Hit {
			seen, late = "hit", fmt.Sprintf("%.2fs", *t.Late)
		}
		fmt.Fprintf(columns, "%s\t%d\t%s\t%s\n", t.Hardship, t.FalseEvents, seen, late)
	}
	return columns.Flush()
}
