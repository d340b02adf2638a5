package idpsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// OktaUserAgent is what an OktaPusher sends.
const OktaUserAgent = "Okta SCIM Client 1.0.0"

// OktaPushConfig says where an OktaPusher sends to and how.
type OktaPushConfig struct {
	// BaseURL is the "SCIM connector base URL". A slash at its end is cut off.
	BaseURL     string
	Token       string        // of the HTTP header mode, without "Bearer"
	Client      *http.Client  // a client of its own with a timeout when nil
	PushSuspend bool          // a suspension deactivates at the application too; Okta itself sends nothing
	Workers     int           // users and groups sent at once in a forced sync: 4 when 0
	MemberBatch int           // members added or removed by one PATCH: 1000 when 0. A full set always goes in one
	Retries     int           // further tries after a 429, a 5xx or no answer: 2 when 0, none when negative
	Backoff     time.Duration // before the first of them, then doubled: 100 ms when 0
	MaxWait     time.Duration // the longest wait that a Retry-After is granted: 5 s when 0
}

// OktaPusher sends an Okta tenant's application users and pushed groups to a SCIM server as Okta's provisioning does
// (pages "SCIM 2.0 protocol reference" and "Group Push"). It remembers what it believes to have provisioned and how far it
// has read the tenant's changes. It is safe for concurrent use; cycles run one at a time.
//
// What fails isn't tried again by itself: it becomes a task, as under Dashboard > Tasks, until RetryTasks or a further
// change of the object.
type OktaPusher struct {
	t    *OktaTenant
	cfg  OktaPushConfig
	scim *scimClient

	running sync.Mutex // held by a cycle

	mu        sync.Mutex // guards what follows
	records   map[string]*record
	watermark int // changes of the tenant that were read; -1 before the first cycle
	cycle     int
	tasks     map[string]Detail
	again     map[string]bool // objects for the next cycle though they haven't changed
	whole     map[string]bool // groups whose full set is to be sent: see PushNow
	revisit   map[string]bool // groups that hold people whose account was made or came back
	misses    map[string]bool
	missWhere func(objectID string) bool
}

// NewOktaPusher returns the push engine of a tenant. It sends nothing until a cycle is run.
func NewOktaPusher(t *OktaTenant, cfg OktaPushConfig) (*OktaPusher, error) {
	base, err := url.Parse(strings.TrimRight(cfg.BaseURL, "/"))
	if err != nil {
		return nil, fmt.Errorf("SCIM base URL: %w", err)
	}
	if base.Scheme == "" || base.Host == "" {
		return nil, fmt.Errorf("SCIM base URL %q: want http(s)://host/path", cfg.BaseURL)
	}
	cfg.Workers = max(cmp.Or(cfg.Workers, 4), 1)
	cfg.MemberBatch = max(cmp.Or(cfg.MemberBatch, 1000), 1)
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 30 * time.Second}
	}
	scim := newSCIMClient(base.String(), PushConfig{
		Token: cfg.Token, Client: cfg.Client, Retries: max(cmp.Or(cfg.Retries, 2), 0),
		Backoff: cmp.Or(cfg.Backoff, 100*time.Millisecond), MaxWait: cmp.Or(cfg.MaxWait, 5*time.Second),
	})
	scim.agent = OktaUserAgent
	return &OktaPusher{
		t: t, cfg: cfg, scim: scim, watermark: -1, records: map[string]*record{}, tasks: map[string]Detail{},
		again: map[string]bool{}, whole: map[string]bool{}, revisit: map[string]bool{}, misses: map[string]bool{},
	}, nil
}

// TestConnection does what "Test Connector Configuration" does: it lists users and groups.
func (p *OktaPusher) TestConnection(ctx context.Context) error {
	for _, path := range []string{"/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"} {
		if _, err := p.scim.list(ctx, path); err != nil {
			return fmt.Errorf("test connection: %w", err)
		}
	}
	return nil
}

// Miss makes the service lose the next change of each of these objects: nothing is sent, and it believes that it was.
func (p *OktaPusher) Miss(objectIDs ...string) { p.mark(p.misses, objectIDs) }

// MissWhere makes the service lose every change of the objects that lost picks, until it is set to nil.
func (p *OktaPusher) MissWhere(lost func(objectID string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missWhere = lost
}

// PushNow has the next cycle send the full set of members of pushed groups, changed or not: "Push now".
func (p *OktaPusher) PushNow(groups ...string) {
	p.mark(p.whole, groups)
	p.mark(p.again, groups)
}

// RetryTasks has the next cycle try everything again that failed: "Retry selected".
func (p *OktaPusher) RetryTasks() { p.mark(p.again, p.failed()) }

// Relink makes the service forget which account or group an object is linked to, as an import does that finds it gone;
// the next cycle looks for it and links or creates it anew.
func (p *OktaPusher) Relink(objectIDs ...string) {
	for _, id := range objectIDs {
		p.store(id, nil)
		p.t.SetExternalID(id, "")
	}
	p.mark(p.again, objectIDs)
}

func (p *OktaPusher) mark(set map[string]bool, ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		set[id] = true
	}
}

