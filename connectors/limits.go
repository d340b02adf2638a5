package connectors

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// atOnce is how many requests one tenant is sent at a time. Okta's own limit is 75 for an org and everybody in it,
	// and says that even large loads rarely need more than 10 (Okta documentation, "Additional rate limits").
	atOnce = 8
	// longestBlock bounds how long one answer keeps a tenant's requests back, whatever it says.
	longestBlock = time.Hour
	// longestReserve bounds how long is waited for others' sake: the windows of rate limits are a minute or less.
	longestReserve = 2 * time.Minute
	// spread parts those who wait for the same moment.
	spread = 500 * time.Millisecond
)

// Limits joins the connections of one process that ask the same tenant of an IdP: what one of them is told about limits
// holds for all.
type Limits struct {
	mu      sync.Mutex
	tenants map[string]*Tenant
}

// NewLimits returns a register without tenants.
func NewLimits() *Limits { return &Limits{tenants: map[string]*Tenant{}} }

// Tenant returns what the connections of one tenant share. The key says which it is: whose limits the IdP counts
// together. The IdP's name is for a person to read. Without a register it is shared with nobody.
func (l *Limits) Tenant(key, idp string) *Tenant {
	if l == nil {
		return newTenant(idp)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tenants[key]
	if t == nil {
		t = newTenant(idp)
		l.tenants[key] = t
	}
	return t
}

// Tenant is one tenant of an IdP as all that is sent to it sees it: how many requests are under way, which of them the
// IdP wants to be left alone with until when, and whether it answers at all. It is safe for concurrent use.
type Tenant struct {
	idp     string
	slots   chan struct{}
	breaker *breaker

	mu     sync.Mutex
	blocks map[string]block // by bucket
}

// block keeps the requests of one bucket back.
type block struct {
	since, until time.Time
	reserve      bool // the IdP would still answer: what is left is for others
}

func newTenant(idp string) *Tenant {
	return &Tenant{idp: idp, slots: make(chan struct{}, atOnce), breaker: newBreaker(idp), blocks: map[string]block{}}
}

// enter waits until a request of a bucket may be sent, and returns what is to be called after its answer. Who would wait
// for longer than they may is told so at once.
func (t *Tenant) enter(ctx context.Context, bucket string) (leave func(), err error) {
	m := MannerOf(ctx)
	for {
		select {
		case t.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		b := t.blocked(bucket, m)
		wait := time.Until(b.until)
		if wait <= 0 {
			return func() { <-t.slots }, nil
		}
		<-t.slots // whoever waits takes no place
		if deadline, limited := ctx.Deadline(); wait > m.patience() || limited && time.Until(deadline) < wait {
			return nil, t.throttled(b, wait)
		}
		if err := sleep(ctx, wait+rand.N(spread)); err != nil {
			return nil, err
		}
	}
}

// blocked returns what keeps a bucket's requests back; its time has passed where nothing does.
func (t *Tenant) blocked(bucket string, m Manner) block {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.blocks[bucket]
	switch {
	case b.reserve && m.Patience > 0: // for somebody who waits for the answer the rest may be used
		return block{}
	case time.Until(b.until) > maxWait && m.Since.After(b.since): // a long one is tried again by whom an operator sends
		return block{}
	}
	return b
}

func (t *Tenant) throttled(b block, wait time.Duration) error {
	until := b.until.UTC().Format("15:04:05 MST")
	e := &Error{Fault: Throttled, RetryAfter: wholeSeconds(wait), Fix: "Try again after " + until + "."}
	e.Message = fmt.Sprintf("%s limits the rate of requests until %s, as it told an earlier request; this one was not sent", t.idp, until)
	if b.reserve {
		e.Message = fmt.Sprintf("%s takes few more requests until %s; this one was not sent, so that others still can", t.idp, until)
	}
	return e
}

// heed notes what the answer to a request says of its bucket: how long the IdP wants to be left alone, or how long so few
// requests are left that they are others'. An answer that says neither ends an earlier block.
func (t *Tenant) heed(bucket string, sent time.Time, status int, wait, reserve time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.blocks[bucket]
	switch refused := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable; {
	case refused && wait > 0:
		until := now.Add(min(wait, longestBlock))
		if until.After(b.until) || b.reserve {
			t.blocks[bucket] = block{since: now, until: until}
		}
	case refused:
	case reserve > 0 && reserve <= longestReserve:
		if until := now.Add(reserve); until.After(b.until) {
			t.blocks[bucket] = block{since: now, until: until, reserve: true}
		}
	case sent.After(b.since) && status < http.StatusInternalServerError:
		delete(t.blocks, bucket)
	}
}

// Manner says how somebody's requests behave where the IdP limits them or does not answer.
type Manner struct {
	// Patience is for how long a request waits behind what others were told; 0: as long as a run does. With one, the last
	// requests of a window may be used, which runs leave to others.
	Patience time.Duration
	// Since is when a person asked for this. What was found out before of an IdP that does not answer is tried again once.
	Since time.Time
}

func (m Manner) patience() time.Duration {
	if m.Patience > 0 {
		return m.Patience
	}
	return maxWait
}

type mannerKey struct{}

// WithManner returns a context whose requests behave so.
func WithManner(ctx context.Context, m Manner) context.Context {
	return context.WithValue(ctx, mannerKey{}, m)
}

// MannerOf returns the context's manner, or that of a run that nobody asked for.
func MannerOf(ctx context.Context) Manner {
	m, _ := ctx.Value(mannerKey{}).(Manner)
	return m
}

// OnceAsked returns a context for reads that a person waits for: they are answered soon, or told why not.
func OnceAsked(ctx context.Context) context.Context {
	return WithManner(ctx, Manner{Patience: 15 * time.Second, Since: time.Now()})
}
