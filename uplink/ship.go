// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/keys/record"
	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

const offers = 3 // without an answer an offer is made that many times, then the others have their turn

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

// errDeaf ends a connection on which the hub has not said a word. A broker can lose a client that came back while its former
// connection was being cleared away: it hears the client and answers its pings, but delivers nothing to it.
var errDeaf = errors.New("the hub has said nothing on this connection: connecting anew")

// errYield ends the sending of a clip for something that goes first, or because it may not go on.
var errYield = errors.New("something else goes first")

// ship does a job for an entry: it announces it to the hub, or brings its clip there and removes it from the spool. What
// goes wrong with the entry alone holds it back. An error is the connection's.
func (s *Session) ship(ctx context.Context, l *link, e spool.Entry, j job) error {
	err := s.deliver(ctx, l, e, j)
	if why, ok := errors.AsType[*stuck](err); ok {
		s.hold(e, why)
		if why.code == codeNoAnswer && !l.spoken.Load() {
			return errDeaf
		}
		return nil
	}
	if errors.Is(err, errYield) {
		return nil
	}
	return err
}

func (s *Session) deliver(ctx context.Context, l *link, e spool.Entry, j job) error {
	for n := range offers {
		r, err := s.offer(ctx, l, e, n == 0)
		for err == nil {
			switch r.kind {
			case wire.DownRefuse:
				return &stuck{e.Seq, r.refuse.Code, "the hub refuses it: " + r.refuse.Message}
			case wire.DownHave:
				if j == sendBody {
					r, err = s.send(ctx, l, e, r.have)
				} else if len(e.Parts) == 0 {
					return &stuck{e.Seq, codeUnread, "it has no clip, but the hub asks for one"}
				} else if s.announced(l, e, r) {
					return nil
				} else if r, err = s.details(ctx, l, e, r.have); err == nil && r.kind == "" {
					err = errNoAnswer // are they there? The next offer is answered with that
				}
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
		s.log.Debug("offering again", "seq", e.Seq)
	}
	return &stuck{e.Seq, codeNoAnswer, fmt.Sprintf("the hub did not take it in %d offers", offers)}
}

// announced notes that the hub has record and details of an entry, if it says so.
func (s *Session) announced(l *link, e spool.Entry, r reply) bool {
	for _, p := range e.Parts {
		if p.Name == s.cfg.Details && r.have.Details < p.Size {
			return false
		}
	}
	s.mu.Lock()
	s.told[e.Seq] = true
	s.mu.Unlock()
	l.latest = r // its clip may go next, and need not be offered for that
	return true
}

// stored lets go of an entry that the hub signed for.
func (s *Session) stored(e spool.Entry) error {
	if err := s.spool.Remove(e.Seq, record.Hash(e.Record)); err != nil {
		// Offered again, it is answered by a receipt at once; what is wrong is our own disk.
		return &stuck{e.Seq, codeUnread, "the hub has it, but the spool cannot let it go: " + err.Error()}
	}
	s.release(e)
	s.mu.Lock()
	delete(s.told, e.Seq)
	delete(s.requested, e.ID)
	s.mu.Unlock()
	s.set(true, nil)
	s.log.Info("receipt verified", "seq", e.Seq, "clip", e.ID)
	return nil
}

// offer publishes the entry's record and returns what the hub says to it. With known, what it just said will do.
func (s *Session) offer(ctx context.Context, l *link, e spool.Entry, known bool) (reply, error) {
	latest := l.latest
	l.latest = reply{}
	if known && latest.kind == wire.DownHave && latest.concerns(e) {
		return latest, nil
	}
	payload, err := wire.Offer{Record: string(e.Record), Evicted: e.Evicted, Hold: s.holdsBack(e)}.Marshal()
	if err != nil {
		return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
	}
	if err := l.publish(ctx, wire.UpOffer, payload); err != nil {
		return reply{}, err
	}
	return l.answer(ctx, e, s.pace.patience)
}

// details sends what the hub does not have of an entry's details, and waits until they are through. The reply is empty unless
// the hub spoke meanwhile.
func (s *Session) details(ctx context.Context, l *link, e spool.Entry, have wire.Have) (reply, error) {
	r, err := s.sendPart(ctx, l, e, wire.PartDetails, have.Details)
	if err != nil || r.kind != "" {
		return r, err
	}
	if err := l.drain(ctx, 0); err != nil {
		return reply{}, err
	}
	r, _ = l.heard(e)
	return r, nil
}

// send sends what the hub does not have, and waits for its answer. A new answer ends the sending early.
func (s *Session) send(ctx context.Context, l *link, e spool.Entry, have wire.Have) (reply, error) {
	s.begun = e.Seq
	// A hub that had to make room has let the details go.
	if r, err := s.details(ctx, l, e, have); err != nil || r.kind != "" {
		return r, err
	}
	r, err := s.sendPart(ctx, l, e, wire.PartBody, have.Body)
	if err != nil || r.kind != "" {
		return r, err
	}
	// On a slow link the last chunks take longer than an answer: patience begins when they have arrived.
	if err := l.drain(ctx, 0); err != nil {
		return reply{}, err
	}
	return l.answer(ctx, e, s.pace.patience)
}

// sendPart sends a file from an offset to its end; the reply is empty unless the hub spoke meanwhile. Before each chunk of a
// clip it looks whether the clip may go on, and waits until the link's bound allows for it.
func (s *Session) sendPart(ctx context.Context, l *link, e spool.Entry, kind wire.Part, from int64) (reply, error) {
	clip, err := hex.DecodeString(e.ID)
	if err != nil || len(clip) != 16 {
		return reply{}, &stuck{e.Seq, codeUnread, "it has no clip, but the hub asks for one"}
	}
	name := s.cfg.Details
	if kind == wire.PartBody {
		name = s.cfg.Body
	}
	f, err := e.Open(name)
	if err != nil { // perhaps it was evicted since it was looked at, and is offered as such the next time
		return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
	}
	defer f.Close()
	data := make([]byte, mostChunk)
	for {
		if err := s.sendAnswers(ctx, l); err != nil {
			return reply{}, err
		}
		if kind == wire.PartBody {
			if err := s.mayGoOn(ctx, l, e); err != nil {
				return reply{}, err
			}
		} else if s.covered(e) {
			return reply{}, errYield
		}
		n, err := f.ReadAt(data[:l.flow.chunk()], from)
		if n > 0 {
			payload, err := wire.Chunk{Part: kind, Clip: [16]byte(clip), Offset: uint64(from), Data: data[:n]}.AppendTo(nil)
			if err != nil {
				return reply{}, &stuck{e.Seq, codeUnread, err.Error()}
			}
			if err := l.stream(ctx, wire.UpChunk, payload); err != nil {
				return reply{}, err
			}
			if kind == wire.PartBody {
				s.bucket.take(len(payload), time.Now())
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

// mayGoOn waits until the next chunk of a clip may be sent, or says that something else goes first.
func (s *Session) mayGoOn(ctx context.Context, l *link, e spool.Entry) error {
	for {
		changed := s.spool.Changed()
		if s.yields(e) {
			return errYield
		}
		wait := s.bucket.wait(time.Now())
		if wait <= 0 {
			return nil
		}
		if err := l.idle(ctx, changed, s.poked, min(wait, poll)); err != nil {
			return err
		}
		if err := s.sendAnswers(ctx, l); err != nil {
			return err
		}
	}
}

// errOther says that a receipt is a good one, for another record.
var errOther = errors.New("receipt is for another record")

// verifyReceipt checks that the hub signed for exactly this entry.
func verifyReceipt(cred keys.Credential, e spool.Entry, jws []byte) error {
	r, err := record.VerifyReceiptAny(cred.ReceiptKeys(), jws)
	if err != nil {
		return err
	}
	hash := record.Hash(e.Record)
	if r.Device != cred.Device || r.Seq != e.Seq || r.Record != hex.EncodeToString(hash[:]) {
		return fmt.Errorf("%w: %d of %s", errOther, r.Seq, r.Device)
	}
	return nil
}
