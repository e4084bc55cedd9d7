package ipc

// Template is the memory of a program that has come as far as it can without a
// socket (package snapshot). Launchers that know none ignore it: the program is
// started as any other.
//
// With Create it says which one a sandbox starts from, or, with Keep, that the
// sandbox makes it and ends. Back it says what came of that.
type Template struct {
	Key  string `json:"key"`
	Keep bool   `json:"keep,omitempty"`
	// Used says that the program was started from it.
	Used bool `json:"used,omitempty"`
	// Problem is why it was not, or could not be made; empty where there was
	// none to start from.
	Problem string `json:"problem,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"` // of memory that is kept
}

const (
	// Kept is the event that a sandbox with Template.Keep has made one, or not.
	Kept Verb = "kept"
	// Discard asks the launcher to forget a template.
	Discard Verb = "discard"
)
