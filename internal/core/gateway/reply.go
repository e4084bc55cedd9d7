package gateway

import "github.com/sunya-cloud/sunya/internal/core/http1"

// reply is a whole response of the platform's own.
type reply struct {
	status int
	header http1.Header
	body   []byte // nil: none, and no word about its length
}
