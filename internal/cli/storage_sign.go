package cli

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/spf13/cobra"
	"google.golang.org/api/option"

	"github.com/sunya-cloud/sunya"
)

// signFlags are the flags of sign-url.
type signFlags struct {
	duration        time.Duration
	verb            string
	account, keys   string
	headers, params map[string]string
}

// maxSigned is the longest life of a signed URL, Google's.
const maxSigned = 7 * 24 * time.Hour

func newStorageSignCommand(env *Env) *cobra.Command {
	f := &signFlags{duration: time.Hour, verb: "GET"}
	cmd := &cobra.Command{
		Use:     "sign-url gs://BUCKET/OBJECT...",
		Short:   "Print URLs that let anybody read or write an object for a while.",
		Args:    args(1, 1<<20, "gs://BUCKET/OBJECT"),
		Example: "sunya storage sign-url gs://photos/a.jpg --duration 10m\nsunya storage sign-url gs://photos/new.jpg --http-verb PUT --headers content-type=image/jpeg",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error { return a.sign(cmd.Context(), env, f, args) })
		},
	}
	fs := cmd.Flags()
	textFlag(fs, "duration", "how long it counts (default 1h, at most 7d)", func(v string) error {
		d, err := parseSpan(v)
		if err == nil && (d < time.Second || d > maxSigned) {
			err = fmt.Errorf("%q is not between 1s and 7d", v)
		}
		f.duration = d
		return err
	})
	fs.StringVarP(&f.verb, "http-verb", "m", "GET", "what it allows: GET, HEAD, PUT, DELETE, or RESUMABLE to start an upload")
	fs.StringVar(&f.account, "impersonate-service-account", "", "who signs (default: PROJECT@appspot.gserviceaccount.com)")
	fs.StringVar(&f.keys, "private-key-file", "", "a service account's key file (JSON) that signs instead")
	pairsFlag(fs, "headers", "headers that must be sent: NAME=VALUE,…", func(v map[string]string) { f.headers = added(f.headers, v) })
	pairsFlag(fs, "query-params", "parameters that it has too: NAME=VALUE,…", func(v map[string]string) { f.params = added(f.params, v) })
	return cmd
}

// signed is what sign-url prints, in gcloud's words.
type signed struct {
	Resource   string `json:"resource"`
	Verb       string `json:"http_verb"`
	Expiration string `json:"expiration"`
	URL        string `json:"signed_url"`
}

// signer signs as a service account.
type signer struct {
	email string
	sign  func(context.Context, []byte) ([]byte, error)
}

func (a *storageAPI) sign(ctx context.Context, env *Env, f *signFlags, args []string) error {
	s, err := a.signer(ctx, env, f)
	if err != nil {
		return err
	}
	var all []signed
	for _, arg := range args {
		p, err := parseObject(arg)
		if err != nil {
			return err
		}
		u, err := f.url(ctx, a.base, p, s, env.Now().UTC())
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		all = append(all, signed{p.String(), f.verb, env.Now().UTC().Add(f.duration).Format(time.RFC3339), u})
	}
	if env.output().kind != "table" {
		return printList(env, all, nil)
	}
	for _, s := range all {
		fmt.Fprintln(env.Stdout, s.URL)
	}
	return nil
}

// signer is a key file, else the server in the name of an account.
func (a *storageAPI) signer(ctx context.Context, env *Env, f *signFlags) (signer, error) {
	if f.keys != "" {
		path := f.keys
		if !filepath.IsAbs(path) {
			path = filepath.Join(env.Dir, path)
		}
		return keyFile(path)
	}
	client, err := credentials.NewIamCredentialsClient(ctx, option.WithGRPCConn(a.conn))
	if err != nil {
		return signer{}, fmt.Errorf("make client: %w", err)
	}
	email := cmp.Or(f.account, sunya.AppAccount(a.project))
	return signer{email, func(ctx context.Context, text []byte) ([]byte, error) {
		r, err := client.SignBlob(ctx, &credentialspb.SignBlobRequest{Name: "projects/-/serviceAccounts/" + email, Payload: text})
		return r.GetSignedBlob(), err
	}}, nil
}

// keyFile reads a key as Google's console gives it.
func keyFile(path string) (signer, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return signer{}, usagef("--private-key-file: %v", err)
	}
	var doc struct {
		Email string `json:"client_email"`
		Key   string `json:"private_key"`
	}
	err = json.Unmarshal(raw, &doc)
	block, _ := pem.Decode([]byte(doc.Key))
	if err != nil || block == nil || doc.Email == "" {
		return signer{}, usagef("--private-key-file: %s is no key of a service account: it is JSON with client_email and private_key", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return signer{}, usagef("--private-key-file: the key in %s is not an RSA key in PKCS #8", path)
	}
	return signer{doc.Email, func(_ context.Context, text []byte) ([]byte, error) {
		sum := sha256.Sum256(text)
		return rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, sum[:])
	}}, nil
}

// url signs for one object
// (cloud.google.com/storage/docs/authentication/canonical-requests).
func (f *signFlags) url(ctx context.Context, base *url.URL, p place, s signer, now time.Time) (string, error) {
	verb, headers := strings.ToUpper(f.verb), map[string]string{"host": base.Host}
	if verb == "RESUMABLE" {
		verb, headers["x-goog-resumable"] = "POST", "start"
	}
	for k, v := range f.headers {
		headers[strings.ToLower(k)] = strings.Join(strings.Fields(v), " ")
	}
	names := make([]string, 0, len(headers))
	for k := range headers {
		names = append(names, k)
	}
	slices.Sort(names)
	var lines strings.Builder
	for _, k := range names {
		lines.WriteString(k + ":" + headers[k] + "\n")
	}
	stamp := now.Format("20060102T150405Z")
	scope := stamp[:8] + "/auto/storage/goog4_request"
	query := url.Values{
		"X-Goog-Algorithm": {"GOOG4-RSA-SHA256"}, "X-Goog-Credential": {s.email + "/" + scope}, "X-Goog-Date": {stamp},
		"X-Goog-Expires": {strconv.Itoa(int(f.duration.Seconds()))}, "X-Goog-SignedHeaders": {strings.Join(names, ";")},
	}
	for k, v := range f.params {
		query.Set(k, v)
	}
	if p.generation != 0 {
		query.Set("generation", strconv.FormatInt(p.generation, 10))
	}
	path, params := "/"+p.bucket+"/"+escaped(p.name), strings.ReplaceAll(query.Encode(), "+", "%20")
	request := sha256.Sum256([]byte(strings.Join([]string{verb, path, params, lines.String(), strings.Join(names, ";"), "UNSIGNED-PAYLOAD"}, "\n")))
	signature, err := s.sign(ctx, []byte("GOOG4-RSA-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(request[:])))
	if err != nil {
		return "", err
	}
	return base.Scheme + "://" + base.Host + path + "?" + params + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
}

// escaped is a name in a path: all but what RFC 3986 calls unreserved, and
// slashes, is escaped.
func escaped(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
