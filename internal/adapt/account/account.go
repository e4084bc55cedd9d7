// Package account gives up root: which user the server runs as, and the step
// there.
package account

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Account is a user of the machine.
type Account struct{ UID, GID int }

// name is the user that the server becomes when it is started as root and the
// machine has such a user.
const name = "sunya"

// fallbackUID is the uid used where there is no such user: in the range that
// systemd gives to dynamic users, which belongs to nobody in particular and
// needs no entry in /etc/passwd.
const fallbackUID = 61999

// Current is who runs this process.
func Current() Account { return Account{UID: os.Getuid(), GID: os.Getgid()} }

// Service returns the account that the server should run as: its own when it is
// not root, else the machine's user "sunya", else a numeric one.
func Service() Account {
	if os.Getuid() != 0 {
		return Current()
	}
	u, err := user.Lookup(name)
	if err != nil {
		return Account{fallbackUID, fallbackUID}
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil || uid == 0 {
		return Account{fallbackUID, fallbackUID}
	}
	return Account{uid, gid}
}

// Become turns the whole process into a for good: groups, gid, uid, no
// capability, no way back through a setuid program.
func (a Account) Become() error {
	if os.Getuid() == a.UID {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setresgid(a.GID, a.GID, a.GID); err != nil {
		return fmt.Errorf("become gid %d: %w", a.GID, err)
	}
	if err := syscall.Setresuid(a.UID, a.UID, a.UID); err != nil {
		return fmt.Errorf("become uid %d: %w", a.UID, err)
	}
	if err := syscall.Setuid(0); err == nil {
		return fmt.Errorf("become uid %d: root could be had back", a.UID)
	}
	// A cgo build (the race detector's) cannot reach all its threads; releases
	// are built without.
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
	if errno != 0 && errno != syscall.ENOTSUP {
		return fmt.Errorf("no new privileges: %w", errno)
	}
	return nil
}
