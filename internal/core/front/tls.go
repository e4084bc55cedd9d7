package front

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Certificate is a certificate and its key in two files, which may be replaced
// while the server runs: the next handshake reads them again.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu    sync.Mutex // guards what follows
	stamp [2]stamp
	cert  *tls.Certificate
}

// stamp tells one state of a file from another.
type stamp struct {
	mtime time.Time
	size  int64
}

// LoadCertificate reads a certificate and its key.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config returns the TLS settings of a listener.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// get returns the certificate of the moment. While the files are unreadable or
// do not fit together (a renewal writes one after the other) it is the last
// good one.
func (c *Certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stamp == c.stamps() {
		return c.cert
	}
	if err := c.load(); err != nil {
		c.log.Warn("certificate not renewed", "component", "front", "err", err)
	}
	return c.cert
}

// load reads the files. After an error they are read again once they change.
func (c *Certificate) load() error {
	c.stamp = c.stamps()
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("load certificate %s: %w", c.certFile, err)
	}
	c.cert = &cert
	return nil
}

// stamps returns the state of both files; that of a missing one is zero.
func (c *Certificate) stamps() (s [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
