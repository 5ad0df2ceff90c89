// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"

	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/config"
)

func configCommand() cli.Command {
	return cli.Command{
		Name:  "config",
		Usage: "nightjar config COMMAND",
		Short: "Write, check and show the configuration",
		Sub: []cli.Command{
			{
				Name:  "init",
				Usage: "nightjar config init",
				Short: "Print the commented configuration with all keys at their defaults",
				Run: func(_ context.Context, env *cli.Env, _ []string) error {
					_, err := env.Stdout.Write(config.Reference())
					return err
				},
			},
			configFileCommand("check", "Say what is wrong with a configuration file", func(env *cli.Env, file string, _ config.Config) error {
				_, err := fmt.Fprintf(env.Stdout, "%s is good\n", file)
				return err
			}),
			configFileCommand("show", "Print the configuration in force, defaults included", func(env *cli.Env, _ string, cfg config.Config) error {
				text, err := cfg.Show()
				if err == nil {
					_, err = env.Stdout.Write(text)
				}
				return err
			}),
		},
	}
}

// configFileCommand is a command about one configuration file.
func configFileCommand(name, short string, do func(*cli.Env, string, config.Config) error) cli.Command {
	var file string
	return cli.Command{
		Name:  name,
		Usage: "nightjar config " + name + " [--config FILE]",
		Short: short,
		Flags: func(f *flag.FlagSet) { configFlag(f, &file) },
		Run: func(_ context.Context, env *cli.Env, _ []string) error {
			cfg, err := loadConfig(file)
			if err != nil {
				return err
			}
			return do(env, file, cfg)
		},
	}
}

func configFlag(f *flag.FlagSet, file *string) {
	f.StringVar(file, "config", config.DefaultPath, "read the configuration from `FILE`")
}

// loadConfig reads the file; without one at the usual place everything has its default.
func loadConfig(file string) (config.Config, error) {
	cfg, err := config.Load(file)
	if file == config.DefaultPath && errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return cfg, err
}
