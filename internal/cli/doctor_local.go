package cli

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

// localChecks examines the machine that this command runs on. dataDir is that
// of the server, or empty.
func localChecks(ctx context.Context, env *Env, dataDir string) []health.Check {
	answered := dataDir != "" // the server has said which runtimes it found
	dataDir = cmp.Or(dataDir, defaultDataDir(env))
	checks := []health.Check{
		checkKernel("/proc/sys/kernel/osrelease"),
		checkUserNamespaces("/proc/sys/user/max_user_namespaces"),
		checkCgroups("/proc/self/mounts"),
		checkOverlay("/proc/filesystems"),
		checkResolution(ctx),
		checkProxy(env),
		checkOpenFiles("/proc/self/limits"),
		checkDisk(dataDir),
		checkSync(dataDir),
		checkClock(env.Now()),
	}
	if !answered {
		checks = append(checks, checkRuntimes(env))
	}
	return checks
}

func ok(name, detail string) health.Check {
	return health.Check{Name: name, Status: health.OK, Detail: detail}
}

func warning(name, detail, fix string) health.Check {
	return health.Check{Name: name, Status: health.Warning, Detail: detail, Fix: fix}
}

func fail(name, detail, fix string) health.Check {
	return health.Check{Name: name, Status: health.Fail, Detail: detail, Fix: fix}
}

// defaultDataDir is where a server started by this user keeps its data.
func defaultDataDir(env *Env) string {
	switch {
	case env.Getenv("SUNYA_DATA") != "":
		return env.Getenv("SUNYA_DATA")
	case os.Geteuid() == 0:
		return "/var/lib/sunya"
	}
	return filepath.Join(cmp.Or(env.Getenv("XDG_DATA_HOME"), filepath.Join(env.Getenv("HOME"), ".local/share")), "sunya")
}

// The oldest kernel with everything that the sandbox uses: clone into a cgroup
// (5.7), idmapped mounts (5.12), cgroup.kill (5.14).
const wantMajor, wantMinor = 5, 14

func checkKernel(path string) health.Check {
	release, err := os.ReadFile(path)
	if err != nil {
		return fail("kernel", "this is not Linux, or /proc is not mounted", "run the server on Linux; the command line works everywhere")
	}
	text := strings.TrimSpace(string(release))
	var major, minor int
	if n, err := fmt.Sscanf(text, "%d.%d", &major, &minor); n < 2 || err != nil {
		return warning("kernel", text+" is not a version that is understood", "")
	}
	if major < wantMajor || major == wantMajor && minor < wantMinor {
		return warning("kernel", fmt.Sprintf("Linux %s; parts of the isolation need %d.%d", text, wantMajor, wantMinor), "upgrade the kernel")
	}
	return ok("kernel", "Linux "+text)
}

func checkUserNamespaces(path string) health.Check {
	text, err := os.ReadFile(path)
	if err != nil {
		return fail("user namespaces", "not available in this kernel", "use a kernel with CONFIG_USER_NS")
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err == nil && limit == 0 {
		return fail("user namespaces", "switched off (user.max_user_namespaces is 0)", "sysctl -w user.max_user_namespaces=15000")
	}
	return ok("user namespaces", fmt.Sprintf("up to %s", strings.TrimSpace(string(text))))
}

func checkCgroups(path string) health.Check {
	mounts, err := os.ReadFile(path)
	if err != nil {
		return warning("cgroups", "the mounts cannot be read", "")
	}
	v1, v2 := 0, 0
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 3:
		case fields[2] == "cgroup":
			v1++
		case fields[2] == "cgroup2":
			v2++
		}
	}
	switch {
	case v1 > 0 && v2 > 0:
		return ok("cgroups", "hybrid (v1 and v2)")
	case v2 > 0:
		return ok("cgroups", "v2")
	case v1 > 0:
		return ok("cgroups", "v1")
	}
	return warning("cgroups", "not mounted: no limits of memory and CPU, no freezing", "mount -t cgroup2 none /sys/fs/cgroup")
}

func checkOverlay(path string) health.Check {
	text, err := os.ReadFile(path)
	if err == nil && strings.Contains(string(text), "\toverlay\n") {
		return ok("overlayfs", "available")
	}
	return warning("overlayfs", "not loaded; it is loaded on first use where the kernel has it", "modprobe overlay")
}

// checkRuntimes looks for what apps can be built with.
func checkRuntimes(env *Env) health.Check {
	var found []string
	for _, name := range []string{"python3", "node", "go", "java", "php", "ruby"} {
		if path := lookPath(env, name); path != "" {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return warning("runtimes", "no python3, node, go, java, php or ruby in PATH: no app can be built", "apt install python3 python3-venv, nodejs npm, or what your apps are written in")
	}
	return ok("runtimes", strings.Join(found, ", "))
}

const resolveTimeout = 3 * time.Second

// checkResolution asks the resolver of this machine's C library order, which is
// what most programs use. Browsers and curl know *.localhost by themselves.
func checkResolution(ctx context.Context) health.Check {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, "sunya-doctor.localhost")
	if err == nil && slices.ContainsFunc(addrs, func(a string) bool { ip := net.ParseIP(a); return ip != nil && ip.IsLoopback() }) {
		return ok("*.localhost", "resolves to this machine")
	}
	return warning("*.localhost", "does not resolve in programs that use the C library; browsers and curl know it by themselves",
		"apt install libnss-myhostname, or send a Host header")
}

// checkProxy finds proxies that would catch requests to this machine.
func checkProxy(env *Env) health.Check {
	both := func(name string) string { return cmp.Or(env.Getenv(name), env.Getenv(strings.ToLower(name))) }
	set := cmp.Or(both("HTTP_PROXY"), both("HTTPS_PROXY"), both("ALL_PROXY"))
	if set == "" {
		return ok("proxy", "none set")
	}
	var excluded []string
	for name := range strings.SplitSeq(both("NO_PROXY"), ",") {
		excluded = append(excluded, strings.TrimPrefix(strings.TrimSpace(name), "."))
	}
	if slices.Contains(excluded, "*") || slices.Contains(excluded, "localhost") && slices.Contains(excluded, "127.0.0.1") {
		return ok("proxy", "set, with loopback excluded")
	}
	return warning("proxy", "a proxy is set and NO_PROXY does not name localhost and 127.0.0.1: some clients would send requests to apps there",
		"export NO_PROXY=localhost,.localhost,127.0.0.1,::1")
}

// wantFiles is enough for a thousand connections and their instances.
const wantFiles = 4096

func checkOpenFiles(path string) health.Check {
	text, err := os.ReadFile(path)
	if err != nil {
		return warning("open files", "the limit cannot be read", "")
	}
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !found || len(fields) < 2 {
			continue
		}
		hard, err := strconv.Atoi(fields[1])
		if err == nil && hard < wantFiles {
			return warning("open files", fmt.Sprintf("at most %d", hard), fmt.Sprintf("ulimit -Hn %d", wantFiles))
		}
		return ok("open files", "at most "+fields[1])
	}
	return warning("open files", "the limit cannot be read", "")
}

// checkClock notices a clock that was never set. Certificates and tokens are
// what breaks first.
func checkClock(now time.Time) health.Check {
	if now.Year() < 2026 {
		return fail("clock", "this machine believes that it is "+now.UTC().Format(time.RFC3339), "set the clock, or start a time service")
	}
	return ok("clock", now.UTC().Format(time.RFC3339))
}
