// SPDX-License-Identifier: Apache-2.0

package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nightjar-cam/nightjar/uplink/hub/metrics"
	"github.com/nightjar-cam/nightjar/uplink/hub/presence"
)

const (
	statusFile = "status.json"
	// statusEvery is the time between two writes, in paces; statusStale is when a hub that does not say
	// that it ended counts as not running.
	statusEvery   = 5
	statusStale   = 30 * time.Second
	maxStatusFile = 4 << 20 // some 20,000 cameras
)

// A Status is what a running hub tells about itself, in status.json in its folder. Counts are since Started.
type Status struct {
	Running      bool                `json:"running"`
	PID          int                 `json:"pid"`
	Addr         string              `json:"addr"` // that it listens on
	Started      time.Time           `json:"started"`
	Updated      time.Time           `json:"updated"`
	Connections  int                 `json:"connections"`      // open now, enrolled or not
	Broker       *BrokerStatus       `json:"broker,omitempty"` // nil: the hub is its own
	Refused      map[Refused]float64 `json:"refused"`          // connections, by code
	Receipts     int64               `json:"receipts"`         // given, again ones too
	Clips        int64               `json:"clips"`            // stored
	Bytes        int64               `json:"bytes"`            // of those clips
	StoreCalls   int64               `json:"store_calls"`
	StoreSeconds float64             `json:"store_seconds"` // spent in those
	DiskFree     int64               `json:"disk_free"`     // bytes of the folder's file system
	DiskTotal    int64               `json:"disk_total"`
	Cameras      []presence.Camera   `json:"cameras"`
}

// A BrokerStatus is about the external broker that the hub is a client of.
type BrokerStatus struct {
	Addr      string `json:"addr"`
	Connected bool   `json:"connected"`         // and subscribed
	Trouble   string `json:"trouble,omitempty"` // why not
}

// ReadStatus returns what the hub in dir told last. Running is false when that hub ended, was killed, or
// never ran; the rest is then from before, or zero.
func ReadStatus(dir string) (Status, error) {
	s, err := readStatus(dir)
	if err != nil {
		return s, err
	}
	// Its process may have been killed, and its number given to another one.
	age := time.Since(s.Updated)
	s.Running = s.Running && age < statusStale && age > -statusStale && !errors.Is(unix.Kill(s.PID, 0), unix.ESRCH)
	return s, nil
}

func readStatus(dir string) (s Status, err error) {
	path := filepath.Join(dir, statusFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && info.Size() > maxStatusFile {
		err = fmt.Errorf("%s has %d bytes", path, info.Size())
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read status of the hub: %w", err)
	}
	return s, nil
}

// write writes status.json, and the metrics when a file for them is configured. Neither is synced: they
// speak of this minute, and a hub writes them all day.
func (s Status) write(dir, metricsFile string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	err = replaceFile(filepath.Join(dir, statusFile), append(b, '\n'), 0o600)
	if metricsFile != "" {
		// The collector runs as another user; there is no secret in it.
		err = errors.Join(err, replaceFile(metricsFile, metrics.Encode(s.metrics()), 0o644))
	}
	return err
}

// replaceFile changes a file in one step. The collector reads files named *.prom, so a temporary one must
// not be.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func (s Status) metrics() []metrics.Family {
	connected, silent, seen := 0, 0, map[string]float64{}
	for _, c := range s.Cameras {
		if c.Connected {
			connected++
		}
		if c.Silent {
			silent++
		}
		if !c.Heard.IsZero() {
			seen[c.Device] = float64(c.Heard.UnixMilli()) / 1000
		}
	}
	up := 0.0
	if s.Running {
		up = 1
	}
	const p = "nightjar_hub_"
	families := []metrics.Family{
		metrics.One(p+"up", "1 while the hub runs, 0 once it ended in good order; when killed, the file grows old.", metrics.Gauge, up),
		metrics.One(p+"start_time_seconds", "When the hub started, in seconds since 1970.", metrics.Gauge, float64(s.Started.UnixMilli())/1000),
		metrics.One(p+"connections", "Open connections, enrolled or not.", metrics.Gauge, float64(s.Connections)),
		metrics.By(p+"refused_total", "Connections turned away or ended by the hub.", metrics.Counter, "code", s.Refused),
		metrics.One(p+"devices", "Enrolled cameras that are not revoked.", metrics.Gauge, float64(len(s.Cameras))),
		metrics.One(p+"devices_connected", "Cameras with a session.", metrics.Gauge, float64(connected)),
		metrics.One(p+"devices_silent", "Cameras of which nothing was heard for longer than allowed.", metrics.Gauge, float64(silent)),
		metrics.By(p+"device_heard_time_seconds", "Last sign of life of a camera, in seconds since 1970.", metrics.Gauge, "device", seen),
		metrics.One(p+"clips_stored_total", "Clips stored.", metrics.Counter, float64(s.Clips)),
		metrics.One(p+"clip_bytes_stored_total", "Bytes of the clips stored.", metrics.Counter, float64(s.Bytes)),
		metrics.One(p+"receipts_total", "Receipts given.", metrics.Counter, float64(s.Receipts)),
		metrics.Total(p+"store_seconds", "Time that messages of cameras spent in the store.", s.StoreSeconds, s.StoreCalls),
		metrics.One(p+"disk_free_bytes", "Free bytes of the file system of the hub's folder.", metrics.Gauge, float64(s.DiskFree)),
		metrics.One(p+"disk_size_bytes", "Bytes of the file system of the hub's folder.", metrics.Gauge, float64(s.DiskTotal)),
	}
	if s.Broker != nil {
		connected := 0.0
		if s.Broker.Connected {
			connected = 1
		}
		families = append(families, metrics.One(p+"broker_connected", "1 while the hub is subscribed at the external broker.", metrics.Gauge, connected))
	}
	return families
}

// DiskSpace returns the free and the total bytes of the file system that path lies on, free as an ordinary
// user may use it.
func DiskSpace(path string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the space of %s: %w", path, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}
