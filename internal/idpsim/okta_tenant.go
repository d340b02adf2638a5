package idpsim

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// OktaPermission is a scope that the tenant can be told to lack (page "OAuth 2.0 Scopes"); the routes that need it then
// answer 403 E0000006, as they do for an API token whose administrator lacks the role.
type OktaPermission string

// The scopes that the routes ask for.
const (
	OktaUsersRead  OktaPermission = "okta.users.read"
	OktaGroupsRead OktaPermission = "okta.groups.read"
	OktaAppsRead   OktaPermission = "okta.apps.read"
	OktaLogsRead   OktaPermission = "okta.logs.read"
)

// OktaConfig says what a new Okta tenant holds. The zero OktaConfig is an empty org with one application.
type OktaConfig struct {
	Seed    int64
	Members int // people who should have an account: application users, enabled by both statuses
	Groups  int // groups with an active push mapping
	// AssignedGroups are groups that are assigned to the application, a set of their own: 0 means a third of Groups, a
	// negative number none. From five pushed groups on, one of them is assigned as well.
	AssignedGroups int
	// Outsiders are people who aren't application users: 0 means a tenth of Members, negative none. Half of them are
	// members of pushed groups.
	Outsiders int
	// Off are application users who should have no account, by every status in turn: 0 means a fiftieth of Members, and
	// at least one of each kind from 20 members on; negative none.
	Off int

	Domain   string // "initech.example" when empty
	APIToken string // this and AppID are made from Seed when empty
	AppID    string
	AppName  string // the application's label: "rosterd" when empty
	// PageSize bounds every page, below Okta's own bound for each list; 0 leaves that. The system log's is left in any case.
	PageSize int
	// RateLimit is how many requests in a minute are answered; beyond it there is 429. 0 never refuses, and shows 600.
	RateLimit int
	Now       func() time.Time // time.Now when nil
}

// OktaTenant is a simulated Okta org with one application whose users and groups are provisioned. It is an http.Handler
// and safe for concurrent use.
type OktaTenant struct {
	cfg     OktaConfig
	routes  []oktaRoute
	faults  faults
	counts  counter
	replica replica
	skew    atomic.Int64

	mu      sync.RWMutex
	dir     *oktaDirectory
	changes []oktaChange
	events  []oktaEvent   // in the order in which the log gets to have them
	logLate time.Duration // how much later than they happen
	ids     *rand.Rand

	state    sync.Mutex // guards what follows
	lacks    map[OktaPermission]bool
	mappings int // status that the push mappings are refused with, or 0
	syncs    map[string]appSync
	pushes   map[string]time.Time // source groups to the last push
	left     map[string]bool      // groups that were unlinked, and whether the application keeps them

	features   []string // of the application
	appOff     bool
	services   map[string]OktaService // by client id
	access     map[string]oktaAccess  // access tokens
	assertions map[string]bool        // ids of the assertions that were used
	tokenIDs   *rand.Rand
	window     time.Time // the minute of the rate limit
	used       int
	reqs       int
}

// oktaChange is one committed mutation: how to undo it, and the users and groups whose provisioning it may alter.
type oktaChange struct {
	undo    []oktaStep
	touched []string
}

// appSync is what provisioning last left on an application user. It isn't part of the directory's history.
type appSync struct {
	externalID string
	at         time.Time
	failed     bool
}

// NewOkta returns a tenant with a realistic org. The same OktaConfig gives the same org, ids included.
func NewOkta(cfg OktaConfig) *OktaTenant {
	ids := rand.New(rand.NewPCG(uint64(cfg.Seed), 0x0c7a)) //nolint:gosec // any bits make a seed
	cfg.Domain = cmp.Or(cfg.Domain, "initech.example")
	cfg.AppName = cmp.Or(cfg.AppName, "rosterd")
	cfg.APIToken = cmp.Or(cfg.APIToken, oktaID("00", ids)+oktaID("", ids))
	cfg.AppID = cmp.Or(cfg.AppID, oktaID("0oa", ids))
	clock := cfg.Now
	if clock == nil {
		clock = time.Now
	}
	t := &OktaTenant{
		cfg: cfg, dir: newOktaDirectory(), ids: ids, lacks: map[OktaPermission]bool{}, syncs: map[string]appSync{},
		pushes: map[string]time.Time{}, left: map[string]bool{}, features: appFeatures(), services: map[string]OktaService{},
		access: map[string]oktaAccess{}, assertions: map[string]bool{},
		tokenIDs: rand.New(rand.NewPCG(uint64(cfg.Seed), 0x0a17)), //nolint:gosec // any bits make a seed
	}
	t.cfg.Now = func() time.Time { return clock().Add(time.Duration(t.skew.Load())) }
	t.routes = t.table()
	t.faults.seed = cfg.Seed
	seedOkta(t.dir, cfg, ids)
	return t
}

