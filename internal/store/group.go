package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/rosterd/rosterd/internal/roster"
)

// groupCommit lets transactions that wait for SQLite's one writer share a commit, and so a sync to the disk. Each works
// behind a savepoint of its own: one that fails is undone alone, and none is acknowledged before the commit they share.
type groupCommit struct {
	db *DB

	mu      sync.Mutex
	queue   []*groupJob
	running bool
	idle    sync.WaitGroup
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

// wait returns when nothing is being written.
func (g *groupCommit) wait() { g.idle.Wait() }

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
func (g *groupCommit) commit(jobs []*groupJob) error {
	ctx := context.Background() // the group's, not that of any of its jobs
	stx, err := g.db.write.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	defer func() { _ = stx.Rollback() }() // after a commit it does nothing
	for _, j := range jobs {
		if _, err := stx.ExecContext(ctx, `SAVEPOINT job`); err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
		j.run(&tx{Tx: stx, db: g.db})
		if j.err != nil || j.panicked != nil {
			if _, err := stx.ExecContext(ctx, `ROLLBACK TO job`); err != nil {
				return fmt.Errorf("undo a transaction: %w", err)
			}
		}
		if _, err := stx.ExecContext(ctx, `RELEASE job`); err != nil {
			return fmt.Errorf("end a transaction: %w", err)
		}
	}
	if err := stx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// run runs one job; a panic is kept for its caller.
func (j *groupJob) run(t *tx) {
	defer func() { j.panicked = recover() }()
	if j.err = t.begin(j.ctx); j.err == nil {
		j.err = j.fn(t)
	}
}
