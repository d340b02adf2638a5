package syncer_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
	"github.com/rosterd/rosterd/connectors/entra"
	"github.com/rosterd/rosterd/connectors/okta"
	"github.com/rosterd/rosterd/internal/idpsim"
	"github.com/rosterd/rosterd/internal/mapping"
	"github.com/rosterd/rosterd/internal/roster"
)

// simPerson is somebody in a simulated directory.
type simPerson struct {
	id, name, mail string
	off            bool // known, and switched off by a status of their own
}

// directory is a simulated tenant of either IdP, its push engine with it, as far as a schedule needs it.
type directory interface {
	// open returns the connector, whose pages hold a few objects, and how it is declared.
	open(page int) (connectors.Reader, mapping.Mapping, roster.ConnectionSync, string, error)
	pushTo(base, token string, client *http.Client, rng *rand.Rand) error
	Version() int
	Inject(f idpsim.Fault) (remove func())
	record(tr *truth)
	people() []simPerson
	person(id string) (simPerson, bool)
	teams() []idpsim.Team
	groups() []string
	members(group string) []string
	// teamsGrant says that who is in a team's group is in scope by that.
	teamsGrant() bool

	add(name string) (string, error)
	assign(id string) error
	// leave takes away whatever puts somebody in scope; each is called after each change.
	leave(id string, each func(error) bool)
	disable(id string) error
	enable(id string) error
	remove(id string) error
	restore(id string) error
	purge(id string) error
	rename(id, name string) error
	display(id, name string) error
	mail(id, mail string) error
	addGroup(name string) (string, error)
	makeTeam(group string) error
	unmakeTeam(group string) error
	renameGroup(group, name string) error
	deleteGroup(group string) error
	join(group, id string) error
	part(group, id string) error

	cycle(ctx context.Context) (idpsim.Summary, error)
	missWhere(lost func(string) bool)
	targetID(id string) string
	// oddity does what only this IdP does, and says what; rest ends it.
	oddity(ctx context.Context, rng *rand.Rand, anybody func() (simPerson, bool)) (string, error)
	rest()
	drawFault(rng *rand.Rand) peril
	// usersPath is asked when the last list of a pull is begun.
	usersPath() string
	expireCursor(rng *rand.Rand) bool
}

// smallPages lowers the size of pages that a connector asks for, so that small tenants have several.
type smallPages struct {
	size      int
	parameter string
}

func (s smallPages) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	if n, err := strconv.Atoi(q.Get(s.parameter)); err == nil && n > s.size {
		q.Set(s.parameter, strconv.Itoa(s.size))
		req.URL.RawQuery = q.Encode()
	}
	return http.DefaultTransport.RoundTrip(req)
}

// entraDirectory is Entra's.
type entraDirectory struct {
	*idpsim.Tenant
	url    string
	pusher *idpsim.Pusher
}

func newEntra(seed uint64, people, groups, page int, rng *rand.Rand) *entraDirectory {
	return &entraDirectory{Tenant: idpsim.New(idpsim.Config{
		Seed: int64(seed), Members: people, Groups: groups, AccessToken: "graph-token", PageSize: page, DeltaReplays: rng.IntN(4),
	})}
}

func (d *entraDirectory) open(page int) (connectors.Reader, mapping.Mapping, roster.ConnectionSync, string, error) {
	m := mapping.Entra()
	r, err := entra.Open(entra.Config{
		TenantID: d.TenantID(), AccessToken: "graph-token", ServicePrincipalID: d.ServicePrincipalID(), GraphURL: d.url,
	}, &http.Client{Transport: smallPages{page, "$top"}}, slog.New(slog.DiscardHandler))
	return r, m, roster.ConnectionSync{Name: "entra", Kind: roster.KindEntra, Target: "t1", Settings: m.Fingerprint(), Managed: m.Managed()}, "graph", err
}

func (d *entraDirectory) pushTo(base, token string, client *http.Client, rng *rand.Rand) (err error) {
	d.pusher, err = idpsim.NewPusher(d.Tenant, idpsim.PushConfig{
		BaseURL: base, Token: token, Workers: 1, Retries: -1, AadOptscim062020: chance(rng, 50), Client: client,
	})
	return err
}

func (d *entraDirectory) record(tr *truth) {
	for _, p := range d.Desired() {
		tr.desired[p.ObjectID] = []string{p.UserPrincipalName, p.Mail, p.DisplayName, p.GivenName, p.Surname}
	}
}

