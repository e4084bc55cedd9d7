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

// The settings that builds inherit: where packages come from and how they are
// fetched. Everything else of the owner's environment stays with the owner.
var (
	clientPrefixes = []string{"BUNDLE_MIRROR__", "PIP_", "UV_", "NPM_CONFIG_", "npm_config_", "POETRY_REPOSITORIES_", "POETRY_HTTP_BASIC_"}
	clientNames    = []string{
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
		"GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE", "GOFLAGS",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
		"PIPENV_PYPI_MIRROR", "YARN_NPM_REGISTRY_SERVER", "YARN_UNSAFE_HTTP_WHITELIST",
	}
	// Settings that say where the owner's own files or programs are.
	ownersOwn = regexp.MustCompile(`(?i)^(?:PIP|UV|NPM_CONFIG)_(?:CONFIG_FILE|CACHE_DIR|CACHE|PYTHON|PYTHON_INSTALL_DIR|PYTHON_BIN_DIR|TOOL_DIR|TOOL_BIN_DIR|INSTALL_DIR|CREDENTIALS_DIR|PROJECT|PROJECT_ENVIRONMENT|WORKING_DIR(?:ECTORY)?|ENV_FILE|USERCONFIG|GLOBALCONFIG|PREFIX|LOG|LOG_FILE|TARGET|ROOT|USER|REQUIRE_VIRTUALENV|BUILD|SRC|REPORT|REQUIREMENT|EDITABLE)$`)
	// Settings whose value is a file to be copied into the sandbox.
	fileVars = []string{"PIP_CERT", "PIP_CLIENT_CERT", "UV_CONSTRAINT", "PIP_CONSTRAINT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE", "npm_config_cafile"}
	// Settings whose values may be folders of packages.
	folderVars = []string{"PIP_FIND_LINKS", "UV_FIND_LINKS"}
)

const maxClientFile = 4 << 20 // bytes; a bundle of every CA there is has 0.25 MB

// client collects the settings and the addresses on this machine that they
// name. The files of pip and of the go command come first, because the
// environment overrides them.
func (p places) client(environ []string) (build.Client, []string) {
	env := p.pipConfig()
	maps.Copy(env, p.goConfig())
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && inherited(name) {
			env[name] = value
		}
	}
	teachUV(env)
	c := build.Client{Env: env, Paths: slices.DeleteFunc(folders(env), p.tooWide)}
	c.Files = files(env)
	if certs := p.javaCertificates(); certs != "" {
		env[javaCerts] = certs
	}
	loopback := throughGateway(env)
	if f, addrs := p.maven(env); f != nil {
		c.Files = append(c.Files, *f)
		loopback = append(loopback, addrs...)
	}
	if f, addrs := p.npmrc(env); f != nil {
		c.Files = append(c.Files, *f)
		loopback = append(loopback, addrs...)
	}
	return c, loopback
}

func inherited(name string) bool {
	if ownersOwn.MatchString(name) {
		return false
	}
	return slices.Contains(clientNames, name) ||
		slices.ContainsFunc(clientPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// teachUV tells uv, which reads none of pip's settings, what pip was told.
func teachUV(env map[string]string) {
	for uv, pip := range map[string]string{
		"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX": "PIP_EXTRA_INDEX_URL", "UV_FIND_LINKS": "PIP_FIND_LINKS",
		"UV_INSECURE_HOST": "PIP_TRUSTED_HOST", "SSL_CERT_FILE": "PIP_CERT", "UV_HTTP_TIMEOUT": "PIP_DEFAULT_TIMEOUT",
		"UV_CONSTRAINT": "PIP_CONSTRAINT", "UV_NO_INDEX": "PIP_NO_INDEX",
	} {
		if env[uv] == "" && env[pip] != "" {
			env[uv] = env[pip]
		}
	}
	if env["UV_FIND_LINKS"] != "" { // uv separates with commas, pip with spaces
		env["UV_FIND_LINKS"] = strings.Join(strings.FieldsFunc(env["UV_FIND_LINKS"], func(r rune) bool { return r == ' ' || r == ',' }), ",")
	}
}

// files reads the files that settings name. One that every sandbox has at its
// own path stays a path; one that cannot be read takes its settings with it.
func files(env map[string]string) []build.ClientFile {
	byPath := map[string][]string{}
	for _, v := range fileVars {
		if path := env[v]; filepath.IsAbs(path) {
			byPath[path] = append(byPath[path], v)
		}
	}
	var list []build.ClientFile
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		content, err := readSmall(path)
		if err != nil {
			for _, v := range byPath[path] {
				delete(env, v)
			}
			continue
		}
		name := strings.ToLower(byPath[path][0]) + ".pem"
		list = append(list, build.ClientFile{Name: name, Vars: byPath[path], Content: content})
	}
	if len(list) > 0 { // a folder of certificates elsewhere would not be seen; the bundle is
		delete(env, "SSL_CERT_DIR")
	}
	return list
}

func readSmall(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxClientFile {
		return nil, os.ErrInvalid
	}
	return os.ReadFile(path)
}

// folders returns the package folders that settings name and that exist.
func folders(env map[string]string) []string {
	var list []string
	for _, v := range folderVars {
		for _, f := range strings.FieldsFunc(env[v], func(r rune) bool { return r == ' ' || r == ',' }) {
			f = strings.TrimPrefix(f, "file://")
			if fi, err := os.Stat(f); filepath.IsAbs(f) && err == nil && fi.IsDir() && f != "/" && !standard(f) && !slices.Contains(list, f) {
				list = append(list, filepath.Clean(f))
			}
		}
	}
	return list
}
