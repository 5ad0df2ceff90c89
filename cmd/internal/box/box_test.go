// SPDX-License-Identifier: Apache-2.0

package box

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightjar-cam/nightjar/cmd/internal/box/wire"
	"github.com/nightjar-cam/nightjar/cmd/internal/proctest"
)

const root = "../../.."

// built is the folder of kernel and initramfs.
var built = filepath.Join(root, "build", "board")

func needBox(t *testing.T) {
	t.Helper()
	if os.Getenv("NIGHTJAR_BOX") == "" {
		t.Skip("the emulated board is not booted: `make board-test` does")
	}
}

// box is a running board.
type box struct {
	t    *testing.T
	dir  string
	qemu *proctest.Process
	line net.Conn
	in   *bufio.Reader
	up   time.Duration // how long the kernel had run when init was ready
}

// boot starts a board in a folder with its disk, which is made if it is not there. rtc is what its clock shows, such as
// 1970-01-01T00:00:00; empty is the host's time.
func boot(t *testing.T, dir, rtc string) *box {
	t.Helper()
	disk, socket := filepath.Join(dir, "state.img"), filepath.Join(dir, "line")
	if _, err := os.Stat(disk); err != nil {
		program(t, "truncate", "-s", "128M", disk)
		program(t, "mke2fs", "-q", "-F", "-t", "ext4", disk)
	}
	if rtc == "" {
		rtc = "utc"
	}
	os.Remove(socket)
	os.Remove(filepath.Join(dir, "console"))
	b := &box{t: t, dir: dir}
	// TCG always: that /dev/kvm opens proves nothing on a machine of another architecture.
	b.qemu = proctest.Start(t, filepath.Join(dir, "console.log"), "qemu-system-aarch64", "-accel", "tcg", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512",
		"-display", "none", "-kernel", filepath.Join(built, "vmlinuz"), "-initrd", filepath.Join(built, "initrd"),
		"-append", "console=ttyAMA0 quiet panic=1", "-serial", "stdio", "-monitor", "none",
		"-chardev", "socket,id=line,path="+socket+",server=on,wait=off", "-device", "pci-serial,chardev=line",
		"-chardev", "socket,id=console,path="+filepath.Join(dir, "console")+",server=on,wait=off", "-device", "pci-serial,chardev=console",
		"-device", "i6300esb", "-action", "watchdog=reset",
		"-drive", "file="+disk+",if=none,format=raw,id=d0", "-device", "virtio-blk-pci,drive=d0",
		"-netdev", "user,id=n0", "-object", "filter-dump,id=dump,netdev=n0,file="+filepath.Join(dir, "net.pcap"), "-device", "virtio-net-pci,netdev=n0,romfile=",
		"-rtc", "base="+rtc)
	b.await(20*time.Second, "QEMU's socket", func() bool {
		if b.qemu.Done() {
			t.Fatalf("QEMU ended: %s", b.qemu.Tail())
		}
		var err error
		b.line, err = net.Dial("unix", socket)
		return err == nil
	})
	t.Cleanup(func() { b.line.Close() })
	b.in = bufio.NewReaderSize(b.line, 1<<20)
	b.hello()
	return b
}

// hello waits until init listens, after a start or a restart.
func (b *box) hello() {
	b.t.Helper()
	b.line.SetReadDeadline(time.Now().Add(3 * time.Minute))
	for {
		line, err := b.in.ReadString('\n')
		if err != nil {
			b.t.Fatalf("the board does not come up: %v\n%s", err, b.qemu.Tail())
		}
		if strings.HasSuffix(strings.TrimSpace(line), wire.Hello) {
			break
		}
	}
	b.up = b.uptime()
}

// restart has init start the board anew, and waits until it is back.
func (b *box) restart() {
	b.t.Helper()
	if _, err := b.line.Write([]byte(`{"op":"` + wire.Reboot + `"}` + "\n")); err != nil {
		b.t.Fatal(err)
	}
	b.hello()
}

// do has init do something; what it cannot do fails the test.
func (b *box) do(q wire.Request) wire.Reply {
	b.t.Helper()
	r := b.try(q)
	if r.Error != "" {
		b.t.Fatalf("%s %s %q: %s\n%s", q.Op, q.Path, q.Args, r.Error, b.qemu.Tail())
	}
	return r
}

func (b *box) try(q wire.Request) (r wire.Reply) {
	b.t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		b.t.Fatal(err)
	}
	b.line.SetDeadline(time.Now().Add(3 * time.Minute))
	if _, err := b.line.Write(append(text, '\n')); err != nil {
		b.t.Fatalf("tell the board: %v", err)
	}
	for {
		line, err := b.in.ReadBytes('\n')
		if err != nil {
			b.t.Fatalf("%s: the board does not answer: %v\n%s", q.Op, err, b.qemu.Tail())
		}
		if json.Unmarshal(line, &r) == nil {
			return r
		}
	}
}

// run runs a program of the image and returns what it said; one that fails fails the test.
func (b *box) run(args ...string) string {
	b.t.Helper()
	r := b.do(wire.Request{Op: wire.Run, Args: args})
	if r.Code != 0 {
		b.t.Fatalf("%q on the board: exit %d\n%s", args, r.Code, r.Output)
	}
	return string(r.Output)
}

func (b *box) write(path, text string) {
	b.t.Helper()
	b.do(wire.Request{Op: wire.Write, Path: path, Data: []byte(text)})
}

func (b *box) uptime() time.Duration {
	b.t.Helper()
	return time.Duration(b.do(wire.Request{Op: wire.Status}).Uptime) * time.Millisecond
}

// log is what the board said on its console.
func (b *box) log() string { return b.qemu.Log() }

// await waits for a condition that must come soon, and asks ever so often.
func (b *box) await(most time.Duration, what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(most); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within %v\n%s", what, most, b.qemu.Tail())
		}
	}
}

// program runs a program of the host.
func program(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(args[0], args[1:]...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

// row prints a line of the table, as the fault rigs do, and fails the test when it is short.
func row(t *testing.T, name, figure, goal string, ok bool) {
	t.Helper()
	if speed(name, figure, goal, ok); !ok {
		t.Errorf("%s: %s, to reach: %s", name, figure, goal)
	}
}

// speed prints a row that depends on how fast the host emulates: .ci/board-test judges it, no test fails.
func speed(name, figure, goal string, ok bool) {
	verdict := "ok"
	if !ok {
		verdict = "short"
	}
	fmt.Printf("board: %s | %s | %s | %s\n", name, figure, goal, verdict)
}