func (d *entraDirectory) people() []simPerson {
	var out []simPerson
	for _, u := range d.Users() {
		out = append(out, simPerson{u.ObjectID, u.UserPrincipalName, u.Mail, u.Disabled})
	}
	return out
}

func (d *entraDirectory) person(id string) (simPerson, bool) {
	u, ok := d.User(id)
	return simPerson{u.ObjectID, u.UserPrincipalName, u.Mail, u.Disabled}, ok
}

func (d *entraDirectory) teams() []idpsim.Team { return d.DesiredTeams() }

func (d *entraDirectory) groups() []string {
	var out []string
	for _, g := range d.Groups() {
		out = append(out, g.ObjectID)
	}
	return out
}

func (d *entraDirectory) members(group string) []string { return d.Members(group) }
func (d *entraDirectory) teamsGrant() bool              { return true }

func (d *entraDirectory) add(name string) (string, error) {
	u, err := d.AddUser(idpsim.User{UserPrincipalName: name, GivenName: "New", Surname: name})
	return u.ObjectID, err
}

func (d *entraDirectory) leave(id string, each func(error) bool) {
	for _, by := range d.Scope(id) {
		if by == id {
			each(d.Unassign(id))
		} else {
			each(d.RemoveFromGroup(by, id))
		}
	}
}

func (d *entraDirectory) assign(id string) error  { return d.Assign(id) }
func (d *entraDirectory) disable(id string) error { return d.DisableUser(id) }
func (d *entraDirectory) enable(id string) error  { return d.EnableUser(id) }
func (d *entraDirectory) remove(id string) error  { return d.DeleteUser(id) }
func (d *entraDirectory) restore(id string) error { return d.RestoreUser(id) }
func (d *entraDirectory) purge(id string) error   { return d.PurgeUser(id) }

func (d *entraDirectory) rename(id, name string) error {
	return d.UpdateUser(id, func(u *idpsim.User) { u.UserPrincipalName = name })
}

func (d *entraDirectory) display(id, name string) error {
	return d.UpdateUser(id, func(u *idpsim.User) { u.DisplayName = name })
}

func (d *entraDirectory) mail(id, mail string) error {
	return d.UpdateUser(id, func(u *idpsim.User) { u.Mail = mail })
}

func (d *entraDirectory) addGroup(name string) (string, error) {
	g, err := d.AddGroup(idpsim.Group{DisplayName: name})
	return g.ObjectID, err
}

func (d *entraDirectory) makeTeam(group string) error          { return d.Assign(group) }
func (d *entraDirectory) unmakeTeam(group string) error        { return d.Unassign(group) }
func (d *entraDirectory) renameGroup(group, name string) error { return d.RenameGroup(group, name) }
func (d *entraDirectory) deleteGroup(group string) error       { return d.DeleteGroup(group) }
func (d *entraDirectory) join(group, id string) error          { return d.AddToGroup(group, id) }
func (d *entraDirectory) part(group, id string) error          { return d.RemoveFromGroup(group, id) }

func (d *entraDirectory) cycle(ctx context.Context) (idpsim.Summary, error) {
	return d.pusher.Cycle(ctx)
}
func (d *entraDirectory) missWhere(lost func(string) bool) { d.pusher.MissWhere(lost) }
func (d *entraDirectory) targetID(id string) string        { return d.pusher.TargetID(id) }
func (d *entraDirectory) rest()                            { d.pusher.LiftQuarantine() }
func (d *entraDirectory) usersPath() string                { return "/users" }

func (d *entraDirectory) oddity(ctx context.Context, rng *rand.Rand, anybody func() (simPerson, bool)) (string, error) {
	switch rng.IntN(4) {
	case 0:
		_, err := d.pusher.Restart(ctx)
		return "restart provisioning", err
	case 1:
		if u, ok := anybody(); ok {
			d.pusher.RedundantSoftDelete(u.id)
		}
		return "an update that is skipped as redundant", nil
	}
	if d.Quarantined() != "" {
		d.pusher.LiftQuarantine()
		return "lift the quarantine", nil
	}
	d.pusher.Quarantine(idpsim.QuarantinedOnDemand)
	return "quarantine", nil
}

func (d *entraDirectory) expireCursor(rng *rand.Rand) bool {
	d.ExpireDeltaTokens(pick(rng, []idpsim.DeltaExpiry{idpsim.DeltaGone, idpsim.DeltaSyncStateNotFound}))
	return true
}

