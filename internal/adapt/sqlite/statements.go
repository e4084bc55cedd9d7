package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds what is kept prepared: queries are constants, or made of a
// few parts.
const maxStatements = 500

// statements keeps queries prepared: to parse one costs more than to run it. They
// end with their database.
type statements struct {
	db *sql.DB

	mu     sync.Mutex
	known  map[string]*sql.Stmt
	wanted map[string]bool // by transactions
}

func newStatements(db *sql.DB) *statements {
	return &statements{db: db, known: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
}

// of returns a query prepared; nil: it is run as it is, and whoever does is told
// what is wrong with it.
func (s *statements) of(query string) *sql.Stmt {
	s.mu.Lock()
	stmt, full := s.known[query], len(s.known) >= maxStatements
	s.mu.Unlock()
	if stmt != nil || full {
		return stmt
	}
	// Not with the context of one caller: it is everybody's.
	stmt, err := s.db.PrepareContext(context.Background(), query)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.known[query]; first != nil {
		_ = stmt.Close()
		return first
	}
	s.known[query] = stmt
	return stmt
}

// ready is of within a transaction, where nothing can be prepared to last: what
// is missing is there after the next settle.
func (s *statements) ready(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	stmt := s.known[query]
	if stmt == nil {
		s.wanted[query] = true
	}
	return stmt
}

// settle prepares what transactions wanted. None is open.
func (s *statements) settle() {
	s.mu.Lock()
	wanted := s.wanted
	if len(wanted) > 0 {
		s.wanted = map[string]bool{}
	}
	s.mu.Unlock()
	for query := range wanted {
		s.of(query)
	}
}

// pool is a database whose queries are prepared once.
type pool struct {
	*sql.DB
	statements *statements
}

// QueryContext implements querier.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.statements.of(query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext implements querier. It is for what is found by its key, at
// once: the context is not watched, which would take two goroutines a query.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = context.WithoutCancel(ctx)
	if stmt := p.statements.of(query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, query, args...)
}

// prepared is a transaction whose statements are prepared once.
type prepared struct {
	*sql.Tx
	statements *statements
}

var _ querier = prepared{}

// ExecContext implements querier.
func (t prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := t.statements.ready(query); stmt != nil {
		return t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext implements querier.
func (t prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := t.statements.ready(query); stmt != nil {
		return t.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext implements querier.
func (t prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := t.statements.ready(query); stmt != nil {
		return t.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}
