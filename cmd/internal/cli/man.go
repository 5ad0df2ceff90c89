// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// writeMan writes the program's manual page, section 1, in the man macros (man(7)): all that its help says, of every command.
// `program help --man` prints it; pages that are kept beside the table would come to say something else.
func writeMan(w io.Writer, root Command) {
	title := strings.ToUpper(root.Name)
	fmt.Fprintf(w, ".TH %s 1 \"\" \"%s\" \"Nightjar\"\n", roff(title), roff(Release()))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", roff(root.Name), roff(lowerFirst(root.Short)))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n", roff(root.Usage))
	if root.Long != "" {
		fmt.Fprintf(w, ".SH DESCRIPTION\n%s\n", paragraphs(root.Long))
	}
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range root.Sub {
		manCommand(w, c)
	}
	fmt.Fprint(w, ".SH EXIT STATUS\n0 when it is done, 1 when it failed, 2 when the command line was wrong.\n")
}

// manCommand writes a command, or those of a group: a group alone does nothing.
func manCommand(w io.Writer, c Command) {
	for _, sub := range c.Sub {
		manCommand(w, sub)
	}
	if c.Run == nil {
		return
	}
	fmt.Fprintf(w, ".SS %s\n%s.\n", roff(c.Usage), roff(c.Short))
	if c.Long != "" {
		fmt.Fprintf(w, ".PP\n%s\n", paragraphs(c.Long))
	}
	c.flagSet().VisitAll(func(f *flag.Flag) {
		fmt.Fprintf(w, ".TP\n.B %s\n%s.\n", roff(flagForm(f)), roff(flagText(f)))
	})
}

// paragraphs writes a text of ours, whose empty lines part its paragraphs.
func paragraphs(text string) string {
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range parts {
		lines := strings.Split(p, "\n")
		for j, l := range lines {
			lines[j] = roff(l)
		}
		parts[i] = strings.Join(lines, "\n")
	}
	return strings.Join(parts, "\n.PP\n")
}

// roff writes a line so that it comes out as it is: no escape, no macro, and each dash one that can be copied into a shell.
func roff(line string) string {
	line = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
