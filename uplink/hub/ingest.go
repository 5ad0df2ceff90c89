// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nightjar-cam/nightjar/uplink/hub/store"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A reply is a message to the device whose message it answers.
type reply struct {
	kind    wire.Kind
	payload []byte
}

// An ingest turns devices' messages into calls of the store and its answers into replies. It knows no
// transport: whoever carries the messages vouches for the device's name.
type ingest struct {
	ctx   context.Context
	store *store.Store
	log   *slog.Logger

	mu   sync.Mutex
	said map[[2]string]string // device and subject: what the log said last, so that it is not said again
}

func newIngest(ctx context.Context, st *store.Store, log *slog.Logger) *ingest {
	return &ingest{ctx: ctx, store: st, log: log, said: map[[2]string]string{}}
}

// news reports whether text is not what the log said last about a subject of the device. A device that
// repeats itself does not fill the log.
func (in *ingest) news(device, subject, text string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	key := [2]string{device, subject}
	old, known := in.said[key]
	in.said[key] = text
	return !known || old != text
}

// known reports whether the device is enrolled.
func (in *ingest) known(device string) bool {
	_, err := in.store.Archive().Device(device)
	return err == nil
}

// take takes one message of a device. An error says that the message is none of the protocol's; what
// the store refuses is a reply. Messages of one device may come from several goroutines.
func (in *ingest) take(device string, kind wire.Kind, payload []byte) ([]reply, error) {
	switch kind {
	case wire.UpOffer:
		m, err := wire.ParseOffer(payload)
		if err != nil {
			return nil, err
		}
		st, err := in.store.OfferHeld(in.ctx, device, []byte(m.Record), m.Evicted, m.Hold)
		return in.answer(device, st, err)
	case wire.UpChunk:
		m, err := wire.ParseChunk(payload)
		if err != nil {
			return nil, err
		}
		return in.chunk(device, m)
	case wire.UpStatus:
		m, err := wire.ParseStatus(payload)
		if err != nil {
			return nil, err
		}
		if in.news(device, "state", string(m.State)) {
			in.log.Info("device is "+string(m.State), "device", device, "release", m.Release, "entries", m.Entries, "bytes", m.Bytes)
		}
		return nil, nil
	}
	return nil, fmt.Errorf("no message of kind %v comes from a device", kind)
}

func (in *ingest) chunk(device string, m wire.Chunk) ([]reply, error) {
	part := store.Body
	if m.Part == wire.PartDetails {
		part = store.Details
	}
	st, news, err := in.store.Write(in.ctx, device, hex.EncodeToString(m.Clip[:]), part, int64(m.Offset), m.Data)
	if errors.Is(err, store.ErrNotOffered) {
		// The duplicate of a chunk whose clip is stored by now, or a chunk for a hub that was restarted:
		// the device offers again when it hears nothing.
		in.log.Debug("chunk of a clip that is not on offer", "device", device, "err", err)
		return nil, nil
	}
	if err == nil && !news {
		return nil, nil
	}
	return in.answer(device, st, err)
}

// answer makes the reply to a state or a refusal.
func (in *ingest) answer(device string, st store.State, err error) ([]reply, error) {
	kind := wire.DownHave
	var payload []byte
	var encode error
	switch {
	case err != nil:
		kind = wire.DownRefuse
		payload, encode = wire.Refuse{Seq: st.Seq, Clip: st.Clip, Code: in.refused(device, st, err), Message: reason(err)}.Marshal()
	case st.Receipt != nil:
		in.log.Info("record stored", "device", device, "seq", st.Seq, "clip", st.Clip)
		kind, payload = wire.DownReceipt, st.Receipt
	default:
		payload, encode = wire.Have{Seq: st.Seq, Clip: st.Clip, Body: st.Body, Details: st.Details}.Marshal()
	}
	if encode != nil {
		in.log.Error("reply cannot be encoded", "code", "reply-failed", "device", device, "err", encode)
		return nil, nil
	}
	return []reply{{kind, payload}}, nil
}

// refused logs a refusal and returns its code on the wire.
func (in *ingest) refused(device string, st store.State, err error) wire.Code {
	code, level := wire.CodeStorage, slog.LevelError
	for _, c := range []struct {
		err  error
		code wire.Code
	}{
		{store.ErrMalformed, wire.CodeMalformed}, {store.ErrFork, wire.CodeFork},
		{store.ErrSize, wire.CodeSize}, {store.ErrHash, wire.CodeHash},
	} {
		if errors.Is(err, c.err) {
			code, level = c.code, slog.LevelWarn
		}
	}
	if in.news(device, "refusal", fmt.Sprint(code, st.Seq, st.Clip)) {
		in.log.Log(in.ctx, level, "record refused", "code", string(code), "device", device, "seq", st.Seq, "clip", st.Clip, "err", err)
	}
	return code
}

// reason is the text of a refusal for the device. The store's own troubles stay here: they name paths.
func reason(err error) string {
	for _, known := range []error{store.ErrMalformed, store.ErrFork, store.ErrSize, store.ErrHash} {
		if errors.Is(err, known) {
			return err.Error()
		}
	}
	return "the hub cannot store it now"
}
