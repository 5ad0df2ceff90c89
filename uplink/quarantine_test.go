// SPDX-License-Identifier: Apache-2.0

package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightjar-cam/nightjar/uplink/spool"
	"github.com/nightjar-cam/nightjar/uplink/wire"
)

// refusingFirst refuses the first entry with a code and stores all others.
func refusingFirst(code wire.Code) answer {
	return func(b *bubble, e spool.Entry) (wire.Kind, []byte) {
		if e.Seq != 1 {
			return stored(b, e)
		}
		payload, err := wire.Refuse{Seq: e.Seq, Clip: e.ID, Code: code}.Marshal()
		if err != nil {
			b.t.Error(err)
		}
		return wire.DownRefuse, payload
	}
}

// What the hub refuses for good is offered three times and then once a day, is seen in the status, and holds up nothing.
func TestQuarantine(t *testing.T) {
	for code, want := range map[wire.Code]bool{
		wire.CodeFork: true, wire.CodeSize: true, "of a later hub": false,
	} {
		t.Run(string(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, refusingFirst(code))
				b.clip(1)
				b.clip(2)
				b.run()
				time.Sleep(10 * time.Minute)
				b.clip(3)
				time.Sleep(time.Minute)
				if b.waiting() != 1 {
					t.Fatalf("%d entries wait", b.waiting())
				}
				st := b.session.Status()
				if !want {
					if st.Quarantined != nil {
						t.Errorf("in quarantine: %v", st.Quarantined)
					}
					return
				}
				if st.Quarantined[code] != 1 || len(st.Quarantined) != 1 {
					t.Errorf("status %+v", st)
				}
				// Somebody has seen to it.
				b.set(func() { b.answer = stored })
				b.session.Retry()
				time.Sleep(time.Second)
				if st := b.session.Status(); b.waiting() != 0 || st.Quarantined != nil || st.Err != nil {
					t.Errorf("%d entries wait, status %+v", b.waiting(), st)
				}
			})
		})
	}
}

// An entry in quarantine is offered once a day; a refusal that passes between those for good does not put it there.
func TestQuarantinePauses(t *testing.T) {
	for name, row := range map[string]struct {
		codes []wire.Code // of the refusals, over and over
		most  int         // offers in ten days
	}{
		"for good":        {[]wire.Code{wire.CodeFork}, 22},
		"for other goods": {[]wire.Code{wire.CodeFork, wire.CodeSize, wire.CodeMalformed}, 22},
		"not in a row":    {[]wire.Code{wire.CodeFork, wire.CodeFork, wire.CodeHash}, 10 * 24 * 12},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, nothing)
				b.closeHub() // its clocks tick through ten days
				e := b.clip(1)
				offers := 0
				for end := time.Now().Add(10 * 24 * time.Hour); time.Now().Before(end); offers++ {
					b.session.hold(e, &stuck{seq: e.Seq, code: row.codes[offers%len(row.codes)]})
					for j := noJob; j == noJob; {
						var pause time.Duration
						if _, j, pause = b.session.next(time.Now()); j == noJob {
							time.Sleep(pause)
						}
					}
				}
				if offers > row.most || offers < row.most/4 {
					t.Errorf("%d offers in ten days", offers)
				}
			})
		})
	}
}
