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

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of a new key.
const keyBits = 2048

// Sign signs bytes with the platform's key (RSASSA-PKCS1-v1_5 over SHA-256, as
// IAM's signBlob does) and returns the key's id.
func (t *Tokens) Sign(ctx context.Context, payload []byte) (keyID string, signature []byte, err error) {
	if _, err := t.signer(ctx); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(payload)
	signature, err = rsa.SignPKCS1v15(nil, t.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", nil, fmt.Errorf("sign: %w", err)
	}
	return t.id, signature, nil
}

// SignClaims signs the claims of a token that the caller has written himself (JSON).
func (t *Tokens) SignClaims(ctx context.Context, payload []byte) (keyID, token string, err error) {
	signer, err := t.signer(ctx)
	if err != nil {
		return "", "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", "", fmt.Errorf("sign token: %w", err)
	}
	token, err = jws.CompactSerialize()
	return t.id, token, err
}

// KeySet returns the public keys as JSON (RFC 7517 §5).
func (t *Tokens) KeySet(ctx context.Context) (*jose.JSONWebKeySet, error) {
	if _, err := t.signer(ctx); err != nil {
		return nil, err
	}
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &t.key.PublicKey, KeyID: t.id, Algorithm: string(jose.RS256), Use: "sig"},
	}}, nil
}

// signer returns what signs, with the key loaded or made.
func (t *Tokens) signer(ctx context.Context) (jose.Signer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sign != nil {
		return t.sign, nil
	}
	der, err := t.keys.Key(ctx, newKey)
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
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", id)
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
