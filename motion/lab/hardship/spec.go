// SPDX-License-Identifier: Apache-2.0

package hardship

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// param is one number of an effect.
type param struct {
	key           string
	def, min, max float64
	doc           string // what it is, with its unit
}

// kind is one effect that Parse knows.
type kind struct {
	name, doc string
	params    []param
	build     func(v values) (Effect, error)
}

// seedParam picks another rain, another noise, of the same model.
var seedParam = param{"seed", 1, 0, 1e6, "picks the random numbers"}

// values are the numbers of one effect in millionths, so that all that follows is in integers.
type values struct {
	kind  *kind
	micro []int64
}

// get returns the number named key in millionths.
func (v values) get(key string) int64 {
	for i, p := range v.kind.params {
		if p.key == key {
			return v.micro[i]
		}
	}
	panic("hardship: " + v.kind.name + " has no " + key)
}

// q16 returns the number named key in units of 1/65536.
func (v values) q16(key string) int64 { return v.get(key) * one / 1e6 }

// float returns the number named key, for the building of tables.
func (v values) float(key string) float64 { return float64(v.get(key)) / 1e6 }

// seed returns the base of the random numbers of an effect.
func (v values) seed() uint64 { return mix(uint64(v.get("seed"))) }

// String returns the effect with every number written out.
func (v values) String() string {
	var b strings.Builder
	b.WriteString(v.kind.name)
	for i, p := range v.kind.params {
		sep := byte(',')
		if i == 0 {
			sep = ':'
		}
		b.WriteByte(sep)
		b.WriteString(p.key + "=" + strconv.FormatFloat(float64(v.micro[i])/1e6, 'f', -1, 64))
	}
	return b.String()
}

// Parse makes an effect of a name and its numbers: "night", or "night:gain=16,level=0.15". What is not given keeps its
// default. Describe lists the numbers of an effect.
func Parse(spec string) (Effect, error) {
	name, rest, numbers := strings.Cut(spec, ":")
	k := find(name)
	if k == nil {
		return nil, fmt.Errorf("hardship %q is unknown, use one of %s", name, strings.Join(Names(), ", "))
	}
	v := values{kind: k, micro: make([]int64, len(k.params))}
	for i, p := range k.params {
		v.micro[i] = micro(p.def)
	}
	if numbers {
		seen := make(map[string]bool)
		for pair := range strings.SplitSeq(rest, ",") {
			if err := v.set(pair, seen); err != nil {
				return nil, fmt.Errorf("hardship %s: %w", name, err)
			}
		}
	}
	e, err := k.build(v)
	if err != nil {
		return nil, fmt.Errorf("hardship %s: %w", name, err)
	}
	return e, nil
}

// set takes one key=number.
func (v values) set(pair string, seen map[string]bool) error {
	key, text, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("%q is not of the form key=number", pair)
	}
	if seen[key] {
		return fmt.Errorf("%s is given twice", key)
	}
	seen[key] = true
	for i, p := range v.kind.params {
		if p.key != key {
			continue
		}
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) {
			return fmt.Errorf("%s is %q, which is not a number", key, text)
		}
		if x < p.min || x > p.max {
			return fmt.Errorf("%s is %v, set it between %v and %v", key, x, p.min, p.max)
		}
		v.micro[i] = micro(x)
		return nil
	}
	keys := make([]string, len(v.kind.params))
	for i, p := range v.kind.params {
		keys[i] = p.key
	}
	return fmt.Errorf("%q is unknown, use one of %s", key, strings.Join(keys, ", "))
}

// micro rounds a number to millionths. One multiplication and one rounding: the same on every processor.
func micro(x float64) int64 { return int64(math.Round(float64(x * 1e6))) }

// kinds returns every effect by name.
func kinds() []*kind {
	return []*kind{
		&cloudsKind, &exposureKind, &flickerKind, &headlightsKind, &ircutKind, &lampKind,
		&nightKind, &personKind, &rainKind, &shakeKind, &snowKind,
	}
}

func find(name string) *kind {
	for _, k := range kinds() {
		if k.name == name {
			return k
		}
	}
	return nil
}

// Names returns the names of all effects, sorted.
func Names() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Describe returns a line on what the effect does and a line for each of its numbers with unit, range and default.
// It is empty for a name that Names does not have.
func Describe(name string) string {
	k := find(name)
	if k == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", k.name, k.doc)
	for _, p := range k.params {
		fmt.Fprintf(&b, "  %-9s %s; %v to %v, default %v\n", p.key, p.doc, p.min, p.max, p.def)
	}
	return b.String()
}
