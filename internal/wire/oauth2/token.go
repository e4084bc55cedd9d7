package oauth2

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// TokenPath is where service accounts exchange what they have signed for a token.
const TokenPath = "/token"

// grant is the only way to ask (RFC 7523 §2.1).
const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// maxGrant is the size of a request, in bytes.
const maxGrant = 64 << 10

// Token answers TokenPath: an identity token for the audience that an assertion
// names, else an access token. Whoever may ask, which the route decides, may have
// one for any service account, as of IAM Credentials: the assertion says for whom,
// and its signature says nothing more.
func Token(tokens *identity.Tokens, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxGrant)
		answer, err := exchange(r, tokens)
		w.Header().Set("Cache-Control", "no-store")
		if err == nil {
			write(w, answer)
			return
		}
		code, kind := http.StatusBadRequest, "invalid_grant"
		if sunya.CodeOf(err) != sunya.InvalidArgument {
			log.ErrorContext(r.Context(), "exchange token", "err", err)
			code, kind, err = http.StatusInternalServerError, "server_error", sunya.Errorf(sunya.Internal, "", "the token cannot be made: see the server's log")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": kind, "error_description": err.Error()}) // nobody is left to tell
	})
}

func exchange(r *http.Request, tokens *identity.Tokens) (map[string]any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, sunya.Invalid("", "the request is no form: %v", err)
	}
	if g := r.PostForm.Get("grant_type"); g != grant {
		return nil, sunya.Invalid("grant_type", "%q is not supported: use %s", g, grant)
	}
	a, err := parseAssertion(r.PostForm.Get("assertion"))
	if err != nil {
		return nil, err
	}
	if a.Audience != "" {
		token, err := tokens.IDToken(r.Context(), identity.IDRequest{Email: a.Issuer, Audience: a.Audience, IncludeEmail: true})
		return map[string]any{"id_token": token}, err
	}
	token, err := tokens.AccessToken(r.Context(), a.Issuer, strings.Fields(a.Scope))
	return map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(identity.TokenLife.Seconds())}, err
}

// assertion is what the exchange needs of one.
type assertion struct {
	Issuer   string `json:"iss"`
	Audience string `json:"target_audience"` // of the token that is wanted; empty: an access token
	Scope    string `json:"scope"`
}

// parseAssertion reads a signed JWT.
func parseAssertion(jwt string) (*assertion, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, sunya.Invalid("assertion", "it is not a signed JWT")
	}
	doc, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, sunya.Invalid("assertion", "its claims are not base64url")
	}
	var a assertion
	if err := json.Unmarshal(doc, &a); err != nil {
		return nil, sunya.Invalid("assertion", "its claims are not JSON: %v", err)
	}
	if !sunya.IsAccount(a.Issuer) {
		return nil, sunya.Invalid("assertion", "iss: %q is not the e-mail address of a service account", a.Issuer)
	}
	return &a, nil
}
