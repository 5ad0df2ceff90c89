// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLog(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	line := func() string {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		f.Seek(0, 0)
		log := Log(f, slog.LevelInfo)
		log.Debug("quiet")
		log.Info("hello", slog.Group("in", "time", "noon"))
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const rest = "level=INFO msg=hello in.time=noon\n"

	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
	if got := line(); got != rest {
		t.Errorf("to the journal: %q, want %q", got, rest)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1)) // inherited from somebody else
	if got := line(); !strings.HasPrefix(got, "time=") || !strings.HasSuffix(got, rest) {
		t.Errorf("to a file: %q, want a time before %q", got, rest)
	}
}
