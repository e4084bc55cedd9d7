package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/health"
)

// client talks to one server as one user.
type client struct {
	base    *url.URL // root of the APIs
	project string
	status  serverStatus
	http    *http.Client
	conn    *grpc.ClientConn
}

// serverStatus is the answer of GET /sunya/v1/status.
type serverStatus struct {
	Version   string           `json:"version"`
	StartTime time.Time        `json:"startTime"`
	Level     string           `json:"level"`
	Facts     []string         `json:"facts"`
	Missing   []string         `json:"missing"`
	DataDir   string           `json:"dataDir"`
	Domain    string           `json:"domain"`
	AppsURL   string           `json:"appsURL"`
	Project   string           `json:"project"`
	Listeners []listenerStatus `json:"listeners"`
	Services  []serviceStatus  `json:"services"`
	Instances []instanceStatus `json:"instances"`
}

type listenerStatus struct {
	Address string   `json:"address"`
	Roles   []string `json:"roles"`
}

type serviceStatus struct {
	Name      string   `json:"name"`
	Project   string   `json:"project"`
	Product   string   `json:"product"`
	URLs      []string `json:"urls"`
	Revisions int      `json:"revisions"`
}

type instanceStatus struct {
	ID          string    `json:"id"`
	Revision    string    `json:"revision"`
	State       string    `json:"state"`
	StartTime   time.Time `json:"startTime"`
	InFlight    int       `json:"inFlight"`
	MemoryBytes int64     `json:"memoryBytes"`
	Start       string    `json:"start"`
}

const (
	dialTimeout   = 5 * time.Second
	statusTimeout = 15 * time.Second
	maxStatusSize = 32 << 20
)

// connect reaches the server, asks what it is, and settles the project. The
// caller closes the client.
func connect(ctx context.Context, env *Env) (*client, error) {
	base, err := env.flags.serverURL()
	if err != nil {
		return nil, err
	}
	token := env.Getenv("SUNYA_TOKEN")
	c := &client{base: base, http: &http.Client{Transport: bearer{token, transport()}}}
	if c.conn, err = dial(base, token); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", base, err)
	}
	if err := c.get(ctx, "/sunya/v1/status", &c.status); err != nil {
		c.close()
		return nil, err
	}
	c.project = cmp.Or(env.flags.Project, c.status.Project, defaultProject)
	env.flags.Project = c.project
	return c, nil
}

func (c *client) close() {
	// The process is about to end: nothing hangs on how the connection does.
	_ = c.conn.Close()
	c.http.CloseIdleConnections()
}

// get reads one answer of Sunya's own small API.
func (c *client) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &unreachable{c.base.String(), innermost(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatusSize))
	if err != nil {
		return &unreachable{c.base.String(), err}
	}
	return c.decode(path, resp, body, into)
}

func (c *client) decode(path string, resp *http.Response, body []byte, into any) error {
	if resp.StatusCode == http.StatusNotFound {
		return &unreachable{c.base.String(), errors.New("something else does (404 for " + path + ")")}
	}
	if resp.StatusCode != http.StatusOK {
		var envelope struct {
			Error struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		// Whatever is not such an envelope leaves the message empty.
		_ = json.Unmarshal(body, &envelope)
		return sunya.Errorf(sunya.CodeOfHTTP(resp.StatusCode), "", "%s%s answers %s: %s", c.base, path, resp.Status,
			cmp.Or(envelope.Error.Message, "no reason given"))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &unreachable{c.base.String(), fmt.Errorf("something else does: %w", err)}
	}
	return nil
}

// innermost drops the request line that net/http puts in front.
func innermost(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client.Do documents this type
		return e.Err
	}
	return err
}

func (c *client) doctor(ctx context.Context) ([]health.Check, error) {
	var answer struct {
		Checks []health.Check `json:"checks"`
	}
	err := c.get(ctx, "/sunya/v1/doctor", &answer)
	return answer.Checks, err
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: uploads,
		TLSHandshakeTimeout: dialTimeout,
	}
}

// appsTransport reaches apps by the names that appsURL gives them, whether this
// machine can resolve those or not: they are all where the server is.
func (c *client) appsTransport() *http.Transport {
	dialer := net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, net.JoinHostPort(c.base.Hostname(), port))
		},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: dialTimeout,
		DisableCompression:  true, // answers pass as they are
	}
}

// bearer adds the token to every request.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token == "" {
		return b.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// dial prepares the gRPC connection; nothing is sent yet.
func dial(base *url.URL, token string) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	port := "80"
	if base.Scheme == "https" {
		creds, port = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), "443"
	}
	target := "dns:///" + net.JoinHostPort(base.Hostname(), cmp.Or(base.Port(), port))
	return grpc.NewClient(target,
		grpc.WithTransportCredentials(creds),
		grpc.WithChainUnaryInterceptor(unaryToken(token)),
		grpc.WithChainStreamInterceptor(streamToken(token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)),
	)
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func unaryToken(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(withToken(ctx, token), method, req, reply, cc, opts...)
	}
}

func streamToken(token string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return stream(withToken(ctx, token), desc, cc, method, opts...)
	}
}

// appsURL returns the URL of a host under which apps answer. Scheme and port
// are those the server names, else those of its APIs.
func (c *client) appsURL(host string) string {
	u := &url.URL{Scheme: c.base.Scheme, Host: c.base.Host}
	if told, err := url.Parse(c.status.AppsURL); err == nil && told.Host != "" {
		u = told
	}
	if port := u.Port(); port != "" && !strings.Contains(host, ":") {
		host = net.JoinHostPort(host, port)
	}
	return u.Scheme + "://" + host
}
