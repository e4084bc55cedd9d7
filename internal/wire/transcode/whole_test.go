package transcode

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
)

// TestMangledBodyNeverReachesTheServer: the process died of two goroutines that
// answered one call, the one that could not decode it and the one that served.
func TestMangledBodyNeverReachesTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		body  io.Reader
		calls int
	}{
		"cannot be decoded": {iotest.ErrReader(errors.New("not JSON")), 0},
		"can be":            {iotest.OneByteReader(http.NoBody), 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			h := whole{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				calls++
				if _, err := io.ReadAll(r.Body); err != nil {
					t.Errorf("body: %v", err)
				}
			})}
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", c.body))
			if calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
		})
	}
}
