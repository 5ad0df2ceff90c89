// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// A command that comes in the middle of a long clip on a slow link is answered before the rest of the clip.
func TestCommandIsAnsweredMidClip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, wanting)
		b.rate = 8000
		var got [][]byte
		b.session.cfg.Command = func(jws []byte) {
			b.set(func() { got = append(got, jws) })
			if err := b.session.Answer(wire.Result{Signer: "hub", Seq: 7, OK: true}); err != nil {
				t.Error(err)
			}
		}
		b.clip(size)
		b.run()
		time.Sleep(30 * time.Second)
		b.take(wire.UpResult)
		asked := time.Now()
		for _, payload := range [][]byte{[]byte("a command"), make([]byte, wire.MaxCommand+1)} {
			if err := b.server.Publish(wire.Topic("porch", wire.DownCommand), payload, false, 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		results := b.take(wire.UpResult)
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(got) != 1 || !bytes.Equal(got[0], []byte("a command")) {
			t.Errorf("got %d commands", len(got))
		}
		if len(results) != 1 || results[0].seq != 7 || results[0].at.Sub(asked) > 5*time.Second {
			t.Errorf("results %+v, asked at %v", results, asked)
		}
	})
}

// Results wait for a connection, but not without bound.
func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, stored)
		for n := range uint64(maxAnswers) {
			if err := b.session.Answer(wire.Result{Signer: "hub", Seq: n + 1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.session.Answer(wire.Result{Signer: "hub", Seq: 100}); err == nil {
			t.Error("takes results without bound")
		}
		b.run()
		time.Sleep(time.Second)
		if results := b.take(wire.UpResult); len(results) != maxAnswers || results[3].seq != 4 {
			t.Errorf("sent %+v", results)
		}
		if err := b.session.Answer(wire.Result{}); err == nil {
			t.Error("takes a result of nothing")
		}
	})
}

// A broker that has lost the client hears it and answers pings, but delivers nothing. Another connection helps.
func TestDeafConnectionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, nothing)
		b.deaf = true
		b.clip(1)
		b.run()
		time.Sleep(offers*usual.patience - time.Second)
		if n := len(b.attempts()); n != 1 {
			t.Errorf("%d connections before the hub had its time", n)
		}
		b.set(func() { b.deaf, b.answer = false, stored })
		time.Sleep(2*time.Second + usual.firstHold*3/2)
		if n := len(b.attempts()); n != 2 || b.waiting() != 0 {
			t.Errorf("%d connections, %d clips wait", n, b.waiting())
		}
	})
}
