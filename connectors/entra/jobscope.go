package entra

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/rosterd/rosterd/connectors"
)

// The values of Config.Scope: who is in scope is decided by the provisioning job's own rules, or by assignments alone.
const (
	ScopeJob      = "job"
	ScopeAssigned = "assigned"
)

// rulesTime bounds what is spent on reading the job's rules, waits for Graph's limits included.
const rulesTime = 5 * time.Minute

// everybody is why somebody is in scope where the job sends all users and groups.
const everybody = "everybody is in scope, by the provisioning job's setting"

// rules are what decides who is in scope beside the assignments, as the provisioning job has it.
type rules struct {
	all    bool // every user and group of the tenant ("Sync all users and groups")
	keep   bool // who merely goes out of scope keeps their account (SkipOutOfScopeDeletions)
	users  filter
	groups filter
	fields []userField // that the filter of users compares
	// unread is why the rules are not known at all. Nobody is added or removed then.
	unread error
	notes  []string
	digest string // of what differs from a job that sends whoever is assigned; "": nothing does
}

// rulesKey is under what a run's budget keeps the rules, and the jobs, so that they are read once.
type rulesKey struct {
	c    *Connector
	jobs bool
}

// jobsRead is what came of reading the jobs.
type jobsRead struct {
	job *connectors.Job
	err error
}

// Scope tells by which rules of the job a run reads.
func (c *Connector) Scope(ctx context.Context) (connectors.Scope, error) {
	r, err := c.rules(c.budgeted(ctx))
	if err != nil {
		return connectors.Scope{}, err
	}
	out := connectors.Scope{Rules: r.digest, Filtered: len(r.users)+len(r.groups) > 0, Notes: r.notes}
	if r.keep {
		out.KeepOutOfScope = "the provisioning job is set to leave accounts alone that go out of scope (SkipOutOfScopeDeletions)"
	}
	return out, nil
}

// stamper takes a stamp, as is done before each request of a pull.
type stamper = func(context.Context) (connectors.Stamp, error)

// rules reads the rules once for a run, whose budget the context carries. An error means that nothing can be read at all.
func (c *Connector) rules(ctx context.Context) (*rules, error) {
	return c.rulesAt(ctx, connectors.Unstamped)
}

func (c *Connector) rulesAt(ctx context.Context, stamp stamper) (*rules, error) {
	budget := connectors.BudgetFrom(ctx)
	key := rulesKey{c: c}
	if kept, ok := budget.Kept(key); ok {
		r, _ := kept.(*rules)
		return r, nil
	}
	r, err := c.readRules(ctx, stamp)
	if err != nil {
		return nil, err
	}
	budget.Keep(key, r)
	return r, nil
}

// readRules reads the rules. Where the IdP does not give them, assignments alone decide; where it could not just now, those
// that were read last stand.
func (c *Connector) readRules(ctx context.Context, stamp stamper) (*rules, error) {
	if c.cfg.Scope == ScopeAssigned {
		return c.rulesOf(&rules{all: c.cfg.SyncAll}, nil, nil), nil
	}
	asking, done := context.WithTimeout(ctx, rulesTime)
	defer done()
	r, err := c.askRules(asking, stamp)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("read the provisioning job's scope: %w", ctx.Err())
	case connectors.FaultOf(err) == connectors.BadCredentials, err != nil && connectors.FaultOf(err) == "" && asking.Err() == nil:
		return nil, err
	case err == nil:
		if c.last == nil || !slices.Equal(c.last.notes, r.notes) {
			for _, note := range r.notes {
				c.log.WarnContext(ctx, "the provisioning job's scope", slog.String("note", note))
			}
		}
		c.last = r
		return r, nil
	case c.last != nil:
		c.log.WarnContext(ctx, "the provisioning job's scope can't be read: what was read of it last stands", slog.String("error", err.Error()))
		return c.last, nil
	case lastAssignments(ctx):
		c.log.WarnContext(ctx, "the provisioning job's scope can't be read: assignments decide, as at the last complete run", slog.String("error", err.Error()))
		return &rules{notes: []string{"Who is in scope is decided by assignments alone, as at the last complete run, as the provisioning job " +
			"can't be read: " + err.Error()}}, nil
	}
	c.log.WarnContext(ctx, "the provisioning job's scope can't be read: nobody is added or removed", slog.String("error", err.Error()))
	return &rules{unread: err, digest: "unread", notes: []string{
		"Who is in scope can't be told, and nobody is added or removed, as the provisioning job can't be read: " + err.Error()}}, nil
}

