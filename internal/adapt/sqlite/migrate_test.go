package sqlite

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/sunya-cloud/sunya"
)

// oldDatabase is a database as a server wrote it that knew the schema up to a
// version, with these statements run in it.
func oldDatabase(t *testing.T, version int64, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, raw, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := raw.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Functions were products of Cloud Run's name before there was Cloud Run.
func TestFunctionsGetAProductOfTheirOwn(t *testing.T) {
	path := oldDatabase(t, 3,
		`INSERT INTO uid_ranges (uid_range, project, service) VALUES (16, 'p', 'f'), (17, 'p', 'a')`,
		`INSERT INTO services (name, project, product, traffic, uid_range, generation, create_time, update_time)
			VALUES ('f', 'p', 'run', '{}', 16, 1, 0, 0), ('a', 'p', 'appengine', '{}', 17, 1, 0, 0)`,
		`INSERT INTO revisions (name, id, service, create_time, document)
			VALUES ('f/1', 'f1', 'f', 0, '{"Name":"f/1","ID":"f1","Service":"f","Product":"run"}'),
			       ('a/1', 'a1', 'a', 0, '{"Name":"a/1","ID":"a1","Service":"a","Product":"appengine"}')`,
		`INSERT INTO deployments (id, step, create_time, document)
			VALUES ('d', 'building', 0, '{"ID":"d","Step":"building","Revision":{"Product":"run"}}')`,
	)
	db, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]sunya.Product{"f": sunya.CloudFunctions, "a": sunya.AppEngine}
	for _, s := range got.Services {
		if s.Product != want[s.Name] || s.Ingress != sunya.IngressAll || s.Scaling != nil {
			t.Errorf("service = %+v", s)
		}
	}
	for _, r := range got.Revisions {
		if r.Product != want[r.Service] {
			t.Errorf("revision = %+v", r)
		}
	}
	pending, err := db.Pending(t.Context())
	if err != nil || len(pending) != 1 || pending[0].Revision.Product != sunya.CloudFunctions {
		t.Errorf("pending = %+v, %v", pending, err)
	}
}
