package idpsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// PushConfig says where a Pusher sends to and how.
type PushConfig struct {
	// BaseURL is the "Tenant URL" of the portal. Requests go to it plus "/Users", so that one with a trailing slash gives
	// "//Users", as from Entra. The query "?aadOptscim062020" switches on the standards-true shapes.
	BaseURL          string
	Token            string       // the "Secret Token"
	Client           *http.Client // a client of its own with a timeout when nil
	AadOptscim062020 bool         // lower-case operations, booleans as booleans, member removal by path
	Mapping          Mapping
	Workers          int           // users and groups sent at once in an initial cycle: 4 when 0
	MemberBatch      int           // members in one PATCH: 250 when 0
	Retries          int           // further tries after a 429, a 5xx or no answer: 2 when 0, none when negative
	Backoff          time.Duration // before the first of them, then doubled: 100 ms when 0
	MaxWait          time.Duration // the longest wait that a Retry-After is granted: 5 s when 0
}

// Mapping is what an administrator can change in the portal's attribute mappings. The zero Mapping sends userName,
// active, the work email, displayName and both names, and matches users by userName and groups by displayName.
type Mapping struct {
	UserExternalID          string // the source of a user's externalId: "" (not mapped), "mailNickname" or "objectId"
	Details                 bool   // also title, department and name.formatted
	MatchGroupsByExternalID bool
}

// StockMapping returns what Entra proposes for a new application: externalId from mailNickname, and more attributes.
func StockMapping() Mapping { return Mapping{UserExternalID: "mailNickname", Details: true} }

// Pusher sends a tenant's users and groups to a SCIM server as Entra's provisioning service does (pages "Tutorial: Develop
// and plan provisioning for a SCIM endpoint" and "How Application Provisioning works"). It remembers what it believes to
// have provisioned and how far it has read the tenant's changes. It is safe for concurrent use; cycles run one at a time.
type Pusher struct {
	t    *Tenant
	cfg  PushConfig
	scim *scimClient

	running sync.Mutex // held by a cycle

	mu        sync.Mutex // guards what follows
	records   map[string]*record
	watermark int     // changes of the tenant that were read; -1 before the initial cycle
	scoped    scoping // by which it was decided then who is in scope
	cycle     int
	escrows   map[string]*escrow
	repair    map[string]bool // groups with members whose target isn't known yet
	misses    map[string]bool
	missWhere func(objectID string) bool
	redundant map[string]bool
	held      QuarantineReason // commanded, or by bad credentials
	byToken   bool             // lifted by the first connection test that succeeds
}

// record is what the service believes about one object.
type record struct {
	group    bool
	target   string            // id at the SCIM server; "" where a create was missed
	exported map[string]string // last value sent for each path
	managed  bool              // false after a disable by unassignment: a later hard delete sends nothing
	members  map[string]string // of a group: object id to the target id that was sent
}

// escrow is an object whose export failed and is to be tried again.
type escrow struct{ attempts, due int }

// NewPusher returns the push engine of a tenant. It sends nothing until a cycle is run.
func NewPusher(t *Tenant, cfg PushConfig) (*Pusher, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("SCIM base URL: %w", err)
	}
	if base.Scheme == "" || base.Host == "" {
		return nil, fmt.Errorf("SCIM base URL %q: want http(s)://host/path", cfg.BaseURL)
	}
	if base.Query().Has("aadOptscim062020") {
		cfg.AadOptscim062020 = true
	}
	base.RawQuery = ""
	switch cfg.Mapping.UserExternalID {
	case "", "mailNickname", "objectId":
	default:
		return nil, fmt.Errorf("mapping of externalId: no source attribute %q", cfg.Mapping.UserExternalID)
	}
	cfg.Workers = max(cmp.Or(cfg.Workers, 4), 1)
	cfg.MemberBatch = max(cmp.Or(cfg.MemberBatch, 250), 1)
	cfg.Retries = max(cmp.Or(cfg.Retries, 2), 0)
	cfg.Backoff = cmp.Or(cfg.Backoff, 100*time.Millisecond)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 5*time.Second)
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 30 * time.Second}
	}
	p := &Pusher{
		t: t, cfg: cfg, scim: newSCIMClient(base.String(), cfg), watermark: -1,
		records: map[string]*record{}, escrows: map[string]*escrow{}, repair: map[string]bool{},
		misses: map[string]bool{}, redundant: map[string]bool{},
	}
	t.EditSchema(func(s *Schema) {
		users, groups := s.Users.Scope, s.Groups.Scope
		*s = SchemaOf(cfg.Mapping)
		s.Users.Scope, s.Groups.Scope = users, groups
	})
	t.state.Lock()
	t.testTarget, t.provision = p.TestConnection, p.ProvisionOnDemand
	t.state.Unlock()
	return p, nil
}

