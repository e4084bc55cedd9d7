package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/continuity/fs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/oci"
	resourcestypes "github.com/moby/buildkit/executor/resources/types"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/snapshot"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
)

var _ executor.Executor = (*steps)(nil)

// steps runs the programs of build steps, each in namespaces of its own: mounts,
// processes, IPC and host name. Ids, network and limits are those of the
// sandbox that the builder itself is in.
type steps struct {
	root   string // for mounts, below the state directory
	filter string
	env    map[string]string // for those that do not have it
	files  map[string][]byte // that env names
}

// Run implements executor.Executor.
func (s *steps) Run(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (resourcestypes.Recorder, error) {
	if started != nil {
		defer close(started)
	}
	if id == "" {
		id = identity.NewID()
	}
	if err := executor.ValidContainerID(id); err != nil {
		return nil, err
	}
	if err := refuse(process.Meta); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.root, id)
	rootfs := filepath.Join(dir, "rootfs")
	if err := os.MkdirAll(rootfs, 0o700); err != nil {
		return nil, fmt.Errorf("prepare step: %w", err)
	}
	var undo undoes
	defer func() {
		undo.run()
		_ = os.RemoveAll(dir)
	}()
	if err := undo.mountAt(ctx, root, rootfs); err != nil {
		return nil, err
	}
	undo.add(executor.MountStubsCleaner(context.WithoutCancel(ctx), rootfs, mounts, process.Meta.RemoveMountStubsRecursive))
	doc, err := s.document(dir, process.Meta)
	if err != nil {
		return nil, err
	}
	doc.Root.Readonly = root.Readonly || process.Meta.ReadonlyRootFS
	own, err := undo.mounts(ctx, mounts)
	if err != nil {
		return nil, err
	}
	doc.Mounts = append(doc.Mounts, own...)
	if len(s.files) > 0 {
		// What is made in the image for it goes with it.
		shown := []executor.Mount{{Dest: job.FilesDir}}
		undo.add(executor.MountStubsCleaner(context.WithoutCancel(ctx), rootfs, shown, true))
		files, err := s.writeFiles(dir)
		if err != nil {
			return nil, err
		}
		doc.Mounts = append(doc.Mounts, files)
	}
	return nil, exitError(ctx, s.start(ctx, doc, process), process.Meta.ValidExitCodes)
}

// Exec implements executor.Executor. Nothing asks for it without interactive
// containers of a gateway frontend.
func (s *steps) Exec(context.Context, string, executor.ProcessInfo) error {
	return errors.New("running a second program in a step is not supported")
}

// refuse names what a step asks for that there is not.
func refuse(meta executor.Meta) error {
	switch {
	case meta.SecurityMode != pb.SecurityMode_SANDBOX:
		return &refusal{"RUN --security=insecure is not supported: steps have no privilege here"}
	case meta.NetMode == pb.NetMode_HOST:
		return &refusal{"RUN --network=host is not supported: a build has a network of its own, which is the default"}
	case len(meta.CDIDevices) > 0:
		return &refusal{"RUN --device is not supported: builds have no devices"}
	case meta.Proxy != nil:
		return &refusal{"a network proxy for steps is not supported"}
	}
	return nil
}

// document says what the step is, but for its mounts: dir holds its root and
// gets the files that tell it about the network.
func (s *steps) document(dir string, meta executor.Meta) (*specs.Spec, error) {
	rootfs := filepath.Join(dir, "rootfs")
	uid, gid, groups, err := oci.GetUser(rootfs, meta.User)
	if err != nil {
		return nil, fmt.Errorf("find user %q: %w", meta.User, err)
	}
	if err := makeWorkDir(rootfs, meta.Cwd, int(uid), int(gid)); err != nil {
		return nil, err
	}
	files, err := networkFiles(dir, meta)
	if err != nil {
		return nil, err
	}
	doc := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{
			User: specs.User{UID: uid, GID: gid, AdditionalGids: groups},
			Args: meta.Args, Env: s.environment(meta.Env), Cwd: meta.Cwd,
		},
		Root:        &specs.Root{Path: rootfs},
		Hostname:    hostname(meta),
		Mounts:      files,
		Annotations: map[string]string{"dev.sunya.seccomp": s.filter},
	}
	if meta.NetMode == pb.NetMode_NONE {
		doc.Annotations["dev.sunya.network"] = "none"
	}
	for _, u := range meta.Ulimit {
		doc.Process.Rlimits = append(doc.Process.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard),
		})
	}
	return doc, nil
}

// environment adds what the machine has for every step.
func (s *steps) environment(own []string) []string {
	set := map[string]bool{}
	for _, e := range own {
		name, _, _ := strings.Cut(e, "=")
		set[name] = true
	}
	env := slices.Clone(own)
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		if !set[name] {
			env = append(env, name+"="+s.env[name])
		}
	}
	return env
}

