package idpsim

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Permission is a Graph application permission that the tenant can be told to lack.
type Permission string

// The permissions that the routes ask for (the "Permissions" table of each Graph page).
const (
	UserReadAll            Permission = "User.Read.All"
	GroupMemberReadAll     Permission = "GroupMember.Read.All"
	ApplicationReadAll     Permission = "Application.Read.All"
	SynchronizationReadAll Permission = "Synchronization.Read.All"
	// SynchronizationReadWriteAll is for restarting the provisioning job.
	SynchronizationReadWriteAll Permission = "Synchronization.ReadWrite.All"
	AuditLogReadAll             Permission = "AuditLog.Read.All"
)

// Config says what a new tenant holds. The zero Config is an empty directory.
type Config struct {
	Seed    int64
	Members int // people in scope and enabled
	Groups  int // assigned groups
	// Outsiders are people who aren't assigned: 0 means a tenth of Members, a negative number none.
	Outsiders int
	// Disabled are people who are assigned, but whose accountEnabled is false: 0 means a fiftieth, negative none.
	Disabled int

	Domain             string // "contoso.example" when empty
	TenantID           string // this and what follows are made from Seed when empty
	ClientID           string
	ClientSecret       string
	ServicePrincipalID string
	AccessToken        string
	AppName            string // "rosterd" when empty
	// PageSize is the size of a page of users, groups or members where $top isn't given, and of a delta's: 100 when 0.
	PageSize int
	// DeltaReplays is how many changes from before its token a delta query repeats, as Graph may.
	DeltaReplays int
	// DeltaLog is how many changes are remembered for delta queries: 100,000 when 0. A token from before them has expired.
	DeltaLog int
	Now      func() time.Time // time.Now when nil
}

// Tenant is a simulated Entra tenant with one enterprise application and its provisioning job. It is an http.Handler
// and safe for concurrent use.
type Tenant struct {
	cfg     Config
	appID   string
	jobID   string
	routes  []route
	faults  faults
	counts  counter
	reached reached
	replica replica

	mu      sync.RWMutex
	dir     *directory
	changes []change
	delta   deltaLog
	ids     *rand.Rand

	state      sync.Mutex // guards what follows
	lacks      map[Permission]bool
	job        jobState
	schema     Schema
	secrets    map[string]string           // the job's settings that Graph keeps beside its credentials
	restarts   []string                    // the resetScope of each restart
	restarted  bool                        // and no cycle has begun since
	testTarget func(context.Context) error // the push engine's connection test
	provision  func(ctx context.Context, objectID string) (Detail, error)
	log        []ProvisioningEntry
	reqs       int // requests answered, for request ids
}

// change is one committed mutation: how to undo it, and the objects whose provisioning it may alter.
type change struct {
	undo    []op
	touched []string
}

// New returns a tenant with a realistic directory. The same Config gives the same directory, ids included.
func New(cfg Config) *Tenant {
	ids := rand.New(rand.NewPCG(uint64(cfg.Seed), 0x1d9517)) //nolint:gosec // any seed will do
	cfg.Domain = cmp.Or(cfg.Domain, "contoso.example")
	cfg.AppName = cmp.Or(cfg.AppName, "rosterd")
	cfg.PageSize = cmp.Or(cfg.PageSize, 100)
	cfg.DeltaLog = cmp.Or(cfg.DeltaLog, 100_000)
	for _, id := range []*string{&cfg.TenantID, &cfg.ClientID, &cfg.ServicePrincipalID} {
		*id = cmp.Or(*id, newID(ids))
	}
	cfg.ClientSecret = cmp.Or(cfg.ClientSecret, "sim~"+newID(ids))
	cfg.AccessToken = cmp.Or(cfg.AccessToken, "eyJ0eXAiOiJKV1QifQ."+strings.ReplaceAll(newID(ids), "-", "")+".sim")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Tenant{cfg: cfg, appID: newID(ids), dir: newDirectory(), ids: ids, lacks: map[Permission]bool{}}
	t.delta.size = cfg.DeltaLog
	t.schema, t.secrets = SchemaOf(Mapping{}), map[string]string{"SyncAll": "false"}
	t.jobID = "scim." + strings.ReplaceAll(cfg.TenantID, "-", "") + "." + newID(ids)
	t.routes = t.table()
	t.faults.seed = cfg.Seed
	seed(t.dir, cfg, ids)
	return t
}

// TenantID returns the directory's id.
func (t *Tenant) TenantID() string { return t.cfg.TenantID }

// ClientID returns the id of the app registration that reads the directory.
func (t *Tenant) ClientID() string { return t.cfg.ClientID }

// ClientSecret returns the secret that the token endpoint takes.
func (t *Tenant) ClientSecret() string { return t.cfg.ClientSecret }

// ServicePrincipalID returns the object id of the enterprise application.
func (t *Tenant) ServicePrincipalID() string { return t.cfg.ServicePrincipalID }

// AccessToken returns the bearer token that every Graph request needs; the token endpoint hands out the same.
func (t *Tenant) AccessToken() string { return t.cfg.AccessToken }

// JobID returns the id of the provisioning job.
func (t *Tenant) JobID() string { return t.jobID }

// Deny takes permissions away: their routes answer 403 Authorization_RequestDenied.
func (t *Tenant) Deny(permissions ...Permission) { t.setLacks(true, permissions) }

// Grant gives permissions back.
func (t *Tenant) Grant(permissions ...Permission) { t.setLacks(false, permissions) }

func (t *Tenant) setLacks(lacks bool, permissions []Permission) {
	t.state.Lock()
	defer t.state.Unlock()
	for _, p := range permissions {
		t.lacks[p] = lacks
	}
}

func (t *Tenant) denied(p Permission) bool {
	t.state.Lock()
	defer t.state.Unlock()
	return t.lacks[p]
}

// Version counts the changes made to the directory since New.
func (t *Tenant) Version() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.changes)
}

// commit applies steps as one change; the caller holds the lock. Nothing to do is no change.
func (t *Tenant) commit(ops ...op) {
	if len(ops) == 0 {
		return
	}
	c := change{undo: make([]op, 0, len(ops))}
	t.dir.version++
	for _, o := range ops {
		inverse := t.dir.do(o)
		t.delta.note(t.dir, t.dir.version, o, inverse)
		c.undo = append(c.undo, inverse)
		c.touched = append(c.touched, o.id)
		if o.kind == opMember {
			c.touched = append(c.touched, o.member)
		}
	}
	t.changes = append(t.changes, c)
}

// view calls fn with the directory as it was lag changes ago. fn must not keep or alter it.
func (t *Tenant) view(lag int, fn func(d *directory)) {
	if lag <= 0 {
		t.mu.RLock()
		defer t.mu.RUnlock()
		fn(t.dir)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var redo []op
	now := t.dir.version
	t.dir.version = max(0, now-lag)
	for i := len(t.changes) - 1; i >= max(0, len(t.changes)-lag); i-- {
		undo := t.changes[i].undo
		for j := len(undo) - 1; j >= 0; j-- {
			redo = append(redo, t.dir.do(undo[j]))
		}
	}
	fn(t.dir)
	for i := len(redo) - 1; i >= 0; i-- {
		t.dir.do(redo[i])
	}
	t.dir.version = now
}

var _ http.Handler = (*Tenant)(nil)
