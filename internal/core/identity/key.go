package identity

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of a new key.
const keyBits = 2048

// Sign signs bytes for an account (RSASSA-PKCS1-v1_5 over SHA-256, as IAM's
// signBlob does) and returns the key's id.
func (t *Tokens) Sign(ctx context.Context, payload []byte) (keyID string, signature []byte, err error) {
	if _, err := t.accounts.signer(ctx); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(payload)
	signature, err = rsa.SignPKCS1v15(nil, t.accounts.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", nil, fmt.Errorf("sign: %w", err)
	}
	return t.accounts.id, signature, nil
}

// SignClaims signs the claims of a token that the caller has written himself
// (JSON), for an account: whatever it says, it is none of this platform's own.
func (t *Tokens) SignClaims(ctx context.Context, payload []byte) (keyID, token string, err error) {
	signer, err := t.accounts.signer(ctx)
	if err != nil {
		return "", "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", "", fmt.Errorf("sign token: %w", err)
	}
	token, err = jws.CompactSerialize()
	return t.accounts.id, token, err
}

// KeySet returns the public keys of identity tokens as JSON (RFC 7517 §5).
func (t *Tokens) KeySet(ctx context.Context) (*jose.JSONWebKeySet, error) { return t.ids.public(ctx) }

// AccountKeySet returns the public keys of what accounts sign.
func (t *Tokens) AccountKeySet(ctx context.Context) (*jose.JSONWebKeySet, error) {
	return t.accounts.public(ctx)
}

// ring is one private key and what it signs: one kind of token, so that none is
// ever taken for another.
type ring struct {
	keys Keys
	name string // in keys
	kind string // typ of its tokens

	mu   sync.Mutex
	key  *rsa.PrivateKey // nil until it is needed
	id   string
	sign jose.Signer
}

func (t *ring) public(ctx context.Context) (*jose.JSONWebKeySet, error) {
	if _, err := t.signer(ctx); err != nil {
		return nil, err
	}
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &t.key.PublicKey, KeyID: t.id, Algorithm: string(jose.RS256), Use: "sig"},
	}}, nil
}

// signer returns what signs, with the key loaded or made.
func (t *ring) signer(ctx context.Context) (jose.Signer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sign != nil {
		return t.sign, nil
	}
	der, err := t.keys.Key(ctx, t.name, newKey)
	if err != nil {
		return nil, fmt.Errorf("load signing key: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("load signing key: %w", err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("load signing key: it is %T, not RSA", parsed)
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(t.kind)).WithHeader("kid", id)
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("make signer: %w", err)
	}
	t.key, t.id, t.sign = key, id, sign
	return sign, nil
}

func newKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// keyID is 40 hex digits, as Google's are, of the key's thumbprint.
func keyID(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("name key: %w", err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:20]), nil
}
