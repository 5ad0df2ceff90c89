// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	header = "// SPDX-License-Identifier: Apache-2.0\n\n"
	// maxLines is what one can still read in one go; a longer file holds two things.
	maxLines = 400
)

// emptyNames say nothing about what is in a package, so everything ends up there.
var emptyNames = []string{"manager", "util", "utils", "common", "helper", "helpers", "handler", "handlers", "misc", "shared", "base", "lib"}

func TestFiles(t *testing.T) {
	for _, f := range parseTree(t, root) {
		for _, wrong := range aboutFile(f) {
			t.Errorf("%s: %s", f.path, wrong)
		}
	}
}

func aboutFile(f file) (wrong []string) {
	if !bytes.HasPrefix(f.source, []byte(header)) {
		wrong = append(wrong, "does not begin with the SPDX line and an empty one")
	}
	if f.lines >= maxLines {
		wrong = append(wrong, fmt.Sprintf("has %d lines, fewer than %d are allowed", f.lines, maxLines))
	}
	if name := f.syntax.Name.Name; slices.Contains(emptyNames, strings.TrimSuffix(name, "_test")) {
		wrong = append(wrong, fmt.Sprintf("package name %q says nothing", name))
	}
	return wrong
}

// Each folder with Go code has exactly one package comment, where a reader looks for it.
func TestPackageDocs(t *testing.T) {
	for _, wrong := range aboutDocs(parseTree(t, root)) {
		t.Error(wrong)
	}
}

func aboutDocs(files []file) (wrong []string) {
	docs := map[string][]string{}
	for _, f := range files {
		docs[f.dir()] = append(docs[f.dir()], nil...)
		if f.syntax.Doc == nil {
			continue
		}
		docs[f.dir()] = append(docs[f.dir()], f.path)
		name := f.syntax.Name.Name
		want, places := "Package "+name+" ", []string{"doc.go", name + ".go"}
		if name == "main" {
			program := path.Base(f.dir())
			want, places = strings.ToUpper(program[:1])+program[1:]+" ", []string{"doc.go", "main.go"}
		}
		if text := f.syntax.Doc.Text(); !strings.HasPrefix(text, want) {
			wrong = append(wrong, fmt.Sprintf("%s: package comment does not begin with %q", f.path, want))
		}
		if !slices.Contains(places, path.Base(f.path)) {
			wrong = append(wrong, fmt.Sprintf("%s: the package comment belongs into one of %q", f.path, places))
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(docs)) {
		if n := len(docs[dir]); n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: has %d package comments %q, want one", dir, n, docs[dir]))
		}
	}
	return wrong
}

// The rules above find what they are made for.
func TestFileRulesBite(t *testing.T) {
	sound := header + "// Package spool is a queue.\npackage spool\n"
	if wrong := aboutFile(fixture(t, "uplink/spool/spool.go", sound)); len(wrong) > 0 {
		t.Errorf("a sound file: %q", wrong)
	}
	if wrong := aboutDocs([]file{fixture(t, "uplink/spool/spool.go", sound)}); len(wrong) > 0 {
		t.Errorf("a sound package comment: %q", wrong)
	}
	for name, source := range map[string]string{
		"no header":          "package spool\n",
		"header as comment":  strings.Replace(sound, "\n\n", "\n", 1),
		"empty package name": header + "package util\n",
		"external test":      header + "package common_test\n",
		"too long":           sound + strings.Repeat("\n", maxLines),
	} {
		if len(aboutFile(fixture(t, "uplink/spool/spool.go", source))) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	for name, files := range map[string][]file{
		"no comment":      {fixture(t, "uplink/spool/spool.go", header+"package spool\n")},
		"two comments":    {fixture(t, "uplink/spool/spool.go", sound), fixture(t, "uplink/spool/doc.go", sound)},
		"in another file": {fixture(t, "uplink/spool/draft.go", sound)},
		"other words":     {fixture(t, "uplink/spool/spool.go", header+"// A queue.\npackage spool\n")},
		"program":         {fixture(t, "cmd/nightjar/main.go", header+"// Package main runs.\npackage main\n")},
	} {
		if len(aboutDocs(files)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
