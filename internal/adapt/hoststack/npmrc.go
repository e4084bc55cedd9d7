package hoststack

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
)

// npmKeyRE are the keys of an .npmrc that say where packages come from and how
// they are fetched. Everything else in it stays with the owner.
var npmKeyRE = regexp.MustCompile(`^(?:registry|@[\w.-]+:registry|//[^\s:]+(?::[0-9]+)?[^\s:]*:(?:_authToken|_auth|username|_password|always-auth)|always-auth|strict-ssl|ca|proxy|https-proxy|noproxy|fetch-[a-z-]+|maxsockets|replace-registry-host)$`)

// npmVar names the .npmrc of a build.
const npmVar = "npm_config_userconfig"

// npmrc returns the .npmrc for builds, and the addresses on this machine's
// loopback that it names. yarn, from version 2 on, does not read it: env, the
// environment of builds, tells it the registry.
func (p places) npmrc(env map[string]string) (*build.ClientFile, []string) {
	settings := p.readNpmrc()
	registry := env["npm_config_registry"]
	if registry == "" {
		registry = env["NPM_CONFIG_REGISTRY"]
	}
	var addrs []string
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		line, found := redirect(key + "=" + settings[key])
		if rest, ok := strings.CutPrefix(key, "//"); ok { // credentials of a host, without a scheme
			line, found = redirect("http://" + rest + "=" + settings[key])
			line = strings.TrimPrefix(line, "http:")
		}
		addrs = append(addrs, found...)
		text.WriteString(line + "\n")
		if key == "registry" && registry == "" {
			_, registry, _ = strings.Cut(line, "=")
		}
	}
	if registry != "" && env["YARN_NPM_REGISTRY_SERVER"] == "" {
		env["YARN_NPM_REGISTRY_SERVER"] = registry
		if host, ok := strings.CutPrefix(registry, "http://"); ok {
			host, _, _ = strings.Cut(host, "/")
			host, _, _ = strings.Cut(host, ":")
			env["YARN_UNSAFE_HTTP_WHITELIST"] = host
		}
	}
	if text.Len() == 0 {
		return nil, nil
	}
	return &build.ClientFile{Name: "npmrc", Vars: []string{npmVar}, Content: []byte(text.String())}, addrs
}

// readNpmrc reads the owner's .npmrc: the one that a variable names, else that
// of the home folder.
func (p places) readNpmrc() map[string]string {
	path := p.getenv("NPM_CONFIG_USERCONFIG")
	if path == "" {
		path = p.getenv(npmVar)
	}
	if path == "" && p.home != "" {
		path = filepath.Join(p.home, ".npmrc")
	}
	settings := map[string]string{}
	if !filepath.IsAbs(path) {
		return settings
	}
	data, err := readSmall(path)
	if err != nil {
		return settings
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok || !npmKeyRE.MatchString(strings.TrimSuffix(key, "[]")) {
			continue
		}
		settings[key] = os.Expand(strings.Trim(strings.TrimSpace(value), `"`), p.npmVariable)
	}
	return settings
}

// npmVariable is a variable as npm expands it: ${NAME} alone, and unknown ones
// stay.
func (p places) npmVariable(name string) string {
	if v := p.getenv(name); v != "" {
		return v
	}
	return "${" + name + "}"
}
