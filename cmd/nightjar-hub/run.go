// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"log/slog"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/task"
	"github.com/nightjar-cam/nightjar/uplink/hub"
)

func runCommand() cli.Command {
	var cfg hub.Config
	var days int
	var level slog.Level
	return cli.Command{
		Name:  "run",
		Usage: "nightjar-hub run --dir DIR [--listen HOST:PORT] [--broker HOST:PORT] [--metrics FILE] [--log LEVEL] [FLAG]...",
		Short: "Serve cameras until told to stop",
		Long: `Serves enrolment and MQTT on one port, TLS 1.3 only. Logs to stderr; SIGINT or SIGTERM ends it in good order.
Under systemd it belongs into a unit of Type=notify.

With --broker, cameras and hub meet at an external broker, whose access list must keep cameras apart: see
docs/mosquitto and "nightjar-hub broker". Cameras still enrol and renew at --listen, and learn of the broker there.

Clips are kept for ever unless a --retain flag says otherwise. What goes beyond the limits is removed at the
start and each hour, the oldest first, by the time when the hub stored it; the signed record stays, beside a
signed note that tells when and why.`,
		Flags: func(f *flag.FlagSet) {
			cfg = hub.DefaultConfig()
			f.StringVar(&cfg.Dir, "dir", "", "folder that init made")
			f.StringVar(&cfg.Listen, "listen", ":8883", "address `HOST:PORT` to listen on; port 0 takes any free one and logs it")
			f.StringVar(&cfg.Broker, "broker", "", "external MQTT broker `HOST:PORT`, as cameras reach it; none: the hub is one itself")
			f.StringVar(&cfg.Metrics, "metrics", "", "keep Prometheus metrics in `FILE`, named *.prom, for node_exporter's textfile collector")
			f.DurationVar(&cfg.SilentAfter, "silent-after", cfg.SilentAfter, "a camera that says nothing for this `DURATION` is an alarm")
			f.IntVar(&cfg.MaxConnections, "max-connections", cfg.MaxConnections, "open connections at a time, `N`, those of strangers too")
			f.IntVar(&days, "retain-days", 0, "keep clips for `N` days; 0: for ever")
			f.Int64Var(&cfg.Retention.TotalBytes, "retain-bytes", 0, "keep at most `N` bytes of clips, the newest; 0: no limit")
			f.Int64Var(&cfg.Retention.DeviceBytes, "retain-camera-bytes", 0, "keep at most `N` bytes of each camera's clips; 0: no limit")
			f.TextVar(&level, "log", slog.LevelInfo, "least `LEVEL` to log: debug, info, warn or error")
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			if cfg.Dir == "" {
				return cli.Usagef("run needs --dir")
			}
			cfg.Retention.MaxAge = time.Duration(days) * 24 * time.Hour
			log := cli.Log(env.Stderr, level)
			h, err := hub.New(cfg, log)
			if err != nil {
				return err
			}
			return task.Serve(ctx, log, h, task.Signals(log))
		},
	}
}
