// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
)

// writeHelp writes what there is to know of c: one line, the usage, the text, its commands or flags.
func writeHelp(w io.Writer, c Command) {
	fmt.Fprintf(w, "%s.\n\nusage: %s\n", c.Short, c.Usage)
	if c.Long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Long))
	}
	columns := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	if len(c.Sub) > 0 {
		fmt.Fprint(columns, "\ncommands:\n")
		for _, sub := range c.Sub {
			fmt.Fprintf(columns, "  %s\t%s\n", sub.Name, sub.Short)
		}
		columns.Flush()
		fmt.Fprintf(w, "\n`%s help COMMAND` tells more about one.\n", strings.TrimSuffix(c.Usage, " COMMAND"))
		return
	}
	first := true
	c.flagSet().VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(columns, "\nflags:\n")
			first = false
		}
		fmt.Fprintf(columns, "  %s\t%s\n", flagForm(f), flagText(f))
	})
	columns.Flush()
}

// valueName is a flag's value as its usage names it: back-quoted capitals. Other back-quoted text is text.
var valueName = regexp.MustCompile("`([A-Z][A-Z0-9:_=,-]*)`")

// flagForm is how the flag is typed: "--store DIR", "-o FILE", "--json".
func flagForm(f *flag.Flag) string {
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return dashed(f.Name)
	}
	value := strings.ToUpper(f.Name)
	if m := valueName.FindStringSubmatch(f.Usage); m != nil {
		value = m[1]
	}
	return dashed(f.Name) + " " + value
}

func flagText(f *flag.Flag) string {
	text := valueName.ReplaceAllString(f.Usage, "$1")
	switch f.DefValue {
	case "", "0", "0s", "false":
		return text
	}
	return fmt.Sprintf("%s (default %s)", text, f.DefValue)
}

// dashed writes a flag's name the way our help does; package flag takes one dash or two for any.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