func (d *entraDirectory) drawFault(rng *rand.Rand) peril {
	const assignments, members, users = "/servicePrincipals/*/appRoleAssignedTo", "/groups/*/members", "/users"
	return drawFault(rng, false, assignments, members, users, []string{"/users/*", "/users/*/appRoleAssignments", "/groups/*/appRoleAssignments"},
		[]string{"/groups/*", "/users/delta()", "/groups/delta()"})
}

// oktaDirectory is Okta's. Each change happens some minutes after the one before it, as a delta reads again what changed
// within the last two.
type oktaDirectory struct {
	*idpsim.OktaTenant
	url    string
	pusher *idpsim.OktaPusher
	late   time.Duration
}

func newOkta(seed uint64, people, groups, page int) *oktaDirectory {
	return &oktaDirectory{OktaTenant: idpsim.NewOkta(idpsim.OktaConfig{Seed: int64(seed), Members: people, Groups: groups, PageSize: page})}
}

// then lets time pass after a change.
func (d *oktaDirectory) then(err error) error {
	d.late += 5 * time.Minute
	d.SetSkew(d.late)
	return err
}

func (d *oktaDirectory) open(int) (connectors.Reader, mapping.Mapping, roster.ConnectionSync, string, error) {
	m := mapping.Okta()
	r, err := okta.Open(okta.Config{OrgURL: d.url, AppID: d.AppID(), APIToken: d.APIToken()}, nil, slog.New(slog.DiscardHandler))
	return r, m, roster.ConnectionSync{Name: "okta", Kind: roster.KindOkta, Target: "o1", Settings: m.Fingerprint(), Managed: m.Managed()}, "okta", err
}

func (d *oktaDirectory) pushTo(base, token string, client *http.Client, _ *rand.Rand) (err error) {
	d.pusher, err = idpsim.NewOktaPusher(d.OktaTenant, idpsim.OktaPushConfig{
		BaseURL: base, Token: token, Workers: 1, Retries: -1, Client: client, PushSuspend: true,
	})
	return err
}

func (d *oktaDirectory) record(tr *truth) {
	for _, p := range d.Desired() {
		tr.desired[p.ObjectID] = []string{p.UserName, p.Email, p.DisplayName, p.GivenName, p.FamilyName}
	}
}

func (d *oktaDirectory) people() []simPerson {
	var out []simPerson
	for _, u := range d.Users() {
		p, _ := d.person(u.ID)
		out = append(out, p)
	}
	return out
}

func (d *oktaDirectory) person(id string) (simPerson, bool) {
	u, ok := d.User(id)
	p := simPerson{u.ID, u.Profile.Login, u.Profile.Email, !u.Status.Enabled()}
	if a, is := d.AppUser(id); is {
		p.name, p.mail, p.off = a.UserName, a.Profile.Email, p.off || !a.Status.Enabled()
	}
	return p, ok
}

func (d *oktaDirectory) teams() []idpsim.Team { return d.DesiredTeams() }

func (d *oktaDirectory) groups() []string {
	var out []string
	for _, g := range d.Groups() {
		out = append(out, g.ID)
	}
	return out
}

func (d *oktaDirectory) members(group string) []string { return d.Members(group) }
func (d *oktaDirectory) teamsGrant() bool              { return false }

func (d *oktaDirectory) add(name string) (string, error) {
	u, err := d.AddUser(idpsim.OktaUser{Profile: idpsim.OktaProfile{Login: name, FirstName: "New", LastName: name}})
	return u.ID, d.then(err)
}

// leave takes the person's own assignment away, and them out of every group that assigns.
func (d *oktaDirectory) leave(id string, each func(error) bool) {
	for _, g := range d.AssignedGroups() {
		if slices.Contains(d.Members(g.GroupID), id) {
			each(d.then(d.RemoveFromGroup(g.GroupID, id)))
		}
	}
	if a, ok := d.AppUser(id); ok && a.Direct {
		each(d.then(d.UnassignUser(id)))
	}
}

func (d *oktaDirectory) assign(id string) error  { return d.then(d.AssignUser(id)) }
func (d *oktaDirectory) disable(id string) error { return d.then(d.Suspend(id)) }

func (d *oktaDirectory) enable(id string) error {
	if u, ok := d.User(id); ok && u.Status != idpsim.OktaSuspended {
		return fmt.Errorf("%s is not suspended", id)
	}
	return d.then(d.Unsuspend(id))
}

func (d *oktaDirectory) remove(id string) error { return d.then(d.Deactivate(id)) }

func (d *oktaDirectory) restore(id string) error {
	if u, ok := d.User(id); ok && u.Status != idpsim.OktaDeprovisioned {
		return fmt.Errorf("%s is not deactivated", id)
	}
	return d.then(d.Activate(id))
}

