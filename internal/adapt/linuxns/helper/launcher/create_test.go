package launcher

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// What the launcher does as root it does only for ids of the sandbox's range.
func TestValidateIDs(t *testing.T) {
	ids := func(host, size uint32) []ipc.IDMapping { return []ipc.IDMapping{{HostID: host, Size: size}} }
	for _, tt := range []struct {
		name     string
		maps     []ipc.IDMapping
		uid, gid int
		want     string // part of the error; empty: it is allowed
	}{
		{"root of the range", ids(minHostID, rangeSize), 0, 0, ""},
		{"the last of the range", ids(minHostID, rangeSize), rangeSize - 1, rangeSize - 1, ""},
		{"root of the machine", ids(minHostID, rangeSize), -minHostID, 0, "outside the sandbox's range"},
		{"its group", ids(minHostID, rangeSize), 0, -minHostID, "outside the sandbox's range"},
		{"another range", ids(minHostID, rangeSize), rangeSize, 0, "outside the sandbox's range"},
		{"users of the machine", ids(0, rangeSize), 0, 0, "not a range for sandboxes"},
		{"a part of two ranges", ids(minHostID+1, rangeSize), 0, 0, "not a range for sandboxes"},
		{"two ranges", ids(minHostID, 2*rangeSize), 0, 0, "not a range for sandboxes"},
		{"none", nil, 0, 0, "one uid and one gid mapping"},
	} {
		doc := &ipc.Document{Linux: ipc.Linux{UIDMappings: tt.maps, GIDMappings: tt.maps}}
		doc.Process.User = ipc.User{UID: tt.uid, GID: tt.gid}
		err := (&server{full: true}).validate("box", doc)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
