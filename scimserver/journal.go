package scimserver

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
)

const (
	// maxWaiting bounds how many reads wait to be logged: with what is kept of their answers, some 10 MB.
	maxWaiting = 4096
	// journalBatch is how many rows one transaction writes, and how many wait before it does so early.
	journalBatch = 500
	// journalEvery is how long a row waits at most: as long as a person who looks for it doesn't notice.
	journalEvery = 250 * time.Millisecond
	// journalTime bounds one write.
	journalTime = 5 * time.Second
)

// journal holds rows of the request log until they are written in batches: those of reads, so that a read costs no
// transaction, and those of refused tokens, so that nobody can make the database work, or learn from the time an answer
// takes, by trying tokens.
type journal struct {
	reads bool // whether reads are logged
	full  chan struct{}
	lost  atomic.Int64

	mu       sync.Mutex
	waiting  []pendingRead
	refusals map[string]*store.LogRow // by organisation and repeat key
	dropped  map[string]int           // reads that found no room, by organisation

	writing sync.Mutex // one batch at a time
}

func newJournal(reads bool) *journal {
	return &journal{reads: reads, full: make(chan struct{}, 1), refusals: map[string]*store.LogRow{}, dropped: map[string]int{}}
}

// read keeps a read to be logged, or counts it where there is no room.
func (j *journal) read(p pendingRead) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) >= maxWaiting {
		j.dropped[p.row.Org]++
		j.lost.Add(1)
		return
	}
	j.waiting = append(j.waiting, p)
	if len(j.waiting) == journalBatch {
		select {
		case j.full <- struct{}{}:
		default: // it knows
		}
	}
}

// refusal counts a refused token in the row of its key.
func (j *journal) refusal(row store.LogRow) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count(j.refusals[refusalKey(&row)], &row)
}

func refusalKey(row *store.LogRow) string { return row.Org + " " + row.RepeatKey }

// count keeps one row for two of the same key, of which one may be nil: the id is the first one's, the rest the last one's.
func (j *journal) count(first, last *store.LogRow) {
	switch {
	case last == nil:
		last = first
	case first != nil:
		last.ID, last.Repeats = first.ID, first.Repeats+last.Repeats
	}
	j.refusals[refusalKey(last)] = last
}

// take empties the journal.
func (j *journal) take(now time.Time) (reads []pendingRead, others []store.LogRow) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, row := range j.refusals {
		others = append(others, *row)
	}
	for org, n := range j.dropped {
		others = append(others, store.LogRow{Request: roster.Request{
			ID: roster.NewID(), Org: org, Time: now.UTC(), Method: "GET", Status: 200, Repeats: n,
			Detail: fmt.Sprintf("%d reads are not logged one by one: they came faster than the log could be written", n),
		}})
	}
	reads, j.waiting = j.waiting, nil
	clear(j.refusals)
	clear(j.dropped)
	return reads, others
}

// putBack keeps what could not be written for the next time, as far as there is room.
func (j *journal) putBack(reads []pendingRead, others []store.LogRow) {
	j.mu.Lock()
	defer j.mu.Unlock()
	room := max(0, min(len(reads), maxWaiting-len(j.waiting)))
	for _, p := range reads[room:] {
		j.dropped[p.row.Org]++
		j.lost.Add(1)
	}
	j.waiting = append(reads[:room:room], j.waiting...)
	for i := range others {
		row := others[i]
		if row.RepeatKey == "" {
			j.dropped[row.Org] += row.Repeats
			continue
		}
		j.count(&row, j.refusals[refusalKey(&row)])
	}
}

// DroppedReads counts the reads so far that the request log had no room for. It has a row that says how many.
func (s *Server) DroppedReads() int64 { return s.journal.lost.Load() }

// FlushLog writes what waits to be written into the request log.
func (s *Server) FlushLog(ctx context.Context) error {
	j := s.journal
	j.writing.Lock()
	defer j.writing.Unlock()
	reads, rows := j.take(s.now())
	if err := s.store.LogRequests(ctx, rows); err != nil {
		j.putBack(reads, rows)
		return err
	}
	for len(reads) > 0 {
		n := min(len(reads), journalBatch)
		rows = rows[:0]
		for i := range reads[:n] {
			rows = append(rows, store.LogRow{Request: reads[i].finish()})
		}
		if err := s.store.LogRequests(ctx, rows); err != nil {
			j.putBack(reads, nil)
			return err
		}
		reads = reads[n:]
	}
	return nil
}

// KeepLog writes the request log behind the requests until the context ends, and what is left then. The daemon calls it
// once, and ends it when no request is open any more.
func (s *Server) KeepLog(ctx context.Context) {
	tick := time.NewTicker(journalEvery)
	defer tick.Stop()
	lost := int64(0)
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		case <-s.journal.full:
		}
		write, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTime)
		if err := s.FlushLog(write); err != nil {
			s.log.LogAttrs(ctx, slog.LevelError, "request log", slog.Any("error", err))
		}
		cancel()
		if now := s.DroppedReads(); now > lost {
			s.log.LogAttrs(ctx, slog.LevelWarn, "reads were not logged one by one: they came faster than the request log could be written",
				slog.Int64("reads", now-lost))
			lost = now
		}
	}
}
