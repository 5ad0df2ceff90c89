// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zoo is a program with a bit of everything.
func zoo() Command {
	var food, file string
	var loud bool
	return Command{
		Name: "zoo", Usage: "zoo COMMAND", Short: "Keep animals",
		Sub: []Command{
			{Name: "lion", Usage: "zoo lion COMMAND", Short: "Keep lions", Sub: []Command{
				{
					Name: "feed", Usage: "zoo lion feed [--food FOOD] [--loud] [NAME...]", Short: "Feed lions",
					Long: "Feeds all lions, or those named.",
					Args: 2,
					Flags: func(f *flag.FlagSet) {
						f.StringVar(&food, "food", "meat", "what they get")
						f.StringVar(&file, "i", "", "read `FILE` made by `zoo shop`")
						f.BoolVar(&loud, "loud", false, "roar")
					},
					Run: func(_ context.Context, env *Env, args []string) error {
						fmt.Fprintf(env.Stdout, "%s %v %q\n", food, loud, args)
						return nil
					},
				},
			}},
			{Name: "fail", Usage: "zoo fail", Short: "Fail", Run: func(context.Context, *Env, []string) error {
				return fmt.Errorf("open gate: %w", Hint(errors.New("rusty"), "oil it", "push harder"))
			}},
			{Name: "twice", Usage: "zoo twice", Short: "Fail twice", Run: func(context.Context, *Env, []string) error {
				return errors.Join(errors.New("rusty"), errors.New("dark"))
			}},
			{Name: "misuse", Usage: "zoo misuse --key KEY", Short: "Ask for more", Run: func(context.Context, *Env, []string) error {
				return Usagef("misuse needs --key")
			}},
			VersionCommand("zoo"),
		},
	}
}

func execute(root Command, args ...string) (code int, stdout, stderr string) {
	var o, e bytes.Buffer
	code = Execute(context.Background(), &Env{Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e}, root, args)
	return code, o.String(), e.String()
}

