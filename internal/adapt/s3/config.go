package s3

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sunya-cloud/sunya"
)

// Config is what a URL says: s3://BUCKET[/PREFIX][?endpoint=URL&region=REGION].
type Config struct {
	Bucket   string
	Prefix   string // empty, or ends in a slash
	Endpoint string // https://HOST[:PORT] or http://…
	Region   string // empty: as the store says
}

// Parse reads a URL. What it leaves out is AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL,
// else Amazon's own; AWS_REGION or AWS_DEFAULT_REGION.
func Parse(text string, getenv func(string) string) (Config, error) {
	bad := func(why string) (Config, error) {
		return Config{}, sunya.Invalid("--blobs", "%s: write s3://BUCKET?endpoint=https://HOST&region=REGION", why)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return bad("it is not a URL")
	case u.Scheme != "s3" || u.Host == "" || u.Port() != "" || u.Fragment != "":
		return bad("it names no bucket")
	case u.User != nil:
		return bad("credentials do not belong into it but into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	q := u.Query()
	for name := range q {
		if name != "endpoint" && name != "region" {
			return bad("there is no parameter " + name)
		}
	}
	c := Config{
		Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"),
		Endpoint: cmp.Or(q.Get("endpoint"), getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com"),
		Region:   cmp.Or(q.Get("region"), getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION")),
	}
	if c.Prefix != "" {
		c.Prefix += "/"
	}
	if !strings.Contains(c.Endpoint, "://") {
		c.Endpoint = "https://" + c.Endpoint
	}
	e, err := url.Parse(c.Endpoint)
	if err != nil || e.Host == "" || e.Scheme != "http" && e.Scheme != "https" || strings.Trim(e.Path, "/") != "" || e.User != nil {
		return bad("the endpoint " + c.Endpoint + " is no address")
	}
	c.Endpoint = e.Scheme + "://" + e.Host
	return c, nil
}

// client connects nothing yet.
func (c Config) client(getenv func(string) string) (*minio.Client, error) {
	creds, err := keys(getenv)
	if err != nil {
		return nil, err
	}
	host, secure := strings.CutPrefix(c.Endpoint, "https://")
	host = strings.TrimPrefix(host, "http://")
	client, err := minio.New(host, &minio.Options{Creds: creds, Secure: secure, Region: c.Region, MaxRetries: 5, TrailingHeaders: true})
	if err != nil {
		return nil, sunya.Invalid("--blobs", "%v", err)
	}
	client.SetAppInfo("sunya", "")
	return client, nil
}

// keys are those of AWS' variables, else of its file.
func keys(getenv func(string) string) (*credentials.Credentials, error) {
	id, secret := getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
	if id != "" && secret != "" {
		return credentials.NewStaticV4(id, secret, getenv("AWS_SESSION_TOKEN")), nil
	}
	file := credentials.NewFileAWSCredentials(getenv("AWS_SHARED_CREDENTIALS_FILE"), getenv("AWS_PROFILE"))
	if v, err := file.GetWithContext(nil); err == nil && v.AccessKeyID != "" {
		return file, nil
	}
	return nil, sunya.Errorf(sunya.InvalidArgument, "", "--blobs needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials")
}
