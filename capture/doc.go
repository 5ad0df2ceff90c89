// SPDX-License-Identifier: Apache-2.0

// Package capture brings pictures into the house: a [Source] delivers [Frame]s that are pooled,
// reference counted, and stamped with a monotonic time and a guess of the wall clock.
//
// A driver (capture/replay, capture/synthetic) is a mediadevices driver whose reader also implements
// [Reader]. Start with [Register] and [Open], then call [Source.Read] in a loop and [Frame.Release] each
// frame that it gives. A driver that plays a prepared timeline is a [Film] behind a [Player].
//
// Of mediadevices only the driver manager is used. Its own camera drivers are not imported: without cgo
// they register nothing, silently, and with cgo they hand out torn frames without timestamps.
package capture
