// SPDX-License-Identifier: Apache-2.0

package seal_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/nightjar-cam/nightjar/keys/seal"
)

// owner makes an owner and returns the identity file and the recipient.
func owner(t testing.TB) (file, recipient string) {
	t.Helper()
	var b strings.Builder
	recipient, err := seal.GenerateOwner(&b, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), recipient
}

func recipients(t testing.TB, lines string) []age.Recipient {
	t.Helper()
	r, err := seal.Recipients(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealed(t testing.TB, plain []byte, to string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, recipients(t, to))
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// opened returns what was given out before the error, too.
func opened(t testing.TB, b []byte, identityFile string) ([]byte, error) {
	t.Helper()
	identities, err := seal.Identities(strings.NewReader(identityFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := seal.Open(bytes.NewReader(b), identities)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// random returns n bytes that are the same in each run.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestRoundTrip(t *testing.T) {
	file, recipient := owner(t)
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000} {
		plain := random(n)
		if got, err := opened(t, sealed(t, plain, recipient), file); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}

func TestSeveralRecipients(t *testing.T) {
	file1, recipient1 := owner(t)
	file2, recipient2 := owner(t)
	stranger, _ := owner(t)
	b := sealed(t, []byte("film"), "# two owners\n\n  "+recipient1+" \r\n"+recipient2)
	for _, file := range []string{file1, file2, stranger + file2} {
		if got, err := opened(t, b, file); err != nil || string(got) != "film" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if got, err := opened(t, b, stranger); err == nil || !strings.Contains(err.Error(), "sealed to other recipients") {
		t.Errorf("opened by a stranger: %q, %v", got, err)
	}
}

func TestPostQuantumRecipient(t *testing.T) {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	b := sealed(t, []byte("film"), identity.Recipient().String())
	if got, err := opened(t, b, identity.String()); err != nil || string(got) != "film" {
		t.Errorf("got %q, %v", got, err)
	}
	_, classic := owner(t)
	if _, err := seal.Recipients(strings.NewReader(classic + "\n" + identity.Recipient().String())); err == nil {
		t.Error("took recipients that nothing can be sealed to together")
	}
}

func TestEveryChangeIsFound(t *testing.T) {
	file, recipient := owner(t)
	plain := random(150_000) // three chunks
	b := sealed(t, plain, recipient)
	check := func(name string, at int, changed []byte) {
		got, err := opened(t, changed, file)
		if err == nil || !bytes.HasPrefix(plain, got) {
			t.Errorf("%s at %d: %v, and %d bytes", name, at, err, len(got))
		}
	}
	head := bytes.Index(b, []byte("\n---"))
	for at := 0; at < len(b); at++ {
		if at > head+100 && at < len(b)-20 { // the head whole, the rest in samples
			at += 7919
			at = min(at, len(b)-1)
		}
		changed := bytes.Clone(b)
		changed[at] ^= 1
		check("flipped", at, changed)
		check("cut", at, b[:at])
	}
	chunk := 64<<10 + 16
	for _, at := range []int{len(b) - len(b)%chunk, len(b) - chunk} {
		check("cut", at, b[:at])
	}
	check("longer", len(b), append(bytes.Clone(b), 0))
}

func TestRecipientsRefuses(t *testing.T) {
	file, recipient := owner(t)
	identity := strings.Split(strings.TrimSpace(file), "\n")[2]
	if !strings.HasPrefix(identity, "AGE-SECRET-KEY-1") {
		t.Fatalf("identity file:\n%s", file)
	}
	const secret = "this is an identity, the secret half"
	for _, test := range []struct{ name, lines, want string }{
		{"nothing", "", "there is none"},
		{"comments", "# one\n\n#two\n", "there is none"},
		{"identity", recipient + "\n" + identity, "line 2: " + secret},
		{"indented identity", "\t" + identity, secret},
		{"lower-case identity", strings.ToLower(identity), secret},
		{"identity with a label", "key: " + identity, secret},
		{"part of an identity", identity[len("AGE-SECRET-KEY-"):], "line 1: not an age recipient"},
		{"typo", recipient[:20] + "x" + recipient[21:] + "x", "line 1: not an age recipient"},
		{"ssh key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDUM", "line 1: not an age recipient"},
		{"two in a line", recipient + " " + recipient, "line 1: not an age recipient"},
		{"too many", strings.Repeat(recipient+"\n", 21), "more than 20"},
		{"long line", strings.Repeat("x", 9<<10), "token too long"},
		{"binary", "\x00\xff\xfe", "line 1: not an age recipient"},
	} {
		got, err := seal.Recipients(strings.NewReader(test.lines))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %d recipients, error %v, want %q", test.name, len(got), err, test.want)
			continue
		}
		if shown := strings.ToUpper(err.Error()); strings.Contains(shown, identity[20:40]) {
			t.Errorf("%s: the error shows the identity: %v", test.name, err)
		}
	}
	if got := recipients(t, strings.Repeat("# comment\n", 200_000)+strings.Repeat(recipient+"\n", 20)); len(got) != 20 {
		t.Errorf("%d recipients behind 2 MB of comments, want 20", len(got))
	}
}

// FuzzRecipients checks that what is taken can be sealed to, whatever the text.
func FuzzRecipients(f *testing.F) {
	file, recipient := owner(f)
	f.Add("# an owner\n" + recipient + "\r\n")
	f.Add(file)
	f.Add("age1pq1\nage1\nssh-ed25519 AAAA\n\x00")
	f.Fuzz(func(t *testing.T, lines string) {
		to, err := seal.Recipients(strings.NewReader(lines))
		if (err == nil) != (len(to) > 0) || len(to) > 20 {
			t.Fatalf("%d recipients, error %v", len(to), err)
		}
		if err != nil {
			return
		}
		if _, err := seal.NewWriter(io.Discard, to); err != nil {
			t.Fatal(err)
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken")

func TestOtherErrors(t *testing.T) {
	file, recipient := owner(t)
	if _, err := seal.Identities(strings.NewReader(recipient)); err == nil || strings.Contains(err.Error(), recipient) {
		t.Errorf("recipient taken as identity: %v", err)
	}
	if _, err := opened(t, []byte("no seal"), file); err == nil {
		t.Error("a text was opened")
	}
	if _, err := seal.NewWriter(broken{}, recipients(t, recipient)); !errors.Is(err, errBroken) {
		t.Errorf("seal to a broken file: %v", err)
	}
	if _, err := seal.GenerateOwner(broken{}, time.Now()); !errors.Is(err, errBroken) {
		t.Errorf("owner to a broken file: %v", err)
	}
}

// stock runs Debian's age.
func stock(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("age"); err != nil {
		t.Fatal("age is not installed: run `make deps`, or `apt-get install age`")
	}
	cmd := exec.Command("age", args...)
	var out, talk bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("age %v: %v\n%s", args, err, &talk)
	}
	return out.Bytes()
}

func TestStockAge(t *testing.T) {
	file, recipient := owner(t)
	path := filepath.Join(t.TempDir(), "owner.txt")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := random(200_000)
	if got := stock(t, sealed(t, plain, recipient), "--decrypt", "--identity", path); !bytes.Equal(got, plain) {
		t.Errorf("age opens our seal and gets %d other bytes", len(got))
	}
	if got, err := opened(t, stock(t, plain, "--recipient", recipient), file); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("we open age's seal and get %d bytes, %v", len(got), err)
	}
}

func TestGenerateOwner(t *testing.T) {
	file, recipient := owner(t)
	want := "# created: 2026-03-04T05:06:07Z\n# public key: " + recipient + "\nAGE-SECRET-KEY-1"
	if !strings.HasPrefix(file, want) || strings.Count(file, "\n") != 3 {
		t.Errorf("identity file\n%s, want it to begin with\n%s", file, want)
	}
	if again, _ := owner(t); again == file {
		t.Error("two owners have one identity")
	}
}

// A long film takes no more memory than a short one.
func TestMemoryDoesNotGrow(t *testing.T) {
	_, recipient := owner(t)
	to := recipients(t, recipient)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w, err := seal.NewWriter(io.Discard, to)
	if err != nil {
		t.Fatal(err)
	}
	source := io.LimitReader(rand.NewChaCha8([32]byte{}), 64<<20)
	if n, err := io.Copy(struct{ io.Writer }{w}, source); err != nil || n != 64<<20 {
		t.Fatalf("sealed %d bytes, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("sealing 64 MiB allocated %d bytes, more than 2 MiB", n)
	}
}
