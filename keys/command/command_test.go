// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, time.November, 2, 12, 0, 0, 0, time.UTC)

// ring has a key for each role, and one that nobody knows.
type ring map[Role]ed25519.PrivateKey

func newRing(t testing.TB) ring {
	t.Helper()
	r := ring{}
	for _, role := range append(Roles(), "stranger") {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r[role] = key
	}
	return r
}

// gate is the camera porch's at noon.
func (r ring) gate(path string) *Gate {
	return OpenGate(path, "porch", func() (all []Signer) {
		for _, role := range Roles() {
			all = append(all, Signer{role, r[role].Public().(ed25519.PublicKey)})
		}
		return all
	}, func() time.Time { return noon })
}

func (r ring) sign(t testing.TB, role Role, name string, change func(*Command)) []byte {
	t.Helper()
	c := Command{Device: "porch", Seq: 1, Issued: noon.Add(-time.Minute), Expires: noon.Add(time.Minute), Name: name}
	change(&c)
	jws, err := Sign(r[role], c)
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

func same(*Command) {}

// Every command in every role, in every case. The table is the one in the code: what this shows is that nothing gets by it.
func TestTable(t *testing.T) {
	r := newRing(t)
	cells := 0
	for _, name := range append(Names(), "no.such", "STATUS", "") {
		for _, role := range append(Roles(), "stranger") {
			allowed := Allowed(name, role) == nil
			for what, row := range map[string]struct {
				change func(*Command)
				want   error
			}{
				"valid":         {same, nil},
				"expired":       {func(c *Command) { c.Issued, c.Expires = noon.Add(-time.Hour), noon }, ErrExpired},
				"not yet valid": {func(c *Command) { c.Issued, c.Expires = noon.Add(6*time.Minute), noon.Add(time.Hour) }, ErrEarly},
				"wrong device":  {func(c *Command) { c.Device = "yard" }, ErrDevice},
				"replayed":      {same, ErrReplayed},
			} {
				if name == "" {
					continue // cannot be signed: see below
				}
				g := r.gate(filepath.Join(t.TempDir(), "commands"))
				jws := r.sign(t, role, name, row.change)
				want := row.want
				switch {
				case role == "stranger":
					want = ErrSigner
				case !allowed && (want == nil || want == ErrReplayed):
					want = ErrRole
				case want == ErrReplayed:
					if _, _, err := g.Accept(jws); err != nil {
						t.Errorf("%s by %s for the first time: %v", name, role, err)
					}
				}
				c, by, err := g.Accept(jws)
				if !errors.Is(err, want) || err == nil && (c.Name != name || by != role) {
					t.Errorf("%s by %s, %s: %v, want %v", name, role, what, err, want)
				}
				cells++
			}
		}
	}
	t.Logf("%d cells", cells)
}

// A device commands nobody, the hub does not do what only the owner may, and every name in the code has a row.
func TestTableIsSound(t *testing.T) {
	for name, roles := range table {
		if len(roles) == 0 || Allowed(name, Device) == nil || Allowed(name, Owner) != nil {
			t.Errorf("%s is for %v", name, roles)
		}
	}
	if err := Allowed(Reset, Hub); !errors.Is(err, ErrRole) {
		t.Errorf("a hub resets cameras: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "command.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type != nil || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING || strings.Contains(lit.Value, "jws") {
			return true
		}
		names++
		_, far := table[strings.Trim(lit.Value, `"`)]
		_, near := atBoard[strings.Trim(lit.Value, `"`)]
		if far == near {
			t.Errorf("command %s has no row in the tables, or two", lit.Value)
		}
		return true
	})
	if rows := len(table) + len(atBoard); names != rows {
		t.Errorf("%d names in the code, %d rows", names, rows)
	}
}

// What is for the board itself cannot be had by a signature, whoever's; and at the board nobody may more than by the tables.
func TestAtBoard(t *testing.T) {
	for name, roles := range atBoard {
		for _, role := range append(Roles(), "", "stranger") {
			if err := Allowed(name, role); !errors.Is(err, ErrRole) {
				t.Errorf("%s from afar by %q: %v", name, role, err)
			}
			if err := AllowedAtBoard(name, role); (err == nil) != slices.Contains(roles, role) {
				t.Errorf("%s by %q: %v", name, role, err)
			}
		}
	}
	for _, name := range Names() {
		for _, role := range append(Roles(), "") {
			if (AllowedAtBoard(name, role) == nil) != (Allowed(name, role) == nil) {
				t.Errorf("%s by %q is judged in two ways", name, role)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	r := newRing(t)
	good := Command{Device: "porch", Seq: 1, Issued: noon, Expires: noon.Add(time.Hour), Name: Status, Args: json.RawMessage(`{"a":1}`)}
	if _, err := Sign(r[Owner], good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*Command){
		"device":        func(c *Command) { c.Device = "../x" },
		"number":        func(c *Command) { c.Seq = 0 },
		"large number":  func(c *Command) { c.Seq = 1 << 53 },
		"no name":       func(c *Command) { c.Name = "" },
		"long name":     func(c *Command) { c.Name = strings.Repeat("n", 65) },
		"much":          func(c *Command) { c.Args = json.RawMessage(`{"a":"` + strings.Repeat("x", MaxArgs) + `"}`) },
		"no object":     func(c *Command) { c.Args = json.RawMessage(`[1]`) },
		"no JSON":       func(c *Command) { c.Args = json.RawMessage(`{`) },
		"lives long":    func(c *Command) { c.Expires = c.Issued.Add(MaxLife + time.Millisecond) },
		"never":         func(c *Command) { c.Expires = c.Issued },
		"local time":    func(c *Command) { c.Issued = c.Issued.In(time.FixedZone("", 3600)) },
		"nanoseconds":   func(c *Command) { c.Issued = c.Issued.Add(1) },
		"before it all": func(c *Command) { c.Issued, c.Expires = time.Time{}, time.Time{}.Add(time.Hour) },
	} {
		c := good
		change(&c)
		if _, err := Sign(r[Owner], c); err == nil {
			t.Errorf("%s: signed", what)
		}
	}
}

// A number that was let through stays used after a restart, and a cut before it is durable obeys nothing.
func TestReplayAcrossRestarts(t *testing.T) {
	r := newRing(t)
	path := filepath.Join(t.TempDir(), "commands")
	seq := func(n uint64) func(*Command) { return func(c *Command) { c.Seq = n } }
	accept := func(g *Gate, role Role, n uint64, want error) {
		t.Helper()
		if _, _, err := g.Accept(r.sign(t, role, Status, seq(n))); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%d by %s: %v, want %v", n, role, err, want)
		}
	}
	g := r.gate(path)
	accept(g, Hub, 5, nil)
	accept(g, Hub, 4, ErrReplayed)
	accept(g, Owner, 1, nil) // counts for itself
	g = r.gate(path)
	accept(g, Hub, 5, ErrReplayed)
	accept(g, Owner, 1, ErrReplayed)
	accept(g, Hub, 6, nil)

	cut := errors.New("power is gone")
	g.replace = func(string, []byte) error { return cut }
	accept(g, Hub, 7, ErrState)
	accept(g, Hub, 7, ErrReplayed) // whether it reached the disk is not known
	g = r.gate(path)
	accept(g, Hub, 7, nil) // it did not, and nothing was obeyed

	if err := os.WriteFile(path, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	accept(r.gate(path), Hub, 100, ErrState)
}

// Without the count of numbers a command is obeyed as often as it is sent.
func TestMutantReplay(t *testing.T) {
	r := newRing(t)
	g := r.gate(filepath.Join(t.TempDir(), "commands"))
	g.replays = true
	jws := r.sign(t, Hub, Status, same)
	for range 2 {
		if _, _, err := g.Accept(jws); err != nil {
			t.Errorf("refused without the count: %v: the tests above prove nothing", err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	r := newRing(f)
	f.Add(r.sign(f, Hub, Status, same))
	f.Add(r.sign(f, Hub, HubSet, func(c *Command) { c.Args = json.RawMessage(`{"hub":"hub.lan:8883"}`) }))
	f.Add([]byte("e30.e30.e30"))
	pub := r[Hub].Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, jws []byte) {
		c, err := Verify(pub, jws)
		if err == nil && c.validate() != nil {
			t.Fatalf("let through: %+v", c)
		}
		if peeked, peekErr := Peek(jws); err == nil && (peekErr != nil || peeked.Seq != c.Seq || peeked.Device != c.Device) {
			t.Fatalf("verified as %+v, and read as %+v, %v", c, peeked, peekErr)
		}
	})
}
