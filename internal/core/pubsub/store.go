package pubsub

import (
	"context"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Store keeps topics, subscriptions and messages. What Commit and the methods
// that change a definition return without error survives any death of the
// process and of the machine.
//
// Numbers are given by the store, never used twice, and below 1<<23.
type Store interface {
	// CreateTopic stores a topic under a new number; AlreadyExists.
	CreateTopic(ctx context.Context, t Topic) (TopicRecord, error)
	// Topic returns a topic with its subscriptions; NotFound.
	Topic(ctx context.Context, name string) (TopicRecord, error)
	UpdateTopic(ctx context.Context, t Topic) error
	// DeleteTopic removes a topic and its messages; its subscriptions stay and
	// name DeletedTopic. NotFound.
	DeleteTopic(ctx context.Context, name string) error
	// ListTopics returns those of a project in byte order after a name.
	ListTopics(ctx context.Context, project, after string, limit int) ([]Topic, error)

	// CreateSubscription stores a subscription that has acknowledged all
	// before cursor; AlreadyExists, NotFound for its topic.
	CreateSubscription(ctx context.Context, s Subscription, cursor int64) (SubscriptionRecord, error)
	Subscription(ctx context.Context, name string) (SubscriptionRecord, error)
	UpdateSubscription(ctx context.Context, s Subscription) error
	DeleteSubscription(ctx context.Context, name string) error
	ListSubscriptions(ctx context.Context, q SubscriptionQuery) ([]Subscription, error)
	// Pushing returns the names of the subscriptions that push and have not
	// acknowledged everything.
	Pushing(ctx context.Context) ([]string, error)

	CreateSnapshot(ctx context.Context, s Snapshot, p Progress) (Snapshot, error)
	Snapshot(ctx context.Context, name string) (Snapshot, Progress, error)
	UpdateSnapshot(ctx context.Context, s Snapshot) error
	DeleteSnapshot(ctx context.Context, name string) error
	ListSnapshots(ctx context.Context, project, topic, after string, limit int) ([]Snapshot, error)

	// ExpireSnapshots removes those whose time is over.
	ExpireSnapshots(ctx context.Context, now time.Time) error
	// SnapshotsFrom returns the first message of a topic that a snapshot has
	// not acknowledged; 0 without snapshots.
	SnapshotsFrom(ctx context.Context, topic int64) (int64, error)

	// Commit stores a batch, all of it or nothing.
	Commit(ctx context.Context, b *Batch) error
	// Load returns what a subscription has acknowledged and its retries.
	Load(ctx context.Context, subscription int64) (Progress, []Retried, error)
	// Read returns messages of a topic from a sequence number on, in order, at
	// most limit and, after the first, at most maxBytes of data.
	Read(ctx context.Context, topic, from int64, limit, maxBytes int) ([]Stored, error)
	// FirstSince returns the sequence number of the first message that was
	// published at t or later, or that which the next one will get.
	FirstSince(ctx context.Context, topic int64, t time.Time) (int64, error)
	// Age adds to how long all subscriptions went unused, and begins anew for
	// those with the numbers in used.
	Age(ctx context.Context, by time.Duration, used []int64) error
	// Expired returns the names of the subscriptions that went unused for as
	// long as their Expiration says.
	Expired(ctx context.Context) ([]string, error)
	// Places tells of each subscription that has a topic and is not detached
	// how far it has come, in byte order of their names.
	Places(ctx context.Context) ([]Place, error)

	// Backlogged returns the names of the topics that hold messages.
	Backlogged(ctx context.Context) ([]string, error)
	// Trim removes the messages of a topic before a sequence number, at most
	// limit, and returns how many those were.
	Trim(ctx context.Context, topic, before int64, limit int) (int, error)
}

// TopicRecord is a stored topic.
type TopicRecord struct {
	Topic
	Number        int64
	Next          int64 // sequence number of the next message
	Subscriptions []SubscriptionRecord
}

// SubscriptionRecord is a stored subscription.
type SubscriptionRecord struct {
	Subscription
	Number      int64
	TopicNumber int64 // 0: the topic was deleted
	// Handed is the sequence number below which messages may be with a
	// consumer until HandedUntil (exactly-once delivery only).
	Handed      int64
	HandedUntil time.Time
}

// Place is how far a subscription has come.
type Place struct {
	Subscription, Topic string
	Number, TopicNumber int64
	Cursor              int64 // all messages before it are acknowledged
	Next                int64 // sequence number of the topic's next message
}

// SubscriptionQuery says which subscriptions are listed: those of a project or
// of a topic, in byte order.
type SubscriptionQuery struct {
	Project, Topic string
	After          string
	Limit          int
}

// Snapshot is the state of a subscription at one moment.
type Snapshot struct {
	Name   string // projects/P/snapshots/S
	Topic  string
	Expire time.Time
	Labels map[string]string `json:",omitempty"`
	Policy iam.Policy        `json:",omitzero"` // stored and given back
}

// Stored is a message with its place.
type Stored struct {
	Seq int64
	Message
}

// Retried is a message that was delivered without being acknowledged.
type Retried struct {
	Seq      int64
	Attempts int       // deliveries that failed
	Due      time.Time // when it may be delivered again
}

// Batch is what is made durable together.
type Batch struct {
	Appends  []Append
	Progress []Progress
	Retries  []RetryChange
	Handed   []Handed
}

// Append is new messages of one topic, in order; after them its next sequence
// number is Next.
type Append struct {
	Topic    int64
	Messages []Stored // none, where nobody would ever read them
	Next     int64
}

// RetryChange replaces what is known of failed deliveries; one with no attempts
// is forgotten.
type RetryChange struct {
	Subscription int64
	Retried
}

// Handed is SubscriptionRecord's.
type Handed struct {
	Subscription int64
	Below        int64
	Until        time.Time
}

// Empty reports whether there is nothing to store.
func (b *Batch) Empty() bool {
	return len(b.Appends)+len(b.Progress)+len(b.Retries)+len(b.Handed) == 0
}
