// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A said is a message of a broker's.
type said struct {
	mqtt.Message
	topic    string
	retained bool
}

func (s said) Topic() string  { return s.topic }
func (s said) Retained() bool { return s.retained }

// What waits for a store that is stuck is bounded: the reader waits a while for a place, and drops what finds none.
func TestLaneIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, nil))
		e := newExternal("broker.lan:8883", nil, &service{ingest: newIngest(t.Context(), nil, logger)}, logger)
		chunk := said{topic: wire.Topic("porch", wire.UpChunk)}
		for range queued {
			e.receive(t.Context(), chunk)
		}
		start := time.Now()
		for range 3 {
			e.receive(t.Context(), chunk)
		}
		if took := time.Since(start); took != 3*room {
			t.Errorf("the reader waited %v, want %v", took, 3*room)
		}
		if n := strings.Count(log.String(), "message-dropped"); n != 1 {
			t.Errorf("it was told %d times", n)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		start = time.Now()
		e.receive(gone, chunk) // the end of the connection is not held up
		if took := time.Since(start); took != 0 {
			t.Errorf("the end waited %v", took)
		}
		waiting := 0
		for _, lane := range e.lanes {
			waiting += len(lane)
		}
		if waiting != queued {
			t.Errorf("%d messages wait", waiting)
		}
	})
}

// Of what a broker has kept, a status alone is of use.
func TestRetainedAreOld(t *testing.T) {
	e := newExternal("broker.lan:8883", nil, &service{}, slog.New(slog.DiscardHandler))
	for _, m := range []said{
		{topic: wire.Topic("porch", wire.UpOffer), retained: true}, {topic: wire.Topic("porch", wire.UpStatus), retained: true},
		{topic: wire.Topic("porch", wire.DownHave)}, {topic: "elsewhere"},
	} {
		e.receive(t.Context(), m)
	}
	var kept []string
	for _, lane := range e.lanes {
		for range len(lane) {
			kept = append(kept, (<-lane).Topic())
		}
	}
	if len(kept) != 1 || kept[0] != wire.Topic("porch", wire.UpStatus) {
		t.Errorf("took %q", kept)
	}
}
