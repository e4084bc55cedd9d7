//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

// TestGcloudStorage does with an unmodified gcloud what its users do with objects,
// one call of each kind, and with gsutil by way of an HMAC key.
func TestGcloudStorage(t *testing.T) {
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("SKIP: no gcloud on this machine")
	}
	t.Parallel()
	s := platform.Start(t)
	g := newGcloud(t, s)
	g.configure()
	dir := platform.Files(t, map[string]string{"one.txt": "one\n", "sub/two.txt": "two\n",
		"rules.json": `{"rule":[{"action":{"type":"Delete"},"condition":{"age":30}}]}`})
	g.ok("storage buckets create gs://stuff --location us-central1 --uniform-bucket-level-access", "Creating gs://stuff/")
	g.ok("storage cp -r "+dir+"/* gs://stuff/in", "Copying")
	g.ok("storage mv gs://stuff/in/one.txt gs://stuff/moved.txt", "Removing")
	g.ok("storage rsync -r "+dir+"/sub gs://stuff/in --delete-unmatched-destination-objects", "in/two.txt")
	g.ok("storage objects compose gs://stuff/moved.txt gs://stuff/in/two.txt gs://stuff/both", "Composing")
	g.ok("storage cat gs://stuff/both", "one\ntwo")
	g.fails("storage cp "+dir+"/one.txt gs://stuff/both --if-generation-match 1", "412")
	g.ok("storage buckets update gs://stuff --versioning --lifecycle-file " + dir + "/rules.json --update-labels team=a")
	if out := g.ok("storage buckets describe gs://stuff", "versioning_enabled: true", "age: 30", "team: a"); strings.Contains(out, "WARNING") {
		t.Errorf("gcloud warns: %s", out)
	}
	g.ok("storage buckets notifications create gs://stuff --topic uploads", "topic:")
	g.ok("storage rm -r gs://stuff", "Removing gs://stuff/")

	if _, err := exec.LookPath("gsutil"); err != nil {
		t.Log("SKIP gsutil: not on this machine")
		return
	}
	key := strings.Fields(g.ok("storage hmac create robot@sunya.iam.gserviceaccount.com --format value(metadata.accessId,secret)"))
	host, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL(), "http://"))
	boto := filepath.Join(t.TempDir(), "boto")
	config := fmt.Sprintf("[Credentials]\ngs_access_key_id = %s\ngs_secret_access_key = %s\ngs_host = %s\ngs_port = %s\n"+
		"[Boto]\nis_secure = False\nnum_retries = 1\n[GSUtil]\ndefault_project_id = sunya\nstate_dir = %s\n", key[0], key[1], host, port, t.TempDir())
	if err := os.WriteFile(boto, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	gsutil := func(args string, want ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "gsutil", strings.Fields(args)...)
		cmd.Env = append(g.env, "BOTO_CONFIG="+boto, "CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL=false")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("gsutil %s: %v\n%s", args, err, out)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("gsutil %s: want %q in\n%s", args, w, out)
			}
		}
	}
	gsutil("mb gs://older")
	gsutil("versioning set on gs://older")
	gsutil("lifecycle set " + dir + "/rules.json gs://older")
	gsutil("cp -r " + dir + "/sub gs://older")
	gsutil("acl ch -u AllUsers:R gs://older/sub/two.txt")
	gsutil("ls -L -a gs://older/sub/two.txt", "allUsers", "Generation:")
	gsutil("rm -r gs://older")
}
