// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var commandName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Check returns what is wrong with the table of a program, for its test: each command either runs or has
// commands, its name is one lower-case word unlike its neighbours', Usage begins with the full path, Short
// has a capital first and no period last, and every flag has a usage text.
func Check(root Command) error { return check(root, root.Name) }

func check(c Command, path string) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	if !commandName.MatchString(c.Name) {
		wrong("name %q is not one lower-case word", c.Name)
	}
	if c.Usage != path && !strings.HasPrefix(c.Usage, path+" ") {
		wrong("usage %q does not begin with the full path", c.Usage)
	}
	if len(c.Sub) > 0 && c.Usage != path+" COMMAND" {
		wrong("usage %q of a group is not %q", c.Usage, path+" COMMAND")
	}
	if first, _ := utf8.DecodeRuneInString(c.Short); !unicode.IsUpper(first) {
		wrong("short %q does not begin with a capital", c.Short)
	}
	if strings.HasSuffix(c.Short, ".") || strings.Contains(c.Short, "\n") {
		wrong("short %q ends with a period or has a second line", c.Short)
	}
	if (c.Run == nil) != (len(c.Sub) > 0) {
		wrong("must have either Run or commands")
	}
	if c.Run == nil && (c.Flags != nil || c.Args != 0) {
		wrong("a group takes no flags and no arguments")
	}
	c.flagSet().VisitAll(func(f *flag.Flag) {
		if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
			wrong("flag %s: usage text %q is empty or ends with a period", dashed(f.Name), f.Usage)
		}
	})
	seen := map[string]bool{"help": true}
	for _, sub := range c.Sub {
		if seen[sub.Name] {
			wrong("command %q is there twice", sub.Name)
		}
		seen[sub.Name] = true
		errs = append(errs, check(sub, path+" "+sub.Name))
	}
	return errors.Join(errs...)
}
