package front

import (
	"strings"
	"testing"
)

// String returns the Spec as ParseSpec reads it.
func (s Spec) String() string { return s.Addr() + ",roles=" + s.Roles.String() }

func TestParseSpec(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"127.0.0.1:8080", "127.0.0.1:8080,roles=apps+api+console"},
		{"localhost:0", "localhost:0,roles=apps+api+console"},
		{"[::1]:8080", "[::1]:8080,roles=apps+api+console"},
		{"0.0.0.0:80,roles=apps", "0.0.0.0:80,roles=apps"},
		{":443,roles=console+api", ":443,roles=api+console"},
		{"127.0.0.1:8080,roles=api", "127.0.0.1:8080,roles=api"},
		{"Example.COM:1,roles=api", "example.com:1,roles=api"},
	} {
		got, err := ParseSpec(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("ParseSpec(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no port":                "127.0.0.1",
		"port name":              "127.0.0.1:http",
		"port too large":         "127.0.0.1:65536",
		"no roles in public":     "0.0.0.0:80",
		"every role in public":   ":80,roles=apps+api+console",
		"apps and api in public": "192.0.2.1:80,roles=apps+api",
		"unknown role":           "127.0.0.1:80,roles=admin",
		"no role":                "127.0.0.1:80,roles=",
		"unknown option":         "127.0.0.1:80,tls=yes",
		"zone":                   "[fe80::1%eth0]:80,roles=apps",
		"not a host":             "a b:80,roles=apps",
		"loopback lookalike":     "127.0.0.1.example.com:80",
		"IPv6 without brackets":  "::1:80",
	} {
		if got, err := ParseSpec(in); err == nil {
			t.Errorf("%s: ParseSpec(%q) = %q", name, in, got)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"127.0.0.1:8080", "[::1]:0,roles=api", ":80,roles=apps", "x:1,roles=api+console"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseSpec(s)
		if err != nil {
			return
		}
		again, err := ParseSpec(spec.String())
		if err != nil || again != spec {
			t.Errorf("ParseSpec(%q) = %+v, %v, want %+v", spec.String(), again, err, spec)
		}
	})
}

func TestCanonicalHost(t *testing.T) {
	for in, want := range map[string]string{
		"Hello.LOCALHOST:8080": "hello.localhost",
		"hello.localhost.":     "hello.localhost",
		"localhost.:80":        "localhost",
		"localhost:":           "localhost",
		"[::1]:80":             "::1",
		"[0:0::1]":             "::1",
		"[::ffff:127.0.0.1]":   "127.0.0.1",
		"xn--bcher-kva.test":   "xn--bcher-kva.test",
		"a_b.test":             "a_b.test",
	} {
		if got, err := CanonicalHost(in); err != nil || got != want {
			t.Errorf("CanonicalHost(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "a..b", ".a", "a b", "a/b", "a@b", "bücher.test", "a:b", "a:80:80", "[::1", "[127.0.0.1]", "[fe80::1%25lo]",
		"a:1234567", "[::1]x", "::1", "a\x00", "%6c", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
	} {
		if got, err := CanonicalHost(in); err == nil {
			t.Errorf("CanonicalHost(%q) = %q", in, got)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"a.b:1", "[::1]:1", "A.", "127.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := CanonicalHost(s)
		if err != nil {
			return
		}
		again, err := CanonicalHost(hostOnly(host))
		if err != nil || again != host || host != strings.ToLower(host) {
			t.Errorf("CanonicalHost(%q) = %q, and of that %q, %v", s, host, again, err)
		}
	})
}

func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{"/", "/a%2Fb", "/%2e%2e/", "/a//b", "/%zz", "/a;b=c", "/ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := CanonicalPath(s)
		if err != nil {
			return
		}
		again, err := CanonicalPath(path)
		if err != nil || again != path {
			t.Errorf("CanonicalPath(%q) = %q, and of that %q, %v", s, path, again, err)
		}
		for part := range strings.SplitSeq(strings.ReplaceAll(path, "%2F", "/"), "/") {
			if part == ".." || part == "." {
				t.Errorf("CanonicalPath(%q) = %q has a dot segment", s, path)
			}
		}
	})
}
