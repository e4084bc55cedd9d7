package linuxns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper"
)

// StepFilter returns the system call filter of build steps, which a builder
// loads for the programs that it starts in its own sandbox: base64 of struct
// sock_filter[].
func StepFilter() (string, error) { return seccompFilter(containerCaps, false) }

// WriteHelper puts the program that starts build steps into a directory and
// returns its path.
func WriteHelper(dir string) (string, error) {
	program, err := helper.Binary()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "launcher-"+buildID(program))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	f, err := os.CreateTemp(dir, ".launcher-*")
	if err != nil {
		return "", fmt.Errorf("write launcher: %w", err)
	}
	_, err = f.Write(program)
	if err = errors.Join(err, f.Chmod(0o755), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("write launcher: %w", err), os.Remove(f.Name()))
	}
	return path, nil
}