func (p *OktaPusher) failed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sortedKeys(p.tasks)
}

// Tasks returns the objects whose latest push failed, users first, then groups, each by object id.
func (p *OktaPusher) Tasks() []Detail {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Detail, 0, len(p.tasks))
	for _, d := range p.tasks {
		out = append(out, d)
	}
	sortDetails(out)
	return out
}

// TargetID returns the id that an object has at the SCIM server as far as the service knows, or "".
func (p *OktaPusher) TargetID(objectID string) string {
	if rec := p.recordOf(objectID); rec != nil {
		return rec.target
	}
	return ""
}

// recordOf returns a copy of what is believed about an object; nil when nothing is.
func (p *OktaPusher) recordOf(id string) *record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rec := p.records[id]; rec != nil {
		c := *rec
		return &c
	}
	return nil
}

// store replaces what is believed about an object; nil forgets it.
func (p *OktaPusher) store(id string, rec *record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	put(p.records, id, rec)
}

// missed says whether a change of the object is to be lost now.
func (p *OktaPusher) missed(id string) bool {
	p.mu.Lock()
	lost, where := p.misses[id], p.missWhere
	delete(p.misses, id)
	p.mu.Unlock()
	return lost || where != nil && where(id)
}

// Cycle sends what changed in the tenant since the last cycle, people first, then groups. The first one looks at every
// application user and every pushed group. Okta has no such cycles, it sends within moments of a change; a test decides
// when those have passed.
func (p *OktaPusher) Cycle(ctx context.Context) (Summary, error) { return p.run(ctx, false) }

// ForceSync looks at every application user and pushed group and sends them whole, changed or not: "Force Sync" and "Push
// now" for all.
func (p *OktaPusher) ForceSync(ctx context.Context) (Summary, error) { return p.run(ctx, true) }

func (p *OktaPusher) run(ctx context.Context, full bool) (Summary, error) {
	p.running.Lock()
	defer p.running.Unlock()
	pl, t := p.plan(full)
	workers := 1
	if t.sum.Initial {
		workers = p.cfg.Workers
	}
	err := each(ctx, workers, pl.users, func(ctx context.Context, id string) error {
		return p.settle(ctx, p.userJob(id, full, t), (*oktaJob).user)
	})
	if err == nil {
		err = each(ctx, workers, p.revisited(pl.groups), func(ctx context.Context, id string) error {
			return p.settle(ctx, p.groupJob(id, full, t), (*oktaJob).group)
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil { // otherwise the next cycle looks at everything again
		p.watermark = pl.mark
	} else {
		for _, id := range append(pl.users, pl.groups...) {
			p.again[id] = true
		}
		err = fmt.Errorf("provisioning cycle %d: %w", p.cycle, err)
	}
	t.sum.Requests = int(p.scim.sent.Load())
	sortDetails(t.sum.Details)
	return t.sum, err
}

// plan lists what to look at.
func (p *OktaPusher) plan(full bool) (plan, *tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cycle++
	p.scim.sent.Store(0)
	initial := full || p.watermark < 0
	pl := plan{full: full}
	var ids []string
	p.t.view(0, func(d *oktaDirectory) {
		pl.mark = len(p.t.changes)
		if initial {
			ids = append(append(ids, d.appUserIDs.ids...), d.mappingIDs.ids...)
			ids = append(ids, sortedKeys(p.records)...)
		} else {
			for _, c := range p.t.changes[p.watermark:] {
				ids = append(ids, c.touched...)
			}
		}
		ids = append(ids, sortedKeys(p.again)...)
		clear(p.again)
		seen := make(map[string]bool, len(ids))
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			if rec := p.records[id]; d.groups[id] != nil || rec != nil && rec.group {
				pl.groups = append(pl.groups, id)
			} else {
				pl.users = append(pl.users, id)
			}
		}
	})
	return pl, &tally{
		began: p.t.cfg.Now(),
		sum:   Summary{CycleID: fmt.Sprintf("okta-cycle-%d", p.cycle), Number: p.cycle, Initial: initial},
	}
}

// revisited adds the pushed groups of people whose account was made by this cycle, or came back.
func (p *OktaPusher) revisited(groups []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range groups {
		delete(p.revisit, id)
	}
	defer clear(p.revisit)
	return slices.Concat(groups, sortedKeys(p.revisit))
}

// settle runs a job, keeps a failed one as a task, and returns only what ends the cycle.
func (p *OktaPusher) settle(ctx context.Context, j *oktaJob, do func(*oktaJob, context.Context) error) error {
	err := do(j, ctx)
	if err != nil && (errors.Is(err, errCredentials) || ctx.Err() != nil) {
		return err
	}
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.tasks, j.id)
		return nil
	}
	j.failed(err)
	return nil
}
