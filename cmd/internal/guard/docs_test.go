// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are the pages whose promises are held to the tree.
func documents(t *testing.T) (pages []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 5 {
		t.Fatalf("only %d pages found: %v", len(pages), pages)
	}
	return pages
}

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)`")
	linkTo    = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)
)

// A page that names a test must not outlive it: a promise without a test is a claim.
func TestDocumentsNameWhatExists(t *testing.T) {
	tests := testNames(t)
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range deadNames(string(text), filepath.Dir(page), tests) {
			t.Errorf("%s: %s", page, wrong)
		}
	}
}

// testNames are the tests, fuzz targets and benchmarks of the whole tree.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	for _, f := range parseTree(t, root) {
		if !f.test {
			continue
		}
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// deadNames tells which tests and files a page in dir names that do not exist.
func deadNames(page, dir string, tests []string) (wrong []string) {
	for _, m := range namedTest.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(tests, m[1]) {
			wrong = append(wrong, "no test is called "+m[1])
		}
	}
	for _, m := range linkTo.FindAllStringSubmatch(page, -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
			wrong = append(wrong, "no file is there for the link "+m[1])
		}
	}
	return wrong
}

func TestDeadNamesAreFound(t *testing.T) {
	page := "`TestGood` and `TestGone`, [here](docs_test.go), [there](gone.md#part), [away](https://example.org/x)"
	got := deadNames(page, ".", []string{"TestGood"})
	if want := []string{"no test is called TestGone", "no file is there for the link gone.md"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
