package signature

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// dialect is one spelling of V4: Google's, or the one of S3 that Storage takes
// too (cloud.google.com/storage/docs/aws-simple-migration).
type dialect struct {
	rsa, hmac string // algorithms; S3 has no keys of accounts
	prefix    string // of parameters and headers
	secret    string // in front of the secret
	service   []string
	end       string // of the scope
}

var (
	googleV4 = dialect{"GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256", "X-Goog-", "GOOG4", []string{"storage"}, "goog4_request"}
	amazonV4 = dialect{"", "AWS4-HMAC-SHA256", "X-Amz-", "AWS4", []string{"s3", "storage"}, "aws4_request"}
)

// stampForm is how V4 writes times.
const stampForm = "20060102T150405Z"

// credential is ID/DATE/LOCATION/SERVICE/END.
type credential struct {
	id    string
	scope []string // the other four
}

func (d dialect) credential(s string) (credential, error) {
	parts := strings.Split(s, "/")
	n := len(parts)
	if n < 5 || parts[n-1] != d.end || !slices.Contains(d.service, parts[n-2]) || len(parts[n-4]) != 8 {
		return credential{}, refuse("InvalidArgument", "the credential %.200q is not ID/YYYYMMDD/LOCATION/%s/%s", s, d.service[0], d.end)
	}
	return credential{strings.Join(parts[:n-4], "/"), parts[n-4:]}, nil
}

// claim is everything that a request says of its signature.
type claim struct {
	dialect
	algorithm string
	credential
	stamp     string // as it was sent
	headers   []string
	signature []byte
	without   string // parameter that holds the signature
	payload   string // what stands for the body in what is signed
}

// queryV4 checks a signed URL.
func (v *verifier) queryV4(ctx context.Context, d dialect) (*Signed, error) {
	get := func(name string) string { return v.query.get(d.prefix + name) }
	c := claim{dialect: d, algorithm: get("Algorithm"), stamp: get("Date"), without: d.prefix + "Signature", payload: unsignedPayload}
	var err error
	if c.credential, err = d.credential(get("Credential")); err != nil {
		return nil, err
	}
	c.headers = strings.Split(get("SignedHeaders"), ";")
	if c.signature, err = hex.DecodeString(get("Signature")); err != nil {
		return nil, refuse("InvalidArgument", "%sSignature is not hexadecimal", d.prefix)
	}
	made, err := c.made()
	if err != nil {
		return nil, err
	}
	life, err := strconv.ParseInt(get("Expires"), 10, 64)
	if err != nil || life < 1 || life > int64(maxLife/time.Second) {
		return nil, refuse("InvalidArgument", "%sExpires is %q: 1 to %d seconds", d.prefix, get("Expires"), int64(maxLife/time.Second))
	}
	if made.After(v.now.Add(maxSkew)) {
		return nil, refuse("AccessDenied", "the signature is from %s, which is in the future", c.stamp)
	}
	if end := made.Add(time.Duration(life) * time.Second); v.now.After(end) {
		return nil, refuse("ExpiredToken", "the signature expired at %s", end.UTC().Format(time.RFC3339))
	}
	c.payload = v.payload(d, unsignedPayload)
	return v.check(ctx, &c)
}

// headerV4 checks an Authorization header.
func (v *verifier) headerV4(ctx context.Context, d dialect, algorithm, list string) (*Signed, error) {
	fields := map[string]string{}
	for part := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	c := claim{dialect: d, algorithm: algorithm, stamp: v.Header.Get(d.prefix + "Date"), headers: strings.Split(fields["SignedHeaders"], ";")}
	var err error
	if c.credential, err = d.credential(fields["Credential"]); err != nil {
		return nil, err
	}
	if c.signature, err = hex.DecodeString(fields["Signature"]); err != nil {
		return nil, refuse("InvalidArgument", "the signature is not hexadecimal")
	}
	made, err := c.made()
	if err != nil {
		return nil, err
	}
	if skew := v.now.Sub(made).Abs(); skew > maxSkew {
		return nil, refuse("RequestTimeTooSkewed", "the request is from %s, more than %v away from the server's time", c.stamp, maxSkew)
	}
	nothing := sha256.Sum256(nil)
	c.payload = v.payload(d, hex.EncodeToString(nothing[:]))
	if strings.HasPrefix(c.payload, "STREAMING-") {
		return nil, sunya.Errorf(sunya.Unimplemented, "", "bodies signed chunk by chunk (%s) are not implemented: sign the whole or UNSIGNED-PAYLOAD", c.payload)
	}
	return v.check(ctx, &c)
}

const unsignedPayload = "UNSIGNED-PAYLOAD"

// payload is what the request says of its body.
func (v *verifier) payload(d dialect, otherwise string) string {
	if s := v.Header.Get(d.prefix + "Content-Sha256"); s != "" {
		return s
	}
	return otherwise
}

// made is when the signature was made, which the scope has to repeat.
func (c *claim) made() (time.Time, error) {
	t, err := time.Parse(stampForm, c.stamp)
	if err != nil || c.scope[0] != c.stamp[:8] {
		return t, refuse("InvalidArgument", "the date %.40q is not YYYYMMDDTHHMMSSZ of the day in the credential", c.stamp)
	}
	return t, nil
}

