package media

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// StatusCanceled is what Storage answers to a cancelled upload.
const StatusCanceled = 499

// Base is the server as the caller addressed it.
func Base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s", scheme, r.Host)
}

// CustomerKeys refuses keys of the caller's own: storing plain bytes under the
// appearance of encryption would be wrong.
func CustomerKeys(header http.Header) error {
	for name := range header {
		if strings.HasPrefix(name, "X-Goog-Encryption-") {
			return sunya.Errorf(sunya.Unimplemented, "", "customer-supplied encryption keys are not implemented: leave %s out", name)
		}
	}
	return nil
}
