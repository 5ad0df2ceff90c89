// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"errors"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// maxAnswers bounds the results that wait to be sent. Whoever gave a command asks again when its result does not come.
const maxAnswers = 16

// errManyAnswers is returned when results come faster than the link takes them, or while there is none.
var errManyAnswers = errors.New("too many results wait for the hub")

// Answer sends the result of a command as soon as there is a connection, before any more of a clip. It does not wait, and may
// be called from any goroutine.
func (s *Session) Answer(r wire.Result) error {
	payload, err := r.Marshal()
	if err != nil {
		return err
	}
	select {
	case s.answers <- payload:
		s.poke()
		return nil
	default:
		return errManyAnswers
	}
}

// sendAnswers sends what waits.
func (s *Session) sendAnswers(ctx context.Context, l *link) error {
	for {
		select {
		case payload := <-s.answers:
			if err := l.publish(ctx, wire.UpResult, payload); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}