// check compares the signature with the one of the request, in each of the forms
// in which clients are known to sign it.
func (v *verifier) check(ctx context.Context, c *claim) (*Signed, error) {
	if !slices.Contains(c.headers, "host") {
		return nil, refuse("InvalidArgument", "the signed headers are %q: host has to be one of them", strings.Join(c.headers, ";"))
	}
	if err := v.unsigned(c.headers); err != nil {
		return nil, err
	}
	good, err := v.key(ctx, c)
	if err != nil {
		return nil, err
	}
	why := &Error{Code: "SignatureDoesNotMatch"}
	for _, path := range v.paths() {
		for _, host := range v.hosts() {
			canonical := v.canonical(c, path, host)
			sum := sha256.Sum256([]byte(canonical))
			toSign := strings.Join([]string{c.algorithm, c.stamp, strings.Join(c.scope, "/"), hex.EncodeToString(sum[:])}, "\n")
			if good(toSign) {
				signed := &Signed{Signer: c.id}
				if c.payload != unsignedPayload {
					signed.Payload = c.payload
				}
				return signed, nil
			}
			if why.Canonical == "" {
				why.Canonical, why.ToSign = canonical, toSign
			}
		}
	}
	return nil, refused(why, "the signature is not that of this request: compare the canonical request and the string to sign with yours")
}

// key returns what checks a signature of a string.
func (v *verifier) key(ctx context.Context, c *claim) (func(toSign string) bool, error) {
	switch c.algorithm {
	case c.rsa:
		return v.rsaKey(ctx, c.id, c.signature)
	case c.hmac:
		secret, err := v.secret(ctx, c.id)
		if err != nil {
			return nil, err
		}
		key := c.derive(secret)
		return func(toSign string) bool { return hmac.Equal(mac(key, toSign), c.signature) }, nil
	}
	return nil, refuse("InvalidArgument", "the algorithm %.40q is not known: use %s", c.algorithm, c.hmac)
}

// derive is the key of a day, of which the secret cannot be told.
func (c *claim) derive(secret string) []byte {
	key := []byte(c.secret + secret)
	for _, part := range c.scope {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// rsaKey checks with the keys of an account.
func (v *verifier) rsaKey(ctx context.Context, account string, signature []byte) (func(string) bool, error) {
	keys, err := v.keys.RSA(ctx, account)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, refuse("InvalidArgument", "%.200q is no service account that this server has keys of", account)
	}
	return func(toSign string) bool {
		sum := sha256.Sum256([]byte(toSign))
		return slices.ContainsFunc(keys, func(k *rsa.PublicKey) bool {
			return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
		})
	}, nil
}

func (v *verifier) secret(ctx context.Context, id string) (string, error) {
	secret, err := v.keys.Secret(ctx, id)
	if sunya.CodeOf(err) == sunya.NotFound {
		return "", refuse("InvalidAccessKeyId", "%.200q is no active HMAC key of this server", id)
	}
	return secret, err
}

// unsigned refuses headers that change what a request means and that the
// signature does not cover: whoever got the URL could add them.
func (v *verifier) unsigned(signed []string) error {
	for name := range v.Header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-goog-") && !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		switch strings.TrimPrefix(lower, "x-goog-") {
		case "api-client", "user-project", "gcs-idempotency-token", "hash", "content-sha256", "request-params":
			continue // of these none does
		}
		if lower == "x-amz-content-sha256" || slices.Contains(signed, lower) {
			continue
		}
		return refuse("AccessDenied", "the header %s is not among the signed ones", lower)
	}
	return nil
}

// canonical is the request as it is signed.
func (v *verifier) canonical(c *claim, path, host string) string {
	var b strings.Builder
	b.WriteString(v.Method + "\n" + path + "\n" + v.query.canonical(c.without) + "\n")
	for _, name := range c.headers {
		b.WriteString(name + ":" + v.header(name, host) + "\n")
	}
	b.WriteString("\n" + strings.Join(c.headers, ";") + "\n" + c.payload)
	return b.String()
}

func (v *verifier) header(name, host string) string {
	switch {
	case name == "host":
		return host
	case name == "content-length" && v.Header.Get(name) == "" && v.Length >= 0:
		return strconv.FormatInt(v.Length, 10)
	}
	return squeeze(v.Header.Values(name))
}

// paths are the forms in which a path may have been signed: escaped anew, which
// is the rule, or as it was sent.
func (v *verifier) paths() []string {
	plain, err := url.PathUnescape(v.Path)
	if err != nil {
		return []string{v.Path}
	}
	return slices.Compact([]string{escape(plain, true), v.Path})
}

// hosts are the forms of a host: some clients sign the port, and some do not.
func (v *verifier) hosts() []string {
	host := strings.ToLower(v.Host)
	bare, _, err := net.SplitHostPort(host)
	if err != nil {
		return []string{host, host + ":443", host + ":80"}
	}
	return []string{host, bare}
}
