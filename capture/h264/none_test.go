// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package h264

import (
	"errors"
	"testing"
)

func TestNoEncoder(t *testing.T) {
	if _, err := New(Config{Width: 64, Height: 48, FrameRate: 10}); !errors.Is(err, ErrNoEncoder) {
		t.Fatalf("error %v, want %v", err, ErrNoEncoder)
	}
	var e Encoder
	if _, err := e.Encode(nil); !errors.Is(err, ErrNoEncoder) {
		t.Fatalf("error %v, want %v", err, ErrNoEncoder)
	}
}
