// SPDX-License-Identifier: Apache-2.0

// Package cli runs our programs' command tables: a tree of [Command] values on package flag. A program's
// main is os.Exit(cli.Main(table, os.Args[1:])); its test calls [Check] on the table and [Execute] for the
// behaviour. The manners of all our programs are decided here:
//
//   - stdout carries the answer and nothing else, stderr the talk. --json makes the answer one JSON value;
//     its fields are only ever added to.
//   - An error is a line "program: what was being done: what went wrong", in lower case, without a period;
//     several errors are several lines. Lines "hint: what to do" follow.
//   - Exit codes: 0 done, 1 failed, 2 the command line was wrong.
//   - Flags may stand before, between and after the arguments; "--" ends them. -h and --help work at every
//     level, and so does "program help command". "program help --man" is the manual page.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/nightjar-cam/nightjar/cmd/internal/suggest"
)

// Exit codes of all our programs.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// A Command is a program, a group of commands (Sub is set) or a command (Run is set).
type Command struct {
	Name  string // one lower-case word; at the root the program's
	Usage string // the full line: "program group command [flags] ARGUMENT"
	Short string // what it does, in one line: a capital first, no period last
	Long  string // for its help; may be empty
	Args  int    // how many arguments it takes at most; negative: any number
	// Flags defines the command's flags; nil: it has none. A usage text that names the value in back
	// quotes and capitals, "write to `FILE`", shows that name in the help.
	Flags func(*flag.FlagSet)
	// Run does the work; args are what is left when the flags are taken out.
	Run func(ctx context.Context, env *Env, args []string) error
	Sub []Command
}

// Env is what a command sees of its process.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer // the answer; Execute reports a failed write even when the command does not
	Stderr io.Writer // everything else
}

// JSON writes v to stdout as one indented JSON value.
func (e *Env) JSON(v any) error {
	enc := json.NewEncoder(e.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Main runs the program root with the process' own streams and returns its exit code.
func Main(root Command, args []string) int {
	return Execute(context.Background(), &Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, root, args)
}

// Execute runs the program root, reports its error on env.Stderr and returns the exit code.
func Execute(ctx context.Context, env *Env, root Command, args []string) int {
	out := &sticky{w: env.Stdout}
	err := dispatch(ctx, &Env{Stdin: env.Stdin, Stdout: out, Stderr: env.Stderr}, root, []string{root.Name}, args)
	if err == nil && out.err != nil {
		err = fmt.Errorf("write answer: %w", out.err)
	}
	if err == nil {
		return exitDone
	}
	for line := range strings.Lines(err.Error()) { // joined errors have a line each
		fmt.Fprintf(env.Stderr, "%s: %s\n", root.Name, strings.TrimSuffix(line, "\n"))
	}
	for _, hint := range hints(err) {
		fmt.Fprintf(env.Stderr, "hint: %s\n", hint)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// dispatch walks down from c, which the words of path lead to.
func dispatch(ctx context.Context, env *Env, c Command, path, args []string) error {
	if len(c.Sub) == 0 {
		return runLeaf(ctx, env, c, path, args)
	}
	if len(args) == 0 {
		writeHelp(env.Stderr, c)
		return &usageError{text: "no command given"}
	}
	switch word := args[0]; word {
	case "-h", "-help", "--help":
		writeHelp(env.Stdout, c)
		return nil
	case "help":
		if len(path) == 1 && len(args) == 2 && args[1] == "--man" {
			writeMan(env.Stdout, c)
			return nil
		}
		// "help a b" is "a b --help"; "help" alone is "--help".
		return dispatch(ctx, env, c, path, append(slices.Clone(args[1:]), "--help"))
	default:
		for _, sub := range c.Sub {
			if sub.Name == word {
				return dispatch(ctx, env, sub, append(path, word), args[1:])
			}
		}
		return unknown("command", word, strings.TrimLeft(word, "-"), names(c.Sub), path)
	}
}

func runLeaf(ctx context.Context, env *Env, c Command, path, args []string) error {
	flags := c.flagSet()
	words, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		writeHelp(env.Stdout, c)
		return nil
	}
	if err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
			return unknown("flag", dashed(name), dashed(name), flagNames(flags), path)
		}
		return &usageError{text: err.Error(), hint: seeHelp(path)}
	}
	if c.Args >= 0 && len(words) > c.Args {
		return &usageError{text: fmt.Sprintf("unexpected argument %q", words[c.Args]), hint: "usage: " + c.Usage}
	}
	err = c.Run(ctx, env, words)
	if u, ok := errors.AsType[*usageError](err); ok && u.hint == "" {
		u.hint = "usage: " + c.Usage
	}
	return err
}

func (c Command) flagSet() *flag.FlagSet {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Execute reports errors
	if c.Flags != nil {
		c.Flags(flags)
	}
	return flags
}

// parse takes the flags out of args wherever they stand; package flag stops at the first argument.
func parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return words, nil
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// unknown is the error for a word that is none of known; near is the form to compare.
func unknown(what, word, near string, known, path []string) error {
	u := &usageError{text: fmt.Sprintf("unknown %s %q", what, word), hint: seeHelp(path)}
	if best := suggest.Nearest(near, known); best != "" {
		u.hint = fmt.Sprintf("did you mean %q?", best)
	}
	return u
}

func seeHelp(path []string) string {
	return fmt.Sprintf("`%s --help` tells more", strings.Join(path, " "))
}

func names(commands []Command) []string {
	all := []string{"help"}
	for _, c := range commands {
		all = append(all, c.Name)
	}
	return all
}

func flagNames(flags *flag.FlagSet) (all []string) {
	flags.VisitAll(func(f *flag.Flag) { all = append(all, dashed(f.Name)) })
	return all
}

// sticky remembers the first failed write: an answer that did not arrive must not exit with 0.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}
