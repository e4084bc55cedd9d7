package node

import (
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/adapt/handover"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
)

// Started is a server that runs, as a later one needs to know it that is to take
// its place.
type Started struct {
	Version string
	PID     int
	Args    []string // how it was started, without the program
	Env     []string
	Dir     string
	// Stdout and Stderr are where it prints to; the caller's to close.
	Stdout, Stderr *os.File
}

// FindStarted finds the server of a data directory. NotFound: none runs there, or
// it does not say how it was started. PermissionDenied: somebody else started it.
//
// How it was started comes from the launcher, which has it from whoever started
// both: the server itself may have given up root since, and must not say what root
// will start. Where it prints to comes from the server, as descriptors: these give
// nobody more than the server has.
func FindStarted(data string) (*Started, error) {
	command, err := linuxns.Describe(data)
	if err != nil {
		return nil, err
	}
	r, err := handover.Look(filepath.Join(data, "run"))
	if err != nil {
		return nil, err
	}
	return &Started{
		Version: r.Version, PID: r.PID, Stdout: r.Stdout, Stderr: r.Stderr,
		Args: command.Args, Env: command.Env, Dir: command.Dir,
	}, nil
}
