// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
)

// minDigits is how much of an id has to be given: fewer digits are too often typed by mistake.
const minDigits = 4

// ChooseClips finds the clips that ids are the beginnings of, four digits or more; id tells a clip's own, list is the command
// that shows them.
func ChooseClips[C any](clips []C, id func(C) string, ids []string, list string) (chosen []C, err error) {
	for _, begin := range ids {
		if len(begin) < minDigits {
			return nil, Usagef("clip %q: give at least %d digits of its id", begin, minDigits)
		}
		var found []C
		for _, c := range clips {
			if strings.HasPrefix(id(c), begin) {
				found = append(found, c)
			}
		}
		switch len(found) {
		case 0:
			return nil, Hint(fmt.Errorf("no clip %q", begin), "`"+list+"` lists them")
		case 1:
			chosen = append(chosen, found[0])
		default:
			return nil, Hint(fmt.Errorf("%d clips begin with %q", len(found), begin), "give more digits of the id")
		}
	}
	return chosen, nil
}
