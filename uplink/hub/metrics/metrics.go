// SPDX-License-Identifier: Apache-2.0

// Package metrics writes numbers in the Prometheus text format, version 0.0.4. Make a [Family] for each
// metric, give it to [Encode], and let node_exporter's textfile collector read the file: a hub has no port
// to scrape.
package metrics

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// A Kind is the type of a metric.
type Kind string

const (
	Counter Kind = "counter" // only grows, until the process starts anew
	Gauge   Kind = "gauge"
	Summary Kind = "summary" // here: Sum and Count alone, without quantiles
)

// A Family is a metric with its samples. Name is of [a-zA-Z_:][a-zA-Z0-9_:]*, and Encode trusts in that.
type Family struct {
	Name    string
	Help    string
	Kind    Kind
	Samples []Sample
}

// A Sample is one value. Suffix is "" or, in a summary, "_sum" or "_count".
type Sample struct {
	Suffix string
	Label  string // name of its only label, "" for none
	Of     string // the label's value, any text
	Value  float64
}

// One returns a metric with one value.
func One(name, help string, kind Kind, value float64) Family {
	return Family{name, help, kind, []Sample{{Value: value}}}
}

// By returns a metric with a value for each value of a label.
func By[K ~string](name, help string, kind Kind, label string, values map[K]float64) Family {
	f := Family{Name: name, Help: help, Kind: kind}
	for of, v := range values {
		f.Samples = append(f.Samples, Sample{Label: label, Of: string(of), Value: v})
	}
	slices.SortFunc(f.Samples, func(a, b Sample) int { return strings.Compare(a.Of, b.Of) })
	return f
}

// Total returns a summary of what was observed: how often, and what it adds up to.
func Total(name, help string, sum float64, count int64) Family {
	return Family{name, help, Summary, []Sample{{Suffix: "_sum", Value: sum}, {Suffix: "_count", Value: float64(count)}}}
}

var (
	inHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	inLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// Encode returns the text. A family without samples is left out: its header alone says nothing.
func Encode(families []Family) []byte {
	var b bytes.Buffer
	for _, f := range families {
		if len(f.Samples) == 0 {
			continue
		}
		b.WriteString("# HELP " + f.Name + " " + inHelp.Replace(f.Help) + "\n")
		b.WriteString("# TYPE " + f.Name + " " + string(f.Kind) + "\n")
		for _, s := range f.Samples {
			b.WriteString(f.Name + s.Suffix)
			if s.Label != "" {
				b.WriteString("{" + s.Label + `="` + inLabel.Replace(strings.ToValidUTF8(s.Of, "?")) + `"}`)
			}
			b.WriteString(" " + strconv.FormatFloat(s.Value, 'g', -1, 64) + "\n")
		}
	}
	return b.Bytes()
}
