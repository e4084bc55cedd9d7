//go:build e2e

package bench

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cloud.google.com/go/pubsub/v2"
	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

const (
	publishers  = 64
	outstanding = 100 // of each publisher with Google's client
	rawConns    = 4
	benchTopic  = "projects/sunya/topics/bench"
	benchSub    = "projects/sunya/subscriptions/bench"
)

var kibibyte = bytes.Repeat([]byte("x"), 1<<10)

// broker is a Pub/Sub server to publish to.
type broker struct {
	name   string
	conns  []*grpc.ClientConn
	client *pubsub.Client
}

// dialBroker connects, and makes a topic with a subscription, so that messages are
// kept.
func dialBroker(s *sheet, name, addr string) *broker {
	s.Helper()
	b := &broker{name: name}
	for range rawConns {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = conn.Close() })
		b.conns = append(b.conns, conn)
	}
	var err error
	if b.client, err = pubsub.NewClient(context.Background(), "sunya", option.WithGRPCConn(b.conns[0])); err != nil {
		s.Fatal(err)
	}
	if _, err := b.client.TopicAdminClient.CreateTopic(context.Background(), &pb.Topic{Name: benchTopic}); err != nil {
		s.Fatal(err)
	}
	if _, err := b.client.SubscriptionAdminClient.CreateSubscription(context.Background(), &pb.Subscription{Name: benchSub, Topic: benchTopic}); err != nil {
		s.Fatal(err)
	}
	return b
}

// raw publishes one message a request, each publisher after it has the answer to
// its last one, and returns how many a second.
func (b *broker) raw(span time.Duration) (float64, error) {
	return rate(span, func(ctx context.Context, i int) (int, error) {
		c := pb.NewPublisherClient(b.conns[i%rawConns])
		_, err := c.Publish(ctx, &pb.PublishRequest{Topic: benchTopic, Messages: []*pb.PubsubMessage{{Data: kibibyte}}})
		return 1, err
	})
}

// google publishes with Google's client as it comes: it puts up to 100 messages
// into a request.
func (b *broker) google(span time.Duration) (float64, error) {
	p := b.client.Publisher(benchTopic)
	defer p.Stop()
	return rate(span, func(ctx context.Context, _ int) (int, error) {
		sent := make([]*pubsub.PublishResult, outstanding)
		for i := range sent {
			sent[i] = p.Publish(ctx, &pubsub.Message{Data: kibibyte})
		}
		for _, r := range sent {
			if _, err := r.Get(ctx); err != nil {
				return 0, err
			}
		}
		return len(sent), nil
	})
}

// rate has all publishers work for a while and returns how many messages were
// acknowledged a second.
func rate(span time.Duration, publish func(ctx context.Context, i int) (int, error)) (float64, error) {
	var n atomic.Int64
	var failed error
	var once sync.Once
	var all sync.WaitGroup
	begin := time.Now()
	for i := range publishers {
		all.Go(func() {
			for time.Since(begin) < span {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				done, err := publish(ctx, i)
				cancel()
				if err != nil {
					once.Do(func() { failed = err })
					return
				}
				n.Add(int64(done))
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds(), failed
}

// bareSQLite stores messages in synced batches of 200 in a table such as Sunya's,
// and does nothing else.
type bareSQLite struct {
	db   *sql.DB
	next int64
}

func newBareSQLite(s *sheet) *bareSQLite {
	s.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(scratch(s, "sqlite"), "bare.db")+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE messages (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, ordering_key TEXT NOT NULL, attributes TEXT, data BLOB)")
	if err != nil {
		s.Fatal(err)
	}
	return &bareSQLite{db: db}
}

func (d *bareSQLite) rate(span time.Duration) (float64, error) {
	insert, err := d.db.Prepare("INSERT INTO messages VALUES (?, ?, '', NULL, ?)")
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	begin, n := time.Now(), 0
	for ; time.Since(begin) < span; n += 200 {
		if err := d.batch(insert, 200); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

func (d *bareSQLite) batch(insert *sql.Stmt, n int) error {
	tx, err := d.db.Begin()
	if err != nil {
		return err
	}
	bound := tx.Stmt(insert)
	for range n {
		d.next++
		if _, err := bound.Exec(d.next, time.Now().UnixNano(), kibibyte); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// emulator starts Google's Pub/Sub emulator and returns its address, or none where
// it is not installed.
func emulator(s *sheet) (addr string) {
	s.Helper()
	found, _ := filepath.Glob("/usr/lib/google-cloud-sdk/platform/pubsub-emulator/bin/cloud-pubsub-emulator")
	if sdk := os.Getenv("CLOUDSDK_ROOT_DIR"); len(found) == 0 && sdk != "" {
		found, _ = filepath.Glob(filepath.Join(sdk, "platform/pubsub-emulator/bin/cloud-pubsub-emulator"))
	}
	if _, err := exec.LookPath("java"); len(found) == 0 || err != nil {
		return ""
	}
	port := freePort(s)
	cmd := exec.Command(found[0], "--host=127.0.0.1", "--port="+port)
	cmd.Dir = scratch(s, "emulator")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a script that starts java
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	addr = "127.0.0.1:" + port
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := ask(addr, "", "/", time.Second); err == nil {
			return addr
		}
		if time.Since(begin) > time.Minute {
			s.Fatal(fmt.Errorf("Google's emulator does not answer"))
		}
	}
}
