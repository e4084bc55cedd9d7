//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/e2e/platform"
	"github.com/sunya-cloud/sunya/internal/adapt/postgres/postgrestest"
)

// TestPubSubPostgres: the same promises with messages in Postgres, whoever of the
// two is killed, and one server at a time.
func TestPubSubPostgres(t *testing.T) {
	t.Parallel()
	db := postgrestest.Start(t)
	url := db.Database()
	s := platform.Start(t, "--events", url)

	said, err := s.TryStart("--ephemeral", "--listen", "127.0.0.1:0", "--events", url)
	if err == nil || !strings.Contains(said, "another server writes to this events database") {
		t.Errorf("a second server: %v\n%s", err, said)
	}
	killPubSub(t, s, pubsubKills()/4)
	t.Run("upgrade", func(t *testing.T) { s.For(t).Upgrade() })
	t.Run("Postgres", func(t *testing.T) {
		c := pubsubClient(t, s)
		deleteLetters(t, c)
		killWhilePublishing(t, s, c, 3, func() {
			db.Kill()
			db.Up()
		})
	})
}