// lastAssignments reports whether assignments alone decided when a run last read and applied everything.
func lastAssignments(ctx context.Context) bool {
	last, known := connectors.LastScope(ctx)
	return known && last == ""
}

// refused reports whether an error says that the IdP does not give something, now or later.
func refused(err error) bool {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Fault {
	case connectors.MissingPermission, connectors.NotFound:
		return true
	case connectors.Broken:
		return e.Status != 0
	}
	return e.Status == http.StatusNotImplemented
}

// askRules asks for the job, its schema and its secrets.
func (c *Connector) askRules(ctx context.Context, stamp stamper) (*rules, error) {
	plain := func(why string) *rules {
		note := "Who is in scope is decided by assignments alone, as " + why
		if c.cfg.SyncAll {
			note = "Everybody is in scope, as entra.sync says, without a scoping filter, as " + why
		}
		return c.rulesOf(&rules{all: c.cfg.SyncAll, notes: []string{note}}, nil, nil)
	}
	job, err := c.jobOnce(ctx, stamp)
	switch {
	case err != nil && refused(err):
		return plain("the provisioning job can't be read: " + err.Error()), nil
	case err != nil:
		return nil, err
	case job == nil: // nothing pushes, so nothing is to agree with
		return c.rulesOf(&rules{all: c.cfg.SyncAll}, nil, nil), nil
	}
	if _, err := stamp(ctx); err != nil {
		return nil, err
	}
	schema, err := c.JobSchema(ctx, job.ID)
	switch {
	case err != nil && refused(err):
		return plain("the provisioning job's scoping filters can't be read: " + err.Error()), nil
	case err != nil:
		return nil, err
	}
	r := &rules{all: c.cfg.SyncAll, keep: isTrue(job.Settings["SkipOutOfScopeDeletions"])}
	if _, err := stamp(ctx); err != nil {
		return nil, err
	}
	settings, err := c.jobSettings(ctx)
	switch {
	case err != nil && !refused(err):
		return nil, err
	case err != nil:
		r.notes = append(r.notes, "Whether the provisioning job sends all users and groups, and what becomes of who goes out of scope, can't be read, "+
			"so entra.sync decides: "+err.Error())
	default:
		if v, said := settings["SyncAll"]; said {
			r.all = isTrue(v)
		}
		r.keep = r.keep || isTrue(settings["SkipOutOfScopeDeletions"])
	}
	return c.rulesOf(r, scopesOf(schema, connectors.JobUsers), scopesOf(schema, connectors.JobGroups)), nil
}

// isTrue reads a setting: the portal writes true, the documentation True, and 1.
func isTrue(v string) bool { return strings.EqualFold(v, "true") || v == "1" }

// scopesOf returns the scoping filters for one kind of object. Whom one of several mappings lets in, the job sends.
func scopesOf(s *connectors.JobSchema, kind connectors.JobObjectKind) []connectors.JobScope {
	var out []connectors.JobScope
	for i := range s.Objects {
		o := &s.Objects[i]
		if o.Kind != kind || !o.Enabled {
			continue
		}
		if len(o.Scope) == 0 {
			return nil
		}
		out = append(out, o.Scope...)
	}
	return out
}

// rulesOf completes rules with the filters and the digest.
func (c *Connector) rulesOf(r *rules, users, groups []connectors.JobScope) *rules {
	r.users, r.groups = newFilter(users, userAttribute), newFilter(groups, groupAttribute)
	for _, name := range r.users.attributes() {
		if f, ok := fieldOf(name); ok {
			r.fields = append(r.fields, f)
		}
	}
	r.notes = append(append(r.notes, r.users.doubts("users")...), r.groups.doubts("groups")...)
	if !r.all && !r.keep && len(users)+len(groups) == 0 {
		return r
	}
	raw, err := json.Marshal([]any{r.all, r.keep, users, groups})
	if err != nil { // it is made of texts and booleans
		raw = []byte(err.Error())
	}
	sum := sha256.Sum256(raw)
	r.digest = hex.EncodeToString(sum[:])
	return r
}

func (c *Connector) knowsRules() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last != nil
}

// jobOnce reads the job, unless the run has read it before.
func (c *Connector) jobOnce(ctx context.Context, stamp stamper) (*connectors.Job, error) {
	if kept, ok := connectors.BudgetFrom(ctx).Kept(rulesKey{c, true}); ok {
		// As evidence the job was asked for in passing. What decides who is in scope is worth a wait, where nothing else is known.
		read, _ := kept.(jobsRead)
		if read.err == nil || refused(read.err) || lastAssignments(ctx) || c.knowsRules() {
			return read.job, read.err
		}
	}
	if _, err := stamp(ctx); err != nil {
		return nil, err
	}
	return c.Job(ctx)
}

