// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/uplink/wire"
)

var update = flag.Bool("update", false, "write the golden messages anew")

const clip = "0a0b0c0d0e0f10111213141516171819"

var (
	offer  = wire.Offer{Version: 1, Record: "eyJhIjoxfQ.e30.c2ln-_", Evicted: true}
	held   = wire.Offer{Version: 1, Record: "eyJhIjoxfQ.e30.c2ln-_", Hold: "request"}
	have   = wire.Have{Version: 1, Seq: 7, Clip: clip, Body: 1 << 40, Details: 4096}
	refuse = wire.Refuse{Version: 1, Seq: 7, Clip: clip, Code: wire.CodeFork, Message: "record 7 is another one: \"<é>\""}
	status = wire.Status{Version: 1, State: wire.Online, Release: "v1.2.3", Boot: "boot-1", Entries: 3, Bytes: 1 << 30}
	hello  = wire.Welcome{Version: 1, Time: time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.UTC), Spread: 40}
	result = wire.Result{Version: 1, Signer: "hub", Seq: 9, OK: true, Message: "done", Data: json.RawMessage(`{"paused":true}`)}
	chunk  = wire.Chunk{Part: wire.PartDetails, Clip: [16]byte{10, 11, 12, 13}, Offset: 1 << 33, Data: []byte("data")}
)

