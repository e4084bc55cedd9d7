package images

import (
	"context"
	"io"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Remote speaks the protocol of other registries.
//
// Errors are NotFound when there is no such thing, PermissionDenied when the
// registry wants other credentials, InvalidArgument when it breaks the rules,
// and Unavailable when asking again may help.
type Remote interface {
	// Manifest returns what a tag or digest stands for, at most limit bytes of
	// it. Nothing is verified.
	Manifest(ctx context.Context, e Endpoint, repository, version string, limit int64) (mediaType string, body []byte, err error)
	// Blob returns the bytes of a blob. Reading them fails when they stop
	// coming.
	Blob(ctx context.Context, e Endpoint, repository, digest string) (io.ReadCloser, error)
}

// Endpoint is where a registry is asked.
type Endpoint struct {
	Host   string // HOST[:PORT] of the registry that names speak of
	Mirror string // HOST[:PORT] that is asked instead; empty: itself
	Plain  bool   // the mirror speaks HTTP without TLS
}

// String returns what is asked, as people know it.
func (e Endpoint) String() string {
	if e.Mirror == "" {
		return e.Host
	}
	return e.Mirror + " (mirror of " + e.Host + ")"
}

// Mirrors says where registries are asked instead of at their own address.
type Mirrors struct {
	of    map[string][]Endpoint
	local map[string]bool
}

// localMirror stands for this server: what it does not have is nowhere.
const localMirror = "local"

// ParseMirrors reads settings of the form HOST=[http://|https://]MIRROR[:PORT]
// or HOST=local. Several mirrors of one host are asked in their order, and its
// own address last.
func ParseMirrors(settings []string) (Mirrors, error) {
	m := Mirrors{of: map[string][]Endpoint{}, local: map[string]bool{}}
	for _, s := range settings {
		host, mirror, ok := strings.Cut(s, "=")
		if !ok || !hostRE.MatchString(host) {
			return m, sunya.Errorf(sunya.InvalidArgument, "", "%q is not HOST=MIRROR: use docker.io=mirror.example.com:5000, or docker.io=local for images that were pushed here", s)
		}
		host = strings.ToLower(host)
		if mirror == localMirror {
			m.local[host] = true
			continue
		}
		e := Endpoint{Host: host}
		e.Mirror, e.Plain = strings.CutPrefix(mirror, "http://")
		e.Mirror = strings.TrimSuffix(strings.TrimPrefix(e.Mirror, "https://"), "/")
		if !hostRE.MatchString(e.Mirror) {
			return m, sunya.Errorf(sunya.InvalidArgument, "", "%q: the mirror %q is not a host name or address with an optional port", s, e.Mirror)
		}
		m.of[host] = append(m.of[host], e)
	}
	return m, nil
}

// endpoints are where a registry is asked, in order; none for one that is local.
func (m Mirrors) endpoints(host string) []Endpoint {
	if m.local[host] {
		return nil
	}
	return append(append([]Endpoint{}, m.of[host]...), Endpoint{Host: host})
}
