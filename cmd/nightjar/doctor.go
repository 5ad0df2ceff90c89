// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/board/clock"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
	"github.com/nightjar-cam/nightjar/cmd/internal/doctor"
	"github.com/nightjar-cam/nightjar/keys"
	"github.com/nightjar-cam/nightjar/uplink"
)

// checkLimit bounds each check; they run side by side.
const checkLimit = 15 * time.Second

func doctorCommand() cli.Command {
	var file string
	var asJSON bool
	return cli.Command{
		Name:  "doctor",
		Usage: "nightjar doctor [--config FILE] [--json]",
		Short: "Try each part that the camera needs, and say what to do",
		Long: `Looks at configuration, folders, keys, certificate, clock and disk, goes the way to the hub step by step, and asks how the
running agent is. It changes nothing, and the agent may be running. Exits with 1 when a check fails.`,
		Flags: func(f *flag.FlagSet) {
			configFlag(f, &file)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			report := doctor.Examine(ctx, checkLimit, checks(file))
			var err error
			if asJSON {
				err = env.JSON(report)
			} else {
				err = report.Print(env.Stdout)
			}
			return errors.Join(err, report.Failed())
		},
	}
}

// checks are what can be asked of a camera, in the order in which a person would.
func checks(file string) []doctor.Check {
	cfg, invalid := loadConfig(file)
	need := func(check func(context.Context, config.Config) doctor.Finding) func(context.Context) doctor.Finding {
		return func(ctx context.Context) doctor.Finding {
			if invalid != nil {
				return doctor.Skipped("the configuration is not good")
			}
			return check(ctx, cfg)
		}
	}
	enrolled := func(check func(context.Context, keys.Credential) doctor.Finding) func(context.Context) doctor.Finding {
		return need(func(ctx context.Context, cfg config.Config) doctor.Finding {
			c, err := readCredential(cfg)
			if err != nil {
				return doctor.Skipped("the camera is not enrolled")
			}
			return check(ctx, c)
		})
	}
	return []doctor.Check{
		{Name: "configuration", Run: func(context.Context) doctor.Finding {
			if invalid != nil {
				return doctor.Bad("correct the file; `nightjar config init` prints one with every key explained", "%v", invalid)
			}
			return doctor.Good("%s is good", file)
		}},
		{Name: "state-folder", Run: need(checkState)},
		{Name: "disk-space", Run: need(checkSpace)},
		{Name: "enrolment", Run: need(checkEnrolment)},
		{Name: "owner-key", Run: need(checkRecipients)},
		{Name: "keys-protected", Run: need(checkProtection)},
		{Name: "clock", Run: func(context.Context) doctor.Finding { return checkClock(clock.System(written).Now()) }},
		{Name: "certificate", Run: enrolled(checkCertificate)},
		{Name: "hub-name", Run: enrolled(checkName)},
		{Name: "hub-reachable", Run: enrolled(checkReachable)},
		{Name: "hub-session", Run: enrolled(checkSession)},
		{Name: "agent", Run: need(checkAgent)},
	}
}

// readCredential reads without making anything that is missing.
func readCredential(cfg config.Config) (keys.Credential, error) {
	if _, err := os.Stat(keysDir(cfg.State)); err != nil {
		return keys.Credential{}, err
	}
	store, err := openKeys(cfg.State)
	if err != nil {
		return keys.Credential{}, err
	}
	return store.Credential()
}

func checkState(_ context.Context, cfg config.Config) doctor.Finding {
	info, err := os.Stat(cfg.State)
	if errors.Is(err, fs.ErrNotExist) {
		return doctor.Bad("run `nightjar enroll`: it makes the folder", "%s is not there", cfg.State)
	}
	if err != nil {
		return doctor.Bad("see who may enter the folders above", "%v", err)
	}
	if !info.IsDir() {
		return doctor.Bad("name a folder in the configuration's state", "%s is not a folder", cfg.State)
	}
	if err := unix.Access(cfg.State, unix.W_OK|unix.X_OK); err != nil {
		return doctor.Bad("run this as the user that nightjar runs as; a card that fails is mounted read-only: look at dmesg",
			"%s cannot be written: %v", cfg.State, err)
	}
	return doctor.Good("%s can be written", cfg.State)
}

