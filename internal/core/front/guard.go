package front

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// guard decides who may call. Only a hash of the token is kept.
type guard struct {
	owners   []int
	hasToken bool
	token    [sha256.Size]byte
	account  func(ctx context.Context, token string) error
}

func newGuard(c Config) guard {
	return guard{
		owners:   slices.Clone(c.Owners),
		hasToken: c.Token != "",
		token:    sha256.Sum256([]byte(c.Token)),
		account:  c.Account,
	}
}

// permit returns nil when the caller of r has the permission, and else an error
// that tells the caller what it takes.
func (g *guard) permit(r *http.Request, p Permission) error {
	if p == Public {
		return nil
	}
	if p == Password {
		return g.password(r)
	}
	if p != Local && p != Token {
		return sunya.Errorf(sunya.PermissionDenied, "", "this route is closed")
	}
	token, sent := bearer(r)
	if sent && g.good(token) {
		return nil
	}
	if p == Token {
		return unauthenticated("this call needs a token: send Authorization: Bearer TOKEN")
	}
	return g.local(r)
}

// password is permit for clients that know users and passwords: whoever has
// shown none is asked for one, also where another would be told no.
func (g *guard) password(r *http.Request) error {
	token, sent := Credential(r)
	if !sent {
		if err := g.local(r); err != nil {
			return unauthenticated("log in with the user oauth2accesstoken and a token of this server as the password")
		}
		return nil
	}
	if g.good(token) {
		return nil
	}
	if g.account != nil && g.account(r.Context(), token) == nil {
		return nil
	}
	return unauthenticated("the password is no token of this server: use the admin token, or what sunya auth print-access-token prints")
}

// Credential returns the token that a request of a route with the permission
// Password carries: a bearer token, or the password of Basic, whoever the user.
func Credential(r *http.Request) (token string, sent bool) {
	if token, sent = bearer(r); sent {
		return token, true
	}
	_, token, sent = r.BasicAuth()
	return token, sent
}

// local returns nil when r comes straight from a process of an owner on this
// machine.
func (g *guard) local(r *http.Request) error {
	if marked(r) {
		return sunya.Errorf(sunya.PermissionDenied, "", "a call from a web page needs a token: send Authorization: Bearer TOKEN")
	}
	peer := peerOf(r)
	if peer == nil || !peer.loopback {
		return unauthenticated("a call from another machine needs a token: send Authorization: Bearer TOKEN")
	}
	if proxied(r) {
		return unauthenticated("a call through a proxy needs a token: send Authorization: Bearer TOKEN")
	}
	uid, err := peer.owner()
	if err != nil {
		return &sunya.Error{Code: sunya.PermissionDenied, Err: err,
			Message: "the calling process could not be told: call again, or send Authorization: Bearer TOKEN"}
	}
	if !slices.Contains(g.owners, uid) {
		return sunya.Errorf(sunya.PermissionDenied, "", "user %d does not own this server: call as its owner, or send Authorization: Bearer TOKEN", uid)
	}
	return nil
}

func unauthenticated(msg string) error {
	return sunya.Errorf(sunya.Unauthenticated, "", "%s", msg)
}

// good compares in constant time.
func (g *guard) good(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1 && g.hasToken
}

// bearer returns the token of the Authorization header (RFC 6750 §2.1; the
// scheme is case-insensitive).
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// marked says whether a browser made the request on behalf of some page: all of
// them send Sec-Fetch-Site, or Origin with everything that is not a plain GET.
func marked(r *http.Request) bool {
	if len(r.Header["Origin"]) > 0 {
		return true
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "none" && site != "same-origin" {
			return true
		}
	}
	return false
}

// forwarding are the fields by which proxies tell whom they speak for.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via"}

// proxied says whether somebody else's request was passed on: then the uid of
// the connection is the proxy's.
func proxied(r *http.Request) bool {
	for _, name := range forwarding {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}
