// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// watched opens a store whose steps towards the disk are added to log; a step named in fail fails.
func watched(t *testing.T, fail *string) (s *Store, log *[]string) {
	t.Helper()
	dir, log := filepath.Join(t.TempDir(), "keys"), new([]string)
	s = &Store{dir: dir, sync: func(f *os.File) error {
		step := "sync " + filepath.Base(f.Name())
		if b, err := os.ReadFile(f.Name()); err == nil {
			step = "sync file: " + string(b)
		}
		*log = append(*log, step)
		if step == *fail {
			return errCut
		}
		return f.Sync()
	}}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	return s, log
}

var errCut = errors.New("cut")

func TestFolderIsSynced(t *testing.T) {
	s, log := watched(t, new(string))
	if want := []string{"sync " + filepath.Base(filepath.Dir(s.dir))}; !cmp.Equal(want, *log) {
		t.Errorf("made a folder with %q, want %q", *log, want)
	}
	if err := s.open(); err != nil || len(*log) != 1 {
		t.Errorf("opened an old folder: %v, with %q", err, *log)
	}
}

// The content is on the disk before it has its name, and the name before write returns.
func TestOrderOfAWrite(t *testing.T) {
	var fail string
	s, log := watched(t, &fail)
	rename := func(from, to string) error {
		*log = append(*log, "rename")
		return os.Rename(from, to)
	}
	for _, test := range []struct {
		text, fail string
		steps      []string
		found      string // afterwards
	}{
		{"one", "", []string{"sync file: one", "rename", "sync keys"}, "one"},
		{"two", "", []string{"sync file: two", "rename", "sync keys"}, "two"},
		{"three", "sync file: three", []string{"sync file: three"}, "two"},
		{"four", "sync keys", []string{"sync file: four", "rename", "sync keys"}, "four"},
	} {
		*log, fail = nil, test.fail
		err := s.write("name", []byte(test.text), rename)
		if test.fail == "" && err != nil || test.fail != "" && !errors.Is(err, errCut) {
			t.Errorf("%s: error %v", test.text, err)
		}
		if diff := cmp.Diff(test.steps, *log); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", test.text, diff)
		}
		if got, err := os.ReadFile(filepath.Join(s.dir, "name")); err != nil || string(got) != test.found {
			t.Errorf("%s: found %q, %v, want %q", test.text, got, err, test.found)
		}
		if names, err := os.ReadDir(s.dir); err != nil || len(names) != 1 {
			t.Errorf("%s: left over: %v, %v", test.text, names, err)
		}
	}
}

// Two processes found no identity and both make one: the second must not replace what the first may have shown to a hub.
func TestSecondIdentityGivesWay(t *testing.T) {
	s, _ := watched(t, new(string))
	if err := s.makeIdentity(); err != nil {
		t.Fatal(err)
	}
	first, err := s.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.makeIdentity(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want %v", err, fs.ErrExist)
	}
	if again, err := s.Identity(); err != nil || !again.Key().Equal(first.Key()) {
		t.Errorf("%v became %v, %v", first, again, err)
	}
	// By rename, the second would have won.
	if err := s.write(identityFile, []byte("second"), os.Rename); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Identity(); err == nil {
		t.Errorf("a rename left %v in place", again)
	}
}
