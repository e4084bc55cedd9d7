package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/node"
)

func newUpgradeCommand(env *Env) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Put this program in the place of the server that runs.",
		Long: "A new server is started with the flags of the one that runs. When it is\n" +
			"ready, it takes over: sockets and instances stay, no request fails, and what\n" +
			"is under way ends on the old server. If the new one does not come up, the old\n" +
			"one goes on. Other flags: sunya up --replace FLAGS.",
		Example: "sudo sunya upgrade\nsunya upgrade --data DIR",
		Args:    args(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runUpgrade(cmd.Context(), env, data) },
	}
	cmd.Flags().StringVar(&data, "data", "", "data directory of the server (default: that of sunya up)")
	return cmd
}

// upgradePatience is how long a new server may take: it may have to migrate.
const upgradePatience = 10 * time.Minute

func runUpgrade(ctx context.Context, env *Env, data string) error {
	if data == "" {
		data = node.DefaultData(env.Getenv)
	}
	if !filepath.IsAbs(data) {
		data = filepath.Join(env.Dir, data)
	}
	old, err := node.FindStarted(data)
	if err != nil {
		return notUpgraded(err)
	}
	defer old.Stdout.Close()
	defer old.Stderr.Close()
	ready, err := newAnnouncement()
	if err != nil {
		return err
	}
	defer ready.close()
	server, err := startReplacement(old, ready.address)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	patience := time.NewTimer(upgradePatience)
	defer patience.Stop()
	select {
	case <-ready.ready:
		ready.passOn(env, server.Process.Pid)
		env.infof("upgraded from %s (pid %d) to %s (pid %d); requests under way end on the old server",
			old.Version, old.PID, env.Version, server.Process.Pid)
		return nil
	case err := <-ended:
		return &failure{err: fmt.Errorf("the new server did not come up (%w), the old one goes on: what it said is in the server's log", err),
			code: exitFailed, try: "sunya up --replace " + strings.Join(old.Args[min(1, len(old.Args)):], " ") + "   (in the foreground, to see why)"}
	case <-patience.C:
	case <-ctx.Done():
	}
	_ = server.Process.Kill()
	return errors.Join(context.Cause(ctx), fmt.Errorf("the new server was not ready in time and was ended; the old one goes on"))
}

func notUpgraded(err error) error {
	switch sunya.CodeOf(err) {
	case sunya.NotFound:
		return &failure{err: err, code: exitNotFound, try: "sunya up --replace FLAGS   (says itself how it is started), or sunya upgrade --data DIR"}
	case sunya.PermissionDenied:
		return &failure{err: err, code: exitDenied, try: "sudo sunya upgrade"}
	}
	return err
}

// startReplacement starts this program as the other server was started, in a
// session of its own: it outlives this command and its terminal.
func startReplacement(old *node.Started, notify string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start the new server: %w", err)
	}
	args := slices.Clone(old.Args)
	if !slices.Contains(args, "--replace") {
		args = append(args, "--replace")
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = old.Dir
	cmd.Env = append(slices.Clone(old.Env), "NOTIFY_SOCKET="+notify)
	cmd.Stdout, cmd.Stderr = old.Stdout, old.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the new server: %w", err)
	}
	return cmd, nil
}

// announcement hears when a server is ready, as a service manager would.
type announcement struct {
	dir, address string
	conn         *net.UnixConn
	ready        chan struct{} // closed once it is
}

func newAnnouncement() (*announcement, error) {
	dir, err := os.MkdirTemp("", "sunya-upgrade-")
	if err != nil {
		return nil, fmt.Errorf("hear of the new server: %w", err)
	}
	r := &announcement{dir: dir, address: filepath.Join(dir, "notify"), ready: make(chan struct{})}
	r.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: r.address})
	// The server may have given up root by the time that it is ready.
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o711), os.Chmod(r.address, 0o622))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hear of the new server: %w", err), os.RemoveAll(dir))
	}
	go r.hear()
	return r, nil
}

// hear ends when the server is ready, or with close.
func (r *announcement) hear() {
	buf := make([]byte, 4096)
	for {
		n, err := r.conn.Read(buf)
		if err != nil {
			return
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
			close(r.ready)
			return
		}
	}
}

// passOn tells this command's own service manager which process it is to look at
// from now on.
func (r *announcement) passOn(env *Env, pid int) {
	name := env.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	c, err := net.Dial("unixgram", name)
	if err != nil {
		env.infof("the service manager was not told: %v", err)
		return
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "MAINPID=%d\nREADY=1", pid); err != nil {
		env.infof("the service manager was not told: %v", err)
	}
}

func (r *announcement) close() {
	_ = r.conn.Close()
	_ = os.RemoveAll(r.dir)
}
