// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/nightjar-cam/nightjar/board/route"
	"github.com/nightjar-cam/nightjar/cmd/internal/cli"
	"github.com/nightjar-cam/nightjar/cmd/internal/doctor"
)

// netReport is what `net --json` prints. Fields are only added.
type netReport struct {
	Interfaces  []netInterface `json:"interfaces"`
	Default     string         `json:"default"` // interface of the default route
	NameServers []string       `json:"name_servers"`
	Hub         doctor.Report  `json:"hub"`
}

type netInterface struct {
	Name      string   `json:"name"`
	Up        bool     `json:"up"`
	Addresses []string `json:"addresses"`
}

func netCommand() cli.Command {
	var file string
	var asJSON bool
	return cli.Command{
		Name:  "net",
		Usage: "nightjar net [--config FILE] [--json]",
		Short: "Show addresses, the route, and how far the way to the hub goes",
		Long:  `Shows what the board's network is, and goes the way to the hub step by step. It changes nothing.`,
		Flags: func(f *flag.FlagSet) {
			configFlag(f, &file)
			cli.JSONFlag(f, &asJSON)
		},
		Run: func(ctx context.Context, env *cli.Env, _ []string) error {
			r := netReport{Interfaces: interfaces(), Default: route.Default(), NameServers: nameServers("/etc/resolv.conf")}
			var way []doctor.Check
			for _, c := range checks(file) {
				if strings.HasPrefix(c.Name, "hub-") {
					way = append(way, c)
				}
			}
			r.Hub = doctor.Examine(ctx, checkLimit, way)
			if asJSON {
				return env.JSON(r)
			}
			return r.print(env.Stdout)
		},
	}
}

func (r netReport) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, i := range r.Interfaces {
		state := "down"
		if i.Up {
			state = "up"
		}
		addresses := strings.Join(i.Addresses, ", ")
		if addresses == "" {
			addresses = "no address"
		}
		fmt.Fprintf(t, "%s\t%s, %s\n", i.Name, state, addresses)
	}
	way := r.Default
	if way == "" {
		way = "none: without it nothing outside this network can be reached; is the cable in, or Wi-Fi joined?"
	}
	fmt.Fprintf(t, "default route\t%s\n", way)
	servers := strings.Join(r.NameServers, ", ")
	if servers == "" {
		servers = "none in /etc/resolv.conf"
	}
	fmt.Fprintf(t, "name servers\t%s\n", servers)
	if err := t.Flush(); err != nil {
		return err
	}
	return r.Hub.Print(w)
}

// interfaces are the board's, but for the loopback one.
func interfaces() (all []netInterface) {
	found, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range found {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		one := netInterface{Name: i.Name, Up: i.Flags&net.FlagUp != 0, Addresses: []string{}}
		addresses, _ := i.Addrs() // one that went meanwhile has none
		for _, a := range addresses {
			one.Addresses = append(one.Addresses, a.String())
		}
		all = append(all, one)
	}
	return all
}

// nameServers reads resolv.conf(5).
func nameServers(path string) (all []string) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, 64<<10)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "nameserver" {
			all = append(all, words[1])
		}
	}
	return all
}

// networkLine is the network in one line: the interface in use, and its first address.
func networkLine() string {
	name := route.Default()
	if name == "" {
		return "no default route: `net` shows more"
	}
	for _, i := range interfaces() {
		if i.Name == name && len(i.Addresses) > 0 {
			return name + ", " + i.Addresses[0]
		}
	}
	return name + ", no address"
}
