package linuxns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// node is a file of a layer that a test makes. Names that end in a slash are
// directories.
type node struct {
	name     string
	text     string // of a file
	link     string // of a symbolic link
	mode     uint32 // 0: 0755
	uid, gid int    // inside
	whiteout bool   // overlayfs's mark of what is gone
	opaque   bool   // a directory that shows nothing of the layers below
}

// layer makes an unpacked layer in the data directory, owned as the unpacker
// leaves it, and returns its path.
func layer(t testing.TB, dataDir, name string, nodes ...node) string {
	t.Helper()
	dir := filepath.Join(dataDir, "layers", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, dir, 0, 0)
	for _, n := range nodes {
		path := filepath.Join(dir, n.name)
		for p := filepath.Dir(path); p != dir && !exists(p); p = filepath.Dir(p) {
			defer own(t, p, 0, 0) // when it has been made
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		n.make(t, path)
	}
	return dir
}

func (n node) make(t testing.TB, path string) {
	t.Helper()
	mode := n.mode
	if mode == 0 {
		mode = 0o755
	}
	var err error
	switch {
	case n.whiteout:
		err = unix.Mknod(path, unix.S_IFCHR, 0)
	case n.link != "":
		err = os.Symlink(n.link, path)
	case strings.HasSuffix(n.name, "/"):
		err = os.MkdirAll(path, 0o755)
	default:
		err = os.WriteFile(path, []byte(n.text), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	own(t, path, n.uid, n.gid)
	if n.link == "" && !n.whiteout {
		if err := unix.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if n.opaque {
		if err := unix.Setxattr(path, "user.overlay.opaque", []byte("y"), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// own gives a file to a user of layers; without root everything is the user's.
func own(t testing.TB, path string, uid, gid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	base := UIDBase(sunya.LayersRange)
	if err := os.Lchown(path, base+uid, base+gid); err != nil {
		t.Fatal(err)
	}
}

// busybox is a layer with a shell and its tools, from Debian's busybox-static.
func busybox(t testing.TB, dataDir string) string {
	t.Helper()
	if dir := filepath.Join(dataDir, "layers", "busybox"); exists(dir) {
		return dir
	}
	var program []byte
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if data, err := os.ReadFile(path); err == nil {
			program = data
		}
	}
	if program == nil {
		t.Skip("busybox is not installed: SUNYA_DEPS=tests scripts/deps.sh")
	}
	nodes := []node{
		{name: "bin/busybox", text: string(program)},
		{name: "etc/passwd", mode: 0o644, text: "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/sh\n"},
		{name: "etc/group", mode: 0o644, text: "root:x:0:\nweb:x:34:\ndata:x:50:web\nlog:x:51:other,web\n"},
		{name: "root/", mode: 0o700},
	}
	list, err := exec.Command(nodes[0].program(), "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name != "busybox" {
			nodes = append(nodes, node{name: "bin/" + name, link: "busybox"})
		}
	}
	return layer(t, dataDir, "busybox", nodes...)
}

func (node) program() string {
	if exists("/bin/busybox") {
		return "/bin/busybox"
	}
	return "/usr/bin/busybox"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// containers returns an engine and a layer with a shell.
func containers(t testing.TB) (e *Engine, shell string) {
	t.Helper()
	dir := dataDir(t)
	e = open(t, config(dir))
	t.Cleanup(func() { shutdown(t, e) })
	return e, busybox(t, dir)
}

func TestContainer(t *testing.T) {
	e, base := containers(t)
	dir := e.cfg.DataDir
	over := layer(t, dir, "over",
		node{name: "srv/site/", uid: 33, gid: 34},
		node{name: "srv/site/index", text: "index\n", uid: 33, gid: 34, mode: 0o600},
		node{name: "srv/gone", text: "gone"},
		node{name: "srv/old/file", text: "old"},
		node{name: "etc/resolv.conf", link: "../run/elsewhere"},
		node{name: "bin/setid", text: "#!/bin/sh\nid -u\n", mode: 0o4755})
	top := layer(t, dir, "top",
		node{name: "srv/gone", whiteout: true},
		node{name: "srv/old/", opaque: true},
		node{name: "srv/old/new", text: "new"})
	tests := []struct {
		name   string
		user   string
		dir    string
		script string
		want   string
		root   bool // needs a range of ids
	}{
		{"starts as root", "", "", "id", "uid=0(root) gid=0(root)", true},
		{"user by name, with its groups", "web", "", "id", "uid=33(web) gid=34(web) groups=50(data),51(log)", true},
		{"user by number", "33", "", "id", "uid=33(web) gid=34(web) groups=50(data),51(log)", true},
		{"user that nobody knows", "4000:50", "", "id", "uid=4000 gid=50(data)\n", true},
		{"user and group", "web:data", "", "id", "uid=33(web) gid=50(data)\n", true},
		{"home of root", "", "", "echo $HOME", "/root\n", false},
		{"home of the user", "web", "", "echo $HOME", "/var/www\n", false},
		{"home of nobody", "4000", "", "echo $HOME", "/\n", true},
		{"working directory is made", "", "/made/for/it", "pwd; touch x && echo ok", "/made/for/it\nok\n", false},
		{"owners are the image's", "", "", "stat -c '%u %g %a' /srv/site/index", "33 34 600\n", true},
		{"the user owns its files", "web", "", "cat /srv/site/index", "index\n", true},
		{"whiteout", "", "", "ls -1 /srv", "old\nsite\n", false},
		{"opaque directory", "", "", "ls /srv/old", "new\n", false},
		{"root is writable", "", "", "echo x >/bin/x && echo y >>/srv/site/index && cat /srv/site/index", "index\ny\n", false},
		{"a directory is removed and made again", "", "", "rm -r /srv/old && mkdir /srv/old && ls -A /srv/old; echo ok", "ok\n", false},
		{"var/log and tmp are writable", "", "", "mkdir -p /var/log && touch /var/log/x /tmp/x && echo ok", "ok\n", false},
		{"name server, over a dangling link", "", "", "cat /etc/resolv.conf", "nameserver 169.254.169.254\n", false},
		{"host name", "", "", "hostname; cat /etc/hostname; grep -c $(hostname) /etc/hosts", "localhost\nlocalhost\n3\n", false},
		{"devices", "", "", "echo $(ls /dev)", "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n", false},
		{"a terminal can be made", "", "", "ls -l /dev/pts/ptmx | cut -c1", "c\n", false},
		{"output can be opened again", "web", "", "echo out >/dev/stdout; echo err >/dev/stderr", "out\n", false},
		{"and after a change of user", "", "", "su -s /bin/sh web -c 'echo out >/dev/stdout'", "out\n", true},
		{"root may change owners", "", "", "touch /x && chown web:data /x && stat -c '%u %g' /x", "33 50\n", true},
		{"set-id is inert", "web", "", "/bin/setid; cp /bin/busybox /tmp/id; id -u", "33\n33\n", true},
		{"numbers for a user", "1234:1234", "", "id -u; id -g; echo yes >/dev/shm/x && cat /dev/shm/x", "1234\n1234\nyes\n", false},
		{"shared memory", "web", "", "echo yes >/dev/shm/x; cat /dev/shm/x", "yes\n", false},
		{"search path", "", "", "echo $PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", false},
		{"nothing of the host", "", "", "echo $(ls /); ls /usr /home /var 2>/dev/null", "bin dev etc proc root srv sys tmp\n", false},
		{"mounts of the scaffold are gone", "", "", "cut -d' ' -f5 /proc/self/mountinfo | grep -c /tmp; echo", "0\n", false},
		{"signals find the first process", "", "", "kill -TERM 1; echo ok", "ok\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("a user's sandbox has one id")
			}
			s := start(t, e, sandbox.Spec{
				Profile: sandbox.Container, Root: []string{base, over, top}, User: tt.user, Dir: tt.dir,
				Args: []string{"sh", "-c", tt.script}, UIDRange: 40, MemoryBytes: 64 << 20,
			})
			stdout, stderr := output(t, s)
			wait(t, s)
			if !strings.HasPrefix(stdout, tt.want) {
				t.Errorf("output = %q, %q; want %q", stdout, stderr, tt.want)
			}
		})
	}
}

// TestContainerCannotStart: the error says what of the image is wrong.
func TestContainerCannotStart(t *testing.T) {
	e, base := containers(t)
	dir := e.cfg.DataDir
	arm := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xb7\x00" + strings.Repeat("\x00", 44)
	faulty := layer(t, dir, "faulty",
		node{name: "bin/arm", text: arm},
		node{name: "bin/text", text: "hello"},
		node{name: "bin/plain", text: "#!/bin/sh\n", mode: 0o644},
		node{name: "bin/lost", text: "#!/usr/bin/lost -x\n"},
		node{name: "bin/secret", text: "#!/bin/sh\n", mode: 0o700})
	pipe := layer(t, dir, "pipe", node{name: "etc/"})
	if err := unix.Mkfifo(filepath.Join(pipe, "etc/passwd"), 0o644); err != nil {
		t.Fatal(err)
	}
	large := layer(t, dir, "large", node{name: "etc/passwd", text: strings.Repeat("x", 5<<20)})
	line := layer(t, dir, "line", node{name: "etc/passwd", text: strings.Repeat("x", 1<<20)})
	ids := layer(t, dir, "ids", node{name: "etc/passwd", text: "big:x:100000:0::/:\n"})
	link := layer(t, dir, "link", node{name: "proc", link: "srv"}, node{name: "srv/"})
	devFile := layer(t, dir, "devfile", node{name: "dev", text: "x"})
	outside := t.TempDir()
	tests := []struct {
		name string
		root []string
		user string
		dir  string
		args []string
		want string
	}{
		{"not in the path", nil, "", "", []string{"gunicorn"}, `program "gunicorn" is not in PATH`},
		{"not there", nil, "", "", []string{"/app/serve"}, `program "/app/serve" does not exist`},
		{"directory", nil, "", "", []string{"/bin"}, `program "/bin" is a directory`},
		{"not executable", []string{faulty}, "", "", []string{"/bin/plain"}, "is not executable (mode -rw-r--r--)"},
		{"another machine's", []string{faulty}, "", "", []string{"arm"}, "is built for arm64, not for this machine"},
		{"no program", []string{faulty}, "", "", []string{"text"}, "neither a program for this machine nor a script"},
		{"no interpreter", []string{faulty}, "", "", []string{"lost"}, `needs the interpreter "/usr/bin/lost -x"`},
		{"not for this user", []string{faulty}, "web", "", []string{"/bin/secret"}, "may not be started by user 33"},
		{"unknown user", nil, "nginx", "", []string{"sh"}, `user "nginx" of the image: unable to find user nginx`},
		{"unknown group", nil, "web:nginx", "", []string{"sh"}, "unable to find group nginx"},
		{"id out of range", []string{ids}, "big", "", []string{"sh"}, "id 100000 is not 0 to 65535"},
		{"number out of range", nil, "70000", "", []string{"sh"}, "id 70000 is not 0 to 65535"},
		{"passwd is a pipe", []string{pipe}, "", "", []string{"sh"}, "/etc/passwd of the image is not a regular file"},
		{"passwd is too large", []string{large}, "", "", []string{"sh"}, "/etc/passwd of the image is larger than 4 MiB"},
		{"passwd is one line", []string{line}, "", "", []string{"sh"}, "token too long"},
		{"working directory is a file", nil, "", "/etc/passwd", []string{"sh"}, "working directory /etc/passwd"},
		{"proc is a link", []string{link}, "", "", []string{"sh"}, "/proc of the image is not a directory"},
		{"dev is a file", []string{devFile}, "", "", []string{"sh"}, "/dev of the image is not a directory"},
		{"layer elsewhere", []string{outside}, "", "", []string{"sh"}, "outside the data directory"},
		{"layer through ..", []string{dir + "/layers/../../etc"}, "", "", []string{"sh"}, "clean"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if os.Geteuid() != 0 && tt.user != "" {
				t.Skip("a user's sandbox has one id")
			}
			s, err := e.Start(t.Context(), sandbox.Spec{
				ID: "box", Profile: sandbox.Container, Root: append([]string{base}, tt.root...),
				User: tt.user, Dir: tt.dir, Args: tt.args, UIDRange: 40,
			})
			if err == nil {
				stop(t, s)
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("no layers", func(t *testing.T) {
		_, err := e.Start(t.Context(), sandbox.Spec{ID: "box", Profile: sandbox.Container, Args: []string{"sh"}})
		if sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("error = %v", err)
		}
	})
}

// TestContainerListens: a program of an image is found on a port below 1024,
// whether it is root or not, on every address or on loopback.
func TestContainerListens(t *testing.T) {
	e, base := containers(t)
	program := layer(t, e.cfg.DataDir, "program", node{name: "probe", text: string(probe)})
	for _, user := range []string{"", "web"} {
		for _, address := range []string{"127.0.0.1:80", "0.0.0.0:80", "[::]:80"} {
			t.Run(user+" "+address, func(t *testing.T) {
				s := start(t, e, sandbox.Spec{
					Profile: sandbox.Container, Root: []string{base, program}, User: user,
					Args: []string{"/probe", "listen", address}, UIDRange: 40, Port: 80,
				})
				echo(t, s)
			})
		}
	}
}

// TestContainerMemory: what is written to the root counts as the sandbox's
// memory, and a program is told how much there is.
func TestContainerMemory(t *testing.T) {
	e, base := containers(t)
	if len(e.info.Missing) > 0 {
		t.Skip(e.info.Missing)
	}
	spec := sandbox.Spec{Profile: sandbox.Container, Root: []string{base}, UIDRange: 40, MemoryBytes: 32 << 20}
	t.Run("limit", func(t *testing.T) {
		spec := spec
		spec.ID, spec.Args = "limit", shell("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; cat /proc/self/cgroup")
		s := start(t, e, spec)
		text, _ := output(t, s)
		if !strings.HasPrefix(text, "33554432\n") || strings.Contains(text, "limit") {
			t.Errorf("output = %q", text)
		}
	})
	t.Run("full", func(t *testing.T) {
		spec := spec
		spec.ID, spec.Args = "full", shell("dd if=/dev/zero of=/file bs=1M count=64; echo went on")
		s := start(t, e, spec)
		text, errs := output(t, s)
		if exit := wait(t, s); !exit.OOMKilled {
			t.Errorf("exit = %+v, output %q %q", exit, text, errs)
		}
	})
}

// TestSameLayerTwice: images have empty layers, and those the same digest.
func TestSameLayerTwice(t *testing.T) {
	e, base := containers(t)
	empty := layer(t, e.cfg.DataDir, "empty")
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Container, Root: []string{empty, base, empty, base, empty}, Args: []string{"echo", "ok"}, UIDRange: 40,
	})
	if stdout, stderr := output(t, s); stdout != "ok\n" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}

// TestManyLayers starts an image of as many layers as there may be.
func TestManyLayers(t *testing.T) {
	e, base := containers(t)
	root := []string{base}
	for i := range maxLayers - 1 {
		root = append(root, layer(t, e.cfg.DataDir, fmt.Sprintf("many-%d", i), node{name: fmt.Sprintf("many/%d", i)}))
	}
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Container, Root: root, Args: shell("ls /many | wc -l"), UIDRange: 40,
	})
	if stdout, stderr := output(t, s); strings.TrimSpace(stdout) != fmt.Sprint(maxLayers-1) {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}

// TestContainerWithoutIDMaps: where the file system cannot show layers as another
// range's, containers run in the range of the layers.
func TestContainerWithoutIDMaps(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a user has no ranges")
	}
	dir := dataDir(t)
	if err := unix.Mount("ramfs", dir, "ramfs", 0, ""); err != nil {
		t.Skip("cannot mount a ramfs: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	e := open(t, config(dir))
	t.Cleanup(func() { shutdown(t, e) })
	if slices.Contains(e.info.Facts, ipc.FactIDMap) {
		t.Skip("ramfs can be mapped here")
	}
	s := start(t, e, sandbox.Spec{
		Profile: sandbox.Container, Root: []string{busybox(t, dir)}, Args: shell("stat -c %u /etc/passwd; cut -c-40 /proc/self/uid_map; echo x >>/etc/passwd && echo ok"), UIDRange: 40,
	})
	stdout, stderr := output(t, s)
	if got := strings.Fields(stdout); len(got) != 5 || got[0] != "0" || got[2] != fmt.Sprint(UIDBase(sunya.LayersRange)) || got[4] != "ok" {
		t.Errorf("output = %q, %q", stdout, stderr)
	}
}
