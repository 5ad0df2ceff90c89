// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

const (
	chunkBytes = 64 << 10
	window     = 8 // chunks that may be on their way
)

// errAgain says that an entry changed under the session and has to be looked at anew.
var errAgain = errors.New("entry changed")

// ship brings one entry to the hub and removes it from the spool. It returns nil also when the hub refused the entry: it
// stays, and is offered again later.
func (s *Session) ship(ctx context.Context, l *link, e spool.Entry) error {
	for {
		r, err := s.offer(ctx, l, e)
		for err == nil {
			switch r.kind {
			case wire.DownRefuse:
				return s.refusal(ctx, e, r.refuse)
			case wire.DownHave:
				r, err = s.send(ctx, l, e, r.have)
			case wire.DownReceipt:
				invalid := s.accept(s.cred, e, r.receipt)
				if invalid == nil {
					return s.stored(e)
				}
				if !errors.Is(invalid, errOther) { // a second receipt for the entry before is no news
					s.log.Error("receipt does not verify", "seq", e.Seq, "err", invalid)
				}
				r, err = l.answer(ctx, e)
			}
		}
		if !errors.Is(err, errNoAnswer) {
			return err
		}
		s.log.Debug("no answer, offering again", "seq", e.Seq)
	}
}

// stored lets go of an entry that the hub signed for.
func (s *Session) stored(e spool.Entry) error {
	if err := s.spool.Remove(e.Seq, record.Hash(e.Record)); err != nil {
		// Offered again, it is answered by a receipt at once; what is wrong is our own disk.
		s.log.Error("stored by the hub, but not removed here", "seq", e.Seq, "err", err)
		return nil
	}
	s.log.Info("receipt verified", "seq", e.Seq, "clip", e.ID)
	return nil
}

// offer publishes the entry's record and waits for what the hub says to it.
func (s *Session) offer(ctx context.Context, l *link, e spool.Entry) (reply, error) {
	payload, err := wire.Offer{Record: string(e.Record), Evicted: e.Evicted}.Marshal()
	if err != nil {
		return reply{}, err
	}
	if err := l.publish(ctx, wire.UpOffer, payload); err != nil {
		return reply{}, err
	}
	return l.answer(ctx, e)
}

// send sends what the hub does not have, and waits for its answer. A new answer ends the sending early.
func (s *Session) send(ctx context.Context, l *link, e spool.Entry, have wire.Have) (reply, error) {
	for _, part := range []struct {
		kind wire.Part
		name string
		from int64
	}{
		{wire.PartDetails, s.cfg.Details, have.Details}, // small, and what the owner wants first
		{wire.PartBody, s.cfg.Body, have.Body},
	} {
		r, err := s.sendPart(ctx, l, e, part.kind, part.name, part.from)
		if err != nil || r.kind != "" {
			return r, err
		}
	}
	return l.answer(ctx, e)
}

// sendPart sends a file from an offset to its end; the reply is empty unless the hub spoke meanwhile.
func (s *Session) sendPart(ctx context.Context, l *link, e spool.Entry, kind wire.Part, name string, from int64) (reply, error) {
	f, err := e.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return reply{}, errAgain // evicted since it was looked at
	}
	if err != nil {
		return reply{}, err
	}
	defer f.Close()
	clip, err := hex.DecodeString(e.ID)
	if err != nil || len(clip) != 16 {
		return reply{}, fmt.Errorf("entry %d has no clip id", e.Seq)
	}
	data := make([]byte, chunkBytes)
	for {
		n, err := f.ReadAt(data, from)
		if n > 0 {
			payload, err := wire.Chunk{Part: kind, Clip: [16]byte(clip), Offset: uint64(from), Data: data[:n]}.AppendTo(nil)
			if err != nil {
				return reply{}, err
			}
			if err := l.stream(ctx, wire.UpChunk, payload); err != nil {
				return reply{}, err
			}
			from += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return reply{}, nil
		}
		if err != nil {
			return reply{}, fmt.Errorf("read entry %d: %w", e.Seq, err)
		}
		if r, ok := l.heard(e); ok {
			return r, nil
		}
	}
}

// refusal waits before the entry is offered again: the longer, the less likely the hub is to change its mind.
func (s *Session) refusal(ctx context.Context, e spool.Entry, r wire.Refuse) error {
	err := &refused{e.Seq, string(r.Code), r.Message}
	s.set(true, err)
	s.log.Warn("record refused by the hub", "seq", e.Seq, "clip", e.ID, "code", string(r.Code), "err", err)
	pause := 5 * time.Minute
	switch r.Code {
	case wire.CodeStorage, wire.CodeHash:
		pause = patience
	}
	sleep(ctx, jitter(pause))
	return nil
}

// errOther says that a receipt is a good one, for another record.
var errOther = errors.New("receipt is for another record")

// verifyReceipt checks that the hub signed for exactly this entry.
func verifyReceipt(cred keys.Credential, e spool.Entry, jws []byte) error {
	r, err := record.VerifyReceipt(cred.ReceiptKey, jws)
	if err != nil {
		return err
	}
	hash := record.Hash(e.Record)
	if r.Device != cred.Device || r.Seq != e.Seq || r.Record != hex.EncodeToString(hash[:]) {
		return fmt.Errorf("%w: %d of %s", errOther, r.Seq, r.Device)
	}
	return nil
}
