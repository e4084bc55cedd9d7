//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/storage"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// storageKills is how often the server is killed while objects are written.
func storageKills() int {
	if os.Getenv("SUNYA_TORTURE") != "" {
		return 500
	}
	return 20
}

// TestStorageKill: every object whose upload is acknowledged can be read with
// its checksum, and is told of, whenever the server is killed.
func TestStorageKill(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	topics := pubsubClient(t, s)
	createLetters(t, topics, &pb.Subscription{})
	c := storageClient(t, s)
	c.SetRetry(storage.WithPolicy(storage.RetryNever))
	b := c.Bucket("ledger")
	if err := b.Create(t.Context(), "sunya", &storage.BucketAttrs{VersioningEnabled: true}); err != nil {
		t.Fatal(err)
	}
	note := &storage.Notification{TopicProjectID: "sunya", TopicID: "letters", PayloadFormat: storage.NoPayload, EventTypes: []string{storage.ObjectFinalizeEvent}}
	if _, err := b.AddNotification(t.Context(), note); err != nil {
		t.Fatal(err)
	}

	l := &objectLedger{t: t, b: b, acked: map[string]uint32{}, told: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for w := range 4 {
		work.Go(func() { l.upload(ctx, w) })
	}
	work.Go(func() { l.listen(ctx, topics) })
	for range storageKills() {
		time.Sleep(time.Duration(50+rand.IntN(400)) * time.Millisecond) // a random moment
		s.Kill()
		s.Up()
	}
	l.stop.Store(true)
	s.Eventually(time.Minute, "a notice of every acknowledged object", l.untold)
	cancel()
	work.Wait()
	l.readAll()
	t.Logf("%d generations acknowledged in %d kills, %d notices, %d more than once", len(l.acked), storageKills(), len(l.told), l.again())
	if len(l.acked) == 0 {
		t.Error("nothing was uploaded")
	}
}

// objectLedger is what was acknowledged to uploaders, by name and generation,
// and what subscribers heard of it.
type objectLedger struct {
	t    *testing.T
	b    *storage.BucketHandle
	stop atomic.Bool

	mu    sync.Mutex
	acked map[string]uint32
	told  map[string]int
}

func generationKey(name string, generation any) string { return fmt.Sprint(name, "#", generation) }

// upload writes objects of all sizes, in one request or in parts, some of them
// over others.
func (l *objectLedger) upload(ctx context.Context, worker int) {
	rng := rand.New(rand.NewPCG(uint64(worker), 1))
	for i := 0; !l.stop.Load(); i++ {
		data := make([]byte, 1+rng.IntN([]int{100, 10_000, 700_000}[rng.IntN(3)]))
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		call, cancel := context.WithTimeout(ctx, 20*time.Second)
		w := l.b.Object(fmt.Sprintf("w%d/%d", worker, i/2)).NewWriter(call)
		w.ChunkSize = []int{0, 256 << 10}[rng.IntN(2)]
		_, err := io.Copy(w, bytes.NewReader(data))
		if cerr := w.Close(); err == nil && cerr == nil {
			l.mu.Lock()
			l.acked[generationKey(w.Attrs().Name, w.Attrs().Generation)] = crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
			l.mu.Unlock()
		}
		cancel()
	}
}

func (l *objectLedger) listen(ctx context.Context, c *pubsub.Client) {
	for ctx.Err() == nil {
		_ = c.Subscriber(lettersSub).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
			l.mu.Lock()
			l.told[generationKey(m.Attributes["objectId"], m.Attributes["objectGeneration"])]++
			l.mu.Unlock()
			m.Ack()
		})
	}
}

func (l *objectLedger) untold() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.acked {
		if l.told[key] == 0 {
			return fmt.Errorf("nobody was told of %s", key)
		}
	}
	return nil
}

func (l *objectLedger) again() (n int) {
	for _, times := range l.told {
		if times > 1 {
			n++
		}
	}
	return n
}

// readAll reads every acknowledged generation, live or archived.
func (l *objectLedger) readAll() {
	for key, want := range l.acked {
		name, number, _ := strings.Cut(key, "#")
		generation, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			l.t.Fatal(err)
		}
		r, err := l.b.Object(name).Generation(generation).NewReader(l.t.Context())
		if err != nil {
			l.t.Errorf("%s: %v", key, err)
			continue
		}
		data, err := io.ReadAll(r)
		r.Close()
		if got := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)); err != nil || got != want {
			l.t.Errorf("%s: %d bytes, checksum %08x, want %08x, %v", key, len(data), got, want, err)
		}
	}
}