// jobSettings reads which users the job sends, and what it does about those who go out of scope (Graph documentation,
// "synchronizationSecretKeyStringValuePair resource type"; the request is that of the Entra documentation, "Skip deletion of
// user accounts that go out of scope"). Credentials that stand beside them are dropped unread.
func (c *Connector) jobSettings(ctx context.Context) (map[string]string, error) {
	a := ask{what: "the provisioning job's settings (synchronization/secrets)", grant: readJobs}
	type answer struct {
		Value *[]struct {
			Key   string          `json:"key"`
			Value json.RawMessage `json:"value"`
		} `json:"value"`
	}
	res, err := readRaw[answer](ctx, c, a, func() (*abs.RequestInformation, error) {
		return get("{+baseurl}/servicePrincipals/{id}/synchronization/secrets", c.sp.String()), nil
	})
	if err != nil {
		return nil, err
	}
	if res.Value == nil {
		return nil, a.broken("an answer that holds no list")
	}
	out := map[string]string{}
	for _, s := range *res.Value {
		if s.Key == "SyncAll" || s.Key == "SkipOutOfScopeDeletions" {
			if v := strings.Trim(string(s.Value), `"`); v != "null" && v != "" {
				out[s.Key] = v
			}
		}
	}
	return out, nil
}

// get is a request that the SDK has no builder for, or one in a package that is not worth its cost.
func get(template, id string) *abs.RequestInformation {
	return abs.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(abs.GET, template, map[string]string{"id": id})
}

// restorable is for how long Entra keeps who was deleted (Entra documentation, "Restore or remove a recently deleted user").
const restorable = 30 * 24 * time.Hour

// deletion says what became of a user whom Graph does not know (Graph documentation, "Get deletedItem").
func (c *Connector) deletion(ctx context.Context, id string) (string, error) {
	type answer struct {
		ID string    `json:"id"`
		At time.Time `json:"deletedDateTime"`
	}
	found, err := readRaw[answer](ctx, c, ask{what: "deleted user " + id, grant: "User.Read.All"}, func() (*abs.RequestInformation, error) {
		return get("{+baseurl}/directory/deletedItems/{id}", id), nil
	})
	switch {
	case connectors.FaultOf(err) == connectors.NotFound:
		return "deleted in Entra for good: found neither among its users nor among the deleted ones", nil
	case err != nil && refused(err):
		return "Graph knows no such user, and does not say whether they were deleted", nil
	case err != nil:
		return "", err
	case found.At.IsZero():
		return "soft-deleted in Entra", nil
	}
	return fmt.Sprintf("soft-deleted in Entra since %s, restorable until %s", found.At.UTC().Format(time.RFC3339),
		found.At.Add(restorable).UTC().Format(time.RFC3339)), nil
}

// graphNames are Graph's names of attributes that provisioning names otherwise (Entra documentation, "Attribute mapping
// reference": a user's attributes).
func graphNames() map[string]string {
	return map[string]string{
		"objectid": "id", "originaluserprincipalname": "userPrincipalName", "telephonenumber": "businessPhones", "mobile": "mobilePhone",
		"facsimiletelephonenumber": "faxNumber", "physicaldeliveryofficename": "officeLocation", "immutableid": "onPremisesImmutableId",
		"dirsyncenabled": "onPremisesSyncEnabled",
	}
}

// userAttribute returns Graph's name of a user's attribute, or "" where it can't be read.
func userAttribute(name string) string {
	name = cmp.Or(graphNames()[strings.ToLower(name)], name)
	for _, f := range slices.Concat(userFields(), moreFields(), filterFields(), extensionFields()) {
		_, leaf, inner := strings.Cut(f.name, ".")
		if strings.EqualFold(f.name, name) || inner && strings.EqualFold(leaf, name) {
			return f.name
		}
	}
	if isExtension(name) {
		return name
	}
	return ""
}

// groupAttribute is the same for a group.
func groupAttribute(name string) string {
	if strings.EqualFold(name, "objectId") {
		return "id"
	}
	for _, known := range []string{"id", "displayName", "description", "mail", "mailNickname", "mailEnabled", "securityEnabled", "visibility"} {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return ""
}
