package oauth2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// keys keeps them in memory.
type keys map[string][]byte

func (k keys) Key(_ context.Context, name string, make func() ([]byte, error)) (_ []byte, err error) {
	if k[name] == nil {
		k[name], err = make()
	}
	return k[name], err
}

func assertionOf(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

func TestToken(t *testing.T) {
	tokens := identity.New(keys{}, time.Now)
	h := Token(tokens, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		grant, assertion string
		field            string // of the answer that has the token
		want             string // audience, or what the error says
	}{
		{grant, assertionOf(`{"iss":"a@p.iam.gserviceaccount.com","target_audience":"http://x"}`), "id_token", "http://x"},
		{grant, assertionOf(`{"iss":"a@p.iam.gserviceaccount.com","scope":"s"}`), "access_token", identity.APIAudience},
		{grant, assertionOf(`{"iss":"me"}`), "", "is not the e-mail address of a service account"},
		{grant, assertionOf(`[]`), "", "not JSON"},
		{grant, "a.!.b", "", "not base64url"},
		{grant, "", "", "not a signed JWT"},
		{"refresh_token", "", "", "is not supported"},
	} {
		r := httptest.NewRequest(http.MethodPost, TokenPath, strings.NewReader(url.Values{"grant_type": {tt.grant}, "assertion": {tt.assertion}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answer := map[string]any{}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		if tt.field == "" {
			if text, _ := answer["error_description"].(string); w.Code != http.StatusBadRequest || !strings.Contains(text, tt.want) {
				t.Errorf("%s: %d %v, want %q", tt.assertion, w.Code, answer, tt.want)
			}
			continue
		}
		token, _ := answer[tt.field].(string)
		verify := func() (*identity.Claims, error) { return tokens.Verify(t.Context(), token, tt.want) }
		if tt.field == "access_token" {
			verify = func() (*identity.Claims, error) { return tokens.VerifyAccess(t.Context(), token) }
		}
		if claims, err := verify(); err != nil || claims.Email != "a@p.iam.gserviceaccount.com" {
			t.Errorf("%s: %v, %+v, %v", tt.assertion, answer, claims, err)
		}
	}
}

func FuzzAssertion(f *testing.F) {
	f.Add(assertionOf(`{"iss":"a@b.c","target_audience":"x"}`))
	f.Fuzz(func(t *testing.T, jwt string) {
		if a, err := parseAssertion(jwt); err == nil && !strings.Contains(a.Issuer, "@") {
			t.Errorf("%q: %+v", jwt, a)
		}
	})
}
