package hoststack

import (
	"bufio"
	"path/filepath"
	"strings"
)

// pipConfig reads pip's configuration files, in pip's order, into the
// variables that say the same.
func (p places) pipConfig() map[string]string {
	env := map[string]string{}
	for _, path := range p.pipFiles() {
		data, err := readSmall(path)
		if err != nil {
			continue
		}
		for name, value := range parsePip(string(data)) {
			if inherited(name) {
				env[name] = value
			}
		}
	}
	return env
}

// pipFiles lists the files of the machine and of the owner; later ones win.
func (p places) pipFiles() []string {
	files := []string{filepath.Join(p.root, "etc/xdg/pip/pip.conf"), filepath.Join(p.root, "etc/pip.conf")}
	if p.home != "" {
		config := p.getenv("XDG_CONFIG_HOME")
		if !filepath.IsAbs(config) {
			config = filepath.Join(p.home, ".config")
		}
		files = append(files, filepath.Join(p.home, ".pip", "pip.conf"), filepath.Join(config, "pip", "pip.conf"))
	}
	if f := p.getenv("PIP_CONFIG_FILE"); filepath.IsAbs(f) {
		files = append(files, f)
	}
	return files
}

// parsePip reads the [global] and [install] sections of an ini file: key =
// value, indented lines continue. What it does not understand it skips.
func parsePip(text string) map[string]string {
	env := map[string]string{}
	section, key := "", ""
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, maxClientFile)
	for sc.Scan() {
		line := sc.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[':
			section, key = strings.Trim(trimmed, "[]"), ""
		case section != "global" && section != "install":
		case (line[0] == ' ' || line[0] == '\t') && key != "":
			env[key] = strings.TrimSpace(env[key] + " " + trimmed)
		default:
			name, value, ok := strings.Cut(trimmed, "=")
			if !ok {
				name, value, _ = strings.Cut(trimmed, ":")
			}
			key = "PIP_" + strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(name), "-", "_"))
			env[key] = strings.TrimSpace(value)
		}
	}
	return env
}
