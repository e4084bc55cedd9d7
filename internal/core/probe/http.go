package probe

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// askHTTP makes a GET request over HTTP/1.1, whatever the container speaks on
// its port otherwise. Redirects are not followed: they are well.
func askHTTP(ctx context.Context, t Target, p *sunya.HTTPProbe, port int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path(p), nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", "sunya-probe")
	for name, value := range p.Header {
		if strings.EqualFold(name, "Host") {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	tr := transport(t, port, nil)
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	_ = resp.Body.Close() // what it says is not of interest
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return fmt.Errorf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}

func path(p *sunya.HTTPProbe) string { return "/" + strings.TrimPrefix(cmp.Or(p.Path, "/"), "/") }
