package functions

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Links are URLs with which whoever has one may upload or download one object,
// and nothing else, for half an hour.
type Links struct {
	key []byte
	now func() time.Time
}

// LinkPath is where links lead: LinkPath BUCKET/OBJECT.
const LinkPath = "/sunya/sources/"

// LinkedSource is the object that a link is for; not ok where it is none of ours.
func LinkedSource(link string) (s Source, ok bool) {
	u, err := url.Parse(link)
	if err != nil {
		return s, false
	}
	rest, ok := strings.CutPrefix(u.Path, LinkPath)
	s.Bucket, s.Object, _ = strings.Cut(rest, "/")
	return s, ok && s.Bucket != "" && s.Object != ""
}

// ArchiveSource is the object that gs://BUCKET/OBJECT names.
func ArchiveSource(uri string) (s Source, ok bool) {
	rest, ok := strings.CutPrefix(uri, "gs://")
	s.Bucket, s.Object, _ = strings.Cut(rest, "/")
	return s, ok && s.Bucket != "" && s.Object != ""
}

// linkLife is how long a link works (generateUploadUrl).
const linkLife = 30 * time.Minute

// NewLinks returns Links that are signed with a secret.
func NewLinks(secret string, now func() time.Time) *Links {
	key := sha256.Sum256([]byte("links to objects\n" + secret))
	return &Links{key: key[:], now: now}
}

// Query signs a method on an object; the result belongs into the URL.
func (l *Links) Query(method, bucket, object string) url.Values {
	expires := strconv.FormatInt(l.now().Add(linkLife).Unix(), 10)
	return url.Values{"expires": {expires}, "signature": {l.sign(method, bucket, object, expires)}}
}

// Check reports whether a query allows a method on an object.
func (l *Links) Check(method, bucket, object string, q url.Values) error {
	expires, signature := q.Get("expires"), q.Get("signature")
	until, err := strconv.ParseInt(expires, 10, 64)
	good := hmac.Equal([]byte(signature), []byte(l.sign(method, bucket, object, expires)))
	if err != nil || !good || l.now().Unix() > until {
		return sunya.Errorf(sunya.PermissionDenied, "", "the link is not valid, or no longer: ask for a new one")
	}
	return nil
}

func (l *Links) sign(method, bucket, object, expires string) string {
	m := hmac.New(sha256.New, l.key)
	for _, part := range []string{method, bucket, object, expires} {
		m.Write([]byte(strconv.Quote(part)))
	}
	return hex.EncodeToString(m.Sum(nil))
}
