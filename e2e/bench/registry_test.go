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

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// imageRounds is how many images are pushed and pulled: each is 100 MiB.
const imageRounds = 5

// BenchmarkRegistry: pushing an image of 5 layers of 20 MiB with crane and
// pulling it again, over go-containerregistry's own registry with blobs on the
// same disk, in this process. That one acknowledges before anything is synced.
func BenchmarkRegistry(b *testing.B) {
	s := platform.Start(b)
	peer := httptest.NewServer(registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(b.TempDir())), registry.Logger(log.New(io.Discard, "", 0))))
	defer peer.Close()
	hosts := []string{"localhost:" + s.Port, strings.TrimPrefix(peer.URL, "http://")}
	images := make([]v1.Image, imageRounds)
	for i := range images {
		var err error
		if images[i], err = random.Image(20<<20, 5); err != nil {
			b.Fatal(err)
		}
	}
	push, pull := map[string][]time.Duration{}, map[string][]time.Duration{}
	for b.Loop() {
		clear(push)
		clear(pull)
		for _, img := range images {
			for _, host := range hosts {
				push[host] = append(push[host], took(b, func() error { return crane.Push(img, host+"/bench/image:v1") }))
				pull[host] = append(pull[host], took(b, func() error { return drain(host + "/bench/image:v1") }))
			}
		}
	}
	for _, m := range []struct {
		name string
		of   map[string][]time.Duration
	}{{"push", push}, {"pull", pull}} {
		b.Run(m.name, func(b *testing.B) {
			for b.Loop() { // it has been measured
			}
			pairs{m.of[hosts[0]], m.of[hosts[1]]}.report(b, "peer")
		})
	}
}

func took(b *testing.B, do func() error) time.Duration {
	b.Helper()
	begin := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
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
		r, err := l.Compressed()
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}
