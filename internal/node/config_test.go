package node

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sunya-cloud/sunya"
)

func TestConfigIsCompletedWithTheDefaults(t *testing.T) {
	var c Config
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	want := Config{
		Data:        DefaultData(os.Getenv),
		Listen:      []string{"127.0.0.1:8080"},
		Domain:      "localhost",
		Project:     "sunya",
		IdleTimeout: 15 * time.Minute,
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConfigThatSaysEverythingIsKept(t *testing.T) {
	c := Config{
		Data: "/srv/sunya", Listen: []string{"127.0.0.1:1"}, Public: []string{":443"}, TLSCert: "c.pem", TLSKey: "k.pem",
		Domain: "apps.example.org", Project: "shop", IdleTimeout: time.Hour,
	}
	before := c
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	for _, c := range []struct {
		rule string
		cfg  Config
		want string
	}{
		{"a domain has no port", Config{Domain: "example.org:80"}, "domain"},
		{"a domain is lower case", Config{Domain: "Example.org"}, "domain"},
		{"a domain has no empty label", Config{Domain: "a..b"}, "domain"},
		{"a certificate needs its key", Config{Public: []string{":443"}, TLSCert: "c.pem"}, "go together"},
		{"a key needs its certificate", Config{Public: []string{":443"}, TLSKey: "k.pem"}, "go together"},
		{"a certificate needs a listener", Config{TLSCert: "c.pem", TLSKey: "k.pem"}, "--public"},
		{"ephemeral data has no place", Config{Ephemeral: true, Data: "/srv"}, "--data"},
		{"nothing stops before its last request", Config{IdleTimeout: -time.Second}, "negative"},
		{"a project is a DNS label", Config{Project: "My_Shop"}, "project"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			err := c.cfg.complete()
			if sunya.CodeOf(err) != sunya.InvalidArgument || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want InvalidArgument with %q", err, c.want)
			}
		})
	}
}

func TestDefaultDataOfUsers(t *testing.T) {
	if os.Getuid() == 0 {
		if got := DefaultData(os.Getenv); got != "/var/lib/sunya" {
			t.Errorf("root's data is in %s", got)
		}
		return
	}
	for _, c := range []struct {
		rule string
		env  map[string]string
		want string
	}{
		{"below the home", map[string]string{"HOME": "/home/a"}, "/home/a/.local/share/sunya"},
		{"where XDG says", map[string]string{"HOME": "/home/a", "XDG_DATA_HOME": "/data"}, "/data/sunya"},
	} {
		if got := DefaultData(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%s: %s, want %s", c.rule, got, c.want)
		}
	}
}
