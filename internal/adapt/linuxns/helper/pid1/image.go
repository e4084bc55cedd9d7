package pid1

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// The places within the scaffold: the file system in memory, its two directories
// for overlayfs, and where everything comes together.
const (
	memoryDir = "rw"
	upperDir  = memoryDir + "/upper"
	workDir   = memoryDir + "/work"
	mergedDir = "root"
)

// prepareImageRoot makes, on the scaffold, what every image is given beside its
// own files.
func (p *process) prepareImageRoot() error {
	if err := ownCgroupView(); err != nil {
		return err
	}
	groups := hierarchies()
	facts := readFacts()
	r, err := newScaffold(p.setup)
	p.root = r
	return inOrder(
		func() error { return err },
		func() error { return r.mountProcWith() },
		func() error { return r.mountSys(facts, groups) },
		func() error { return r.mountImageDev(p.setup.Groups) },
	)
}

// completeImageRoot makes the layers of an image the root and enters it. The
// image is a stranger's: every path in it is resolved by the kernel within the
// new root, and the system's own directories must be directories.
func (p *process) completeImageRoot(layers, trees []int) error {
	scaffold := p.root
	defer func() { _ = unix.Close(scaffold.fd) }()
	r, err := scaffold.mergeLayers(p.doc, layers)
	if err != nil {
		return err
	}
	return errors.Join(inOrder(
		func() error { return r.plainDirs("/proc", "/sys", "/dev", "/etc") },
		func() error { return r.takeOver(scaffold, "/proc", "/sys", "/dev") },
		func() error { return r.mountTmp(p.doc, "/dev/shm", "mode=1777") },
		func() error { return r.replaceFiles(whereabouts(p.doc.Hostname)) },
		r.makeTmp,
		func() error { return r.attachMounts(p.setup, trees) },
		func() error { return r.set(quiet) },
		r.pivot,
	), unix.Close(r.fd))
}

// takeOver moves what is mounted in another root to the same places of this one.
func (r *root) takeOver(from *root, names ...string) error {
	for _, name := range names {
		tree, err := from.open(name)
		if err != nil {
			return fmt.Errorf("find %s: %w", name, err)
		}
		if err := r.attach(tree, name); err != nil {
			return err
		}
	}
	return nil
}

// ownCgroupView makes this sandbox's group the root of what its programs see of
// cgroups: this process was born before it was moved there. The namespace is the
// thread's, so the thread is kept.
func ownCgroupView() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("make cgroup namespace: %w", err)
	}
	return nil
}

// mergeLayers lays the layers on each other, the first on top, and above them a
// directory in memory, which counts as the sandbox's.
func (r *root) mergeLayers(doc *ipc.Document, layers []int) (*root, error) {
	names := make([]string, len(layers))
	for i, layer := range layers {
		names[i] = strconv.Itoa(i)
		if err := r.attach(layer, "/"+names[i]); err != nil {
			return nil, fmt.Errorf("layer: %w", err)
		}
	}
	options := []string{"mode=0755"}
	if limit := doc.Linux.Resources.Memory; limit != nil && limit.Limit != nil {
		options = append(options, "size="+strconv.FormatInt(*limit.Limit, 10))
	}
	memory, err := newFS("tmpfs", quiet, options...)
	if err != nil {
		return nil, err
	}
	if err := r.attach(memory, "/"+memoryDir); err != nil {
		return nil, err
	}
	return r.overlay(names)
}

