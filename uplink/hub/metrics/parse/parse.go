// SPDX-License-Identifier: Apache-2.0

// Package parse reads the Prometheus text format, for tests: [Text] is stricter than any scraper, so that
// what passes it is read by all. It knows what package metrics writes: at most one label.
package parse

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	helpLine = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)+)$`)
	typeLine = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary)$`)
	sample   = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\\\|\\n|\\")*)"\})? (\S+)$`)
	label    = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// Text returns the samples by "name" or "name{label value}".
func Text(text []byte) (map[string]float64, error) {
	if !utf8.Valid(text) || len(text) == 0 || text[len(text)-1] != '\n' {
		return nil, errors.New("not UTF-8 that ends in a line end")
	}
	values, seen := map[string]float64{}, map[string]bool{}
	var help, name, kind string
	fresh := false // a header without a sample yet
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		wrong := func(what string) error { return fmt.Errorf("line %d, %q: %s", i+1, line, what) }
		if m := helpLine.FindStringSubmatch(line); m != nil {
			if fresh || help != "" || seen[m[1]] {
				return nil, wrong("header twice, or without samples")
			}
			help = m[1]
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			if m[1] != help || (m[2] == "counter") != strings.HasSuffix(m[1], "_total") {
				return nil, wrong("no help before it, or a name that does not fit the type")
			}
			name, kind, help, fresh = m[1], m[2], "", true
			seen[name] = true
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || help != "" || name == "" {
			return nil, wrong("not a sample below its header")
		}
		suffix, own := strings.CutPrefix(m[1], name)
		if !own || (kind == "summary") != (suffix == "_sum" || suffix == "_count") || kind != "summary" && suffix != "" {
			return nil, wrong("not of the family " + name)
		}
		v, err := strconv.ParseFloat(m[4], 64)
		if err != nil || kind == "counter" && v < 0 {
			return nil, wrong("not a value")
		}
		key := m[1]
		if m[2] != "" {
			key += "{" + label.Replace(m[3]) + "}"
		}
		if _, twice := values[key]; twice {
			return nil, wrong("sample twice")
		}
		values[key], fresh = v, false
	}
	if fresh || help != "" {
		return nil, errors.New("header without samples at the end")
	}
	return values, nil
}
