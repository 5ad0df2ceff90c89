// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// Several owners open a clip each by itself. One who leaves the set keeps the old clips and gets no new one.
func TestOwnersComeAndGo(t *testing.T) {
	var owners [3]Owner
	var by [3][]age.Identity
	for i := range owners {
		var err error
		if owners[i], err = NewOwner(false); err != nil {
			t.Fatal(err)
		}
		identity, err := age.ParseX25519Identity(owners[i].identity())
		if err != nil {
			t.Fatal(err)
		}
		by[i] = []age.Identity{identity}
	}
	seal := func(to ...Owner) []byte {
		var lines []string
		for _, o := range to {
			lines = append(lines, o.Recipient())
		}
		recipients, err := Recipients(strings.NewReader(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := NewWriter(&b, recipients)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(w, "film")
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	before, after := seal(owners[0], owners[1]), seal(owners[1], owners[2])
	for i, want := range [3]struct{ before, after bool }{{true, false}, {true, true}, {false, true}} {
		_, errBefore := Open(bytes.NewReader(before), by[i])
		_, errAfter := Open(bytes.NewReader(after), by[i])
		if (errBefore == nil) != want.before || (errAfter == nil) != want.after {
			t.Errorf("owner %d: before %v, after %v", i, errBefore, errAfter)
		}
	}
}
