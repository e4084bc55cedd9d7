package ociremote

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Credentials are the users and passwords of registries. A nil *Credentials has
// none.
type Credentials struct {
	auths map[string]authn.AuthConfig // by host
}

// dockerConfig is what is read of ~/.docker/config.json.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	} `json:"auths"`
	CredsStore  string            `json:"credsStore"`
	CredHelpers map[string]string `json:"credHelpers"`
}

// ParseCredentials reads a docker config. warning says what of it cannot be
// used: programs that keep passwords belong to the account that has logged in,
// which the server is not any more.
func ParseCredentials(config []byte) (c *Credentials, warning string, err error) {
	var doc dockerConfig
	if err := json.Unmarshal(config, &doc); err != nil {
		return nil, "", fmt.Errorf("read docker config: %w", err)
	}
	c = &Credentials{auths: map[string]authn.AuthConfig{}}
	var without []string
	for key, a := range doc.Auths {
		cfg := authn.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}
		if a.Auth != "" {
			text, err := base64.StdEncoding.DecodeString(a.Auth)
			if err != nil {
				return nil, "", fmt.Errorf("read docker config: auths[%q].auth is not base64", key)
			}
			cfg.Username, cfg.Password, _ = strings.Cut(strings.TrimRight(string(text), "\x00"), ":")
		}
		if cfg == (authn.AuthConfig{}) {
			without = append(without, key)
			continue
		}
		c.auths[hostOfKey(key)] = cfg
	}
	for host := range doc.CredHelpers {
		without = append(without, host)
	}
	if len(without) > 0 || doc.CredsStore != "" {
		slices.Sort(without)
		warning = fmt.Sprintf("passwords for registries that a credential helper keeps cannot be used (%s): log in with docker --config DIR login, and start the server with DOCKER_CONFIG=DIR",
			strings.Join(slices.Compact(append(without, doc.CredsStore)), " "))
	}
	return c, warning, nil
}

// hostOfKey is the host of a key of auths, which may be a URL.
func hostOfKey(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	host, _, _ := strings.Cut(key, "/")
	host = strings.ToLower(host)
	if host == "docker.io" || host == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return host
}

// of returns the credentials for a registry.
func (c *Credentials) of(host string) authn.Authenticator {
	if c == nil {
		return authn.Anonymous
	}
	cfg, ok := c.auths[strings.ToLower(host)]
	if !ok {
		return authn.Anonymous
	}
	return authn.FromConfig(cfg)
}