// overlay mounts overlayfs from within the scaffold: its options, with names of
// all layers, must fit into a page. Marks are user.overlay.*, as only the root
// of the host may write others.
func (r *root) overlay(names []string) (*root, error) {
	if err := unix.Fchdir(r.fd); err != nil {
		return nil, fmt.Errorf("enter scaffold: %w", err)
	}
	for _, dir := range []string{upperDir, workDir, mergedDir} {
		if err := unix.Mkdir(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make %s: %w", dir, err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,userxattr", strings.Join(names, ":"), upperDir, workDir)
	if err := unix.Mount("overlay", mergedDir, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, ipc.Errorf(ipc.FailedPrecondition,
			"lay %d layers on each other: %v: images need overlayfs in user namespaces (Linux 5.11; whole from 6.6)", len(names), err)
	}
	fd, err := unix.Open(mergedDir, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	return &root{fd: fd}, nil
}

// plainDirs makes directories where they are missing and refuses an image that
// has something else there: what is mounted and masked below must be there, not
// where a link leads.
func (r *root) plainDirs(names ...string) error {
	for _, name := range names {
		rel := strings.TrimPrefix(name, "/")
		if err := unix.Mkdirat(r.fd, rel, 0o755); err != nil && err != unix.EEXIST {
			return fmt.Errorf("make %s: %w", name, err)
		}
		var st unix.Stat_t
		if err := unix.Fstatat(r.fd, rel, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return ipc.Errorf(ipc.InvalidArgument, "%s of the image is not a directory: the system's own must be mounted there", name)
		}
	}
	return nil
}

// mountImageDev makes a /dev that programs may write sockets and links to, as in
// Docker.
func (r *root) mountImageDev(groups bool) error {
	fd, err := r.makeDev()
	if err != nil {
		return err
	}
	_ = unix.Close(fd)
	options := []string{"ptmxmode=0666", "mode=0620"}
	if groups {
		options = append(options, "gid=5") // tty, by every distribution's convention
	}
	pts, err := newFS("devpts", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, options...)
	if err != nil {
		return err
	}
	if err := r.attach(pts, "/dev/pts"); err != nil {
		return err
	}
	return r.symlink("pts/ptmx", "/dev/ptmx")
}

// replaceFiles writes files in place of the image's, which may be links to
// anywhere.
func (r *root) replaceFiles(files []generated) error {
	for _, f := range files {
		err := unix.Unlinkat(r.fd, strings.TrimPrefix(f.path, "/"), 0)
		if err != nil && err != unix.ENOENT {
			return ipc.Errorf(ipc.InvalidArgument, "replace %s of the image: %v", f.path, err)
		}
		if err := r.writeFile(f.path, []byte(f.text)); err != nil {
			return err
		}
	}
	return nil
}

// makeTmp makes /tmp where an image made from nothing has none; programs count
// on it (Knative runtime contract).
func (r *root) makeTmp() error {
	if err := unix.Mkdirat(r.fd, "tmp", 0o1777); err != nil {
		return nil // whatever is there is the image's choice
	}
	return unix.Fchmodat(r.fd, "tmp", 0o1777, 0)
}

// prepareImage finds out whom the program runs as, from the image's own files,
// and makes what Docker would: the working directory, HOME, and output that may
// be opened once more as /dev/stdout.
func (p *process) prepareImage() error {
	if len(p.doc.Layers()) == 0 {
		return nil
	}
	proc := &p.doc.Process
	who, err := lookUser(proc.User.Username)
	if err != nil {
		return err
	}
	if p.setup.Groups {
		proc.User.UID, proc.User.GID = who.Uid, who.Gid
		for _, g := range who.Sgids {
			p.extra = append(p.extra, uint32(g))
		}
	}
	if envOf(proc.Env, "HOME") == "" {
		proc.Env = append(proc.Env, "HOME="+who.Home)
	}
	proc.Cwd = path.Join("/", proc.Cwd)
	if err := os.MkdirAll(proc.Cwd, 0o755); err != nil {
		return ipc.Errorf(ipc.InvalidArgument, "working directory %s: %v", proc.Cwd, err)
	}
	return p.shareOutput()
}

// shareOutput lets every user of the image open the output: what starts as root
// and goes on as another user finds its log at /dev/stdout still.
func (p *process) shareOutput() error {
	for _, fd := range []int{stdoutFD, stderrFD} {
		if p.setup.Groups {
			if err := unix.Fchown(fd, p.doc.Process.User.UID, p.doc.Process.User.GID); err != nil {
				return fmt.Errorf("give output: %w", err)
			}
		}
		if err := unix.Fchmod(fd, 0o666); err != nil {
			return fmt.Errorf("share output: %w", err)
		}
	}
	return nil
}
