package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/rosterd/rosterd/internal/roster"
)

// groupCommit lets transactions that wait for SQLite's one writer share a commit, and so a sync to the disk. Each works
// behind a savepoint of its own: one that fails is undone alone, and none is acknowledged before the commit they share.
type groupCommit struct {
	db *DB

	mu      sync.Mutex
	queue   []*groupJob
	running bool
	closed  bool
	idle    sync.WaitGroup
	conn    *preparing // of whoever drains
}

type groupJob struct {
	ctx      context.Context //nolint:containedctx // the job's own, for its statements
	fn       func(roster.Tx) error
	err      error
	panicked any
	done     chan struct{}
}

// maxGroup bounds how many transactions share a commit, and so how long the first one waits for the last.
const maxGroup = 64

// do runs fn in a transaction, alone or with others, and returns when it is committed or undone.
func (g *groupCommit) do(ctx context.Context, fn func(roster.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	job := &groupJob{ctx: ctx, fn: fn, done: make(chan struct{})}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return fmt.Errorf("begin a transaction: %w", errClosed)
	}
	g.queue = append(g.queue, job)
	if !g.running {
		g.running = true
		g.idle.Add(1)
		go g.drain()
	}
	g.mu.Unlock()
	<-job.done
	if job.panicked != nil {
		panic(job.panicked)
	}
	return job.err
}

// errClosed says that somebody writes who outlived the database, such as the last heartbeat of a process that stops.
var errClosed = errors.New("the database is closed")

// close turns away who comes later, waits until nothing is being written, and gives the connection back.
func (g *groupCommit) close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.idle.Wait()
	conn := g.conn
	g.conn = nil
	if conn == nil {
		return nil
	}
	return conn.close()
}

// drain commits what waits, group by group, until nothing does.
func (g *groupCommit) drain() {
	defer g.idle.Done()
	for {
		g.mu.Lock()
		n := min(len(g.queue), maxGroup)
		jobs := append([]*groupJob(nil), g.queue[:n]...)
		g.queue = g.queue[n:]
		if n == 0 {
			g.running, g.queue = false, nil
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		if err := g.commit(jobs); err != nil {
			for _, j := range jobs {
				if j.err == nil {
					j.err = err
				}
			}
		}
		for _, j := range jobs {
			close(j.done)
		}
	}
}

// commit runs the jobs in one transaction; its error is for all of them.
func (g *groupCommit) commit(jobs []*groupJob) (err error) {
	ctx := context.Background() // the group's, not that of any of its jobs
	w, err := g.writer(ctx)
	if err != nil {
		return err
	}
	if _, err := w.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = w.ExecContext(ctx, `ROLLBACK`)
		}
	}()
	for _, j := range jobs {
		if _, err := w.ExecContext(ctx, `SAVEPOINT job`); err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
		j.run(&tx{querier: w, db: g.db})
		if j.err != nil || j.panicked != nil {
			if _, err := w.ExecContext(ctx, `ROLLBACK TO job`); err != nil {
				return fmt.Errorf("undo a transaction: %w", err)
			}
		}
		if _, err := w.ExecContext(ctx, `RELEASE job`); err != nil {
			return fmt.Errorf("end a transaction: %w", err)
		}
	}
	if _, err := w.ExecContext(ctx, `COMMIT`); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// writer returns the connection that writes, which is kept with the statements prepared on it: preparing one costs
// SQLite about as much as running it.
func (g *groupCommit) writer(ctx context.Context) (*preparing, error) {
	if g.conn == nil {
		conn, err := g.db.write.Connx(ctx)
		if err != nil {
			return nil, fmt.Errorf("open the connection that writes: %w", err)
		}
		g.conn = &preparing{conn: conn, stmts: map[string]*sqlx.Stmt{}}
	}
	return g.conn, nil
}

// preparing runs statements on one connection and keeps those that come again. A statement is never interrupted: SQLite
// would undo the whole transaction, and with it what others wrote. A job whose context has ended is not begun.
type preparing struct {
	conn  *sqlx.Conn
	stmts map[string]*sqlx.Stmt
}

// Statements with long lists hardly come again, and are not kept; nor are more than so many.
const (
	maxKept     = 256
	maxKeptText = 2048
)

func (p *preparing) stmt(ctx context.Context, query string) (*sqlx.Stmt, error) {
	if s := p.stmts[query]; s != nil {
		return s, nil
	}
	if len(query) > maxKeptText || len(p.stmts) >= maxKept {
		return nil, nil //nolint:nilnil // not kept
	}
	s, err := p.conn.PreparexContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.stmts[query] = s
	return s, nil
}

// SelectContext reads rows into a slice.
func (p *preparing) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	ctx = context.WithoutCancel(ctx)
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed by close
	if err != nil {
		return err
	}
	if s == nil {
		return p.conn.SelectContext(ctx, dest, query, args...)
	}
	return s.SelectContext(ctx, dest, args...)
}

// GetContext reads one row.
func (p *preparing) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	ctx = context.WithoutCancel(ctx)
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed by close
	if err != nil {
		return err
	}
	if s == nil {
		return p.conn.GetContext(ctx, dest, query, args...)
	}
	return s.GetContext(ctx, dest, args...)
}

// ExecContext runs a statement.
func (p *preparing) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = context.WithoutCancel(ctx)
	s, err := p.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed by close
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.conn.ExecContext(ctx, query, args...)
	}
	return s.ExecContext(ctx, args...)
}

// QueryRowxContext reads one row to scan.
func (p *preparing) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	ctx = context.WithoutCancel(ctx)
	if s, err := p.stmt(ctx, query); err == nil && s != nil { //nolint:sqlclosecheck // kept for the next time
		return s.QueryRowxContext(ctx, args...)
	}
	return p.conn.QueryRowxContext(ctx, query, args...)
}

// close gives the connection back.
func (p *preparing) close() error {
	for _, s := range p.stmts {
		_ = s.Close()
	}
	return p.conn.Close()
}

// run runs one job; a panic is kept for its caller.
func (j *groupJob) run(t *tx) {
	defer func() { j.panicked = recover() }()
	if j.err = j.ctx.Err(); j.err == nil {
		j.err = t.begin(j.ctx)
	}
	if j.err == nil {
		j.err = j.fn(t)
	}
}
