// SPDX-License-Identifier: Apache-2.0

// Package canary has only tests: TestNoSecretShows knows every secret of a site and looks for each in all that our programs
// write, and TestProvisions looks for two cameras with an equal key.
package canary
