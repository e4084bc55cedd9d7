// Command sunya-unpack writes and removes the layers of container images. It
// runs in a sandbox of the range that the layers belong to, one for each layer,
// and is the only part of Sunya that reads their archives.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/unpack/report"
	"github.com/sunya-cloud/sunya/internal/adapt/unpack/untar"
	"github.com/sunya-cloud/sunya/internal/core/tree"
)

func main() {
	syscall.Umask(0)
	result, err := run(os.Args[1:])
	if err != nil {
		result = report.Result{Code: int(sunya.CodeOf(err)), Error: message(err)}
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil || result.Code != 0 {
		os.Exit(1)
	}
}

func run(args []string) (report.Result, error) {
	switch {
	case len(args) == 3 && args[0] == report.Unpack:
		return unpack(args[1], args[2])
	case len(args) > 1 && args[0] == report.Remove:
		return report.Result{}, remove(args[1:])
	}
	return report.Result{}, fmt.Errorf("this program is started by sunya, not with %q", args)
}

func unpack(maxBytes, maxFiles string) (report.Result, error) {
	size, err := strconv.ParseInt(maxBytes, 10, 64)
	if err != nil {
		return report.Result{}, fmt.Errorf("limit of bytes: %w", err)
	}
	files, err := strconv.Atoi(maxFiles)
	if err != nil {
		return report.Result{}, fmt.Errorf("limit of files: %w", err)
	}
	archive, err := os.Open(report.Archive)
	if err != nil {
		return report.Result{}, fmt.Errorf("open archive: %w", err)
	}
	defer archive.Close()
	sum, err := untar.Extract(report.Layer, archive, untar.Limits{Bytes: size, Files: files})
	return report.Result{DiffID: sum.DiffID, Bytes: sum.Bytes, Files: sum.Files}, err
}

// remove empties directories; they themselves are the server's to remove.
func remove(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		errs = append(errs, err)
		for _, e := range entries {
			errs = append(errs, tree.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// message is what of an error the server may show.
func message(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
