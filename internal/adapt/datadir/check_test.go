package datadir

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/health"
)

func TestCheckNoticesThatTheDirectoryIsGone(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "data"), me())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if c := d.Check(t.Context())[0]; c.Status != health.OK {
		t.Errorf("%+v", c)
	}
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Fatal(err)
	}
	if c := d.Check(t.Context())[0]; c.Status != health.Fail || c.Fix == "" {
		t.Errorf("removed: %+v", c)
	}
}
