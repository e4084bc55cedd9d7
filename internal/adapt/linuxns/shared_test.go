package linuxns

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestSharedNetwork: containers of one instance find each other on 127.0.0.1,
// see the same volumes, and are otherwise alone; the network lives as long as
// any of them.
func TestSharedNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user's sandboxes share nothing")
	}
	w := &wires{sockets: make(chan *os.File, 1)}
	cfg := config(dataDir(t))
	cfg.Network = w.network
	e := open(t, cfg)
	t.Cleanup(func() { shutdown(t, e) })
	base := busybox(t, cfg.DataDir)
	program := layer(t, cfg.DataDir, "program", node{name: "probe", text: string(probe)})
	spec := sandbox.Spec{
		Profile: sandbox.Container, Root: []string{base, program}, UIDRange: 40, Network: true, MemoryBytes: 64 << 20,
		Mounts: []sandbox.Mount{{Target: "/data", Writable: true, Shared: "v", Bytes: 1 << 20}},
	}
	first := spec
	first.ID, first.Args = "first", []string{"sh", "-c", "echo hello >/data/x; exec /probe listen 127.0.0.1:5432"}
	one := start(t, e, first)
	<-w.sockets
	second := spec
	second.ID, second.NetworkOf, second.Port, second.User = "second", "first", 8080, "web"
	second.Mounts = []sandbox.Mount{{Target: "/other/place", Writable: true, Shared: "v", Bytes: 1 << 20}}
	second.Args = []string{"sh", "-c", "until grep -q :1538 /proc/net/tcp; do sleep 0.05; done; echo x | nc -w 1 127.0.0.1 5432; cat /other/place/x; echo more >/other/place/y; " +
		"ls /data 2>&1; ip addr | grep -c 10.213.0.2; exec /probe listen 0.0.0.0:8080"}
	two := start(t, e, second)
	stdout, _ := two.Output()
	ready, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := two.Ready(ready); err != nil {
		t.Fatal(err)
	}
	echo(t, two)
	buf := make([]byte, 200)
	n, err := io.ReadAtLeast(stdout, buf, 10)
	if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "x\nhello\nls: /data: No such file or directory\n1\n") {
		t.Errorf("output = %q, %v", got, err)
	}
	// The first ends; the second's network goes on, and so does the volume.
	stop(t, one)
	echo(t, two)
	third := spec
	third.ID, third.NetworkOf, third.Args = "third", "first", shell("cat /data/y")
	if _, err := e.Start(t.Context(), third); sunya.CodeOf(err) != sunya.NotFound {
		t.Errorf("joined a network whose sandbox was forgotten: %v", err)
	}
	stop(t, two)
	w.closed.Wait() // the link is closed with the last
}

// TestNobodyElseJoins: another service's sandboxes stay out.
func TestNobodyElseJoins(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user's sandboxes share nothing")
	}
	e, base := containers(t)
	start(t, e, sandbox.Spec{ID: "first", Profile: sandbox.Container, Root: []string{base}, Args: []string{"sleep", "1000"}, UIDRange: 40})
	for _, tt := range []struct {
		of   string
		uids int
		want sunya.Code
	}{{"first", 41, sunya.InvalidArgument}, {"nobody", 40, sunya.NotFound}} {
		_, err := e.Start(t.Context(), sandbox.Spec{
			ID: "second", Profile: sandbox.Container, Root: []string{base}, Args: []string{"true"}, UIDRange: tt.uids, NetworkOf: tt.of,
		})
		if sunya.CodeOf(err) != tt.want {
			t.Errorf("of %s: %v, want %v", tt.of, err, tt.want)
		}
	}
}

// TestSharedNetworkIsAdopted: a later server finds the network, although the
// sandbox that it was made for has ended.
func TestSharedNetworkIsAdopted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user's sandboxes share nothing")
	}
	w := &wires{sockets: make(chan *os.File, 4)}
	cfg := config(dataDir(t))
	cfg.Network = w.network
	before := open(t, cfg)
	base := busybox(t, cfg.DataDir)
	program := layer(t, cfg.DataDir, "program", node{name: "probe", text: string(probe)})
	spec := sandbox.Spec{Profile: sandbox.Container, Root: []string{base, program}, UIDRange: 40, Network: true}
	first, second := spec, spec
	first.ID, first.Args = "a-first", []string{"sleep", "0.3"}
	second.ID, second.NetworkOf, second.Port, second.Args = "b-second", "a-first", 80, []string{"/probe", "listen", "0.0.0.0:80"}
	one, err := before.Start(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := before.Start(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, two)
	<-one.Done()
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	w.closed.Wait()
	<-w.sockets
	after := open(t, cfg)
	t.Cleanup(func() { shutdown(t, after) })
	all, err := after.Adopt(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("adopted %d, %v", len(all), err)
	}
	select {
	case <-w.sockets:
	case <-time.After(10 * time.Second):
		t.Fatal("the network was not connected again")
	}
	for _, b := range all {
		if b.Spec().ID == "b-second" {
			echo(t, b)
		}
	}
	for _, b := range all {
		stop(t, b)
	}
	w.closed.Wait()
}

// TestVolumeIsBounded: a volume in memory holds what it may, and counts.
func TestVolumeIsBounded(t *testing.T) {
	e, base := containers(t)
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Container, Root: []string{base}, UIDRange: 40, User: "",
		Mounts: []sandbox.Mount{{Target: "/v", Writable: true, Shared: "v", Bytes: 1 << 20}},
		Args:   shell("dd if=/dev/zero of=/v/x bs=64k count=64 2>&1; stat -c %a /v"),
	})
	if stdout, stderr := output(t, s); !strings.Contains(stdout, "No space left") || !strings.Contains(stdout, "1777") {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}