// TestConnection does what the portal's button does: it looks for a user and a group that don't exist and wants empty
// lists.
func (p *Pusher) TestConnection(ctx context.Context) error {
	for _, path := range []string{
		"/Users?filter=" + escape(`userName eq "`+p.t.nextRequestID()+`"`),
		"/Groups?excludedAttributes=members&filter=" + escape(`displayName eq "`+p.t.nextRequestID()+`"`),
	} {
		found, err := p.scim.list(ctx, path)
		if err != nil {
			return fmt.Errorf("test connection: %w", err)
		}
		if len(found) != 0 {
			return errors.New("test connection: something was found under a random name")
		}
	}
	return nil
}

// Miss makes the service lose the next change of each of these objects: nothing is sent, and it believes that it was.
func (p *Pusher) Miss(objectIDs ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range objectIDs {
		p.misses[id] = true
	}
}

// MissWhere makes the service lose every change of the objects that lost picks, until it is set to nil.
func (p *Pusher) MissWhere(lost func(objectID string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missWhere = lost
}

// RedundantSoftDelete makes the service skip people once it believes them to be off: when such a person comes back into
// scope, nothing is sent, and the provisioning log says EntrySynchronizationSkip with SkipReason RedundantSoftDelete.
// Restart ends it.
func (p *Pusher) RedundantSoftDelete(objectIDs ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range objectIDs {
		p.redundant[id] = true
	}
}

// Quarantine makes cycles send nothing, while the tenant's job status says so, until LiftQuarantine.
func (p *Pusher) Quarantine(reason QuarantineReason) {
	p.hold(reason, false, "The provisioning job is in quarantine: "+string(reason))
}

func (p *Pusher) hold(reason QuarantineReason, byToken bool, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.byToken = reason, byToken
	p.t.SetQuarantine(reason, message)
}

// LiftQuarantine ends a quarantine. Changes made meanwhile are sent by the next cycle.
func (p *Pusher) LiftQuarantine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.byToken = "", false
	p.t.LiftQuarantine()
}

// TargetID returns the id that an object has at the SCIM server as far as the service knows, or "".
func (p *Pusher) TargetID(objectID string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rec := p.records[objectID]; rec != nil {
		return rec.target
	}
	return ""
}

// Escrows returns the objects whose export failed and will be tried again.
func (p *Pusher) Escrows() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sortedKeys(p.escrows)
}

// InitialCycle evaluates everything in scope, whether it changed or not, and everything sent before.
func (p *Pusher) InitialCycle(ctx context.Context) (Summary, error) {
	p.running.Lock()
	defer p.running.Unlock()
	return p.run(ctx, true)
}

// Cycle evaluates what changed in the tenant since the last cycle, and escrows that are due. The first one is an initial
// cycle.
func (p *Pusher) Cycle(ctx context.Context) (Summary, error) {
	p.running.Lock()
	defer p.running.Unlock()
	if p.t.takeRestart() {
		p.forget()
		return p.run(ctx, true)
	}
	now := p.t.scoping()
	p.mu.Lock()
	initial := p.watermark < 0 || !p.scoped.same(now)
	p.mu.Unlock()
	return p.run(ctx, initial)
}

// Restart does what the portal's "Restart provisioning" does: it ends quarantine, escrows and RedundantSoftDelete skips,
// and runs an initial cycle. Links to the target are kept.
func (p *Pusher) Restart(ctx context.Context) (Summary, error) {
	p.forget()
	return p.InitialCycle(ctx)
}

// forget drops what failed and what was skipped, and ends a quarantine.
func (p *Pusher) forget() {
	p.LiftQuarantine()
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.escrows)
	clear(p.redundant)
}

// recordOf returns a copy of what is believed about an object; nil when nothing is.
func (p *Pusher) recordOf(id string) *record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rec := p.records[id]; rec != nil {
		c := *rec
		return &c
	}
	return nil
}

// store replaces what is believed about an object; nil forgets it.
func (p *Pusher) store(id string, rec *record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	put(p.records, id, rec)
}

// missed says whether a change of the object is to be lost now.
func (p *Pusher) missed(id string) bool {
	p.mu.Lock()
	lost, where := p.misses[id], p.missWhere
	delete(p.misses, id)
	p.mu.Unlock()
	return lost || where != nil && where(id)
}

func (p *Pusher) isRedundant(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.redundant[id]
}

// escape escapes a query value the way Entra's client does, with %20 for a space.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// quote quotes a value for a SCIM filter.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
