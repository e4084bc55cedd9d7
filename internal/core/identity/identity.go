// Package identity makes and checks the tokens by which the code that runs here
// says who it is: identity tokens for other services, access tokens for APIs.
//
// Both are JSON Web Tokens signed with keys of this platform (RS256). They have
// the claims of Google's own, issuer included, because the libraries of apps look
// for exactly that. Each kind has a key of its own, and so has what accounts sign
// with words of their own choosing: only the key of identity tokens is published
// as the issuer's.
package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sunya-cloud/sunya"
)

// Issuer is who Google's tokens say made them; verifiers compare it.
const Issuer = "https://accounts.google.com"

// CloudPlatform is the scope of everything.
const CloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// APIAudience is the audience of access tokens: only this platform's APIs take
// them.
const APIAudience = "https://sunya.api/"

// TokenLife is how long a token counts, as at Google.
const TokenLife = time.Hour

// Keys keeps private keys by name. One is made when the first token of its kind
// is asked for: most servers never need any.
type Keys interface {
	// Key returns what make returned the first time for a name, PKCS #8 in DER.
	// It is durable before it is returned.
	Key(ctx context.Context, name string, make func() ([]byte, error)) ([]byte, error)
}

// The names of the keys.
const (
	idKey      = "signing"
	accessKey  = "access"
	accountKey = "accounts"
)

// accessType is the typ of access tokens (RFC 9068 §2.1).
const accessType = "at+jwt"

// Tokens makes and checks tokens. It is safe for concurrent use.
type Tokens struct {
	ids, access, accounts *ring
	now                   func() time.Time
}

// New returns Tokens.
func New(keys Keys, now func() time.Time) *Tokens {
	return &Tokens{
		ids:      &ring{keys: keys, name: idKey, kind: "JWT"},
		access:   &ring{keys: keys, name: accessKey, kind: accessType},
		accounts: &ring{keys: keys, name: accountKey, kind: "JWT"},
		now:      now,
	}
}

// Claims is what a token says.
type Claims struct {
	Email    string // of the account; empty when the token does not say
	Subject  string // the account's number
	Audience []string
	Scopes   []string // of an access token
	Issued   time.Time
	Expires  time.Time
}

// standard are the claims of every token. The audience is one string, not a
// list: Google's libraries compare it as it is.
type standard struct {
	Issuer   string           `json:"iss"`
	Subject  string           `json:"sub"`
	Audience string           `json:"aud"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	Expiry   *jwt.NumericDate `json:"exp"`
}

// idClaims are an identity token's own claims.
type idClaims struct {
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Presenter     string `json:"azp,omitempty"`
	Google        *gce   `json:"google,omitempty"`
}

// gce is where the caller runs, in tokens of the format full.
type gce struct {
	ComputeEngine Place `json:"compute_engine"`
}

// Place is where an instance runs.
type Place struct {
	ProjectID     string `json:"project_id"`
	ProjectNumber int64  `json:"project_number"`
	Zone          string `json:"zone"`
	InstanceID    string `json:"instance_id"`
	InstanceName  string `json:"instance_name"`
}

// accessClaims are an access token's own claims.
type accessClaims struct {
	Email string `json:"email"`
	Scope string `json:"scope,omitempty"`
}

// IDRequest is what an identity token is to say.
type IDRequest struct {
	Email        string
	Audience     string
	IncludeEmail bool
	Place        *Place // nil: not said
}

// IDToken returns an identity token.
func (t *Tokens) IDToken(ctx context.Context, r IDRequest) (string, error) {
	if r.Audience == "" {
		return "", sunya.Invalid("audience", "is missing: give the URL of the service that is to be called")
	}
	own := idClaims{Presenter: subject(r.Email)}
	if r.IncludeEmail {
		own.Email, own.EmailVerified = r.Email, true
	}
	if r.Place != nil {
		own.Google = &gce{*r.Place}
	}
	return t.token(ctx, t.ids, r.Email, r.Audience, own)
}

// AccessToken returns a token for this platform's APIs.
func (t *Tokens) AccessToken(ctx context.Context, email string, scopes []string) (string, error) {
	return t.token(ctx, t.access, email, APIAudience, accessClaims{Email: email, Scope: strings.Join(scopes, " ")})
}

func (t *Tokens) token(ctx context.Context, keys *ring, email, audience string, own any) (string, error) {
	signer, err := keys.signer(ctx)
	if err != nil {
		return "", err
	}
	now := t.now()
	token, err := jwt.Signed(signer).Claims(standard{
		Issuer:   Issuer,
		Subject:  subject(email),
		Audience: audience,
		IssuedAt: jwt.NewNumericDate(now),
		Expiry:   jwt.NewNumericDate(now.Add(TokenLife)),
	}).Claims(own).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// subject is the number of an account: Google's are 21 digits, and so is this
// one, made from the address.
func subject(email string) string {
	sum := sha256.Sum256([]byte(email))
	var n uint64
	for _, b := range sum[:8] {
		n = n<<8 | uint64(b)
	}
	return fmt.Sprintf("1%020d", n)
}

// Verify checks an identity token and returns what it says. An empty audience
// takes any. Errors are Unauthenticated and say why.
func (t *Tokens) Verify(ctx context.Context, token, audience string) (*Claims, error) {
	return t.verify(ctx, t.ids, token, audience)
}

// VerifyAccess checks an access token and returns what it says.
func (t *Tokens) VerifyAccess(ctx context.Context, token string) (*Claims, error) {
	return t.verify(ctx, t.access, token, APIAudience)
}

func (t *Tokens) verify(ctx context.Context, keys *ring, token, audience string) (*Claims, error) {
	if _, err := keys.signer(ctx); err != nil {
		return nil, err
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, invalid("it is not a signed JSON Web Token")
	}
	var std jwt.Claims
	var own accessClaims
	if err := parsed.Claims(&keys.key.PublicKey, &std, &own); err != nil {
		return nil, invalid("its signature is not this platform's for such tokens")
	}
	if kind, _ := parsed.Headers[0].ExtraHeaders[jose.HeaderType].(string); kind != keys.kind {
		return nil, invalid("it is a token of another kind")
	}
	if err := std.ValidateWithLeeway(jwt.Expected{Issuer: Issuer, Time: t.now()}, 0); err != nil {
		return nil, invalid("it has expired, or another issuer")
	}
	if audience != "" && !slices.Contains(std.Audience, audience) {
		return nil, invalid(fmt.Sprintf("it is for %q, not for %q", std.Audience, audience))
	}
	return &Claims{
		Email:    own.Email,
		Subject:  std.Subject,
		Audience: std.Audience,
		Scopes:   strings.Fields(own.Scope),
		Issued:   std.IssuedAt.Time(),
		Expires:  std.Expiry.Time(),
	}, nil
}

func invalid(why string) error {
	return sunya.Errorf(sunya.Unauthenticated, "", "the token does not count: %s", why)
}
