//go:build !amd64

package snapshot

import "os"

// Supported says whether this machine's kind has snapshots.
const Supported = false

// Spawn is of no use here.
type Spawn func(exe string, files []uintptr) (pid int, err error)

// Take refuses: only amd64 has snapshots.
func Take(int, *os.File) (*Header, error) {
	return nil, refuse("this kind of machine has no snapshots")
}

// Restore refuses: only amd64 has snapshots.
func Restore(_, _ *os.File, _ [3]uintptr, _ []byte, _ Spawn) (int, error) {
	return 0, refuse("this kind of machine has no snapshots")
}
