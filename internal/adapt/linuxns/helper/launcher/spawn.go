package launcher

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// The launcher's binary under its other names.
const (
	InitArg  = "init"  // the first process of a sandbox
	PauseArg = "pause" // holds a user namespace until it has been opened
)

// spawner forks from one thread that lives as long as the process: the death
// signal of a child is bound to the thread that made it (prctl(2)).
type spawner struct {
	calls chan func()
}

func newSpawner() *spawner {
	sp := &spawner{calls: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for call := range sp.calls {
			call()
		}
	}()
	return sp
}

// ids is the user namespace of a sandbox.
type ids struct {
	uids, gids []syscall.SysProcIDMap
	groups     bool // whether supplementary groups can be dropped
	uid, gid   int  // of the first process, inside
}

// idsOf returns the mapping of a document, or the only one that a user may
// make: the user itself as the program's user.
func (s *server) idsOf(doc *ipc.Document) ids {
	if s.full {
		return ids{uids: mapping(doc.Linux.UIDMappings), gids: mapping(doc.Linux.GIDMappings), groups: true}
	}
	uid, gid := doc.Process.User.UID, doc.Process.User.GID
	if u, g, ok := numbers(doc.Process.User.Username); ok {
		uid, gid = u, g // an image's, known without looking into it
	}
	id := ids{uid: uid, gid: gid}
	id.mapSelf()
	return id
}

// mapSelf makes this user the one that the first process is inside.
func (id *ids) mapSelf() {
	id.uids = []syscall.SysProcIDMap{{ContainerID: id.uid, HostID: os.Geteuid(), Size: 1}}
	id.gids = []syscall.SysProcIDMap{{ContainerID: id.gid, HostID: os.Getegid(), Size: 1}}
}

// numbers reads USER of an image that is UID or UID:GID; ok says whether it is.
func numbers(user string) (uid, gid int, ok bool) {
	u, g, both := strings.Cut(user, ":")
	if !both {
		g = u
	}
	first, err := strconv.ParseUint(u, 10, 16)
	second, err2 := strconv.ParseUint(g, 10, 16)
	return int(first), int(second), err == nil && err2 == nil
}

func mapping(ms []ipc.IDMapping) []syscall.SysProcIDMap {
	var all []syscall.SysProcIDMap
	for _, m := range ms {
		all = append(all, syscall.SysProcIDMap{ContainerID: int(m.ContainerID), HostID: int(m.HostID), Size: int(m.Size)})
	}
	return all
}

// namespaces of a sandbox.
const namespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC |
	syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET | syscall.CLONE_NEWCGROUP

// networkOf returns the network namespace that a sandbox is to share, or nil.
func (s *server) networkOf(b *box) *os.File {
	if b.segment.owner == b.name {
		return nil
	}
	return b.segment.netns
}

// init forks the first process of a sandbox and returns its process id.
func (sp *spawner) init(id ids, network, control, stdout, stderr *os.File) (int, error) {
	attr := &syscall.SysProcAttr{
		Cloneflags:                 namespaces,
		UidMappings:                id.uids,
		GidMappings:                id.gids,
		GidMappingsEnableSetgroups: id.groups,
		Credential:                 &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid), NoSetGroups: !id.groups},
		Pdeathsig:                  syscall.SIGKILL,
		Setsid:                     true,
	}
	if id.uid != 0 {
		// Only root keeps its capabilities over exec by itself.
		for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
			attr.AmbientCaps = append(attr.AmbientCaps, c)
		}
	}
	if network != nil {
		attr.Cloneflags &^= syscall.CLONE_NEWNET
	}
	return sp.forkIn(network, InitArg, attr, control, stdout, stderr)
}

func (sp *spawner) fork(arg string, attr *syscall.SysProcAttr, extra ...*os.File) (pid int, err error) {
	return sp.forkIn(nil, arg, attr, extra...)
}

// forkIn forks with the thread in another network namespace, which it leaves
// again.
func (sp *spawner) forkIn(network *os.File, arg string, attr *syscall.SysProcAttr, extra ...*os.File) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = null.Close() }()
	files := []uintptr{null.Fd(), null.Fd(), os.Stderr.Fd()}
	for _, f := range extra {
		files = append(files, f.Fd())
	}
	done := make(chan struct{})
	sp.calls <- func() {
		defer close(done)
		back, enterErr := enter(network)
		if enterErr != nil {
			err = enterErr
			return
		}
		defer back()
		pid, err = syscall.ForkExec("/proc/self/exe", []string{"sunya-sandbox", arg}, &syscall.ProcAttr{
			Dir: "/", Env: []string{"GOMAXPROCS=2"}, Files: files, Sys: attr,
		})
	}
	<-done
	return pid, err
}

// enter moves the calling thread into a network namespace; back returns it to
// its own. A thread that cannot return must never fork again.
func enter(network *os.File) (back func(), err error) {
	if network == nil {
		return func() {}, nil
	}
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("share network: %w", err)
	}
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		_ = own.Close()
		return nil, fmt.Errorf("share network: %w", err)
	}
	return func() {
		if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
		_ = own.Close()
	}, nil
}
