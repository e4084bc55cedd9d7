package linuxns

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TestNginx runs a server that nobody made for this: the distribution's nginx,
// whose master is root, whose workers are another user, on port 80.
func TestNginx(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user's sandbox has one id: nginx cannot change users")
	}
	const program = "/usr/sbin/nginx"
	if !exists(program) {
		t.Skip("nginx is not installed: SUNYA_DEPS=tests scripts/deps.sh")
	}
	e, base := containers(t)
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Container, Root: []string{base, nginxLayer(t, e.cfg.DataDir, program)}, UIDRange: 40, Port: 80,
		Args: []string{"nginx", "-g", "daemon off;"}, MemoryBytes: 128 << 20,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := s.Dial(ctx)
	if err != nil {
		stdout, stderr := output(t, s)
		t.Fatal(err, stdout, stderr)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 5)
	if _, err := resp.Body.Read(body); resp.StatusCode != http.StatusOK || string(body) != "hello" {
		t.Errorf("status %d, body %q, %v", resp.StatusCode, body, err)
	}
	owners, err := exec.Command("sh", "-c", "ps -eo uid,args | grep '[n]ginx: .* process'").Output()
	want := []string{fmt.Sprint(UIDBase(40)), fmt.Sprint(UIDBase(40) + 33)}
	for _, uid := range want {
		if err != nil || !strings.Contains(string(owners), uid+" nginx: ") {
			t.Errorf("no process of user %s: %q, %v", uid, owners, err)
		}
	}
}

// nginxLayer copies the program with the libraries that it needs.
func nginxLayer(t *testing.T, dataDir, program string) string {
	t.Helper()
	nodes := []node{
		{name: "etc/passwd", mode: 0o644, text: "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\n"},
		{name: "etc/group", mode: 0o644, text: "root:x:0:\nwww-data:x:33:\n"},
		{name: "etc/nginx/nginx.conf", mode: 0o644, text: "user www-data;\nworker_processes 1;\nevents {}\nhttp {\n" +
			"access_log /dev/stdout;\nerror_log /dev/stderr;\nserver { listen 80; root /srv; }\n}\n"},
		{name: "srv/index.html", mode: 0o644, text: "hello"},
		{name: "var/log/nginx/"}, {name: "var/lib/nginx/"}, {name: "run/"},
	}
	linked, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Skip("ldd: ", err)
	}
	for _, path := range append(regexp.MustCompile(`/\S+`).FindAllString(string(linked), -1), program) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, node{name: strings.TrimPrefix(filepath.Clean(path), "/"), text: string(data)})
	}
	return layer(t, dataDir, "nginx", nodes...)
}
