// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxRemote bounds what is set from afar, in bytes.
const maxRemote = 8 << 10

// remote are the sections that may be set from afar. Where the state lies, which camera is looked at and what is logged are for
// whoever stands before it; whom clips are sealed to is no configuration at all.
var remote = map[string]bool{"motion": true, "clip": true, "upload": true}

// Overlay returns the configuration with what text says over it: YAML as in the file, of the sections that may be set from
// afar. The whole is validated.
func (c Config) Overlay(text []byte) (Config, error) {
	const name = "remote configuration"
	if len(text) > maxRemote {
		return Config{}, fmt.Errorf("%s: more than %d bytes", name, maxRemote)
	}
	if err := decode(name, text, &c); err != nil {
		return Config{}, err
	}
	var sections map[string]any
	if err := yaml.Unmarshal(text, &sections); err != nil {
		return Config{}, syntax(name, err)
	}
	for section := range sections {
		if !remote[section] {
			return Config{}, fmt.Errorf("%s: %s is not set from afar: only %s are", name, section, strings.Join(slices.Sorted(maps.Keys(remote)), ", "))
		}
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}
