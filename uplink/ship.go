// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

const (
	chunkBytes = 64 << 10
	window     = 8 // chunks that may be on their way
	offers     = 3 // without an answer an offer is made that many times, then the others have their turn
)

// stuck is why an entry cannot be brought to the hub now, while the connection is sound. The entry stays in the spool.
type stuck struct {
	seq  uint64
	code wire.Code // of the hub's refusal, or one of ours
	text string
}

// Codes of what is wrong on our side.
const (
	codeUnread   wire.Code = "unread"   // the spool cannot be read
	codeNoAnswer wire.Code = "noanswer" // the hub does not answer
)

func (e *stuck) Error() string {
	return fmt.Sprintf("record %d is not stored (%s): %s", e.seq, e.code, e.text)
}

// ship brings one entry to the hub and removes it from the spool, or holds it back. An error is the connection's.
func (s *Session) ship(ctx context.Context, l *link, e spool.Entry) error {
	err := s.deliver(ctx, l, e)
	if why, ok := errors.AsType[*stuck](err); ok {
		s.hold(e, why)
		return nil
	}
	return err
}

func (s *Session) deliver(ctx context.Context, l *link, e spool.Entry) error {
	for range offers {
		r, err := s.offer(ctx, l, e)
		for err == nil {
			switch r.kind {
			case wire.DownRefuse:
				return &stuck{e.Seq, r.refuse.Code, "the hub refuses it: " + r.refuse.Message}
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
				r, err = l.answer(ctx, e, s.pace.patience)
			}
		}
		if !errors.Is(err, errNoAnswer) {
			return err
		}
		s.log.Debug("no answer, offering again", "seq", e.Seq)
	}
	return &stuck{e.Seq, codeNoAnswer, fmt.Sprintf("the hub did not answer %d offers", offers)}
}

// stored lets go of an entry that the hub signed for.
func (s *Session) stored(e spool.Entry) error {
	if err := s.spool.Remove(e.Seq, record.Hash(e.Record)); err != nil {
		// Offered again, it is answered by a receipt at once; what is wrong is our own disk.
		return &stuck{e.Seq, codeUnread, "the hub has it, but the spool cannot let it go: " + err.Error()}
	}
	delete(s.held, e.Seq)
	s.set(true, nil)
	s.log.Info("receipt verified", "seq", e.Seq, "clip", e.ID)
	return nil
}

// offer publishes the entry's record and waits for what the hub says to it.
func (s *Session) offer(ctx context.Context, l *link, e spool.Entry) (reply, error) {
	payload, err := wire.Offer{Record: string(e.Record), Evicted: e.Evicted}.Marshal()
	if err != nil {
		return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
	}
	if err := l.publish(ctx, wire.UpOffer, payload); err != nil {
		return reply{}, err
	}
	return l.answer(ctx, e, s.pace.patience)
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
	// On a slow link the last chunks take longer than an answer: patience begins when they have arrived.
	if err := l.drain(ctx, 0); err != nil {
		return reply{}, err
	}
	return l.answer(ctx, e, s.pace.patience)
}

// sendPart sends a file from an offset to its end; the reply is empty unless the hub spoke meanwhile.
func (s *Session) sendPart(ctx context.Context, l *link, e spool.Entry, kind wire.Part, name string, from int64) (reply, error) {
	clip, err := hex.DecodeString(e.ID)
	if err != nil || len(clip) != 16 {
		return reply{}, &stuck{e.Seq, codeUnread, "it has no clip, but the hub asks for one"}
	}
	f, err := e.Open(name)
	if err != nil { // perhaps it was evicted since it was looked at, and is offered as such the next time
		return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
	}
	defer f.Close()
	data := make([]byte, chunkBytes)
	for {
		n, err := f.ReadAt(data, from)
		if n > 0 {
			payload, err := wire.Chunk{Part: kind, Clip: [16]byte(clip), Offset: uint64(from), Data: data[:n]}.AppendTo(nil)
			if err != nil {
				return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
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
			return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
		}
		if r, ok := l.heard(e); ok {
			return r, nil
		}
	}
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
