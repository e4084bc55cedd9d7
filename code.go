package sunya

// Code says what a caller can do about an error. The values and numbers are
// those of google.rpc.Code.
type Code int

// The codes of google.rpc.Code.
const (
	OK                 Code = 0
	Canceled           Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// codes is indexed by Code: google.rpc.Code's spelling and, from the comments
// in google/rpc/code.proto, the HTTP status.
var codes = [...]struct {
	name string
	http int
}{
	OK:                 {"OK", 200},
	Canceled:           {"CANCELLED", 499},
	Unknown:            {"UNKNOWN", 500},
	InvalidArgument:    {"INVALID_ARGUMENT", 400},
	DeadlineExceeded:   {"DEADLINE_EXCEEDED", 504},
	NotFound:           {"NOT_FOUND", 404},
	AlreadyExists:      {"ALREADY_EXISTS", 409},
	PermissionDenied:   {"PERMISSION_DENIED", 403},
	ResourceExhausted:  {"RESOURCE_EXHAUSTED", 429},
	FailedPrecondition: {"FAILED_PRECONDITION", 400},
	Aborted:            {"ABORTED", 409},
	OutOfRange:         {"OUT_OF_RANGE", 400},
	Unimplemented:      {"UNIMPLEMENTED", 501},
	Internal:           {"INTERNAL", 500},
	Unavailable:        {"UNAVAILABLE", 503},
	DataLoss:           {"DATA_LOSS", 500},
	Unauthenticated:    {"UNAUTHENTICATED", 401},
}

// known returns c or, when there is no such code, Unknown.
func (c Code) known() Code {
	if c < 0 || int(c) >= len(codes) {
		return Unknown
	}
	return c
}

// String returns google.rpc.Code's name: NOT_FOUND.
func (c Code) String() string { return codes[c.known()].name }

// HTTP returns the status that Google's REST APIs answer with.
func (c Code) HTTP() int { return codes[c.known()].http }

// CodeOfHTTP returns the Code behind an HTTP status where nothing more is
// known: a path that is not routed, a proxy in between.
func CodeOfHTTP(status int) Code {
	switch status {
	case 401:
		return Unauthenticated
	case 403:
		return PermissionDenied
	case 404, 405:
		return NotFound
	case 409:
		return Aborted
	case 412:
		return FailedPrecondition
	case 429:
		return ResourceExhausted
	case 501:
		return Unimplemented
	case 503:
		return Unavailable
	case 504:
		return DeadlineExceeded
	}
	if status >= 400 && status < 500 {
		return InvalidArgument
	}
	return Internal
}
