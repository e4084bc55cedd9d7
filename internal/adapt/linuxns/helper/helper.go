// Package helper carries the launcher, a separate static program, inside the
// server's binary. It is built before the server, by
//
//	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" \
//	    -o internal/adapt/linuxns/helper/bin/sunya-launcher \
//	    ./internal/adapt/linuxns/helper/cmd/sunya-launcher
//
// and is not committed: bin holds a placeholder so that the package compiles
// without it.
package helper

import (
	"embed"
	"errors"
	"io/fs"
)

//go:embed all:bin
var bin embed.FS

// Binary returns the launcher, or an error that says how to build it.
func Binary() ([]byte, error) {
	data, err := bin.ReadFile("bin/sunya-launcher")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this binary was built without the sandbox launcher: run `make build`")
	}
	return data, err
}
