package cli

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
)

// keyFile is where gcloud reads the key of the account that it is at a server of
// this machine.
func (c gcloudConfig) keyFile() string { return filepath.Join(c.dir, c.name+".key.json") }

// keyBits is the size of the key.
const keyBits = 2048

// writeKey stores a key of the project's own service account in the form of
// Google's, with which gcloud asks the server for tokens. It opens nothing: the
// server gives its owner tokens of any account, and nobody else, whatever is
// signed with it.
func (c gcloudConfig) writeKey(project, tokenURL string) error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("make a key for gcloud: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make a key for gcloud: %w", err)
	}
	doc, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": project, "client_email": sunya.AppAccount(project), "client_id": "1",
		"private_key_id": "sunya", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokenURL,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("make a key for gcloud: %w", err)
	}
	if err := replaceFile(c.keyFile(), string(doc)+"\n"); err != nil {
		return fmt.Errorf("store the key for gcloud: %w", err)
	}
	return nil
}
