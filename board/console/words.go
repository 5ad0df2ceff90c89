// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"strings"
)

var errQuote = errors.New("a quotation mark is missing")

// Words splits a line as a shell does: at blanks, but for those in '...', "..." or after a backslash. It knows nothing else that a shell
// does.
func Words(line string) (words []string, err error) {
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			inWord, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			inWord, quote = true, r
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// complete implements the line editor's callback: Tab at the end of a line goes on with what all candidates have in common, or shows them.
func (s *session) complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' || pos != len(line) {
		return "", 0, false
	}
	words := strings.Fields(line)
	if line == "" || strings.HasSuffix(line, " ") {
		words = append(words, "")
	}
	last := words[len(words)-1]
	var fits []string
	for _, c := range s.site.Complete(s.visitor, words) {
		if strings.HasPrefix(c, last) {
			fits = append(fits, c)
		}
	}
	if len(fits) == 0 {
		return line, pos, true
	}
	more := common(fits)[len(last):]
	if len(fits) == 1 {
		more += " "
	} else if more == "" {
		s.print(strings.Join(fits, "  ") + "\n")
	}
	return line + more, len(line) + len(more), true
}

// common is how all of them begin.
func common(all []string) string {
	begin := all[0]
	for _, s := range all[1:] {
		for !strings.HasPrefix(s, begin) {
			begin = begin[:len(begin)-1]
		}
	}
	return begin
}