func checkSpace(_ context.Context, cfg config.Config) doctor.Finding {
	var s unix.Statfs_t
	if err := unix.Statfs(cfg.State, &s); err != nil {
		return doctor.Skipped("%s: %v", cfg.State, err)
	}
	free, files := int64(s.Bavail)*int64(s.Bsize), s.Ffree
	switch {
	case free < leastFree:
		return doctor.Bad("free some room, or use a larger card", "%s are free", mib(free))
	case s.Files > 0 && files < 1000:
		return doctor.Bad("remove small files: the disk has no room for names", "%d more files fit", files)
	case free < cfg.Spool.MaxBytes:
		return doctor.Doubtful("lower spool.max_bytes, or free some room, so that the quota is what ends first",
			"%s are free, less than spool.max_bytes of %s", mib(free), mib(cfg.Spool.MaxBytes))
	}
	return doctor.Good("%s are free", mib(free))
}

func checkEnrolment(_ context.Context, cfg config.Config) doctor.Finding {
	c, err := readCredential(cfg)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, keys.ErrNotEnrolled) {
		return doctor.Bad("get a token with `nightjar-hub token` and run `nightjar enroll`", "this camera is not enrolled")
	}
	if err != nil {
		return doctor.Bad("the keys must be readable by this user and by nobody else; otherwise enrol again", "%v", err)
	}
	return doctor.Good("enrolled as %s at %s", c.Device, c.Hub)
}

func checkRecipients(_ context.Context, cfg config.Config) doctor.Finding {
	const remedy = "run `nightjar enroll --recipient` with the public key that `nightjarctl keygen` printed"
	if _, err := os.Stat(keysDir(cfg.State)); err != nil {
		return doctor.Skipped("there are no keys")
	}
	store, err := openKeys(cfg.State)
	if err != nil {
		return doctor.Bad(remedy, "%v", err)
	}
	recipients, err := loadRecipients(store)
	if err != nil {
		return doctor.Bad(remedy, "%v", err)
	}
	return doctor.Good("clips are sealed to %d public keys", len(recipients))
}

// checkProtection says what keeps the keys from who has the card. That a board has no secret is no fault of the installation.
func checkProtection(_ context.Context, cfg config.Config) doctor.Finding {
	if _, err := os.Stat(keysDir(cfg.State)); err != nil {
		return doctor.Skipped("there are no keys")
	}
	store, err := openKeys(cfg.State)
	if err != nil {
		return doctor.Bad("the keys must be readable by this user and by nobody else; a card from another board cannot be read on this one", "%v", err)
	}
	return doctor.Good("by %s", store.Protection())
}

func checkClock(now clock.Wall) doctor.Finding {
	text := fmt.Sprintf("%s, %s", now.Time.UTC().Format(time.DateTime+"Z"), now.Quality)
	switch now.Quality {
	case clock.Unset:
		return doctor.Doubtful("clips have guessed dates: let the board reach an NTP server, or give it a battery-backed clock", "%s", text)
	case clock.Free:
		return doctor.Doubtful("nothing keeps the clock right: enable NTP (timedatectl set-ntp true)", "%s", text)
	}
	return doctor.Good("%s", text)
}

func checkCertificate(_ context.Context, c keys.Credential) doctor.Finding {
	end := c.TLS.Leaf.NotAfter
	text := "valid until " + end.UTC().Format(time.DateOnly)
	switch left := time.Until(end); {
	case left < 0:
		return doctor.Bad("let the agent reach the hub, or enrol again with a new token", "it was %s", text)
	case left < certificate:
		return doctor.Doubtful("see that the hub can be reached", "%s", text)
	}
	return doctor.Good("%s", text)
}

func checkName(ctx context.Context, c keys.Credential) doctor.Finding {
	host, _, err := net.SplitHostPort(c.Broker())
	if err != nil {
		return doctor.Bad("enrol again with --hub HOST:PORT", "%v", err)
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return doctor.Bad("check the hub's name, and the name server in /etc/resolv.conf", "%v", err)
	}
	return doctor.Good("%s is %s", host, addrs[0])
}

func checkReachable(ctx context.Context, c keys.Credential) doctor.Finding {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Broker())
	if err != nil {
		return doctor.Bad("see that the hub runs, and that no firewall is between", "%v", err)
	}
	defer conn.Close()
	return doctor.Good("%s takes connections", conn.RemoteAddr())
}

func checkSession(ctx context.Context, c keys.Credential) doctor.Finding {
	if err := uplink.Probe(ctx, c); err != nil {
		return doctor.Bad("see the hub's log: it names the reason of each refusal", "%v", err)
	}
	return doctor.Good("TLS 1.3, certificates of both sides are good")
}

func checkAgent(_ context.Context, cfg config.Config) doctor.Finding {
	s, err := readStatus(cfg)
	if err != nil {
		return doctor.Doubtful("start it: systemctl start nightjar", "%v", err)
	}
	if len(s.Troubles) > 0 {
		return doctor.Doubtful("`nightjar status` says what to do about each", "it runs, with trouble: %s", s.Troubles[0].Title)
	}
	return doctor.Good("it runs, and all is well")
}
