package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Read reads a file of results; one that does not exist is empty.
func Read(path string) (File, error) {
	var f File
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Write replaces a file of results whole.
func Write(path string, f File) error {
	data, err := f.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// encode writes one figure a line, so that what a run has changed can be seen.
func (f File) encode() ([]byte, error) {
	var out bytes.Buffer
	machine, err := json.Marshal(f.Machine)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&out, "{\"machine\": %s,\n\"figures\": [", machine)
	for i := range f.Figures {
		figure, err := json.Marshal(f.Figures[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Figures[i].ID, err)
		}
		sep := ","
		if i == 0 {
			sep = ""
		}
		fmt.Fprintf(&out, "%s\n%s", sep, figure)
	}
	out.WriteString("\n]}\n")
	return out.Bytes(), nil
}

// Update puts figures of a run on a machine into the file at path. Figures of
// another machine that it holds are dropped: one table speaks of one machine.
func Update(path string, m Machine, figures []Figure, drop ...string) error {
	f, err := Read(path)
	if err != nil {
		return err
	}
	if !f.Machine.Same(m) {
		f = File{}
	}
	versions := f.Machine.Versions
	f.Machine = m
	f.Machine.Versions = map[string]string{}
	for _, known := range []map[string]string{versions, m.Versions} {
		for name, version := range known {
			f.Machine.Versions[name] = version
		}
	}
	for _, id := range drop {
		f.Drop(id)
	}
	for _, fig := range figures {
		f.Put(fig)
	}
	return Write(path, f)
}