// Cameras and hubs of other releases speak in these bytes.
func TestGolden(t *testing.T) {
	for name, encode := range map[string]func() ([]byte, error){
		"offer.json":   offer.Marshal,
		"held.json":    held.Marshal,
		"have.json":    have.Marshal,
		"refuse.json":  refuse.Marshal,
		"status.json":  status.Marshal,
		"welcome.json": hello.Marshal,
		"result.json":  result.Marshal,
		"chunk.bin":    func() ([]byte, error) { return chunk.AppendTo(nil) },
	} {
		got, err := encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// message is what the four JSON messages have in common.
type message interface{ Marshal() ([]byte, error) }

func checkRoundTrip[M message](t *testing.T, want M, parse func([]byte) (M, error)) {
	t.Helper()
	b, err := want.Marshal()
	if err != nil {
		t.Fatalf("%#v: %v", want, err)
	}
	got, err := parse(b)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, %T (-want +got):\n%s", err, want, diff)
	}
}

func TestRoundTrip(t *testing.T) {
	checkRoundTrip(t, offer, wire.ParseOffer)
	checkRoundTrip(t, held, wire.ParseOffer)
	checkRoundTrip(t, wire.Offer{Version: 1, Record: "a", Hold: strings.Repeat("a", 32)}, wire.ParseOffer)
	checkRoundTrip(t, wire.Offer{Version: 1, Record: strings.Repeat("a", 16<<10)}, wire.ParseOffer)
	checkRoundTrip(t, have, wire.ParseHave)
	checkRoundTrip(t, wire.Have{Version: 1, Seq: math.MaxUint64, Clip: clip, Body: math.MaxInt64, Details: math.MaxInt64}, wire.ParseHave)
	checkRoundTrip(t, refuse, wire.ParseRefuse)
	checkRoundTrip(t, wire.Refuse{Version: 1, Code: "of a later hub"}, wire.ParseRefuse)
	checkRoundTrip(t, wire.Refuse{Version: 1, Code: "x", Message: strings.Repeat("<", 512)}, wire.ParseRefuse)
	checkRoundTrip(t, status, wire.ParseStatus)
	checkRoundTrip(t, hello, wire.ParseWelcome)
	checkRoundTrip(t, result, wire.ParseResult)
	checkRoundTrip(t, wire.Result{Version: 1, Signer: "owner", Seq: math.MaxUint64, Message: strings.Repeat("<", 512)}, wire.ParseResult)
	word := strings.Repeat("<", 128)
	checkRoundTrip(t, wire.Status{Version: 1, State: wire.Offline, Release: word, Boot: word}, wire.ParseStatus)
}

// Marshal fills in the version, so that no caller can forget it.
func TestMarshalKnowsTheVersion(t *testing.T) {
	unnumbered := have
	unnumbered.Version = 0
	b, err := unnumbered.Marshal()
	if got, perr := wire.ParseHave(b); err != nil || perr != nil || got != have {
		t.Errorf("got %v, %v, %v", got, err, perr)
	}
}

func TestLongTextIsCut(t *testing.T) {
	for _, text := range []string{strings.Repeat("é", 400), "x" + strings.Repeat("é", 400), strings.Repeat("a\xff", 256), strings.Repeat("\x01", 513)} {
		b, err := wire.Refuse{Code: wire.CodeHash, Message: text}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.ParseRefuse(b)
		if n := len(got.Message); err != nil || n < 511 || n > 512 || !utf8.ValidString(got.Message) {
			t.Errorf("%.8q...: cut to %d bytes, %v", text, n, err)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	other := func(change func(*wire.Have)) message {
		m := have
		change(&m)
		return m
	}
	for name, m := range map[string]message{
		"offer without a record": wire.Offer{},
		"offer of a large one":   wire.Offer{Record: strings.Repeat("a", 16<<10+1)},
		"offer of no JWS":        wire.Offer{Record: "a b"},
		"offer, long hold":       wire.Offer{Record: "a", Hold: strings.Repeat("a", 33)},
		"offer, hold of two":     wire.Offer{Record: "a", Hold: "not now"},
		"have of record 0":       other(func(m *wire.Have) { m.Seq = 0 }),
		"have of no clip":        other(func(m *wire.Have) { m.Clip = "" }),
		"have of a path":         other(func(m *wire.Have) { m.Clip = "../../../../../../../../../../x" }),
		"have in upper case":     other(func(m *wire.Have) { m.Clip = strings.ToUpper(clip) }),
		"have less than nothing": other(func(m *wire.Have) { m.Body = -1 }),
		"have negative details":  other(func(m *wire.Have) { m.Details = -1 }),
		"refuse without a code":  wire.Refuse{},
		"refuse with a long one": wire.Refuse{Code: wire.Code(strings.Repeat("c", 33))},
		"refuse of a bad clip":   wire.Refuse{Code: wire.CodeSize, Clip: "x"},
		"status without a state": wire.Status{},
		"status of a new state":  wire.Status{State: "asleep"},
		"status, long release":   wire.Status{State: wire.Online, Release: strings.Repeat("r", 129)},
		"status, long boot":      wire.Status{State: wire.Online, Boot: strings.Repeat("b", 129)},
		"status, entries":        wire.Status{State: wire.Online, Entries: -1},
		"welcome, local time":    wire.Welcome{Time: time.Unix(1, 0).In(time.FixedZone("", 3600))},
		"welcome, no time":       wire.Welcome{},
		"welcome, microseconds":  wire.Welcome{Time: time.UnixMicro(1).UTC()},
		"welcome, spread":        wire.Welcome{Time: time.Unix(1, 0).UTC(), Spread: 301},
		"result of nobody":       wire.Result{Seq: 1},
		"result of nothing":      wire.Result{Signer: "hub"},
		"result, no JSON":        wire.Result{Signer: "hub", Seq: 1, Data: json.RawMessage("{")},
		"result, much data":      wire.Result{Signer: "hub", Seq: 1, Data: json.RawMessage(`"` + strings.Repeat("<", 2000) + `"`)},
		"status, bytes":          wire.Status{State: wire.Online, Bytes: -1},
	} {
		if b, err := m.Marshal(); err == nil {
			t.Errorf("%s: encoded as %s", name, b)
		}
	}
}

// parsers are the decoders by the name of the message, with a good one.
func parsers(t testing.TB) map[string]struct {
	good  message
	limit int
	parse func([]byte) error
} {
	t.Helper()
	return map[string]struct {
		good  message
		limit int
		parse func([]byte) error
	}{
		"offer":   {offer, wire.MaxOffer, func(b []byte) error { _, err := wire.ParseOffer(b); return err }},
		"have":    {have, wire.MaxSmall, func(b []byte) error { _, err := wire.ParseHave(b); return err }},
		"refuse":  {refuse, wire.MaxSmall, func(b []byte) error { _, err := wire.ParseRefuse(b); return err }},
		"welcome": {hello, wire.MaxSmall, func(b []byte) error { _, err := wire.ParseWelcome(b); return err }},
		"result":  {result, wire.MaxResult, func(b []byte) error { _, err := wire.ParseResult(b); return err }},
		"status":  {status, wire.MaxSmall, func(b []byte) error { _, err := wire.ParseStatus(b); return err }},
	}
}

func TestParseRefuses(t *testing.T) {
	for name, p := range parsers(t) {
		b, err := p.good.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		good := string(b)
		padded := good + strings.Repeat(" ", p.limit-len(good))
		if err := p.parse([]byte(padded)); err != nil {
			t.Errorf("%s of %d bytes: %v", name, len(padded), err)
		}
		for fault, text := range map[string]string{
			"too large": padded + " ", "nothing": "", "null": "null", "list": "[]", "cut": good[:len(good)-1], "trailing data": good + "{}",
			"trailing brace": good + "}", "unknown field": strings.Replace(good, `"v":1`, `"v":1,"w":1`, 1),
			"version": strings.Replace(good, `"v":1`, `"v":2`, 1), "no version": strings.Replace(good, `"v":1,`, ``, 1),
			"fraction": strings.Replace(good, `"v":1`, `"v":1.5`, 1),
		} {
			if err := p.parse([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "decode "+name+": ") {
				t.Errorf("%s, %s: %v", name, fault, err)
			}
		}
	}
}

// A decoder applies the bounds of the encoder.
func TestParseBounds(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"offer":   {"record": "a\nb", "evicted": "yes", "hold": "No!"},
		"have":    {"seq": 0, "clip": clip + "00", "body": -1, "details": -1},
		"refuse":  {"seq": -1, "clip": "x", "code": "", "message": strings.Repeat("m", 513)},
		"welcome": {"time": "yesterday", "spread": -1},
		"result":  {"signer": "", "seq": 0, "ok": 1, "message": strings.Repeat("m", 513), "data": strings.Repeat("d", 8<<10)},
		"status":  {"state": "", "release": strings.Repeat("r", 129), "boot": strings.Repeat("b", 129), "entries": -1, "bytes": -1},
	} {
		p := parsers(t)[name]
		for field, bad := range fields {
			b, err := p.good.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			m[field] = bad
			if b, err = json.Marshal(m); err != nil {
				t.Fatal(err)
			}
			if p.parse(b) == nil {
				t.Errorf("%s: was taken: %.80s", name, b)
			}
		}
	}
}

// checkFuzzed checks that what parses is encoded to something that parses to the same.
func checkFuzzed[M message](t *testing.T, b []byte, parse func([]byte) (M, error)) {
	if m, err := parse(b); err == nil {
		checkRoundTrip(t, m, parse)
	}
}

func seed(f *testing.F, m message, more ...string) {
	b, err := m.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, text := range more {
		f.Add([]byte(text))
	}
}

func FuzzParseOffer(f *testing.F) {
	seed(f, held, `{"V":1,"record":"\u0061"} `)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseOffer) })
}

func FuzzParseHave(f *testing.F) {
	seed(f, have)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseHave) })
}

func FuzzParseRefuse(f *testing.F) {
	seed(f, refuse, `{"v":1,"code":"<","message":"\ud800`+strings.Repeat("<", 400)+`"}`)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseRefuse) })
}

func FuzzParseStatus(f *testing.F) {
	word := strings.Repeat("<", 128)
	seed(f, status, `{"v":1,"state":"online","release":"`+word+`","boot":"`+word+`"}`)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseStatus) })
}

func FuzzParseWelcome(f *testing.F) {
	seed(f, hello, `{"v":1,"time":"2026-01-01T00:00:00+00:00"}`, `{"v":1,"time":"2026-01-01T01:00:00+01:00"}`)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseWelcome) })
}

func FuzzParseResult(f *testing.F) {
	seed(f, result, `{"v":1,"signer":"hub","seq":1,"ok":false,"message":"","data": {"a" : "<"}}`, `{"v":1,"signer":"hub","seq":1,"data":null}`)
	f.Fuzz(func(t *testing.T, b []byte) { checkFuzzed(t, b, wire.ParseResult) })
}
