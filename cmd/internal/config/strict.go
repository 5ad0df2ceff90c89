// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/nightjar-cam/nightjar/cmd/internal/suggest"
)

// decode reads one YAML document into the struct that into points to. What the text does not name keeps
// its value. The errors carry file, line and column, one for each thing that is wrong.
//
// The schema is checked here, on the syntax tree: the library's strict mode knows unknown keys, but lets
// pass what a person should be told of. It cuts 1.5 to 1 for an integer, takes "5" for a number, reads
// only the first of several documents, and sets everything to zero when a file holds nothing but comments.
func decode(file string, text []byte, into any) error {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return syntax(file, err)
	}
	docs := slices.DeleteFunc(slices.Clone(tree.Docs), func(d *ast.DocumentNode) bool { return d.Body == nil || d.Body.Type() == ast.CommentType })
	switch len(docs) {
	case 0:
		return nil
	case 1:
	default:
		return fmt.Errorf("%s: %d documents in one file: only one can count", file, len(docs))
	}
	s := schema{file: file}
	s.value("", reflect.TypeOf(into).Elem(), docs[0].Body, &token.Position{Line: 1, Column: 1})
	if len(s.errs) > 0 {
		return errors.Join(s.errs...)
	}
	if err := yaml.NodeToValue(docs[0].Body, into, yaml.Strict()); err != nil {
		return syntax(file, err)
	}
	return nil
}

// syntax gives the library's error our form.
func syntax(file string, err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return at(file, e.GetToken().Position, "%s", e.GetMessage())
	}
	return fmt.Errorf("%s: %w", file, err)
}

func at(file string, p *token.Position, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", file, p.Line, p.Column, fmt.Sprintf(format, args...))
}

// schema compares a syntax tree with a Go type. The type bounds the recursion.
type schema struct {
	file string
	errs []error
}

// wants says what a Go type is called in YAML.
var wants = map[reflect.Kind]string{
	reflect.Struct: "a section of keys", reflect.Slice: "a list", reflect.Array: "a list", reflect.Bool: "true or false",
	reflect.String: "text", reflect.Float64: "a number", reflect.Int: "a whole number", reflect.Int64: "a whole number",
}

// value checks the node under key (dotted, "" at the top) against t. p is where to point.
func (s *schema) value(key string, t reflect.Type, n ast.Node, p *token.Position) {
	if n == nil || n.Type() == ast.NullType {
		return // nothing after the colon: the default stays
	}
	if check, ok := textual(t); ok {
		if n.Type() != ast.StringType {
			s.mismatch(key, check.what, n, p)
		} else if err := check.parse(n.(*ast.StringNode).Value); err != nil {
			s.add(p, "%s: want %s: %v", key, check.what, err)
		}
		return
	}
	ok := false
	switch t.Kind() {
	case reflect.Struct:
		if pairs, isMap := pairsOf(n); isMap {
			s.section(key, t, pairs)
			return
		}
	case reflect.Slice, reflect.Array:
		if list, isList := n.(*ast.SequenceNode); isList {
			s.list(key, t, list, p)
			return
		}
	case reflect.String:
		ok = n.Type() == ast.StringType || n.Type() == ast.LiteralType
	case reflect.Bool:
		ok = n.Type() == ast.BoolType
	case reflect.Int, reflect.Int64:
		ok = n.Type() == ast.IntegerType
	case reflect.Float64:
		ok = n.Type() == ast.FloatType || n.Type() == ast.IntegerType
	}
	if !ok {
		s.mismatch(key, wants[t.Kind()], n, p)
	}
}

func (s *schema) section(key string, t reflect.Type, pairs []*ast.MappingValueNode) {
	known := fields(t)
	for _, pair := range pairs {
		p := pair.Key.GetToken().Position
		name := pair.Key.GetToken().Value
		field, ok := known[name]
		if pair.Key.Type() != ast.StringType || !ok {
			s.unknown(key, name, slices.Sorted(maps.Keys(known)), p)
			continue
		}
		s.value(strings.TrimPrefix(key+"."+name, "."), field, pair.Value, p)
	}
}

func (s *schema) list(key string, t reflect.Type, list *ast.SequenceNode, p *token.Position) {
	if t.Kind() == reflect.Array && len(list.Values) != t.Len() {
		s.add(p, "%s: want %d values, have %d", key, t.Len(), len(list.Values))
		return
	}
	for i, n := range list.Values {
		s.value(fmt.Sprintf("%s[%d]", key, i), t.Elem(), n, n.GetToken().Position)
	}
}

func (s *schema) unknown(section, name string, known []string, p *token.Position) {
	where := ""
	if section != "" {
		where = " in " + section
	}
	if best := suggest.Nearest(name, known); best != "" {
		s.add(p, "unknown key %q%s: did you mean %q?", name, where, best)
		return
	}
	s.add(p, "unknown key %q%s: the keys are %s", name, where, strings.Join(known, ", "))
}

func (s *schema) mismatch(key, want string, n ast.Node, p *token.Position) {
	if key == "" {
		key = "the file"
	}
	s.add(p, "%s: want %s, have %s", key, want, strings.ToLower(n.Type().YAMLName()))
}

func (s *schema) add(p *token.Position, format string, args ...any) {
	s.errs = append(s.errs, at(s.file, p, format, args...))
}

// pairsOf returns the keys and values of a mapping. Merge keys, anchors and aliases are none: a
// configuration is read by people.
func pairsOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// fields returns the keys of a section's type.
func fields(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.IsExported() && name != "-" && name != "" {
			known[name] = f.Type
		}
	}
	return known
}

// text is a type that is written as a word.
type text struct {
	what  string
	parse func(string) error
}

func textual(t reflect.Type) (text, bool) {
	if t == reflect.TypeFor[time.Duration]() {
		return text{"a duration such as 1.5s or 2m", func(s string) error { _, err := time.ParseDuration(s); return err }}, true
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return text{"a word", func(s string) error {
			return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
		}}, true
	}
	return text{}, false
}
