package dev

import (
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Place is a line of a source file.
type Place struct {
	File string // slash-separated, relative to the source directory
	Line int    // from 1
}

var (
	// pythonRE matches a frame of a Python traceback.
	pythonRE = regexp.MustCompile(`File "([^"]+)", line ([0-9]{1,9})`)
	// colonRE matches what compilers and most stack traces print: path:line.
	// Windows' drive letters do not occur: the server builds on Linux.
	colonRE = regexp.MustCompile(`([\w@~+./-]+\.\w+):([0-9]{1,9})\b`)
	// phpRE matches PHP's: in PATH on line N.
	phpRE = regexp.MustCompile(`in ([\w@~+./-]+\.\w+) on line ([0-9]{1,9})\b`)
)

// Locate finds in the words of a failure the line of the source that is to
// blame. root is where the source lies in its sandbox, inSource says whether it
// has a file. The innermost frame counts: Python names it last, the others first.
func Locate(lines []string, root string, inSource func(path string) bool) (Place, bool) {
	var python, other Place
	for _, line := range lines {
		if p, ok := match(pythonRE, line, root, inSource); ok {
			python = p
		}
		for _, re := range []*regexp.Regexp{colonRE, phpRE} {
			if other.Line > 0 {
				break
			}
			if p, ok := match(re, line, root, inSource); ok {
				other = p
			}
		}
	}
	if python.Line > 0 {
		return python, true
	}
	return other, other.Line > 0
}

func match(re *regexp.Regexp, line, root string, inSource func(path string) bool) (Place, bool) {
	for _, m := range re.FindAllStringSubmatch(line, 10) {
		file := strings.TrimPrefix(path.Clean(m[1]), root+"/") // file:///… too
		n, err := strconv.Atoi(m[2])
		if err == nil && n > 0 && !path.IsAbs(file) && inSource(file) {
			return Place{file, n}, true
		}
	}
	return Place{}, false
}
