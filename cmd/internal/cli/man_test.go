// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"flag"
	"strings"
	"testing"
)

func TestMan(t *testing.T) {
	leaf := func(name, path string) Command {
		return Command{Name: name, Usage: path + " " + name + " [--depth N] FILE", Short: "Dig for " + name,
			Long: "First.\n\n.hidden is a file, and C:\\x a path.",
			Flags: func(f *flag.FlagSet) {
				f.Int("depth", 3, "dig `N` metres")
			},
			Run: func(context.Context, *Env, []string) error { return nil },
		}
	}
	root := Command{Name: "mole", Usage: "mole COMMAND", Short: "Digger of holes", Long: "Digs.", Sub: []Command{
		leaf("gold", "mole"),
		{Name: "deep", Usage: "mole deep COMMAND", Short: "Dig deep", Sub: []Command{leaf("coal", "mole deep")}},
	}}
	var out, errs bytes.Buffer
	if code := Execute(t.Context(), &Env{Stdout: &out, Stderr: &errs}, root, []string{"help", "--man"}); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	page := out.String()
	for _, want := range []string{
		".TH MOLE 1 ", ".SH NAME\nmole \\- digger of holes\n", ".SH SYNOPSIS\n.B mole COMMAND\n", ".SH DESCRIPTION\nDigs.\n",
		".SS mole gold [\\-\\-depth N] FILE\nDig for gold.\n", ".SS mole deep coal [\\-\\-depth N] FILE\n",
		".TP\n.B \\-\\-depth N\ndig N metres (default 3).\n",
		"First.\n.PP\n\\&.hidden is a file, and C:\\ex a path.\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, ".") && !strings.Contains(" .TH .SH .SS .B .TP .PP ", " "+strings.Fields(line)[0]+" ") {
			t.Errorf("text was taken for a macro: %q", line)
		}
	}
	if strings.Contains(page, "mole deep COMMAND") {
		t.Error("a group alone has a section, and does nothing")
	}
}
