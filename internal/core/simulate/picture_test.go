package simulate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/simulate/trace"
)

func TestPictureIsXML(t *testing.T) {
	for _, requests := range []int{1, 2000} {
		r := replay(t, load(t, "spike", trace.Options{Services: 2, Requests: requests, Seed: 1, Boot: time.Second}), Config{})
		picture := r.Picture()
		if len(picture) > 40<<10 {
			t.Errorf("%d bytes", len(picture))
		}
		for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
