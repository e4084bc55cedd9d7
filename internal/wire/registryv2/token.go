package registryv2

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya"
)

// TokenPath is where clients turn user and password into a token (Docker's
// "Token Authentication Specification").
const TokenPath = "/v2/token"

// service is what tokens are asked for.
const service = "sunya"

// Refuse asks a caller who may not for user and password, or says why not, in
// the words of the specification.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *sunya.Error
	if !errors.As(err, &e) {
		e = sunya.Errorf(sunya.Internal, "", "internal error: see the server's log")
	}
	if e.Code == sunya.Unauthenticated {
		scheme := "http"
		// What a proxy says about itself only decides where its client is sent.
		if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
			scheme = "https"
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+scheme+"://"+r.Host+TokenPath+`",service="`+service+`"`)
	}
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	write(w, r, e.Code.HTTP(), e)
}

// Token answers TokenPath. Whoever gets here has shown a token as the password,
// or needs none: a client then goes on with the token that it came with.
func Token(credential func(r *http.Request) (token string, sent bool), life time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, sent := credential(r)
		if !sent {
			write(w, r, http.StatusUnauthorized, &sunya.Error{Code: sunya.Unauthenticated,
				Message: "log in with the user oauth2accesstoken and a token of this server as the password"})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]any{ // nobody is left to tell
			"token": token, "access_token": token, "expires_in": int(life.Seconds()),
		})
	})
}
