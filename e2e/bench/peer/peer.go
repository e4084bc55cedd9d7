// Package peer starts the reverse proxies that Sunya is measured beside, each as
// one would set it up for speed: keep-alive connections to the backend, all cores,
// nothing else switched on.
package peer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Proxy is one kind of reverse proxy, with its access log or without.
type Proxy struct {
	Name string // as it is shown
	bin  string
	// files are written before the start; argv gets the directory that they are in.
	files func(at place) map[string]string
	argv  func(at place) []string
}

// place is where a proxy stands.
type place struct {
	dir     string // of its own, writable
	listen  string // HOST:PORT
	backend string // HOST:PORT
}

// ErrMissing says that a program is not installed.
var ErrMissing = errors.New("not installed")

// Proxies are all of them. The ones that log write a line a request, as Sunya
// does.
func Proxies() []Proxy {
	return []Proxy{
		nginx("nginx, logging", true), nginx("nginx, no log", false),
		haproxy("HAProxy, logging", true), haproxy("HAProxy, no log", false),
		caddy("Caddy, logging"),
		traefik("Traefik, logging"),
	}
}

// Command is a proxy in front of a backend, not yet started: its files are in
// dir. The error is ErrMissing where the program is not installed.
func (p Proxy) Command(dir, listen, backend string) (*exec.Cmd, error) {
	bin, err := Find(p.bin)
	if err != nil {
		return nil, err
	}
	at := place{dir, listen, backend}
	for name, text := range p.files(at) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(bin, p.argv(at)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	log, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log // and so it stays open as long as the proxy
	return cmd, nil
}

// Find looks for a program of the comparison: in the directory that scripts/deps.sh
// fills, on the PATH, and where a distribution puts daemons.
func Find(name string) (string, error) {
	for _, dir := range []string{os.Getenv("SUNYA_PEERS"), "/usr/sbin"} {
		if p := filepath.Join(dir, name); dir != "" {
			if _, err := os.Stat(p); err == nil {
				return p, nil
			}
		}
	}
	p, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, ErrMissing)
	}
	return p, nil
}

// Version asks a program for its version; empty where it is not installed.
func Version(name string, args ...string) string {
	bin, err := Find(name)
	if err != nil {
		return ""
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil && len(out) == 0 {
		return ""
	}
	return firstNumber(string(out))
}

// firstNumber is the first word that looks like a version.
func firstNumber(text string) string {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\n/(),\"", r) }) {
		word = strings.TrimPrefix(strings.TrimPrefix(word, "v"), "go")
		if strings.Contains(word, ".") && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return ""
}
