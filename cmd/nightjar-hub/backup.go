// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/uplink/hub/backup"
	"github.com/nightjar-cam/nightjar/uplink/hub/store"
)

// backedUp is the answer of backup and of restore.
type backedUp struct {
	Path string `json:"path"` // of the file, or of the hub's new folder
	backup.Manifest
}

func backupCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "backup",
		Usage: "nightjar-hub backup --dir DIR [--json] FILE",
		Short: "Copy the whole hub into one file, also while it runs",
		Long: `Writes one new file, a tar archive, with all that makes this hub: its keys, its cameras, their clips. Who has
the file can be this hub and enrol cameras, so keep it where you would keep a key; it is readable by you
alone. Clips in it are as sealed as in the hub. Enrolment tokens that are still open are left out.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			if dir == "" || len(args) != 1 {
				return cli.Usagef("backup needs --dir and a file")
			}
			m, err := backUp(dir, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stderr, "%s holds the PRIVATE KEYS of the hub: who has it can be this hub\n", args[0])
			if asJSON {
				return env.JSON(backedUp{args[0], m})
			}
			fmt.Fprintf(env.Stdout, "%s: %d files, %d bytes\n", args[0], m.Files, m.Bytes)
			return nil
		},
	}
}

// backUp makes the file in one step: there is a whole backup, or none.
func backUp(dir, file string) (m backup.Manifest, err error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return m, cli.Hint(fmt.Errorf("back up into %s: %w", file, errors.Join(fs.ErrExist, err)), "give the name of a new file: a backup is never written over")
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp") // mode 0600
	if err != nil {
		return m, fmt.Errorf("back up: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if m, err = backup.Write(f, dir, time.Now()); err != nil {
		return m, err
	}
	if err := f.Sync(); err != nil {
		return m, fmt.Errorf("back up: %w", err)
	}
	if err := f.Close(); err != nil {
		return m, fmt.Errorf("back up: %w", err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return m, fmt.Errorf("back up: %w", err)
	}
	return m, store.SyncDir(filepath.Dir(file))
}

func restoreCommand() cli.Command {
	var dir string
	var asJSON bool
	return cli.Command{
		Name:  "restore",
		Usage: "nightjar-hub restore --dir DIR [--json] FILE",
		Short: "Make a hub of a backup",
		Long: `Makes the folder of a hub as it was when "nightjar-hub backup" wrote the file. A folder that holds anything is
refused. Nothing is there until all of it is. Cameras know the hub by its keys and find it at once; what the
old hub received after the backup is gone, since it told the cameras to forget it, and "nightjarctl clips
verify" names it. Never run the old hub again beside the new one.`,
		Args: 1,
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&dir, "dir", "", "folder of the hub, is made")
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(_ context.Context, env *cli.Env, args []string) error {
			if dir == "" || len(args) != 1 {
				return cli.Usagef("restore needs --dir and a file")
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			defer f.Close()
			m, err := backup.Restore(f, dir)
			if errors.Is(err, backup.ErrExists) {
				return cli.Hint(err, "give a folder that does not exist")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(env.Stderr, "cameras that were revoked after %s are let in again: revoke them now, then run `nightjar-hub doctor --dir %s`\n",
				m.Made.Format(minute), dir)
			if asJSON {
				return env.JSON(backedUp{dir, m})
			}
			fmt.Fprintf(env.Stdout, "%s: %d files, %d bytes, as of %s\n", dir, m.Files, m.Bytes, m.Made.Format(minute))
			return nil
		},
	}
}
