//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestAnAppKnowsWhoItIs runs Google's own authentication library, unmodified
// and without a setting, inside an app.
func TestAnAppKnowsWhoItIs(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	dir := platform.Files(t, map[string]string{
		"app.yaml":         "runtime: python311\nservice_account: worker@sunya.iam.gserviceaccount.com\n",
		"requirements.txt": "Flask\ngunicorn\ngoogle-auth\nrequests\n",
		"main.py": `import google.auth
import google.auth.transport.requests
import google.oauth2.id_token
import requests
from flask import Flask

app = Flask(__name__)

@app.route("/")
def who():
    credentials, project = google.auth.default()
    request = google.auth.transport.requests.Request()
    credentials.refresh(request)
    base = "http://169.254.169.254/computeMetadata/v1/"
    zone = requests.get(base + "instance/zone", headers={"Metadata-Flavor": "Google"}, timeout=5).text
    return {"project": project, "email": credentials.service_account_email, "access": credentials.token,
            "id": google.oauth2.id_token.fetch_id_token(request, "http://other.localhost"), "zone": zone}

@app.route("/bare")
def bare():
    return str(requests.get("http://metadata.google.internal/computeMetadata/v1/project/project-id", timeout=5).status_code)
`,
	})
	host := s.Deploy(dir)
	var got struct{ Project, Email, Access, ID, Zone string }
	if err := json.Unmarshal([]byte(s.Get(host, "/")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Project != "sunya" || got.Email != "worker@sunya.iam.gserviceaccount.com" || !strings.HasSuffix(got.Zone, "/zones/local-a") || got.Access == "" {
		t.Errorf("the app is told %+v", got)
	}
	if status := s.Get(host, "/bare"); status != "403" {
		t.Errorf("without Metadata-Flavor: %s, want 403", status)
	}
	set := keySet(t, s)
	if email := emailOf(t, set, got.ID, "http://other.localhost"); email != got.Email {
		t.Errorf("the identity token is %q's", email)
	}
	s.Kill()
	s.Up()
	if err := json.Unmarshal([]byte(s.Get(host, "/")), &got); err != nil {
		t.Fatal(err)
	}
	emailOf(t, set, got.ID, "http://other.localhost") // the key outlives the server
	token := strings.TrimSpace(s.OK("auth", "print-identity-token", "--audiences", "http://x").Stdout)
	if email := emailOf(t, set, token, "http://x"); email != "sunya@appspot.gserviceaccount.com" {
		t.Errorf("print-identity-token is %q's", email)
	}
}

// keySet reads the published keys, the way a verifier finds them.
func keySet(t *testing.T, s *platform.Server) *jose.JSONWebKeySet {
	t.Helper()
	var config struct {
		Keys string `json:"jwks_uri"`
	}
	getJSON(t, s.URL()+"/.well-known/openid-configuration", &config)
	set := &jose.JSONWebKeySet{}
	getJSON(t, config.Keys, set)
	return set
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := platform.Client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// emailOf checks a token with published keys and returns whose it is.
func emailOf(t *testing.T, set *jose.JSONWebKeySet, token, audience string) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Aud   string `json:"aud"`
		Email string `json:"email"`
		Iss   string `json:"iss"`
	}
	if err := parsed.Claims(set, &claims); err != nil {
		t.Fatalf("the published keys do not verify the token: %v", err)
	}
	if claims.Aud != audience || claims.Iss != "https://accounts.google.com" {
		t.Errorf("claims = %+v", claims)
	}
	return claims.Email
}

// TestCredentialsAPI makes tokens and signatures through Google's own client.
func TestCredentialsAPI(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	c, err := credentials.NewIamCredentialsRESTClient(t.Context(), option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const name = "projects/-/serviceAccounts/a@sunya.iam.gserviceaccount.com"
	id, err := c.GenerateIdToken(t.Context(), &credentialspb.GenerateIdTokenRequest{Name: name, Audience: "http://x", IncludeEmail: true})
	if err != nil {
		t.Fatal(err)
	}
	if email := emailOf(t, keySet(t, s), id.GetToken(), "http://x"); email != "a@sunya.iam.gserviceaccount.com" {
		t.Errorf("token of %q", email)
	}
	if blob, err := c.SignBlob(t.Context(), &credentialspb.SignBlobRequest{Name: name, Payload: []byte("x")}); err != nil || len(blob.GetSignedBlob()) != 256 {
		t.Errorf("SignBlob: %d bytes, %v", len(blob.GetSignedBlob()), err)
	}
	for what, call := range map[string]func() error{
		"no audience": func() error {
			_, err := c.GenerateIdToken(t.Context(), &credentialspb.GenerateIdTokenRequest{Name: name})
			return err
		},
		"no scope": func() error {
			_, err := c.GenerateAccessToken(t.Context(), &credentialspb.GenerateAccessTokenRequest{Name: name})
			return err
		},
		"no account": func() error {
			_, err := c.SignJwt(t.Context(), &credentialspb.SignJwtRequest{Name: "projects/-/serviceAccounts/nobody", Payload: "{}"})
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "400") {
			t.Errorf("%s: %v, want a 400", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Data, "keys", "signing.pem")); err != nil {
		t.Errorf("the key is not kept: %v", err)
	}
}
