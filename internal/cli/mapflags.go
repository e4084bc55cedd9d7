package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// mapFlags are gcloud's flags for names with values, such as environment
// variables: one that sets all of them, and those that change some. The zero
// value changes nothing.
type mapFlags struct {
	noun   string            // env-vars
	set    map[string]string // nil: not given
	update map[string]string
	remove []string
	clear  bool
	file   string // with all of them; empty: not given
}

// registerMap adds the flags; to says which values a flag belongs to when it is
// met on the command line. what is said in help: environment variables.
func registerMap(fs *pflag.FlagSet, noun, what string, to func() *mapFlags) {
	target := func() *mapFlags {
		m := to()
		m.noun = noun
		return m
	}
	pairsFlag(fs, "set-"+noun, "all "+what+": NAME=VALUE,…", func(v map[string]string) { m := target(); m.set = added(m.set, v) })
	pairsFlag(fs, "update-"+noun, what+" to add or change: NAME=VALUE,…", func(v map[string]string) { m := target(); m.update = added(m.update, v) })
	listFlag(fs, "remove-"+noun, what+" to remove: NAME,…", func(v []string) { m := target(); m.remove = append(m.remove, v...) })
	switchFlag(fs, "clear-"+noun, "remove all "+what, func(yes bool) { target().clear = yes })
	hide(fs, "remove-"+noun, "clear-"+noun)
}

// registerMapFile adds the flag that reads them from a file.
func registerMapFile(fs *pflag.FlagSet, noun, what string, to func() *mapFlags) {
	textFlag(fs, noun+"-file", "all "+what+", from a YAML or .env file", func(v string) error {
		m := to()
		m.noun, m.file = noun, v
		return nil
	})
	hide(fs, noun+"-file")
}

// hide takes flags out of help, where the names of others say that they exist;
// docs/cli.md has all.
func hide(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		fs.Lookup(name).Hidden = true
	}
}

// given reports whether a flag asks for anything.
func (m *mapFlags) given() bool {
	return m.set != nil || m.update != nil || m.remove != nil || m.clear || m.file != ""
}

// apply returns what the flags make of now, which stays as it is. Removals come
// before additions, as with gcloud. dir is where a relative file name begins.
func (m *mapFlags) apply(now map[string]string, dir string) (map[string]string, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	switch {
	case m.set != nil:
		return maps.Clone(m.set), nil
	case m.file != "":
		return m.read(dir)
	}
	out := map[string]string{}
	if !m.clear {
		maps.Copy(out, now)
	}
	for _, name := range m.remove {
		delete(out, name)
	}
	maps.Copy(out, m.update)
	return out, nil
}

func (m *mapFlags) check() error {
	whole := m.set != nil || m.file != ""
	if m.set != nil && m.file != "" || whole && (m.update != nil || m.remove != nil || m.clear) {
		return usagef("--set-%s and --%s-file replace all: neither can stand beside the other, --update-%s, --remove-%s or --clear-%s", m.noun, m.noun, m.noun, m.noun, m.noun)
	}
	return nil
}

func (m *mapFlags) read(dir string) (map[string]string, error) {
	path := m.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--%s-file: %v", m.noun, err)
	}
	parse := parseYAMLPairs
	if base := filepath.Base(path); strings.HasSuffix(base, ".env") || strings.HasPrefix(base, ".env") {
		parse = parseDotenv
	}
	out, err := parse(raw)
	if err != nil {
		return nil, usagef("--%s-file: %s: %v", m.noun, m.file, err)
	}
	return out, nil
}

// parseYAMLPairs reads a YAML document that is a map of texts; numbers and
// booleans are taken as they are written.
func parseYAMLPairs(raw []byte) (map[string]string, error) {
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(raw, &nodes); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(nodes))
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[name]
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: %s is not a text", node.Line, name)
		}
		out[name] = node.Value
	}
	return out, nil
}

// parseDotenv reads lines of the form NAME=VALUE. Lines that begin with # and
// empty ones are left out, and so are "export" in front of a name and a pair of
// quotes around a value.
func parseDotenv(raw []byte) (map[string]string, error) {
	out := map[string]string{}
	number := 0
	for line := range strings.Lines(string(raw)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d: %q is not of the form NAME=VALUE", number, line)
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		out[name] = value
	}
	return out, nil
}
