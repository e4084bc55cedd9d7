// Package oauth2 publishes the keys with which tokens are checked, in the forms
// and under the paths of Google's: a key set, and where to find it (OpenID
// Connect Discovery 1.0 §3).
package oauth2

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// The paths.
const (
	Certs     = "/oauth2/v3/certs"
	Discovery = "/.well-known/openid-configuration"
	// AccountCerts are the keys of what accounts sign (signBlob, signJwt):
	// followed by the account's address.
	AccountCerts = "/service_accounts/v1/jwk/*"
)

// keysLife is how long verifiers may keep the keys, which do not change yet.
const keysLife = "public, max-age=3600"

// Keys answers Certs with tokens.KeySet, and AccountCerts with
// tokens.AccountKeySet.
func Keys(keys func(context.Context) (*jose.JSONWebKeySet, error), log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set, err := keys(r.Context())
		if err != nil {
			log.ErrorContext(r.Context(), "publish keys", "err", err)
			http.Error(w, "the keys cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", keysLife)
		write(w, set)
	})
}

// Configuration answers Discovery.
func Configuration() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		write(w, map[string]any{
			"issuer":                                identity.Issuer,
			"jwks_uri":                              scheme + "://" + r.Host + Certs,
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
			"claims_supported":                      []string{"aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"},
		})
	})
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // nobody is left to tell
}