// writeFiles writes the machine's files, and returns how the step sees them.
func (s *steps) writeFiles(dir string) (specs.Mount, error) {
	source := filepath.Join(dir, "files")
	if err := os.Mkdir(source, 0o755); err != nil {
		return specs.Mount{}, fmt.Errorf("write files of step: %w", err)
	}
	for name, data := range s.files {
		if err := os.WriteFile(filepath.Join(source, filepath.Base(name)), data, 0o644); err != nil {
			return specs.Mount{}, fmt.Errorf("write files of step: %w", err)
		}
	}
	return specs.Mount{Type: "bind", Source: source, Destination: job.FilesDir, Options: []string{"ro"}}, nil
}

// makeWorkDir makes the directory that WORKDIR names, where the image has none.
func makeWorkDir(rootfs, cwd string, uid, gid int) error {
	dir, err := fs.RootPath(rootfs, cwd)
	if err != nil {
		return fmt.Errorf("working directory %s: %w", cwd, err)
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := user.MkdirAllAndChown(dir, 0o755, uid, gid); err != nil {
		return fmt.Errorf("make working directory %s: %w", cwd, err)
	}
	return nil
}

func hostname(meta executor.Meta) string {
	if meta.Hostname == "" {
		return "buildkitsandbox"
	}
	return meta.Hostname
}

// networkFiles writes /etc/hosts and /etc/resolv.conf of a step.
func networkFiles(dir string, meta executor.Meta) ([]specs.Mount, error) {
	var hosts strings.Builder
	fmt.Fprintf(&hosts, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname(meta))
	for _, h := range meta.ExtraHosts {
		fmt.Fprintf(&hosts, "%s\t%s\n", h.IP, h.Host)
	}
	var resolv []byte
	if meta.NetMode != pb.NetMode_NONE {
		var err error
		if resolv, err = os.ReadFile("/etc/resolv.conf"); err != nil {
			return nil, fmt.Errorf("read name servers: %w", err)
		}
	}
	var mounts []specs.Mount
	for name, data := range map[string][]byte{"hosts": []byte(hosts.String()), "resolv.conf": resolv} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		mounts = append(mounts, specs.Mount{Type: "bind", Source: file, Destination: "/etc/" + name})
	}
	return mounts, nil
}

// start runs the helper in new namespaces until the program has ended. Nothing
// of the step outlives its first process: the kernel ends the namespace with it.
func (s *steps) start(ctx context.Context, doc *specs.Spec, process executor.ProcessInfo) error {
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode step: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer func() { _ = r.Close() }()
	go func() {
		_, _ = w.Write(data)
		_ = w.Close()
	}()
	cmd := exec.CommandContext(ctx, job.Launcher, "step")
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{r}
	if process.Stdin != nil {
		cmd.Stdin = process.Stdin
	}
	cmd.Stdout, cmd.Stderr = writerOf(process.Stdout), writerOf(process.Stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | networkFlag(process.Meta),
		Setsid:     true,
	}
	return cmd.Run()
}

func networkFlag(meta executor.Meta) uintptr {
	if meta.NetMode == pb.NetMode_NONE {
		return syscall.CLONE_NEWNET
	}
	return 0
}

func writerOf(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// exitError is what the solver understands as the end of a step.
func exitError(ctx context.Context, err error, valid []int) error {
	code := 0
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return fmt.Errorf("start step: %w", err)
		}
		code = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			code = 128 + int(status.Signal())
		}
	}
	if code == 0 && len(valid) == 0 {
		return nil
	}
	for _, v := range valid {
		if v == code {
			return nil
		}
	}
	ended := &gwpb.ExitError{ExitCode: uint32(code), Err: err}
	if ctx.Err() != nil {
		ended.Err = context.Cause(ctx)
	}
	return ended
}

// undoes are what has to be taken back, the last first.
type undoes []func()

func (u *undoes) add(f func()) { *u = append(*u, f) }

func (u *undoes) run() {
	for i := len(*u) - 1; i >= 0; i-- {
		(*u)[i]()
	}
}

// mountAt mounts what m shows at a directory.
func (u *undoes) mountAt(ctx context.Context, m executor.Mount, target string) error {
	mountable, err := m.Src.Mount(ctx, m.Readonly)
	if err != nil {
		return err
	}
	all, release, err := mountable.Mount()
	if err != nil {
		return err
	}
	if release != nil {
		u.add(func() { _ = release() })
	}
	if err := mount.All(all, target); err != nil {
		return fmt.Errorf("mount root of step: %w", err)
	}
	u.add(func() { _ = mount.Unmount(target, syscall.MNT_DETACH) })
	return nil
}

// mounts makes every further mount available below the builder's own root, from
// where the step binds it.
func (u *undoes) mounts(ctx context.Context, mounts []executor.Mount) ([]specs.Mount, error) {
	var all []specs.Mount
	for _, m := range mounts {
		mountable, err := m.Src.Mount(ctx, m.Readonly)
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Dest, err)
		}
		mounter := snapshot.LocalMounter(mountable)
		dir, err := mounter.Mount()
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Dest, err)
		}
		u.add(func() { _ = mounter.Unmount() })
		source, err := fs.RootPath(dir, m.Selector)
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Dest, err)
		}
		bind := specs.Mount{Type: "bind", Source: source, Destination: m.Dest}
		if m.Readonly {
			bind.Options = []string{"ro"}
		}
		all = append(all, bind)
	}
	return all, nil
}
