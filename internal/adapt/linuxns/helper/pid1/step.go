package pid1

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// StepArg is the first argument with which this program runs a step of a
// build. The builder, which is in a sandbox itself, forks it into namespaces
// of the step's own (mounts, processes, IPC, host name, perhaps network) and
// gives it a runtime-spec document on descriptor 3.
const StepArg = "step"

// stepFailed is the exit status of a step whose program could not be started,
// as of a shell that finds none.
const stepFailed = 127

// Step becomes the program of a build step. It returns only when that fails.
func Step() int {
	// Never unlocked: ids, capabilities and filter are the thread's, and the
	// program takes over from it.
	runtime.LockOSThread()
	if err := runStep(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot start the step:", err)
	}
	return stepFailed
}

func runStep() error {
	doc, err := readDocument(controlFD)
	if err != nil {
		return err
	}
	if err := unix.CloseRange(controlFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors on exec: %w", err)
	}
	unix.Umask(0o022)
	if err := unix.Sethostname([]byte(doc.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if doc.Annotations[ipc.AnnotationNetwork] == "none" {
		if _, err := setUpNetwork(false); err != nil {
			return err
		}
	}
	if err := enterStep(doc); err != nil {
		return err
	}
	return execStep(doc)
}

func readDocument(fd uintptr) (*ipc.Document, error) {
	f := os.NewFile(fd, "document")
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	doc := &ipc.Document{}
	if err := json.Unmarshal(data, doc); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	return doc, nil
}

// enterStep completes the root that the builder has mounted, and enters it.
func enterStep(doc *ipc.Document) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// Sources are cloned before anything of the step covers them.
	trees, err := cloneStep(doc)
	if err != nil {
		return err
	}
	fd, err := unix.Open(doc.Root.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open root: %w", err)
	}
	r := &root{fd: fd}
	if err := r.mountProc(); err != nil {
		return err
	}
	if err := r.mountDev(); err != nil {
		return err
	}
	if err := r.mountTmp(doc, "/dev/shm", "mode=1777"); err != nil {
		return err
	}
	if err := r.attachStep(doc, trees); err != nil {
		return err
	}
	return r.pivotStep(doc.Root.Readonly)
}

func cloneStep(doc *ipc.Document) ([]int, error) {
	var trees []int
	for _, m := range doc.Mounts {
		if m.Type != "bind" {
			continue
		}
		attrs := uint64(unix.MOUNT_ATTR_NODEV)
		if m.Has("ro") {
			attrs |= unix.MOUNT_ATTR_RDONLY
		}
		tree, err := clone(unix.AT_FDCWD, m.Source, attrs)
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	return trees, nil
}

func (r *root) attachStep(doc *ipc.Document, trees []int) error {
	for _, m := range doc.Mounts {
		tree := -1
		switch m.Type {
		case "bind":
			tree, trees = trees[0], trees[1:]
		case "tmpfs":
			var err error
			if tree, err = newFS("tmpfs", quiet, tmpfsOptions(m)...); err != nil {
				return err
			}
		default:
			return fmt.Errorf("mount %s: type %q is not bind or tmpfs", m.Destination, m.Type)
		}
		if err := r.attach(tree, m.Destination); err != nil {
			return err
		}
	}
	return nil
}

// tmpfsOptions are those of a mount that the file system itself understands.
func tmpfsOptions(m ipc.Mount) []string {
	var all []string
	for _, o := range m.Options {
		if o != "rw" && o != "ro" {
			all = append(all, o)
		}
	}
	return all
}

// pivotStep makes the step's root the only one.
func (r *root) pivotStep(readonly bool) error {
	if readonly {
		if err := unix.MountSetattr(r.fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make root read-only: %w", err)
		}
	}
	if err := unix.Fchdir(r.fd); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the builder's root: %w", err)
	}
	return unix.Close(r.fd)
}

// execStep gives away what the program must not have and becomes the program,
// as the first process of its namespace.
func execStep(doc *ipc.Document) error {
	proc := doc.Process
	if err := unix.Chdir(path.Clean("/" + proc.Cwd)); err != nil {
		return fmt.Errorf("enter %s: %w", proc.Cwd, err)
	}
	p := &process{doc: doc}
	program, err := p.lookPath()
	if err != nil {
		return err
	}
	if err := setStepRlimits(proc.Rlimits); err != nil {
		return err
	}
	if err := dropStep(doc); err != nil {
		return err
	}
	if err := unix.Exec(program, proc.Args, proc.Env); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}
