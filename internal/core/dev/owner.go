package dev

import (
	"path/filepath"
	"slices"
)

// Source is where one service comes from. Both paths are absolute and clean.
type Source struct {
	Dir        string
	Descriptor string // its app.yaml, in Dir
}

// Owners returns the indexes of the services that a changed file belongs to:
// those whose directory is the innermost around it. A descriptor belongs to its
// own service alone, although it lies beside the others of the directory.
func Owners(sources []Source, path string) []int {
	var owners []int
	depth := -1
	for i, s := range sources {
		if path == s.Descriptor {
			return []int{i}
		}
		if !Inside(s.Dir, path) {
			continue
		}
		switch d := len(s.Dir); {
		case d > depth:
			owners, depth = []int{i}, d
		case d == depth:
			owners = append(owners, i)
		}
	}
	return owners
}

// Inside reports whether path is dir or something in it.
func Inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// Roots returns the directories that have to be watched: each once, and none
// that lies inside another.
func Roots(sources []Source) []string {
	var roots []string
	for _, s := range sources {
		covered := slices.ContainsFunc(sources, func(o Source) bool { return o.Dir != s.Dir && Inside(o.Dir, s.Dir) })
		if !covered && !slices.Contains(roots, s.Dir) {
			roots = append(roots, s.Dir)
		}
	}
	return roots
}
