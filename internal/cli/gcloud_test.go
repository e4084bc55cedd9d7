package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGcloudConfig(t *testing.T) {
	f := newFake(t)
	dir := filepath.Join(t.TempDir(), "gcloud") // not there yet
	r := prepare(t, f, "gcloud-config").with("CLOUDSDK_CONFIG", dir).do(t).expect(t, exitOK)
	path := filepath.Join(dir, "configurations", "config_sunya")
	if r.stdout.String() != path+"\n" || !strings.Contains(r.stderr.String(), "gcloud config configurations activate sunya") {
		t.Errorf("stdout = %s, stderr = %s", r.stdout, r.stderr)
	}
	want := "[core]\nproject = sunya\n\n[auth]\ncredential_file_override = " + filepath.Join(dir, "sunya.key.json") + "\ntoken_host = " + f.url + "/token\n\n[api_endpoint_overrides]\n" +
		"appengine = " + f.url + "/\nlogging = " + f.url + "/\npubsub = " + f.url + "/\nstorage = " + f.url + "/\n"
	for _, api := range []string{"artifactregistry", "cloudbuild", "cloudfunctions", "cloudresourcemanager", "cloudscheduler", "cloudtasks", "datastore", "eventarc", "iam", "serviceusage"} {
		want += api + " = " + f.url + "/" + api + ".googleapis.com/\n"
	}
	want += "run = http://run.api.localhost:" + f.port() + "/\n\n[run]\nregion = local\n"
	if got := read(t, path); got != want {
		t.Errorf("config = %q\nwant     %q", got, want)
	}

	key := filepath.Join(dir, "sunya.key.json")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(read(t, key), `"client_email": "sunya@appspot.gserviceaccount.com"`) {
		t.Errorf("key: %v %v", info, err)
	}

	// Again: nothing changes, and what the user has added stays.
	added := strings.Replace(want, "[auth]", "account = me\n\n[compute]\nregion = x\n\n[auth]", 1)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("configurations/config_sunya", added)
	prepare(t, f, "gcloud-config").with("CLOUDSDK_CONFIG", dir).do(t).expect(t, exitOK)
	for _, line := range []string{"account = me", "region = x"} {
		if got := read(t, path); !strings.Contains(got, line) || len(got) != len(added) {
			t.Errorf("%q is lost or something was added: %s", line, got)
		}
	}

	// A server on another machine wants its token.
	prepare(t, f, "gcloud-config", "--project", "other").with("CLOUDSDK_CONFIG", dir).with("SUNYA_TOKEN", "secret").do(t).expect(t, exitOK)
	token := filepath.Join(dir, "sunya.token")
	if got := read(t, path); read(t, token) != "secret" || strings.Contains(got, "credential_file_override") ||
		!strings.Contains(got, "access_token_file = "+token) || !strings.Contains(got, "project = other") {
		t.Errorf("config = %s", got)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("the key is left beside the token")
	}
	if info, err := os.Stat(token); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token: %v %v", info.Mode(), err)
	}

	write("active_config", "sunya")
	prepare(t, f, "gcloud-config", "--delete").with("CLOUDSDK_CONFIG", dir).do(t).expect(t, exitOK)
	if read(t, filepath.Join(dir, "active_config")) != "default" {
		t.Error("gcloud is left with a configuration that is gone")
	}
	for _, gone := range []string{path, token} {
		if _, err := os.Stat(gone); err == nil {
			t.Errorf("%s is left", gone)
		}
	}
	prepare(t, f, "gcloud-config", "--delete").with("CLOUDSDK_CONFIG", dir).do(t).expect(t, exitNotFound)
	for _, args := range [][]string{{"--name", "../x"}, {"--name", "default", "--delete"}, {"--name", ""}} {
		prepare(t, f, append([]string{"gcloud-config"}, args...)...).with("CLOUDSDK_CONFIG", dir).do(t).expect(t, exitUsage)
	}
}

