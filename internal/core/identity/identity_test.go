package identity_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// kept keeps keys in memory.
type kept struct{ der map[string][]byte }

func (k *kept) Key(_ context.Context, name string, make func() ([]byte, error)) (_ []byte, err error) {
	if k.der == nil {
		k.der = map[string][]byte{}
	}
	if k.der[name] == nil {
		k.der[name], err = make()
	}
	return k.der[name], err
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestIDToken(t *testing.T) {
	keys := &kept{}
	now := start
	tokens := identity.New(keys, func() time.Time { return now })
	place := &identity.Place{ProjectID: "p", ProjectNumber: 7, Zone: "local-a", InstanceID: "i", InstanceName: "i"}
	token, err := tokens.IDToken(t.Context(), identity.IDRequest{Email: "a@p.example", Audience: "http://b", IncludeEmail: true, Place: place})
	if err != nil {
		t.Fatal(err)
	}
	set, err := tokens.KeySet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := parsed.Claims(set, &claims); err != nil {
		t.Fatalf("the published keys do not verify it: %v", err)
	}
	for name, want := range map[string]any{
		"iss": "https://accounts.google.com", "aud": "http://b", "email": "a@p.example", "email_verified": true,
		"iat": float64(start.Unix()), "exp": float64(start.Unix() + 3600),
	} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if sub, _ := claims["sub"].(string); len(sub) != 21 || sub != claims["azp"] {
		t.Errorf("sub = %v, azp = %v, want the same 21 digits", claims["sub"], claims["azp"])
	}
	if got, _ := json.Marshal(claims["google"]); !strings.Contains(string(got), `"project_id":"p"`) {
		t.Errorf("google = %s", got)
	}
	now = start.Add(59 * time.Minute)
	again := identity.New(keys, func() time.Time { return now }) // after a restart
	if c, err := again.Verify(t.Context(), token, "http://b"); err != nil || c.Email != "a@p.example" {
		t.Errorf("after a restart: %+v, %v", c, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	now := start
	clock := func() time.Time { return now }
	tokens := identity.New(&kept{}, clock)
	token, err := tokens.IDToken(t.Context(), identity.IDRequest{Email: "a@p", Audience: "http://b"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.New(&kept{}, clock).IDToken(t.Context(), identity.IDRequest{Email: "a@p", Audience: "http://b"})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	for _, c := range []struct {
		rule, token, audience string
		later                 time.Duration
	}{
		{"nonsense", "x.y.z", "http://b", 0},
		{"nothing", "", "http://b", 0},
		{"another platform's key", other, "http://b", 0},
		{"another audience", token, "http://c", 0},
		{"too late", token, "http://b", time.Hour + time.Second},
		{"a changed claim", parts[0] + "." + parts[1] + "x." + parts[2], "http://b", 0},
		{"no signature", parts[0] + "." + parts[1] + ".", "http://b", 0},
		{"algorithm none", "eyJhbGciOiJub25lIn0." + parts[1] + ".", "http://b", 0},
	} {
		now = start.Add(c.later)
		if _, err := tokens.Verify(t.Context(), c.token, c.audience); sunya.CodeOf(err) != sunya.Unauthenticated {
			t.Errorf("%s: %v, want Unauthenticated", c.rule, err)
		}
	}
}

func TestAccessToken(t *testing.T) {
	tokens := identity.New(&kept{}, func() time.Time { return start })
	token, err := tokens.AccessToken(t.Context(), "a@p", []string{"s1", "s2"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := tokens.VerifyAccess(t.Context(), token)
	if err != nil || c.Email != "a@p" || len(c.Scopes) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSign(t *testing.T) {
	tokens := identity.New(&kept{}, func() time.Time { return start })
	id, sig, err := tokens.Sign(t.Context(), []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := tokens.AccountKeySet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("payload"))
	if err := rsa.VerifyPKCS1v15(set.Key(id)[0].Key.(*rsa.PublicKey), crypto.SHA256, sum[:], sig); err != nil {
		t.Error(err)
	}
}

// TestKindsAreNotConfused (S21): a token of one kind is never taken for another,
// whatever it says; nor is what an account has signed with claims of its own.
func TestKindsAreNotConfused(t *testing.T) {
	ctx := t.Context()
	tokens := identity.New(&kept{}, func() time.Time { return start })
	id, err := tokens.IDToken(ctx, identity.IDRequest{Email: "a@p", Audience: identity.APIAudience, IncludeEmail: true})
	if err != nil {
		t.Fatal(err)
	}
	access, err := tokens.AccessToken(ctx, "a@p", []string{identity.CloudPlatform})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": identity.Issuer, "sub": "1", "aud": identity.APIAudience, "email": "owner@p",
		"scope": identity.CloudPlatform, "iat": start.Unix(), "exp": start.Unix() + 3600})
	if err != nil {
		t.Fatal(err)
	}
	_, own, err := tokens.SignClaims(ctx, claims)
	if err != nil {
		t.Fatal(err)
	}
	asID := func(token string) error { _, err := tokens.Verify(ctx, token, ""); return err }
	asAccess := func(token string) error { _, err := tokens.VerifyAccess(ctx, token); return err }
	for _, c := range []struct {
		kind, token string
		as          func(string) error
		ok          bool
	}{
		{"identity as identity", id, asID, true},
		{"access as access", access, asAccess, true},
		{"identity for the API as access", id, asAccess, false},
		{"access as identity", access, asID, false},
		{"self-made as identity", own, asID, false},
		{"self-made as access", own, asAccess, false},
	} {
		if err := c.as(c.token); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.kind, err)
		}
	}
	published, err := tokens.KeySet(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for kind, token := range map[string]string{"access": access, "self-made": own} {
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if err := parsed.Claims(published, new(jwt.Claims)); err == nil {
			t.Errorf("programs that check tokens with the published keys take an %s token", kind)
		}
	}
}