func TestExecute(t *testing.T) {
	for _, tt := range []struct {
		line   string
		code   int
		stdout string
		stderr string
	}{
		{"lion feed", 0, "meat false []\n", ""},
		{"lion feed --food=fish leo", 0, `fish false ["leo"]` + "\n", ""},
		{"lion feed leo --loud nala -food fish", 0, `fish true ["leo" "nala"]` + "\n", ""},
		{"lion feed leo -- --loud", 0, `meat false ["leo" "--loud"]` + "\n", ""},
		{"lion feed a b c", 2, "", "zoo: unexpected argument \"c\"\nhint: usage: zoo lion feed [--food FOOD] [--loud] [NAME...]\n"},
		{"lion feed --food", 2, "", "zoo: flag needs an argument: -food\nhint: `zoo lion feed --help` tells more\n"},
		{"lion feed --fod x", 2, "", "zoo: unknown flag \"--fod\"\nhint: did you mean \"--food\"?\n"},
		{"lion feed --xyzzy", 2, "", "zoo: unknown flag \"--xyzzy\"\nhint: `zoo lion feed --help` tells more\n"},
		{"lion fed", 2, "", "zoo: unknown command \"fed\"\nhint: did you mean \"feed\"?\n"},
		{"--version", 2, "", "zoo: unknown command \"--version\"\nhint: did you mean \"version\"?\n"},
		{"tiger", 2, "", "zoo: unknown command \"tiger\"\nhint: `zoo --help` tells more\n"},
		{"fail", 1, "", "zoo: open gate: rusty\nhint: oil it\nhint: push harder\n"},
		{"twice", 1, "", "zoo: rusty\nzoo: dark\n"},
		{"misuse", 2, "", "zoo: misuse needs --key\nhint: usage: zoo misuse --key KEY\n"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			code, stdout, stderr := execute(zoo(), strings.Fields(tt.line)...)
			if code != tt.code || stdout != tt.stdout || stderr != tt.stderr {
				t.Errorf("code %d, stdout %q, stderr %q\nwant %d, %q, %q", code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	const program = `Keep animals.

usage: zoo COMMAND

commands:
  lion      Keep lions
  fail      Fail
  twice     Fail twice
  misuse    Ask for more
  version   Print the version of this program

` + "`zoo help COMMAND` tells more about one.\n"
	const command = `Feed lions.

usage: zoo lion feed [--food FOOD] [--loud] [NAME...]

Feeds all lions, or those named.

flags:
  --food FOOD   what they get (default meat)
  -i FILE       read FILE made by ` + "`zoo shop`" + `
  --loud        roar
`
	for _, tt := range []struct{ line, want string }{
		{"--help", program},
		{"-h", program},
		{"help", program},
		{"help lion feed", command},
		{"lion help feed", command},
		{"lion feed --help", command},
		{"lion feed leo -h", command},
	} {
		code, stdout, stderr := execute(zoo(), strings.Fields(tt.line)...)
		if diff := cmp.Diff(tt.want, stdout); code != 0 || stderr != "" || diff != "" {
			t.Errorf("%s: code %d, stderr %q, stdout (-want +got):\n%s", tt.line, code, stderr, diff)
		}
	}
	// No command is a mistake, so the help is talk and not an answer.
	code, stdout, stderr := execute(zoo())
	if code != 2 || stdout != "" || stderr != program+"zoo: no command given\n" {
		t.Errorf("no command: code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestVersion(t *testing.T) {
	Version = "v1.2.3"
	defer func() { Version = "" }()
	if _, out, _ := execute(zoo(), "version"); !strings.HasPrefix(out, "zoo v1.2.3 (go") {
		t.Errorf("version: %q", out)
	}
	_, out, _ := execute(zoo(), "version", "--json")
	var v map[string]string
	if err := json.Unmarshal([]byte(out), &v); err != nil || v["program"] != "zoo" || v["version"] != "v1.2.3" {
		t.Errorf("version --json: %v %q", err, out)
	}
	Version = ""
	if got := Release(); got == "" {
		t.Error("no version without the linker's")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// An answer that could not be written is a failure, though the command itself did not look.
func TestLostAnswer(t *testing.T) {
	var e bytes.Buffer
	env := &Env{Stdout: fullDisk{}, Stderr: &e}
	code := Execute(context.Background(), env, zoo(), []string{"lion", "feed"})
	if want := "zoo: write answer: no space left on device\n"; code != 1 || e.String() != want {
		t.Errorf("code %d, stderr %q, want 1, %q", code, e.String(), want)
	}
}

func TestHint(t *testing.T) {
	if Hint(nil, "do nothing") != nil {
		t.Error("a hint on no error is an error")
	}
	cause := errors.New("cause")
	err := Hint(fmt.Errorf("outer: %w", errors.Join(Hint(cause, "inner"), Usagef("x"))), "outer")
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if diff := cmp.Diff([]string{"outer", "inner"}, hints(err)); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
}

func TestPrintable(t *testing.T) {
	if got, want := Printable("Tür \x1b[2J\n"), "Tür \uFFFD[2J\uFFFD"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheck(t *testing.T) {
	if err := Check(zoo()); err != nil {
		t.Errorf("a sound table: %v", err)
	}
	run := func(context.Context, *Env, []string) error { return nil }
	sound := Command{Name: "go", Usage: "zoo go", Short: "Go", Run: run}
	for _, tt := range []struct {
		name  string
		spoil func(c *Command)
		want  string
	}{
		{"name", func(c *Command) { c.Name, c.Usage = "Go", "zoo Go" }, "zoo Go: name"},
		{"usage", func(c *Command) { c.Usage = "go" }, "zoo go: usage"},
		{"usage of another", func(c *Command) { c.Usage = "zoo gone" }, "zoo go: usage"},
		{"short in lower case", func(c *Command) { c.Short = "go" }, "zoo go: short"},
		{"short with period", func(c *Command) { c.Short = "Go." }, "zoo go: short"},
		{"no short", func(c *Command) { c.Short = "" }, "zoo go: short"},
		{"nothing to run", func(c *Command) { c.Run = nil }, "zoo go: must have"},
		{"group without commands", func(c *Command) { c.Sub = []Command{sound} }, "zoo go: must have"},
		{"flag without text", func(c *Command) { c.Flags = func(f *flag.FlagSet) { f.Bool("x", false, "") } }, "zoo go: flag -x"},
		{"named help", func(c *Command) { c.Name, c.Usage = "help", "zoo help" }, "zoo: command \"help\" is there twice"},
		{"flags of a group", func(c *Command) {
			c.Usage, c.Run, c.Args = "zoo go COMMAND", nil, 1
			c.Sub = []Command{{Name: "on", Usage: "zoo go on", Short: "On", Run: run}}
		}, "zoo go: a group"},
	} {
		c := sound
		tt.spoil(&c)
		err := Check(Command{Name: "zoo", Usage: "zoo COMMAND", Short: "Zoo", Sub: []Command{c}})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
