// Package report is what the unpacker's program and the server tell each other:
// arguments, and one line of JSON.
package report

// The commands of the program.
const (
	Unpack = "unpack" // BYTES FILES: /archive into /layer
	Remove = "remove" // DIRECTORY...: everything in them
)

// Where the program finds what it works on.
const (
	Archive = "/archive"
	Layer   = "/layer"
)

// Result is the line that the program ends with.
type Result struct {
	DiffID string `json:"diffId,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Files  int    `json:"files,omitempty"`
	Code   int    `json:"code,omitempty"` // of google.rpc.Code; 0: it is done
	Error  string `json:"error,omitempty"`
}
