package loggingv2

import (
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// TestNestedLineDoesNotBreakTheLog: one line of an app kept every reader from
// the log, as the whole answer took too long or could not be decoded.
func TestNestedLineDoesNotBreakTheLog(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want bool
	}{
		{`{"a":{"b":[1,"{[\"{["]}}`, true},
		{strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30), true},
		{strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31), false},
		{strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000), false},
	} {
		var out loggingpb.LogEntry
		setPayload(&out, &logs.Entry{JSON: []byte(tt.raw)})
		if got := out.GetJsonPayload() != nil; got != tt.want {
			t.Errorf("%.40s…: structured = %v", tt.raw, got)
		}
		if !tt.want && out.GetTextPayload() != tt.raw {
			t.Errorf("%.40s…: text is %.40s…", tt.raw, out.GetTextPayload())
		}
	}
}
