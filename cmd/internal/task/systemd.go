// SPDX-License-Identifier: Apache-2.0

package task

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// manager is the service manager that started us: sd_notify(3) over a datagram socket. Without one, and
// after an error, it does nothing: a daemon must not die because nobody listens to it.
type manager struct {
	conn     net.Conn      // nil: nobody listens
	watchdog time.Duration // 0: the manager expects no petting
	log      *slog.Logger
}

func dialManager(log *slog.Logger) *manager {
	m := &manager{log: log}
	name := os.Getenv("NOTIFY_SOCKET") // a path, or @ and an abstract name; package net knows both
	if name == "" {
		return m
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		log.Warn("service manager cannot be told", "err", err)
		return m
	}
	m.conn, m.watchdog = conn, watchdog()
	return m
}

// watchdog is the time after which the manager kills us when it is not petted, 0 for never.
func watchdog() time.Duration {
	// The variables are inherited by child processes; WATCHDOG_PID says whom they are meant for.
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec < 2 || usec > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

func (m *manager) notify(state string) {
	if m.conn == nil {
		return
	}
	if _, err := m.conn.Write([]byte(state)); err != nil {
		m.log.Warn("service manager cannot be told", "state", state, "err", err)
	}
}

func (m *manager) close() {
	if m.conn != nil {
		m.conn.Close()
	}
}
