// Package ociremote speaks with other registries, by the OCI distribution
// protocol, as a client that trusts none of them: how much they send, how
// slowly, where they redirect to and where they want credentials to be sent is
// all theirs to say and ours to refuse.
package ociremote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/images"
	"github.com/sunya-cloud/sunya/internal/core/registry"
)

// Client pulls from registries. It implements images.Remote and is safe for
// concurrent use.
type Client struct {
	credentials *Credentials
	agent       string

	mu    sync.Mutex
	known map[string]*session
}

var _ images.Remote = (*Client)(nil)

// maxSessions is how many repositories a Client stays logged in to.
const maxSessions = 128

// New returns a Client that identifies itself as agent.
func New(credentials *Credentials, agent string) *Client {
	return &Client{credentials: credentials, agent: agent, known: map[string]*session{}}
}

// Close gives idle connections back.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.known {
		s.close()
	}
	clear(c.known)
}

// accepted are the media types of manifests that are asked for.
var accepted = strings.Join([]string{v1.MediaTypeImageManifest, v1.MediaTypeImageIndex, registry.DockerManifest, registry.DockerList}, ", ")

// Manifest implements images.Remote.
func (c *Client) Manifest(ctx context.Context, e images.Endpoint, repository, version string, limit int64) (string, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, shortRequest)
	defer cancel()
	res, err := c.get(ctx, e, repository, "/manifests/"+version, accepted)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close() // it has been read
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return "", nil, explain(err)
	}
	if int64(len(body)) > limit {
		return "", nil, sunya.Errorf(sunya.InvalidArgument, "", "the manifest has more than %v", sunya.Bytes(limit))
	}
	mediaType := res.Header.Get("Content-Type")
	if mediaType == "application/octet-stream" || strings.HasPrefix(mediaType, "text/") {
		mediaType = "" // of a file server, which does not know; the manifest does
	}
	return mediaType, body, nil
}

// Blob implements images.Remote.
func (c *Client) Blob(ctx context.Context, e images.Endpoint, repository, digest string) (io.ReadCloser, error) {
	res, err := c.get(context.WithValue(ctx, wholeKey{}, true), e, repository, "/blobs/"+digest, "")
	if err != nil {
		return nil, err
	}
	return &explained{res.Body}, nil
}

// explained is a body whose errors say what a caller can do about them.
type explained struct{ io.ReadCloser }

// Read implements io.Reader.
func (e *explained) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = explain(err)
	}
	return n, err
}

// get asks for something of a repository.
func (c *Client) get(ctx context.Context, e images.Endpoint, repository, path, accept string) (*http.Response, error) {
	s, err := c.session(ctx, e, repository)
	if err != nil {
		return nil, explain(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path+s.query, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", e, err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if err := transport.CheckError(res, http.StatusOK); err != nil {
		return nil, explain(errors.Join(err, res.Body.Close()))
	}
	return res, nil
}

// session is what is known of a repository of a registry: how to log in.
type session struct {
	client *http.Client
	base   string // of the repository
	query  string
	close  func()
}

// session logs in to a repository, or returns the login of before.
func (c *Client) session(ctx context.Context, e images.Endpoint, repository string) (*session, error) {
	key := e.String() + " " + repository
	c.mu.Lock()
	s := c.known[key]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := c.login(ctx, e, repository)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxSessions {
		for _, old := range c.known {
			old.close()
		}
		clear(c.known)
	}
	c.known[key] = s
	return s, nil
}

func (c *Client) login(ctx context.Context, e images.Endpoint, repository string) (*session, error) {
	host := e.Host
	if e.Mirror != "" {
		host = e.Mirror
	}
	var options []name.Option
	if e.Plain {
		options = append(options, name.Insecure)
	}
	reg, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, sunya.Errorf(sunya.InvalidArgument, "", "%q is no registry: %v", host, err)
	}
	repo, err := name.NewRepository(reg.RegistryStr()+"/"+repository, options...)
	if err != nil {
		return nil, sunya.Errorf(sunya.InvalidArgument, "", "%q is no repository of %s: %v", repository, host, err)
	}
	g := newGuard(reg.RegistryStr(), e.Mirror != "")
	auth := c.credentials.of(reg.RegistryStr())
	ctx, cancel := context.WithTimeout(ctx, shortRequest)
	defer cancel()
	rt, err := transport.NewWithContext(ctx, reg, auth, transport.NewUserAgent(g, c.agent), []string{repo.Scope(transport.PullScope)})
	if err != nil {
		g.close()
		return nil, err
	}
	// The login has found out which scheme it is, and puts it right.
	s := &session{
		client: &http.Client{Transport: rt, CheckRedirect: checkRedirect},
		base:   reg.Scheme() + "://" + reg.RegistryStr() + "/v2/" + repo.RepositoryStr(),
		close:  g.close,
	}
	if e.Mirror != "" {
		s.query = "?ns=" + e.Host // as containerd asks mirrors
	}
	return s, nil
}
