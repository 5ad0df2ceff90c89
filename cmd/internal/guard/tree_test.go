// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/nightjar-cam/nightjar/"
	root   = "../../.."
)

// A file is one Go file of the module.
type file struct {
	path   string // from the module's root, with slashes
	test   bool
	lines  int
	source []byte
	syntax *ast.File
	fset   *token.FileSet
}

func (f file) dir() string { return path.Dir(f.path) }

// imports returns the paths the file imports; our own without the module's name.
func (f file) imports() []string {
	var all []string
	for _, i := range f.syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			panic(err) // the parser accepted it
		}
		all = append(all, strings.TrimPrefix(p, module))
	}
	return all
}

// parseTree reads every Go file below dir, whatever its build tags, as the go command sees them: without
// testdata and folders that begin with a dot or an underscore.
func parseTree(t *testing.T, dir string) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if rel != "." && (name == "testdata" || rel == "build" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parseFile(filepath.ToSlash(rel), p)
		all = append(all, f)
		return err
	})
	if err != nil {
		t.Fatal("read the tree:", err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: the tests would prove nothing")
	}
	return all
}

func parseFile(rel, p string) (file, error) {
	source, err := os.ReadFile(p)
	if err != nil {
		return file{}, err
	}
	f := file{path: rel, test: strings.HasSuffix(rel, "_test.go"), source: source, lines: bytes.Count(source, []byte("\n")), fset: token.NewFileSet()}
	f.syntax, err = parser.ParseFile(f.fset, rel, source, parser.ParseComments)
	if err != nil {
		return f, fmt.Errorf("parse %s: %w", rel, err)
	}
	return f, nil
}

// under reports whether a path is dir or below it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// fixture makes a file for the tests of the rules themselves.
func fixture(t *testing.T, rel, source string) file {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x.go")
	if err := os.WriteFile(p, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := parseFile(rel, p)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
