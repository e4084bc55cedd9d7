package cli

import "strings"

// setProperties returns a configuration of gcloud with these properties set, or
// taken out where the value is empty. Everything else in it stays, in its place.
// The file is what Python's configparser reads: [section], key = value.
func setProperties(text string, want []property) string {
	var out []string
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, ok := sectionOf(line); ok {
			section = name
		}
		if !names(line, section, want) {
			out = append(out, line)
		}
	}
	for _, p := range want {
		if p.value != "" {
			out = insert(out, p)
		}
	}
	return strings.TrimLeft(strings.Join(out, "\n"), "\n") + "\n"
}

// insert adds a property at the end of its section, which is made if need be.
func insert(lines []string, p property) []string {
	line := p.key + " = " + p.value
	at := -1 // after which line
	inside := false
	for i, l := range lines {
		if name, ok := sectionOf(l); ok {
			inside = name == p.section
		}
		if inside && strings.TrimSpace(l) != "" {
			at = i
		}
	}
	if at < 0 {
		if n := len(lines); n > 0 && lines[n-1] != "" {
			lines = append(lines, "")
		}
		return append(lines, "["+p.section+"]", line)
	}
	lines = append(lines[:at+1], append([]string{line}, lines[at+1:]...)...)
	return lines
}

func sectionOf(line string) (string, bool) {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '[' || line[len(line)-1] != ']' {
		return "", false
	}
	return line[1 : len(line)-1], true
}

// names reports whether a line sets one of the properties.
func names(line, section string, want []property) bool {
	end := strings.IndexAny(line, "=:")
	if end < 0 {
		return false
	}
	key := strings.ToLower(strings.TrimSpace(line[:end]))
	for _, p := range want {
		if p.section == section && p.key == key {
			return true
		}
	}
	return false
}
