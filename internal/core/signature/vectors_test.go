package signature_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/signature"
)

// keys is one account, and HMAC keys by id.
type keys struct {
	account string
	public  *rsa.PublicKey
	secrets map[string]string
}

func (k keys) RSA(_ context.Context, account string) ([]*rsa.PublicKey, error) {
	if account != k.account {
		return nil, nil
	}
	return []*rsa.PublicKey{k.public}, nil
}

func (k keys) Secret(_ context.Context, id string) (string, error) {
	if s, ok := k.secrets[id]; ok {
		return s, nil
	}
	return "", sunya.Errorf(sunya.NotFound, id, "no such key")
}

// published are Google's vectors, which come with its client for Go.
type published struct {
	SigningV4Tests []struct {
		Description string
		Method      string
		Headers     map[string]string
		Timestamp   time.Time
		Expiration  int
		ExpectedURL string `json:"expectedUrl"`
	}
	PostPolicyV4Tests []struct {
		Description string
		PolicyInput struct {
			Bucket     string
			Timestamp  time.Time
			Expiration int
		}
		PolicyOutput struct{ Fields map[string]string }
	}
}

func vectors(t *testing.T) (published, keys) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "cloud.google.com/go/storage").Output()
	if err != nil || len(strings.TrimSpace(string(dir))) == 0 {
		t.Skipf("SKIP: the module with Google's vectors is not here: %v", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(dir)), "internal/test/conformance")
	var p published
	decode(t, filepath.Join(folder, "v4_signatures.json"), &p)
	var account struct {
		PrivateKey  string `json:"private_key"`
		ClientEmail string `json:"client_email"`
	}
	decode(t, filepath.Join(folder, "service-account"), &account)
	block, _ := pem.Decode([]byte(account.PrivateKey))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return p, keys{account: account.ClientEmail, public: &key.(*rsa.PrivateKey).PublicKey}
}

func decode(t *testing.T, file string, to any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
}

// request is what a client sends that was given a signed URL.
func request(t *testing.T, method, signedURL string, headers map[string]string) signature.Request {
	t.Helper()
	u, err := url.Parse(signedURL)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, value := range headers {
		h.Set(name, value)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return signature.Request{Method: method, Host: u.Host, Path: path, Query: u.RawQuery, Header: h, Length: -1}
}

// TestPublishedURLs holds Google's own vectors against the verifier, and the same
// with one thing changed.
func TestPublishedURLs(t *testing.T) {
	p, k := vectors(t)
	if len(p.SigningV4Tests) < 25 {
		t.Fatalf("%d vectors", len(p.SigningV4Tests))
	}
	for _, v := range p.SigningV4Tests {
		t.Run(v.Description, func(t *testing.T) {
			r := request(t, v.Method, v.ExpectedURL, v.Headers)
			now := v.Timestamp.Add(time.Duration(v.Expiration-1) * time.Second)
			signed, err := signature.Verify(t.Context(), r, k, now)
			if err != nil || signed == nil || signed.Signer != k.account {
				t.Fatalf("%+v, %v", signed, err)
			}
			if _, err := signature.Verify(t.Context(), r, k, now.Add(2*time.Second)); code(err) != "ExpiredToken" {
				t.Errorf("after its end: %v", err)
			}
			for what, change := range map[string]func(*signature.Request){
				"another method": func(r *signature.Request) { r.Method = "PATCH" },
				"another object": func(r *signature.Request) { r.Path += "x" },
				"another host":   func(r *signature.Request) { r.Host = "other.example" },
				"one more value": func(r *signature.Request) { r.Query += "&generation=1" },
			} {
				bad := r
				change(&bad)
				if _, err := signature.Verify(t.Context(), bad, k, now); code(err) != "SignatureDoesNotMatch" {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// TestPublishedPolicies does so for forms.
func TestPublishedPolicies(t *testing.T) {
	p, k := vectors(t)
	if len(p.PostPolicyV4Tests) < 10 {
		t.Fatalf("%d vectors", len(p.PostPolicyV4Tests))
	}
	for _, v := range p.PostPolicyV4Tests {
		t.Run(v.Description, func(t *testing.T) {
			form := v.PolicyOutput.Fields
			now := v.PolicyInput.Timestamp.Add(time.Second)
			policy, err := signature.VerifyForm(t.Context(), form, k, now)
			if err != nil {
				t.Fatal(err)
			}
			form["bucket"] = v.PolicyInput.Bucket
			if strings.Contains(v.Description, "ACL") {
				form["acl"] = "public-read" // which is left to whoever fills the form in
			}
			if err := policy.Allows(form); err != nil {
				t.Error(err)
			}
			form["bucket"] += "x"
			if err := policy.Allows(form); code(err) != "AccessDenied" {
				t.Errorf("another bucket: %v", err)
			}
			late := now.Add(time.Duration(v.PolicyInput.Expiration) * time.Second)
			if _, err := signature.VerifyForm(t.Context(), form, k, late); code(err) != "ExpiredToken" {
				t.Errorf("after its end: %v", err)
			}
			form["policy"] = "e30="
			if _, err := signature.VerifyForm(t.Context(), form, k, now); code(err) != "SignatureDoesNotMatch" {
				t.Errorf("another policy: %v", err)
			}
		})
	}
}
