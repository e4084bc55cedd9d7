package unpack

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The program is built before the server (make build) and is not committed: bin
// holds a placeholder so that the package compiles without it.
//
//go:embed all:bin
var bin embed.FS

const programName = "sunya-unpack"

// embedded returns the program, or an error that says how to build it.
func embedded() ([]byte, error) {
	data, err := bin.ReadFile("bin/" + programName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this binary was built without the unpacker of images: run `make build`")
	}
	return data, err
}

// writeProgram puts the program into a directory of its own below dir, named
// after its content, and returns that. It is complete or absent.
func writeProgram(dir string, program []byte) (string, error) {
	sum := sha256.Sum256(program)
	home := filepath.Join(dir, "unpack-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(filepath.Join(home, programName)); err == nil {
		return home, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("write unpacker: %w", err)
	}
	temp := filepath.Join(home, ".new")
	err := os.WriteFile(temp, program, 0o755)
	if err == nil {
		err = os.Rename(temp, filepath.Join(home, programName))
	}
	if err != nil {
		return "", fmt.Errorf("write unpacker: %w", err)
	}
	return home, nil
}