func (d *oktaDirectory) purge(id string) error { return d.then(d.DeleteUser(id)) }

func (d *oktaDirectory) rename(id, name string) error {
	if _, ok := d.AppUser(id); ok {
		for _, a := range d.AppUsers() {
			if a.ID != id && strings.EqualFold(a.UserName, name) {
				return fmt.Errorf("rename to %s: %w", name, idpsim.ErrConflict)
			}
		}
		return d.then(d.UpdateAppUser(id, func(a *idpsim.AppUser) { a.UserName = name }))
	}
	return d.then(d.UpdateProfile(id, func(u *idpsim.OktaProfile) { u.Login = name }))
}

func (d *oktaDirectory) display(id, name string) error {
	return d.then(d.UpdateAppProfile(id, func(a *idpsim.AppProfile) { a.DisplayName = name }))
}

func (d *oktaDirectory) mail(id, mail string) error {
	return d.then(d.UpdateAppProfile(id, func(a *idpsim.AppProfile) { a.Email = mail }))
}

func (d *oktaDirectory) addGroup(name string) (string, error) {
	g, err := d.AddGroup(idpsim.OktaGroup{Name: name})
	return g.ID, d.then(err)
}

func (d *oktaDirectory) makeTeam(group string) error   { return d.then(d.PushGroup(group)) }
func (d *oktaDirectory) unmakeTeam(group string) error { return d.then(d.UnpushGroup(group)) }

func (d *oktaDirectory) renameGroup(group, name string) error {
	return d.then(d.RenameGroup(group, name))
}
func (d *oktaDirectory) deleteGroup(group string) error { return d.then(d.DeleteGroup(group)) }
func (d *oktaDirectory) join(group, id string) error    { return d.then(d.AddToGroup(group, id)) }
func (d *oktaDirectory) part(group, id string) error    { return d.then(d.RemoveFromGroup(group, id)) }

func (d *oktaDirectory) cycle(ctx context.Context) (idpsim.Summary, error) {
	sum, err := d.pusher.Cycle(ctx)
	return sum, err
}

func (d *oktaDirectory) missWhere(lost func(string) bool) { d.pusher.MissWhere(lost) }
func (d *oktaDirectory) targetID(id string) string        { return d.pusher.TargetID(id) }
func (d *oktaDirectory) rest()                            { d.RefusePushMappings(0) }
func (d *oktaDirectory) usersPath() string                { return "/groups/*/users" }

func (d *oktaDirectory) oddity(_ context.Context, rng *rand.Rand, anybody func() (simPerson, bool)) (string, error) {
	switch rng.IntN(4) {
	case 0:
		d.pusher.RetryTasks()
		return "retry the tasks", nil
	case 1:
		if teams := d.teams(); len(teams) > 0 {
			d.pusher.PushNow(pick(rng, teams).ObjectID)
		}
		return "push a group now", nil
	case 2:
		if u, ok := anybody(); ok {
			return "assign or unassign a group", d.turnAssignment(rng, u.id)
		}
	}
	for _, m := range d.PushMappings() {
		if m.Status == idpsim.PushInactive {
			return "resume a push", d.then(d.SetPushStatus(m.SourceGroupID, idpsim.PushActive, ""))
		}
	}
	if teams := d.teams(); len(teams) > 1 {
		return "pause a push", d.then(d.SetPushStatus(pick(rng, teams).ObjectID, idpsim.PushInactive, ""))
	}
	return "nothing", nil
}

// turnAssignment assigns a group to the application, or takes its assignment away.
func (d *oktaDirectory) turnAssignment(rng *rand.Rand, member string) error {
	for _, g := range d.AssignedGroups() {
		if chance(rng, 40) {
			return d.then(d.UnassignGroup(g.GroupID))
		}
	}
	for _, g := range d.groups() {
		if slices.Contains(d.Members(g), member) && chance(rng, 50) {
			return d.then(d.AssignGroup(g))
		}
	}
	return nil
}

func (d *oktaDirectory) expireCursor(*rand.Rand) bool { return false }

func (d *oktaDirectory) drawFault(rng *rand.Rand) peril {
	const users, members, mappings = "/apps/*/users", "/groups/*/users", "/apps/*/group-push/mappings"
	return drawFault(rng, true, users, members, mappings, []string{"/apps/*/users/*", "/users/*/groups", "/users/*"}, []string{"/groups/*", "/groups"})
}