// APIToken returns the token that every request needs, as "Authorization: SSWS <token>".
func (t *OktaTenant) APIToken() string { return t.cfg.APIToken }

// AppID returns the id of the application.
func (t *OktaTenant) AppID() string { return t.cfg.AppID }

// Deny takes scopes away: their routes answer 403 E0000006.
func (t *OktaTenant) Deny(permissions ...OktaPermission) { t.setLacks(true, permissions) }

// Grant gives scopes back.
func (t *OktaTenant) Grant(permissions ...OktaPermission) { t.setLacks(false, permissions) }

func (t *OktaTenant) setLacks(lacks bool, permissions []OktaPermission) {
	t.state.Lock()
	defer t.state.Unlock()
	for _, p := range permissions {
		t.lacks[p] = lacks
	}
}

// RefusePushMappings makes the group push mappings answer a status, 403 or 404, as in orgs where that API is not to be
// had; 0 ends it.
func (t *OktaTenant) RefusePushMappings(status int) {
	t.state.Lock()
	defer t.state.Unlock()
	t.mappings = status
}

// SetSkew sets the tenant's clock that far off OktaConfig.Now from now on: what it dates, changes, limits and answers alike.
func (t *OktaTenant) SetSkew(d time.Duration) { t.skew.Store(int64(d)) }

// Inject adds a fault and returns what takes it away again.
func (t *OktaTenant) Inject(f Fault) (remove func()) { return t.faults.inject(f) }

// ClearFaults takes every fault away.
func (t *OktaTenant) ClearFaults() { t.faults.clear() }

// Requests returns how often each route was asked for since NewOkta or the last ResetRequests, refused requests included.
// Routes are named like "GET /groups/{id}/users"; what no route serves is counted under "unknown".
func (t *OktaTenant) Requests() map[string]int { return t.counts.all() }

// ResetRequests sets the counts back to zero.
func (t *OktaTenant) ResetRequests() { t.counts.reset() }

// Version counts the changes made to the org since NewOkta.
func (t *OktaTenant) Version() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.changes)
}

// Listen serves the tenant on addr, such as "127.0.0.1:0", until Close.
func (t *OktaTenant) Listen(addr string) (*Server, error) { return listen(addr, t) }

// oktaTx is a mutation in progress: steps are applied at once, so that later ones see them.
type oktaTx struct {
	t       *OktaTenant
	d       *oktaDirectory
	now     time.Time
	change  oktaChange
	events  []oktaEvent
	dropped []string // who stopped being an application user, and loses what provisioning left there
}

func (x *oktaTx) do(s oktaStep, touched ...string) {
	x.change.undo = append(x.change.undo, s(x.d))
	x.change.touched = append(x.change.touched, touched...)
}

// commit runs one mutation; an error undoes it, and one that did nothing is no change.
func (t *OktaTenant) commit(mutate func(x *oktaTx) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := &oktaTx{t: t, d: t.dir, now: t.cfg.Now().UTC()}
	if err := mutate(x); err != nil {
		rewind(t.dir, x.change.undo)
		return err
	}
	if len(x.change.undo) == 0 {
		return nil
	}
	t.changes = append(t.changes, x.change)
	t.dir.version = len(t.changes)
	for _, e := range x.events {
		t.record(e)
	}
	t.state.Lock()
	defer t.state.Unlock()
	for _, id := range x.dropped {
		delete(t.syncs, id)
	}
	return nil
}

// rewind applies steps from the last to the first and returns those that redo them, in the order to be rewound.
func rewind(d *oktaDirectory, steps []oktaStep) []oktaStep {
	back := make([]oktaStep, 0, len(steps))
	for i := len(steps) - 1; i >= 0; i-- {
		back = append(back, steps[i](d))
	}
	return back
}

// view calls fn with the directory as it was lag changes ago. fn must not keep or alter it.
func (t *OktaTenant) view(lag int, fn func(d *oktaDirectory)) {
	if lag <= 0 {
		t.mu.RLock()
		defer t.mu.RUnlock()
		fn(t.dir)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	from := max(0, len(t.changes)-lag)
	var steps []oktaStep
	for _, c := range t.changes[from:] {
		steps = append(steps, c.undo...)
	}
	redo := rewind(t.dir, steps)
	t.dir.version = from
	fn(t.dir)
	rewind(t.dir, redo)
	t.dir.version = len(t.changes)
}

var _ http.Handler = (*OktaTenant)(nil)