// gcloud puts a region in front of the host of Cloud Run's API. Where such names
// are not known, the server is the proxy for them.
func TestGcloudRunEndpoint(t *testing.T) {
	f := newFake(t)
	for _, tt := range []struct {
		rule    string
		address map[string]string // of names
		proxy   bool
	}{
		{"names lead to the server", map[string]string{"127.0.0.1": "127.0.0.1", "us-central1-run.api.localhost": "127.0.0.1"}, false},
		{"to the server by its other loopback address", map[string]string{"127.0.0.1": "127.0.0.1", "us-central1-run.api.localhost": "::1"}, false},
		{"names lead elsewhere", map[string]string{"127.0.0.1": "127.0.0.1", "us-central1-run.api.localhost": "10.0.0.1"}, true},
		{"names are not known", map[string]string{"127.0.0.1": "127.0.0.1"}, true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r := prepare(t, f, "env", "--shell", "sh")
			r.env.LookupHost = func(_ context.Context, host string) ([]string, error) {
				if a := tt.address[host]; a != "" {
					return []string{a}, nil
				}
				return nil, errors.New("no such host")
			}
			got := r.do(t).expect(t, exitOK).stdout.String()
			if want := "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN='http://run.api.localhost:" + f.port() + "/'"; !strings.Contains(got, want) {
				t.Errorf("%s is not in\n%s", want, got)
			}
			if want := "CLOUDSDK_PROXY_PORT='" + f.port() + "'"; strings.Contains(got, want) != tt.proxy {
				t.Errorf("%s: want it %v, in\n%s", want, tt.proxy, got)
			}
		})
	}
}

func TestGcloudConfigBeforeTheServerRuns(t *testing.T) {
	r := prepare(t, nil, "gcloud-config", "--server", "http://127.0.0.1:1").with("HOME", t.TempDir()).do(t).expect(t, exitOK)
	if !strings.Contains(r.stderr.String(), "no server answers at http://127.0.0.1:1 yet") {
		t.Errorf("stderr = %s", r.stderr)
	}
	if got := read(t, strings.TrimSpace(r.stdout.String())); !strings.Contains(got, "storage = http://127.0.0.1:1/\n") {
		t.Errorf("config = %s", got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var iniWant = []property{{"core", "project", "p"}, {"auth", "token", ""}, {"api", "x", "y"}}

var iniTests = []struct{ name, before, after string }{
	{"empty", "", "[core]\nproject = p\n\n[api]\nx = y\n"},
	{"as gcloud writes it", "[core]\naccount = a\nproject = old\n\n", "[core]\naccount = a\nproject = p\n\n[api]\nx = y\n"},
	{"colon and case", "[core]\nProject: old\n", "[core]\nproject = p\n\n[api]\nx = y\n"},
	{"twice", "[core]\nproject = a\nproject = b\n", "[core]\nproject = p\n\n[api]\nx = y\n"},
	{"another section's", "[other]\nproject = a\n[core]\n", "[other]\nproject = a\n[core]\nproject = p\n\n[api]\nx = y\n"},
	{"taken out", "[auth]\ntoken = a\nother = b\n", "[auth]\nother = b\n\n[core]\nproject = p\n\n[api]\nx = y\n"},
	{"comments and line ends", "# mine\r\n[core]\r\n; more\r\n", "# mine\n[core]\n; more\nproject = p\n\n[api]\nx = y\n"},
}

func TestSetProperties(t *testing.T) {
	for _, tt := range iniTests {
		t.Run(tt.name, func(t *testing.T) {
			got := setProperties(tt.before, iniWant)
			if got != tt.after {
				t.Errorf("%q\nwant %q", got, tt.after)
			}
			if again := setProperties(got, iniWant); again != got {
				t.Errorf("a second time changes it: %q", again)
			}
		})
	}
}

func FuzzSetProperties(f *testing.F) {
	for _, tt := range iniTests {
		f.Add(tt.before)
	}
	f.Fuzz(func(t *testing.T, before string) {
		once := setProperties(before, iniWant)
		if !strings.Contains(once, "project = p\n") || !strings.Contains(once, "x = y\n") {
			t.Errorf("not set: %q", once)
		}
		if again := setProperties(once, iniWant); again != once {
			t.Errorf("a second time changes it: %q, then %q", once, again)
		}
	})
}
