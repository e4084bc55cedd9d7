package pid1

import (
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// capabilities are those that a document may name (capabilities(7)).
var capabilities = map[string]uintptr{
	"CAP_AUDIT_WRITE":      unix.CAP_AUDIT_WRITE,
	"CAP_CHOWN":            unix.CAP_CHOWN,
	"CAP_DAC_OVERRIDE":     unix.CAP_DAC_OVERRIDE,
	"CAP_FOWNER":           unix.CAP_FOWNER,
	"CAP_FSETID":           unix.CAP_FSETID,
	"CAP_KILL":             unix.CAP_KILL,
	"CAP_NET_ADMIN":        unix.CAP_NET_ADMIN,
	"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE,
	"CAP_SETFCAP":          unix.CAP_SETFCAP,
	"CAP_SETGID":           unix.CAP_SETGID,
	"CAP_SETPCAP":          unix.CAP_SETPCAP,
	"CAP_SETUID":           unix.CAP_SETUID,
	"CAP_SYS_ADMIN":        unix.CAP_SYS_ADMIN,
	"CAP_SYS_CHROOT":       unix.CAP_SYS_CHROOT,
	"CAP_SYS_RESOURCE":     unix.CAP_SYS_RESOURCE,
}

// kept returns the numbers of the capabilities that a program keeps.
func kept(names []string) (map[uintptr]bool, error) {
	keep := map[uintptr]bool{}
	for _, name := range names {
		c, known := capabilities[name]
		if !known {
			return nil, ipc.Errorf(ipc.InvalidArgument, "capability %s is not one that a sandbox may have", name)
		}
		keep[c] = true
	}
	return keep, nil
}
