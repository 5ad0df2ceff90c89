// SPDX-License-Identifier: Apache-2.0

package health

import "slices"

// Code names a condition.
type Code string

const (
	CameraStalled   Code = "camera-stalled"
	FramesDropped   Code = "frames-dropped"
	PictureBlack    Code = "tamper-black"
	PictureFrozen   Code = "tamper-frozen"
	CameraMoved     Code = "tamper-moved"
	HubUnreachable  Code = "hub-unreachable"
	EntryRefused    Code = "entry-refused"
	UploadPaused    Code = "upload-paused"
	CertificateEnds Code = "certificate-ends"
	CardFails       Code = "card-fails"
	SpoolFull       Code = "spool-full"
	DiskFull        Code = "disk-full"
	ClockUnset      Code = "clock-unset"
	MemoryHigh      Code = "memory-high"
	NoWatchdog      Code = "no-watchdog"
	HousingOpen     Code = "housing-open"
	WireAbsent      Code = "wire-absent"
	PrivacyUnsaved  Code = "privacy-unsaved"
)

// Condition is something that can be wrong.
type Condition struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`  // what it is, in a few words
	Remedy   string   `json:"remedy"` // what to do
}

// table has a row for each code, in the order of a clip's way.
var table = []Condition{
	{CameraStalled, Critical, "the camera gives no frames",
		"check the camera's cable and its supply; nightjar opens it again by itself"},
	{FramesDropped, Warning, "frames are being dropped",
		"the board is too slow for this picture: choose a smaller size or a lower rate, and look at its temperature"},
	{PictureBlack, Critical, "the picture is black",
		"look whether the lens is covered, and whether the room is dark: a camera without infrared lamps sees nothing at night"},
	{PictureFrozen, Critical, "the picture is frozen",
		"look at the camera: it repeats one picture, as a broken sensor or a fed-in film does"},
	{CameraMoved, Critical, "the camera was moved",
		"look at its mount and what it shows now; zones may have to be drawn anew"},
	{HubUnreachable, Warning, "no connection to the hub",
		"clips wait on the camera; the detail says what failed, `nightjar doctor` tries each step of the way"},
	{EntryRefused, Warning, "the hub does not take an entry",
		"the detail says why; look at the hub's log, and at `nightjar-hub doctor`"},
	{UploadPaused, Notice, "sending is paused",
		"somebody paused it; clips wait on the camera until it is resumed"},
	{CertificateEnds, Warning, "the camera's certificate ends soon",
		"it renews itself when the hub can be reached: see whether it can; otherwise enrol again with a new token"},
	{CardFails, Critical, "the card cannot be written",
		"clips are kept in memory for a while; replace the card, or free it when it is full"},
	{SpoolFull, Warning, "the camera's store of unsent clips is nearly full",
		"the oldest clips will be given up: see that the hub can be reached, or raise spool.max_bytes"},
	{DiskFull, Warning, "the disk is nearly full",
		"free some room on it; nightjar itself keeps to spool.max_bytes"},
	{ClockUnset, Warning, "the clock was never set",
		"clips have guessed dates until a time source is found: check NTP, or the connection to the hub"},
	{MemoryHigh, Warning, "the agent uses much memory",
		"report it with `nightjar bugreport`, please"},
	{NoWatchdog, Warning, "the hardware watchdog is not fed",
		"a board that freezes stays frozen: the detail says why; set watchdog.device to what the board has, or to \"\" for none"},
	{HousingOpen, Critical, "the housing is open",
		"look at the camera: its tamper switch says that somebody opened it"},
	{WireAbsent, Warning, "something that is wired to the board cannot be used",
		"the detail says what and why; `nightjar gpio` shows the board's lines"},
	{PrivacyUnsaved, Warning, "privacy mode would be forgotten at a restart",
		"see that the card can be written; then `nightjar privacy on` or `off`"},
}

// Conditions returns the table. The caller owns it.
func Conditions() []Condition { return slices.Clone(table) }

// Find returns the condition with that code.
func Find(code Code) (Condition, bool) {
	i := slices.IndexFunc(table, func(c Condition) bool { return c.Code == code })
	if i < 0 {
		return Condition{}, false
	}
	return table[i], true
}
