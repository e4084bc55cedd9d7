package detect

import (
	"io/fs"
	"regexp"
	"strings"
)

// pythonDef begins a function at the top of a Python file.
var pythonDef = regexp.MustCompile(`^(?:async[ \t]+)?def[ \t]+([A-Za-z_][A-Za-z0-9_]*)[ \t]*\(`)

// pythonSignature is how a function is called that the framework is told
// nothing about: one that has no decorator and wants two parameters is a
// background function, f(data, context). Empty: nothing is certain.
func pythonSignature(fsys fs.FS, file, name string) string {
	data, err := readManifest(fsys, file)
	if err != nil {
		return ""
	}
	src, signature, decorated := string(data), "", false
	for at := 0; at < len(src); {
		line, _, _ := strings.Cut(src[at:], "\n")
		switch m := pythonDef.FindStringSubmatch(line); {
		case m != nil && m[1] == name:
			signature = ""
			if !decorated && pythonWants(src[at+len(m[0]):]) == 2 {
				signature = "event"
			}
			decorated = false
		case strings.HasPrefix(line, "@"):
			decorated = true
		case line != "" && line[0] != ' ' && line[0] != '\t' && line[0] != '#' && line[0] != ')':
			decorated = false
		}
		at += len(line) + 1
	}
	return signature
}

// pythonWants counts the parameters that a caller must give by position; list
// begins behind the parenthesis. -1: the list does not end, or is not plain.
func pythonWants(list string) int {
	depth, wants := 0, 0
	var part []byte
	for i := 0; i < len(list); i++ {
		c := list[i]
		switch {
		case c == '#':
			n := strings.IndexByte(list[i:], '\n')
			if n < 0 {
				return -1
			}
			i += n
			continue
		case c == '\'' || c == '"':
			n := strings.IndexByte(list[i+1:], c)
			if n < 0 {
				return -1
			}
			i += n + 1
			c = '_'
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case c == ')' && depth == 0:
			return wants + wanted(string(part))
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case c == ',' && depth == 0:
			if strings.HasPrefix(strings.TrimSpace(string(part)), "*") {
				return wants // what follows is given by name
			}
			wants += wanted(string(part))
			part = part[:0]
			continue
		}
		part = append(part, c)
	}
	return -1
}

// wanted is 1 for a parameter that has no default.
func wanted(parameter string) int {
	p := strings.TrimSpace(parameter)
	if p == "" || p == "/" || p[0] == '*' || strings.Contains(p, "=") {
		return 0
	}
	return 1
}
