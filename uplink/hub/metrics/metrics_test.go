// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightjar-cam/nightjar/uplink/hub/metrics"
	"github.com/nightjar-cam/nightjar/uplink/hub/metrics/parse"
)

func TestEncode(t *testing.T) {
	got := metrics.Encode([]metrics.Family{
		metrics.One("nightjar_hub_connections", "Open connections.", metrics.Gauge, 3),
		metrics.By("nightjar_hub_refused_total", "By \\ code,\nsince the start.", metrics.Counter, "code",
			map[string]float64{"tls-version": 2, "a\"b\\c\nd\xff": 1e21}),
		metrics.By("nightjar_hub_nothing", "No sample.", metrics.Gauge, "code", map[string]float64{}),
		metrics.Total("nightjar_hub_store_seconds", "Time.", 0.25, 7),
	})
	const want = `# HELP nightjar_hub_connections Open connections.
# TYPE nightjar_hub_connections gauge
nightjar_hub_connections 3
# HELP nightjar_hub_refused_total By \\ code,\nsince the start.
# TYPE nightjar_hub_refused_total counter
nightjar_hub_refused_total{code="a\"b\\c\nd?"} 1e+21
nightjar_hub_refused_total{code="tls-version"} 2
# HELP nightjar_hub_store_seconds Time.
# TYPE nightjar_hub_store_seconds summary
nightjar_hub_store_seconds_sum 0.25
nightjar_hub_store_seconds_count 7
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	values, err := parse.Text(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{
		"nightjar_hub_connections": 3, `nightjar_hub_refused_total{a"b\c` + "\nd?}": 1e21, "nightjar_hub_refused_total{tls-version}": 2,
		"nightjar_hub_store_seconds_sum": 0.25, "nightjar_hub_store_seconds_count": 7,
	}, values); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestSpecialValues(t *testing.T) {
	for _, v := range []float64{0, -1.5, math.Inf(1), math.Inf(-1), 1 << 53, 5e-324} {
		got, err := parse.Text(metrics.Encode([]metrics.Family{metrics.One("x", "h", metrics.Gauge, v)}))
		if err != nil || got["x"] != v {
			t.Errorf("%v reads back as %v, %v", v, got, err)
		}
	}
}

// The parser that the other tests rely on refuses what is not the format.
func TestParserIsStrict(t *testing.T) {
	const head = "# HELP a_total x\n# TYPE a_total counter\n"
	if _, err := parse.Text([]byte(head + "a_total 1\n")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no line end":         head + "a_total 1",
		"no type":             "# HELP a_total x\na_total 1\n",
		"no help":             "# TYPE a_total counter\na_total 1\n",
		"header twice":        head + "a_total 1\n" + head + "a_total 1\n",
		"header alone":        head,
		"another name":        head + "b_total 1\n",
		"unknown type":        "# HELP a x\n# TYPE a number\na 1\n",
		"counter named so":    "# HELP a x\n# TYPE a counter\na 1\n",
		"gauge named counter": "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
		"negative counter":    head + "a_total -1\n",
		"sample twice":        head + "a_total 1\na_total 2\n",
		"bad name":            "# HELP a-b x\n# TYPE a-b gauge\na-b 1\n",
		"no value":            head + "a_total\n",
		"no number":           head + "a_total one\n",
		"open label":          head + "a_total{code=\"x} 1\n",
		"bad escape":          head + "a_total{code=\"\\x\"} 1\n",
		"summary as plain":    "# HELP a x\n# TYPE a summary\na 1\n",
		"empty line":          head + "\na_total 1\n",
	} {
		if got, err := parse.Text([]byte(text)); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}
