// SPDX-License-Identifier: Apache-2.0

// Package lab runs the camera's own motion detector over films and says how well it does. Start with [Open], which
// reads any film, and [Watch], which shows it to detectors; [Folder] reads the labels of a folder of films, [Folder.Score]
// holds a detector against them and [Folder.ScoreVerdicts] another program, [Folder.Tune] tries many settings,
// [Stretch.Try] tries hardships where nothing moves, and [Render] draws what the detector sees.
//
// Motion JPEG in AVI and Y4M are read by our own capture/replay. Everything else is decoded by ffmpeg if it is there,
// with fixed arguments and without a shell; its luma is taken as the film has it, and not expanded to full range.
//
// The laboratory is for the owner's laptop. No camera links it.
package lab
