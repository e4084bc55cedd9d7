//go:build e2e

package bench

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/sunya-cloud/sunya/e2e/bench/results"
	"github.com/sunya-cloud/sunya/e2e/platform"
)

// imageRounds is how many images are pushed and pulled: each is 100 MiB.
const imageRounds = 5

// BenchmarkRegistry: pushing an image of 5 layers of 20 MiB with crane and
// pulling it again, over go-containerregistry's own registry with blobs on the
// same disk, in this process. That one acknowledges before anything is synced.
func BenchmarkRegistry(b *testing.B) {
	const other = "go-containerregistry"
	s := begin(b, "registry")
	defer s.end()
	server := platform.Start(s)
	peer := httptest.NewServer(registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(s.TempDir())), registry.Logger(log.New(io.Discard, "", 0))))
	defer peer.Close()
	push := s.figure(results.Figure{ID: "registry/push", Title: "push 5 layers of 20 MiB", Unit: "ms", Base: other})
	pull := s.figure(results.Figure{ID: "registry/pull", Title: "pull 5 layers of 20 MiB", Unit: "ms", Base: other})
	var image v1.Image // another one each round
	transfer := func(name, host string) func() {
		ref := host + "/bench/image:v1"
		return func() {
			push.Add(name, ms(took(s, func() error { return crane.Push(image, ref) })))
			pull.Add(name, ms(took(s, func() error { return drain(ref) })))
		}
	}
	ours, theirs := transfer("Sunya", "localhost:"+server.Port), transfer(other, strings.TrimPrefix(peer.URL, "http://"))
	for round := range s.rounds(imageRounds) {
		var err error
		if image, err = random.Image(20<<20, 5); err != nil {
			s.Fatal(err)
		}
		if round%2 == 0 {
			ours()
			theirs()
		} else {
			theirs()
			ours()
		}
	}
}

func took(tb testing.TB, do func() error) time.Duration {
	tb.Helper()
	begin := time.Now()
	if err := do(); err != nil {
		tb.Fatal(err)
	}
	return time.Since(begin)
}

// drain reads all layers of an image, verified.
func drain(ref string) error {
	img, err := crane.Pull(ref)
	if err != nil {
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := read(l); err != nil {
			return err
		}
	}
	return nil
}

func read(l v1.Layer) error {
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	return r.Close()
}
