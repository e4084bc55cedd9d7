package node

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/ociremote"
	"github.com/sunya-cloud/sunya/internal/adapt/unpack"
	"github.com/sunya-cloud/sunya/internal/core/front"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/wire/registryv2"
)

// openImages makes the service that finds and pulls images.
func (p *products) openImages(cfg Config, m *machine, st *storage, log *slog.Logger) error {
	mirrors, err := images.ParseMirrors(cfg.RegistryMirrors)
	if err != nil {
		return fmt.Errorf("--registry-mirror: %w", err)
	}
	unpacker, err := unpack.New(unpack.Config{
		Engine: m.engine, Store: st.layers, Dir: m.dir.Join("run"), Log: log.With("component", "unpack"),
	})
	if err != nil {
		return fmt.Errorf("prepare the unpacker of images: %w", err)
	}
	st.layers.SetRemover(unpacker)
	p.images = images.New(images.Parts{
		Registry: p.registry,
		Remote:   m.remote,
		Unpacker: unpacker,
		Own:      m.ownRegistry(cfg.Domain),
		Mirrors:  mirrors,
		Now:      time.Now,
		Log:      log,
	})
	return nil
}

// dockerCredentials reads what docker login has left to the account that starts
// the server. It must be called before the rights of that account are given up.
// Without a file there are none.
func dockerCredentials(getenv func(string) string, log *slog.Logger) *ociremote.Credentials {
	dir := getenv("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(getenv("HOME"), ".docker")
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Warn("read passwords of registries", "path", path, "err", err)
		}
		return nil
	}
	c, warning, err := ociremote.ParseCredentials(text)
	if err != nil {
		log.Warn("read passwords of registries", "path", path, "err", err)
	} else if warning != "" {
		log.Warn(warning, "path", path)
	}
	return c
}

// addRegistry serves the registry. Its clients know users and passwords.
func (a *api) addRegistry(n *Node, log *slog.Logger) {
	h := registryv2.New(registryv2.Deps{
		Registry: n.products.registry,
		Names:    n.machine.ownRegistry(n.cfg.Domain),
		Upstream: images.Upstream{Service: n.products.images},
		Confine:  n.confine,
		Log:      log,
	})
	token := registryv2.Token(front.Credential, identity.TokenLife)
	for _, r := range []front.Route{
		{Pattern: "/v2/", Handler: h},
		{Pattern: "/v2", Handler: h},
		{Method: http.MethodGet, Pattern: registryv2.TokenPath, Handler: token},
	} {
		r.Permission, r.Refuse = front.Password, registryv2.Refuse
		a.routes = append(a.routes, r)
	}
}

// checkAccount says whether a token is an access token of an account.
func (n *Node) checkAccount(ctx context.Context, token string) error {
	_, err := n.tokens.VerifyAccess(ctx, token)
	return err
}

// confine keeps accounts to the images of their own projects. The owner of the
// server may use all.
func (n *Node) confine(r *http.Request) func(project string) bool {
	token, sent := front.Credential(r)
	if !sent || subtle.ConstantTimeCompare([]byte(token), []byte(n.admin)) == 1 {
		return nil
	}
	claims, err := n.tokens.VerifyAccess(r.Context(), token)
	return func(project string) bool { return err == nil && identity.Of(claims.Email, project) }
}

// ownRegistry is under which names images of this server are asked for.
func (m *machine) ownRegistry(domain string) images.Own {
	names := []string{"localhost", "127.0.0.1", "[::1]", "api." + domain}
	if host, err := os.Hostname(); err == nil {
		names = append(names, strings.ToLower(host))
	}
	var hosts []string
	for _, l := range m.listeners {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok || !l.Roles.Has(front.API) {
			continue
		}
		hosts = append(hosts, addr.String())
		_, port, _ := net.SplitHostPort(addr.String())
		for _, name := range names {
			hosts = append(hosts, name+":"+port)
			if port == "80" || port == "443" {
				hosts = append(hosts, name)
			}
		}
	}
	return images.NewOwn(hosts...)
}
