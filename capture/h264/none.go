// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package h264

import "github.com/nightjar-cam/nightjar/capture"

// Encoder does not exist without cgo.
type Encoder struct{}

// New returns [ErrNoEncoder].
func New(Config) (*Encoder, error) { return nil, ErrNoEncoder }

// Encode returns [ErrNoEncoder].
func (e *Encoder) Encode(*capture.Frame) (AccessUnit, error) { return AccessUnit{}, ErrNoEncoder }

// ForceKeyframe does nothing.
func (e *Encoder) ForceKeyframe() {}

// Close does nothing.
func (e *Encoder) Close() error { return nil }
