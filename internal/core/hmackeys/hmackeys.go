// Package hmackeys is the HMAC keys of service accounts, with which clients sign
// requests to Cloud Storage's XML API
// (cloud.google.com/storage/docs/authentication/hmackeys).
package hmackeys

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
)

// The states of a key.
const (
	Active   = "ACTIVE"
	Inactive = "INACTIVE" // signatures do not count; it may be deleted
	Deleted  = "DELETED"  // it is not kept
)

// Key is one key of a service account.
type Key struct {
	AccessID   string
	Secret     string // base64, 40 characters; the signers use it as it is written
	Project    string
	Account    string // e-mail address
	State      string
	CreateTime time.Time
	UpdateTime time.Time
}

// ETag changes with every update.
func (k *Key) ETag() string {
	return base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, k.UpdateTime.UnixMicro(), 36))
}

// Store keeps keys. Writes are durable when a method returns.
type Store interface {
	PutHMACKey(ctx context.Context, k *Key) error
	GetHMACKey(ctx context.Context, accessID string) (*Key, error) // NotFound
	// ListHMACKeys returns the keys of a project, and of one account unless that
	// is empty, in the order of their ids, after one, at most limit.
	ListHMACKeys(ctx context.Context, project, account, after string, limit int) ([]Key, error)
	// UpdateHMACKey reads, changes and writes one key, unless change refuses.
	UpdateHMACKey(ctx context.Context, accessID string, change func(*Key) error) error
	// DeleteHMACKey removes a key if cond holds of it.
	DeleteHMACKey(ctx context.Context, accessID string, cond func(*Key) error) error
}

// Service is the keys with Google's rules. It is safe for concurrent use.
type Service struct {
	store Store
	now   func() time.Time
}

// New returns a Service over store.
func New(store Store, now func() time.Time) *Service { return &Service{store, now} }

// maxPerAccount is how many keys an account may have that are not deleted.
const maxPerAccount = 10

// Create makes a key of an account. Its secret is shown this once.
func (s *Service) Create(ctx context.Context, project, account string) (*Key, error) {
	if err := sunya.CheckProject(project); err != nil {
		return nil, err
	}
	if account == "" {
		return nil, sunya.Invalid("serviceAccountEmail", "is missing: say whose key it is to be")
	}
	if err := sunya.CheckAccount("serviceAccountEmail", account); err != nil {
		return nil, err
	}
	have, err := s.store.ListHMACKeys(ctx, project, account, "", maxPerAccount)
	if err != nil {
		return nil, fmt.Errorf("create HMAC key: %w", err)
	}
	if len(have) == maxPerAccount {
		return nil, sunya.Errorf(sunya.ResourceExhausted, account, "the account has %d HMAC keys, which is the most: delete one", maxPerAccount)
	}
	random := make([]byte, 35+30)
	rand.Read(random) // never fails
	now := s.now()
	k := &Key{
		// 61 characters that begin with GOOG1, as those of service accounts do.
		AccessID: "GOOG1" + base32.StdEncoding.EncodeToString(random[:35]),
		Secret:   base64.StdEncoding.EncodeToString(random[35:]),
		Project:  project, Account: account, State: Active, CreateTime: now, UpdateTime: now,
	}
	if err := s.store.PutHMACKey(ctx, k); err != nil {
		return nil, fmt.Errorf("create HMAC key: %w", err)
	}
	return k, nil
}

// Get returns a key of a project; NotFound.
func (s *Service) Get(ctx context.Context, project, accessID string) (*Key, error) {
	k, err := s.store.GetHMACKey(ctx, accessID)
	if err != nil {
		return nil, fmt.Errorf("get HMAC key: %w", err)
	}
	return k, k.of(project)
}

// of is NotFound for a key of another project.
func (k *Key) of(project string) error {
	if k.Project != project {
		return sunya.Errorf(sunya.NotFound, k.AccessID, "the project %s has no such HMAC key", project)
	}
	return nil
}

// List returns keys in the order of their ids; next is what to continue after,
// empty at the end.
func (s *Service) List(ctx context.Context, project, account, after string, limit int) (keys []Key, next string, err error) {
	keys, err = s.store.ListHMACKeys(ctx, project, account, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list HMAC keys: %w", err)
	}
	if len(keys) > limit {
		keys = keys[:limit]
		next = keys[limit-1].AccessID
	}
	return keys, next, nil
}

// SetState makes a key count or not. An etag that is not empty has to be the
// key's.
func (s *Service) SetState(ctx context.Context, project, accessID, state, etag string) (*Key, error) {
	if state != Active && state != Inactive {
		return nil, sunya.Invalid("state", "%q: use %s or %s", state, Active, Inactive)
	}
	var out Key
	err := s.store.UpdateHMACKey(ctx, accessID, func(k *Key) error {
		if err := k.of(project); err != nil {
			return err
		}
		if etag != "" && etag != k.ETag() {
			return sunya.Errorf(sunya.FailedPrecondition, accessID, "the key was changed meanwhile: get it again")
		}
		k.State, k.UpdateTime = state, s.now()
		out = *k
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("update HMAC key: %w", err)
	}
	return &out, nil
}

// Delete removes a key that does not count any more.
func (s *Service) Delete(ctx context.Context, project, accessID string) error {
	err := s.store.DeleteHMACKey(ctx, accessID, func(k *Key) error {
		if err := k.of(project); err != nil {
			return err
		}
		if k.State != Inactive {
			return sunya.Invalid("state", "the key %s is active: make it %s before you delete it", accessID, Inactive)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete HMAC key: %w", err)
	}
	return nil
}

// Secret returns the secret of a key that counts; NotFound.
func (s *Service) Secret(ctx context.Context, accessID string) (string, error) {
	k, err := s.store.GetHMACKey(ctx, accessID)
	if err != nil {
		return "", fmt.Errorf("get HMAC key: %w", err)
	}
	if k.State != Active {
		return "", sunya.Errorf(sunya.NotFound, accessID, "the HMAC key is not active")
	}
	return k.Secret, nil
}
