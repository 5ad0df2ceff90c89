// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestChooseClips(t *testing.T) {
	clips := []string{"aaaa1111", "aaaa2222", "bbbb3333"}
	for _, row := range []struct {
		ids  []string
		want []string
		err  string
	}{
		{nil, nil, ""},
		{[]string{"bbbb", "aaaa1"}, []string{"bbbb3333", "aaaa1111"}, ""},
		{[]string{"bbb"}, nil, "at least 4 digits"},
		{[]string{"aaaa"}, nil, `2 clips begin with "aaaa"`},
		{[]string{"bbbb", "cccc"}, nil, `no clip "cccc"`},
	} {
		got, err := ChooseClips(clips, func(id string) string { return id }, row.ids, "list them")
		if !slices.Equal(got, row.want) || (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
			t.Errorf("%v: %v, %v, want %v, %q", row.ids, got, err, row.want, row.err)
		}
	}
}
